# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""molecule/inventory: each scenario has hosts of its own, and tools/molecule.py builds the images that they name."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
HOSTS = PROJECT / "molecule" / "inventory" / "hosts.yml"
GROUPS: dict[str, Any] = yaml.safe_load(HOSTS.read_text())["all"]["children"]


def load_tool() -> ModuleType:
    """tools/molecule.py, by its path: another package has its name."""
    spec = importlib.util.spec_from_file_location("gpuready_molecule", PROJECT / "tools" / "molecule.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


molecule = load_tool()


@pytest.mark.parametrize("scenario", molecule.scenarios())
def test_a_scenario_has_hosts_of_its_own(scenario: str) -> None:
    hosts = set(GROUPS[scenario]["hosts"])
    others = {host for name, group in GROUPS.items() if name != scenario for host in group.get("hosts", {})}
    assert hosts and not hosts & others


def test_only_the_images_of_the_chosen_scenarios_are_built() -> None:
    assert molecule.images(["dev_container"]) == ["trixie"]
    assert molecule.images(["preflight", "mirrors"]) == ["bookworm", "trixie"]
    assert molecule.images(["nvidia_driver_ubuntu"]) == ["trixie-ubuntu_identity"]
    assert molecule.images(["nvidia_driver_rpm", "preflight"]) == ["bookworm", "trixie", "trixie-rhel_identity"]


def test_a_variant_that_is_named_exists() -> None:
    for name in molecule.images(molecule.scenarios()):
        variant = name.partition("-")[2]
        assert not variant or (PROJECT / "sandbox" / "variants" / variant / "Dockerfile").exists()


def test_hosts_that_may_reboot_have_different_ports() -> None:
    # as sandbox/tasks/host.yml draws them: Ansible's filter `random` with a seed
    names = [host for group in GROUPS.values() for host in group.get("hosts", {})]
    ports = [random.Random(name).choice(range(20000, 30000)) for name in names]
    assert len(set(ports)) == len(ports)
