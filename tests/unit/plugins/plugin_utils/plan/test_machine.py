# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan takes from a snapshot."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine, read
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View
from hypothesis import given
from hypothesis import strategies as st

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.insert(0, str(Path(__file__).parent))

from machines_made import ALL, load


def seen(name: str, **changes: Any) -> Machine:
    """A saved machine with other values at paths ("virt__wsl": True)."""
    data = load(name)
    for path, value in changes.items():
        *folders, last = path.split("__")
        place = data
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    return read(View(data))


@pytest.mark.parametrize("name", ALL)
def test_every_saved_machine_is_read(name: str) -> None:
    machine = seen(name)
    assert machine.platform in ("host", "rented", "wsl2", "jetson")
    assert machine.os_id in ("ubuntu", "debian") and machine.os_version
    assert machine.arch == "x86_64" and machine.gpus
    assert all(gpu.board is not None and gpu.name == gpu.board.name for gpu in machine.gpus)


def test_a_host_that_runs_a_driver() -> None:
    machine = seen("sandbox_ready")
    assert (machine.os_id, machine.os_version, machine.family) == ("debian", "13", "debian")
    assert (machine.loaded, machine.installed_branch, machine.installed_source) == ("580.159.03", "580", "nvidia")
    assert (machine.loaded_flavour, machine.installed_flavour) == ("open", "open")
    assert machine.simulated and not machine.own_kernel


def test_a_bare_host() -> None:
    machine = seen("bare_host")
    assert (machine.loaded, machine.installed_source, machine.installed_branch) == (None, None, None)
    assert machine.own_kernel and not machine.simulated and machine.pci_seen


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "host"),
        ({"scope": "container"}, "rented"),
        ({"virt__wsl": True}, "wsl2"),
        ({"virt__wsl": True, "scope": "container"}, "wsl2"),
        ({"virt__jetson": True}, "jetson"),
        # a simulated host is a container by its kind, and a host by its scope
        ({"virt__kind": "container"}, "host"),
    ],
)
def test_platforms(changes: dict[str, Any], expected: str) -> None:
    assert seen("bare_host", **changes).platform == expected


def test_a_gpu_bound_to_vfio_belongs_to_a_virtual_machine() -> None:
    data = load("bare_host")
    data["pci"]["gpus"][0]["driver"] = "vfio-pci"
    machine = read(View(data))
    assert [gpu.passthrough for gpu in machine.gpus] == [True, False]
    assert len(machine.served) == len(machine.boards) == 1


def test_an_unknown_gpu_keeps_the_name_that_the_driver_tells() -> None:
    data = load("ready_host")
    data["pci"]["gpus"][0]["device"] = "3fff"
    data["gpus"][0].update(bdf=data["pci"]["gpus"][0]["bdf"], name="NVIDIA Something New")
    assert read(View(data)).gpus[0].name == "NVIDIA Something New"
    data["gpus"] = []
    assert read(View(data)).gpus[0].name == "10de:3fff"


@pytest.mark.parametrize(
    ("name", "nvlink5", "expected"),
    [
        ("machines/h100x8", None, "nvswitch"),
        ("machines/h100x8", False, "nvswitch"),
        ("machines/b200x8", True, "nvlink5"),
        # the collector saw no switch: then there is none
        ("machines/b200x8", False, None),
        # it could not look: eight B200 in an x86 machine are on a baseboard
        ("machines/b200x8", None, "nvlink5"),
        ("machines/rtx4090x8", None, None),
        ("machines/a100", None, None),
    ],
)
def test_switches(name: str, nvlink5: bool | None, expected: str | None) -> None:
    assert seen(name, pci__nvlink5=nvlink5).switch == expected


def test_gb200_nodes_have_no_switch_of_their_own() -> None:
    data = load("machines/b200x8")
    data["pci"]["nvlink5"] = None
    data["os"]["machine"] = "aarch64"
    assert read(View(data)).switch is None


def test_the_driver_of_windows_is_what_nvidia_smi_tells() -> None:
    machine = seen("bare_host", virt__wsl=True, driver__smi={"driver_version": "591.44"})
    assert machine.loaded == "591.44"
    assert seen("bare_host", driver__smi={"driver_version": "591.44"}).loaded is None


@pytest.mark.parametrize("version", [None, "", "unknown", "?"])
def test_a_driver_that_runs_is_seen_though_its_version_cannot_be_read(version: str | None) -> None:
    machine = seen("ready_host", driver__module={"loaded": True, "version": version, "flavour": None})
    assert (machine.loaded, machine.unknown_driver) == (None, True)
    assert not seen("ready_host").unknown_driver and not seen("bare_host").unknown_driver


def test_a_runfile_counts_where_no_package_does() -> None:
    assert seen("bare_host", driver__runfile=True).installed_source == "runfile"
    both = seen("sandbox_ready", driver__runfile=True)
    assert (both.installed_source, both.runfile) == ("nvidia", True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"firmware__efi": True, "firmware__secure_boot": True}, True),
        ({"firmware__efi": True, "firmware__secure_boot": None}, None),
        ({"firmware__efi": False, "firmware__secure_boot": None}, False),
    ],
)
def test_secure_boot(changes: dict[str, Any], expected: bool | None) -> None:
    assert seen("bare_host", **changes).secure_boot is expected


def test_the_next_kernel_is_named_only_where_it_is_another() -> None:
    assert (
        seen("bare_host", kernel__running="6.8.0-87-generic", kernel__newest="6.8.0-87-generic").kernel_newest is None
    )
    assert seen("bare_host", kernel__newest="6.8.0-99-generic").kernel_newest == "6.8.0-99-generic"


def test_a_bus_that_could_not_be_looked_at() -> None:
    data = load("bare_host")
    data["pci"]["gpus"] = []
    assert read(View(data)).pci_seen
    data["probes"]["pci"] = {"status": "failed"}
    assert not read(View(data)).pci_seen
    del data["pci"]
    assert not read(View(data)).pci_seen


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["os", "virt", "kernel", "firmware", "packages", "pci", "driver", "gpus", "simulated", "probes"]),
    JUNK,
)
def test_nothing_that_a_snapshot_lacks_or_garbles_raises(section: str, junk: Any) -> None:
    data = load("ready_host")
    data[section] = junk
    assert isinstance(read(View(data)), Machine)
    del data[section]
    assert isinstance(read(View(data)), Machine)


@given(JUNK)
def test_no_snapshot_at_all_raises(junk: Any) -> None:
    assert isinstance(read(View(junk)), Machine)
