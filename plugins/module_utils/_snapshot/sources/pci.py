# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GPUs, NVSwitches and other accelerators on the PCI bus; this needs no driver."""

from __future__ import annotations

import os
import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import nvidia_smi, pci_config

_PCI = "/sys/bus/pci/devices"
_NVIDIA = "0x10de"
_AMD = "0x1002"
_INTEL = "0x8086"
# VGA and 3D controllers; the same card's audio and USB functions have other classes
_GPU_CLASSES = ("0x0300", "0x0302")
# bridge, other: NVSwitch of A100 and H100 systems
_SWITCH_CLASS = "0x0680"
_DISPLAY, _ACCELERATOR = "0x03", "0x12"
_CONFIG = 4096
_INFINIBAND = "/sys/class/infiniband"
_MELLANOX = "0x15b3"
# the adapter that leads to the NVLink switches of B200 and B300 says so in its vital product data
_SWITCH_MARK = b"SW_MNG"
# PCI Local Bus Specification 3.0, appendix I: 15 bits of address
_VPD = 32768
# a device that does not answer costs 0.1 s; a DGX B200 has 12 adapters
_MOST_ADAPTERS = 32

EMPTY: dict[str, Any] = {"gpus": [], "nvswitches": [], "others": [], "nvlink5": None}


def section(host: Host) -> dict[str, Any]:
    """Return {gpus, nvswitches, others} as sysfs lists them, and whether there are switches that it does not list."""
    found: dict[str, Any] = {"gpus": [], "nvswitches": [], "others": [], "nvlink5": _nvlink5(host)}
    with host.probes.watch("pci", _PCI):
        if not host.is_dir(_PCI):
            raise FileNotFoundError(f"{_PCI} is missing")
        for name in host.names(_PCI):
            folder = f"{_PCI}/{name}"
            vendor = (host.text(f"{folder}/vendor") or "").lower()
            kind = (host.text(f"{folder}/class") or "").lower()
            if vendor == _NVIDIA and kind.startswith(_GPU_CLASSES):
                found["gpus"].append(_gpu(host, folder, name, kind))
            elif vendor == _NVIDIA and kind.startswith(_SWITCH_CLASS):
                found["nvswitches"].append(_device(host, folder, name, kind))
            elif _is_other(vendor, kind, name):
                found["others"].append(_other(host, folder, name, vendor, kind))
    return found


def _nvlink5(host: Host) -> bool | None:
    """Say whether an adapter here manages NVLink 5 switches; null without adapters, or where nobody lets us ask."""
    names = host.names(_INFINIBAND)
    answers = [_manages_switches(host, f"{_INFINIBAND}/{name}/device") for name in names[:_MOST_ADAPTERS]]
    if True in answers:
        return True
    return None if not answers or None in answers or len(names) > len(answers) else False


def _manages_switches(host: Host, folder: str) -> bool | None:
    if host.text(f"{folder}/vendor") not in (_MELLANOX, None):
        return False
    try:
        return _SWITCH_MARK in host.read_bytes(f"{folder}/vpd", _VPD)
    except FileNotFoundError:
        # an adapter in software has none
        return False
    except OSError:
        return None


def _is_other(vendor: str, kind: str, name: str) -> bool:
    if vendor == _NVIDIA:
        return False
    if kind.startswith(_ACCELERATOR):
        return True
    # Intel's graphics on bus 0 are part of the processor; the screens of management controllers do not compute
    on_board = vendor == _INTEL and re.match(r"(?:[0-9a-f]+:)?00:", name) is not None
    return kind.startswith(_DISPLAY) and vendor in (_AMD, _INTEL) and not on_board


def _other(host: Host, folder: str, name: str, vendor: str, kind: str) -> dict[str, Any]:
    return {
        "bdf": nvidia_smi.bdf(name) or name,
        "vendor": _hex(vendor) or vendor[:20],
        "device": _hex(host.text(f"{folder}/device")),
        "class": _hex(kind, 6),
        "driver": host.link_name(f"{folder}/driver"),
    }


def _device(host: Host, folder: str, name: str, kind: str) -> dict[str, Any]:
    vendor, device = (_hex(host.text(f"{folder}/subsystem_{part}")) for part in ("vendor", "device"))
    node = host.text(f"{folder}/numa_node") or ""
    return {
        "bdf": nvidia_smi.bdf(name) or name,
        # ids as in pci.ids: lower-case digits without the 0x of sysfs
        "vendor": _hex(_NVIDIA),
        "device": _hex(host.text(f"{folder}/device")),
        "class": _hex(kind, 6),
        "subsystem": f"{vendor}:{device}" if vendor and device else None,
        "driver": host.link_name(f"{folder}/driver"),
        "config_readable": _config_readable(host, folder),
        # -1: the firmware does not say
        "numa_node": int(node) if node.isascii() and node.isdigit() else None,
    }


def _gpu(host: Host, folder: str, name: str, kind: str) -> dict[str, Any]:
    # before everything else: reading the configuration space wakes a GPU that sleeps
    power = host.text(f"{folder}/power/runtime_status") or None
    bridges = _bridges(host, folder)
    return {
        **_device(host, folder, name, kind),
        "link": _link(host, folder),
        "power_state": power,
        "aer": _aer(host, folder),
        "bridge": bridges[-1][0] if bridges else None,
        "acs": _acs(bridges),
        "iommu_group": _iommu_group(host, folder),
    }


def _hex(text: str | None, width: int = 4) -> str | None:
    match = re.fullmatch(rf"0x([0-9a-f]{{{width}}})", (text or "").lower())
    return match.group(1) if match else None


def _config_readable(host: Host, folder: str) -> bool | None:
    try:
        config = host.read_bytes(f"{folder}/config", 4)
    except OSError:
        return None
    # a device that fell off the bus answers every read with ones
    return len(config) == 4 and config != b"\xff\xff\xff\xff"


def _link(host: Host, folder: str) -> dict[str, Any] | None:
    """Return the link as sysfs tells it; null for a device without one (a virtual machine may hide it)."""
    link = {
        "width_current": pci_config.width(host.text(f"{folder}/current_link_width")),
        "width_max": pci_config.width(host.text(f"{folder}/max_link_width")),
        "speed_current_gts": pci_config.speed_gts(host.text(f"{folder}/current_link_speed")),
        "speed_max_gts": pci_config.speed_gts(host.text(f"{folder}/max_link_speed")),
    }
    return link if any(value is not None for value in link.values()) else None


def _aer(host: Host, folder: str) -> dict[str, Any] | None:
    counts = {
        name: pci_config.aer_total(host.text(f"{folder}/aer_dev_{name}"))
        for name in ("correctable", "nonfatal", "fatal")
    }
    return counts if any(value is not None for value in counts.values()) else None


def _bridges(host: Host, folder: str) -> list[tuple[str, str]]:
    """Return (address, folder on this machine) of the bridges above a device, the root port first."""
    real = os.path.realpath(host.path(folder))
    found: list[tuple[str, str]] = []
    parent = os.path.dirname(real)
    while True:
        address = nvidia_smi.bdf(os.path.basename(parent))
        if address is None:
            return found[::-1]
        found.append((address, parent))
        parent = os.path.dirname(parent)


def _acs(bridges: list[tuple[str, str]]) -> bool | None:
    """Say whether a bridge above redirects requests between GPUs; null if that could not be read."""
    states: list[bool | None] = []
    for _address, folder in bridges:
        try:
            with open(os.path.join(folder, "config"), "rb", buffering=0) as handle:
                states.append(pci_config.acs(handle.read(_CONFIG)))
        except OSError:
            states.append(None)
    if True in states:
        return True
    return None if None in states or not states else False


def _iommu_group(host: Host, folder: str) -> int | None:
    name = host.link_name(f"{folder}/iommu_group") or ""
    return int(name) if name.isascii() and name.isdigit() else None
