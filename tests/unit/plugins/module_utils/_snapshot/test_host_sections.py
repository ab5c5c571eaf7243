# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of the host, section by section: valid for every tree, whatever is broken in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import (
    clock,
    environment,
    kernel_log,
    network,
    package_manager,
    pci,
    processes,
    services,
    storage,
    system,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

REPOSITORY = Path(__file__).resolve().parents[5]
SCHEMA = json.loads((REPOSITORY / "docs/snapshot.schema.json").read_text())["properties"]
TREES = sorted(path.name for path in (REPOSITORY / "tests/fixtures/roots").iterdir() if path.is_dir())
ENDPOINTS = [{"kind": "apt", "name": "a", "url": "http://127.0.0.1:9/"}]
SECTIONS: dict[str, Callable[[Host], Any]] = {
    "os": system.os_section,
    "virt": lambda host: system.virt_section(host, None),
    "kernel": lambda host: system.kernel_section(host, "debian"),
    "firmware": system.firmware_section,
    "packages": package_manager.section,
    "services": lambda host: services.section(services.read(host)),
    "storage": storage.section,
    "memory": system.memory_section,
    "cpu": system.cpu_section,
    "network": lambda host: network.section(host, [], ENDPOINTS),
    "pci": pci.section,
    "time": clock.section,
    "selinux": system.selinux_section,
    "environment": environment.section,
    "kernel_log": kernel_log.section,
    "processes": processes.section,
}
EMPTY = {
    "network": network.EMPTY,
    "packages": package_manager.EMPTY,
    "pci": pci.EMPTY,
    "time": clock.EMPTY,
    "environment": environment.EMPTY,
    "kernel_log": kernel_log.EMPTY,
    "processes": processes.EMPTY,
    "firmware": system.EMPTY_FIRMWARE,
}
VALIDATORS = {name: jsonschema.Draft202012Validator(SCHEMA[name]) for name in SECTIONS}


def read(host: Host) -> dict[str, Any]:
    """Return all sections; each must obey its part of the schema."""
    found = {}
    for name, section in SECTIONS.items():
        found[name] = json.loads(json.dumps(section(host)))
        VALIDATORS[name].validate(found[name])
    return found


@pytest.mark.parametrize("name", TREES)
def test_every_tree(name: str, root_of: Callable[[str], Path], runner: Runner) -> None:
    read(Host(str(root_of(name)), runner))


def test_this_machine(live: Host) -> None:
    read(live)


@pytest.mark.parametrize("name", sorted(EMPTY))
def test_what_stands_for_a_section_that_failed_is_valid(name: str) -> None:
    VALIDATORS[name].validate(EMPTY[name])


def test_a_host_full_of_faults(root_of: Callable[[str], Path], runner: Runner) -> None:
    found = read(Host(str(root_of("ubuntu2404_faults")), runner))
    assert [(hit["signature"], hit["code"], hit["count"]) for hit in found["kernel_log"]["hits"]] == [
        ("probe", None, 1),
        ("xid", 31, 2),
        ("aer", None, 1),
        ("xid", 79, 1),
    ]
    assert found["kernel"]["newest"] == "6.8.0-87-generic"
    assert [kernel["nvidia"] and kernel["nvidia"]["version"] for kernel in found["kernel"]["installed"]] == [
        "580.95.05",
        None,
    ]
    assert [entry["pid"] for entry in found["processes"]["gpu"]] == [900]
    assert found["processes"]["stuck"] == [{"pid": 901, "comm": "nvidia-smi"}]
    assert found["network"]["proxies"]["environment"] == {"https_proxy": "http://***@proxy.example.com:3128"}
    assert found["network"]["listening"] == [{"port": 2222, "address": "0.0.0.0", "pid": 900, "comm": "python3"}]
    assert found["environment"]["stub_dirs"] == ["/usr/local/cuda/lib64/stubs"]
    assert found["packages"]["unattended"] == {"installed": True, "enabled": True, "excludes": []}
    assert (found["packages"]["snaps"], len(found["packages"]["trusted_sources"])) == (["docker"], 1)
    assert found["memory"]["shm_mib"] == 64
    assert "hunter2" not in json.dumps(found)


def test_no_section_needs_more_than_its_share(live: Host) -> None:
    import time

    for name, section in SECTIONS.items():
        began = time.process_time()
        section(live)
        # the whole snapshot may take 150 ms where nobody else works
        assert time.process_time() - began < 0.3, name


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_still_gives_valid_sections(
    data: st.DataObject,
    root_into: Callable[[str, Path], Path],
    runner: Runner,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = root_into("ubuntu2404_faults", tmp_path_factory.mktemp("damage") / "root")
    paths = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=6, unique=True)):
        content = path.read_bytes()
        position = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:position] + data.draw(st.binary(max_size=20)) + content[position + 5 :])
    read(Host(str(root), runner))
