# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GPUs, switches and others on the bus, and what sysfs tells of their links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import pci

DEVICES = "sys/bus/pci/devices"
ROOT_PORT = "sys/devices/pci0000:00/0000:00:01.0"
GPU_FILES = {
    "vendor": "0x10de",
    "device": "0x2684",
    "class": "0x030000",
    "subsystem_vendor": "0x10de",
    "subsystem_device": "0x16f3",
    "numa_node": "1",
    "current_link_width": "8",
    "max_link_width": "16",
    "current_link_speed": "2.5 GT/s PCIe",
    "max_link_speed": "16.0 GT/s PCIe",
    "power/runtime_status": "active",
    "aer_dev_correctable": "RxErr 0\nTOTAL_ERR_COR 12",
    "aer_dev_nonfatal": "Undefined 0\nTOTAL_ERR_NONFATAL 0",
    "aer_dev_fatal": "Undefined 0\nTOTAL_ERR_FATAL 1",
}


def put(root: Path, folder: str, files: dict[str, str], config: bytes = b"\xde\x10\x84\x26", driver: str = "") -> None:
    base = root / folder
    base.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (base / name).parent.mkdir(exist_ok=True)
        (base / name).write_text(text + "\n")
    (base / "config").write_bytes(config)
    if driver:
        (base / "driver").symlink_to(f"/sys/bus/pci/drivers/{driver}")
    link = root / DEVICES / base.name
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path("/") / folder)


def bridge_config(control: int, size: int = 4096) -> bytes:
    data = bytearray(4096)
    data[0x100:0x104] = (1 << 16 | 0x000D).to_bytes(4, "little")
    data[0x106:0x108] = control.to_bytes(2, "little")
    return bytes(data[:size])


@pytest.fixture
def host(tmp_path: Path, runner: Runner) -> Host:
    return Host(str(tmp_path), runner)


def test_a_gpu_below_a_root_port(tmp_path: Path, host: Host) -> None:
    put(tmp_path, ROOT_PORT, {"vendor": "0x8086", "class": "0x060400"}, bridge_config(0x1D))
    put(tmp_path, f"{ROOT_PORT}/0000:01:00.0", GPU_FILES, driver="nvidia")
    (tmp_path / ROOT_PORT / "0000:01:00.0/iommu_group").symlink_to("../../../kernel/iommu_groups/15")
    found = pci.section(host)
    assert found["gpus"] == [
        {
            "bdf": "0000:01:00.0",
            "vendor": "10de",
            "device": "2684",
            "class": "030000",
            "subsystem": "10de:16f3",
            "driver": "nvidia",
            "config_readable": True,
            "numa_node": 1,
            "link": {"width_current": 8, "width_max": 16, "speed_current_gts": 2.5, "speed_max_gts": 16.0},
            "power_state": "active",
            "aer": {"correctable": 12, "nonfatal": 0, "fatal": 1},
            "bridge": "0000:00:01.0",
            "acs": True,
            "iommu_group": 15,
        }
    ]
    assert (found["nvswitches"], found["others"]) == ([], [])
    assert host.probes.status("pci") == "ok"


@pytest.mark.parametrize(
    ("port", "switch", "acs"),
    [
        (bridge_config(0), bridge_config(0), False),
        (bridge_config(1), bridge_config(0), True),
        (bridge_config(0), bridge_config(1), True),
        # without privileges only the head is readable
        (bridge_config(1, 64), bridge_config(0), None),
        (bridge_config(1, 64), bridge_config(1), True),
    ],
)
def test_every_bridge_above_counts(tmp_path: Path, host: Host, port: bytes, switch: bytes, acs: bool | None) -> None:
    put(tmp_path, ROOT_PORT, {}, port)
    put(tmp_path, f"{ROOT_PORT}/0000:02:00.0", {}, switch)
    put(tmp_path, f"{ROOT_PORT}/0000:02:00.0/0000:03:00.0", GPU_FILES)
    (gpu,) = pci.section(host)["gpus"]
    assert (gpu["acs"], gpu["bridge"]) == (acs, "0000:02:00.0")


def test_a_virtual_machine_hides_what_is_above(tmp_path: Path, host: Host) -> None:
    files = {name: GPU_FILES[name] for name in ("vendor", "device", "class")}
    put(tmp_path, "sys/devices/pci0000:00/0000:00:05.0", {**files, "numa_node": "-1"})
    (gpu,) = pci.section(host)["gpus"]
    for name in ("link", "power_state", "aer", "bridge", "acs", "iommu_group", "numa_node", "subsystem", "driver"):
        assert gpu[name] is None, name


def test_a_gpu_that_fell_off(tmp_path: Path, host: Host) -> None:
    put(
        tmp_path,
        f"{ROOT_PORT}/0000:01:00.0",
        {**GPU_FILES, "current_link_width": "63", "current_link_speed": "Unknown"},
        b"\xff" * 4096,
    )
    (gpu,) = pci.section(host)["gpus"]
    assert gpu["config_readable"] is False
    assert gpu["link"] == {"width_current": None, "width_max": 16, "speed_current_gts": None, "speed_max_gts": 16.0}


def test_the_power_state_is_read_before_the_configuration(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, f"{ROOT_PORT}/0000:01:00.0", {**GPU_FILES, "power/runtime_status": "suspended"})
    order: list[str] = []
    text, read_bytes = host.text, host.read_bytes

    def note_text(path: str) -> str | None:
        order.append(path.rpartition("/")[2])
        return text(path)

    def note_bytes(path: str, limit: int = 0) -> bytes:
        order.append(path.rpartition("/")[2])
        return read_bytes(path, limit)

    monkeypatch.setattr(host, "text", note_text)
    monkeypatch.setattr(host, "read_bytes", note_bytes)
    (gpu,) = pci.section(host)["gpus"]
    assert gpu["power_state"] == "suspended"
    assert order.index("runtime_status") < order.index("config")


@pytest.mark.parametrize(
    ("address", "vendor", "kind", "told"),
    [
        ("0000:03:00.0", "0x1002", "0x030000", True),
        ("0000:03:00.0", "0x1002", "0x120000", True),
        ("0000:03:00.0", "0x8086", "0x030000", True),
        # part of the processor
        ("0000:00:02.0", "0x8086", "0x030000", False),
        # the screen of a management controller
        ("0000:03:00.0", "0x1a03", "0x030000", False),
        ("0000:03:00.0", "0x19e5", "0x120000", True),
        ("0000:03:00.0", "0x8086", "0x020000", False),
        ("0000:03:00.1", "0x10de", "0x040300", False),
        ("0000:03:00.0", "", "", False),
    ],
)
def test_others(tmp_path: Path, host: Host, address: str, vendor: str, kind: str, told: bool) -> None:
    put(
        tmp_path, f"sys/devices/pci0000:00/{address}", {"vendor": vendor, "device": "0x744c", "class": kind}, driver="x"
    )
    found = pci.section(host)
    assert found["gpus"] == []
    expected = {"bdf": address, "vendor": vendor[2:], "device": "744c", "class": kind[2:], "driver": "x"}
    assert found["others"] == ([expected] if told else [])


def test_trees(root_of: Callable[[str], Path], runner: Runner) -> None:
    ready = pci.section(Host(str(root_of("debian13_ready")), runner))
    assert [(gpu["bdf"], gpu["driver"]) for gpu in ready["gpus"]] == [("0000:01:00.0", "nvidia")]
    assert [(switch["bdf"], switch["device"]) for switch in ready["nvswitches"]] == [("0000:05:00.0", "22a3")]
    bare = pci.section(Host(str(root_of("ubuntu2404_bare")), runner))
    assert bare["nvswitches"] == []
    assert [(gpu["bdf"], gpu["driver"], gpu["config_readable"], gpu["numa_node"]) for gpu in bare["gpus"]] == [
        ("0000:01:00.0", "nouveau", True, None),
        ("0000:41:00.0", None, False, 1),
    ]
    assert (bare["gpus"][0]["class"], bare["gpus"][0]["subsystem"]) == ("030000", "10de:16f3")


def test_no_bus(host: Host) -> None:
    assert pci.section(host) == pci.EMPTY
    assert host.probes.status("pci") == "missing"


def test_this_machine(live: Host) -> None:
    found: dict[str, Any] = pci.section(live)
    assert set(found) == {"gpus", "nvswitches", "others", "nvlink5"}


ADAPTER = "/sys/class/infiniband/mlx5_"
SWITCHES = b"\x82\x10\0ConnectX-7\x90\x20\0V3\x06SW_MNG\x78"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # without the folder nobody knows: the module of the adapters may not be loaded
        ({}, None),
        ({f"{ADAPTER}0/device/vpd": b"\x82\x10\0ConnectX-7"}, False),
        ({f"{ADAPTER}0/device/vpd": b"x", f"{ADAPTER}1/device/vpd": SWITCHES}, True),
        # an adapter in software has no such data
        ({f"{ADAPTER}0/ports/1/state": b"4: ACTIVE"}, False),
        # others are not asked: some of them hang
        ({f"{ADAPTER}0/device/vpd": SWITCHES, f"{ADAPTER}0/device/vendor": b"0x8086\n"}, False),
        ({f"{ADAPTER}0/device/vpd": SWITCHES, f"{ADAPTER}0/device/vendor": b"0x15b3\n"}, True),
        # 32 KiB are all that there can be
        ({f"{ADAPTER}0/device/vpd": b"x" * 32768 + SWITCHES}, False),
    ],
)
def test_switches_that_are_no_pci_devices(
    host_of: Callable[[dict[str, bytes]], Host], files: dict[str, bytes], expected: bool | None
) -> None:
    assert pci.section(host_of({"/x": b"", **files}))["nvlink5"] is expected


def test_switches_behind_a_refusal_are_not_denied(
    host_of: Callable[[dict[str, bytes]], Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = host_of({f"{ADAPTER}{number}/device/vpd": SWITCHES if number == 1 else b"x" for number in (0, 1)})
    read = host.read_bytes
    refused = [f"{ADAPTER}0/device/vpd"]

    def refuse(path: str, limit: int = 0) -> bytes:
        if path in refused:
            raise PermissionError(13, "Permission denied", path)
        return read(path, limit)

    monkeypatch.setattr(host, "read_bytes", refuse)
    assert pci.section(host)["nvlink5"] is True
    refused.append(f"{ADAPTER}1/device/vpd")
    assert pci.section(host)["nvlink5"] is None
