# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `nvidia-smi -q`, as XML or as text, says about the driver and its GPUs.

Both forms are brought to the same flat list of leaves under the names of the XML, then read by one set of rules.
Elements move between document versions (v11: driver 470, v12: 525-570, v13: 580 and later), so that each value is
looked up by name with its older places as fallback. Units: MiB, W, C, MHz, us; null for "N/A".
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import (
    nvidia_smi_health as health,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import (
    nvidia_smi_text,
    nvidia_smi_xml,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import (
    nvidia_smi_values as values,
)

# since r610 the body reads "610.57.04 [Deprecated; ...]"
_DRIVER = re.compile(r"\d{3,}\.\d+(?:\.\d+)?")
_CUDA = re.compile(r"\d+\.\d+")
_BDF = re.compile(r"(?:([0-9a-fA-F]{1,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])")
# r610 nests the limits one level deeper, in a group of their own; base power has its own names and is no limit
_LIMIT_GROUPS = ("", "gpu_ceiling_power_limit/", "ceiling_power_limit/")
_POWER = ("gpu_power_readings", "power_readings")
_DRAWS = ("instant_power_draw", "power_draw", "average_power_draw")
_LIMITS = ("current_power_limit", "enforced_power_limit", "power_limit", "requested_power_limit")
# idle: a link or a clock that is down tells nothing then (P-states: P0 fastest to P15)
_IDLE_PSTATE = 5


def parse(text: str) -> dict[str, Any]:
    """Read the XML of `nvidia-smi -q -x`: {driver_version, cuda_version, attached, gpus}. ValueError if it is none."""
    return _document(*nvidia_smi_xml.leaves(text))


def parse_text(text: str) -> dict[str, Any]:
    """Read the text of `nvidia-smi -q`, with the same result as `parse`. ValueError if it is none."""
    return _document(*nvidia_smi_text.leaves(text))


def parse_any(text: str) -> dict[str, Any]:
    """Read either form."""
    return parse(text) if nvidia_smi_xml.START in text else parse_text(text)


def bdf(value: str | None) -> str | None:
    """Bring "00000000:53:00.0", "0000:53:00.0" and "53:00.0" to the form of sysfs, "0000:53:00.0"."""
    match = _BDF.fullmatch((value or "").strip())
    if match is None:
        return None
    domain = int(match.group(1) or "0", 16)
    return f"{domain:04x}:{match.group(2)}:{match.group(3)}.{match.group(4)}".lower()


def _document(head: values.Leaves, gpus: list[nvidia_smi_xml.Gpu]) -> dict[str, Any]:
    return {
        "driver_version": _version(_DRIVER, head, "driver_version", "kmd_version"),
        "cuda_version": _version(_CUDA, head, "cuda_version", "cuda_umd_version"),
        "attached": values.integer(head, "attached_gpus"),
        "gpus": [_gpu(index, gpu) for index, gpu in enumerate(gpus)],
    }


def _version(pattern: re.Pattern[str], head: values.Leaves, *names: str) -> str | None:
    for name in names:
        match = pattern.match(head.get(name, "").strip())
        if match:
            return match.group(0)
    return None


def _gpu(index: int, gpu: nvidia_smi_xml.Gpu) -> dict[str, Any]:
    leaves = gpu.leaves
    throttle = health.throttle(leaves)
    pstate = values.text(leaves, "performance_state")
    return {
        "index": index,
        "bdf": bdf(gpu.bus_id) or bdf(leaves.get("pci/pci_bus_id")),
        "name": values.text(leaves, "product_name"),
        "uuid": values.text(leaves, "uuid"),
        "minor": values.integer(leaves, "minor_number"),
        "brand": values.text(leaves, "product_brand"),
        "architecture": values.text(leaves, "product_architecture"),
        "vbios": values.text(leaves, "vbios_version"),
        "driver_model": values.text(leaves, "driver_model/current_dm"),
        # "None" is bare metal here
        "virtualization": values.text(leaves, "gpu_virtualization_mode/virtualization_mode"),
        "license": values.text(
            leaves,
            "vgpu_software_licensed_product/license_status",
            "grid_licensed_product/license_status",
        ),
        "gsp_firmware": values.text(leaves, "gsp_firmware_version"),
        "compute_mode": values.text(leaves, "compute_mode"),
        "persistence": values.switch(leaves, "persistence_mode"),
        "mig": values.switch(leaves, "mig_mode/current_mig"),
        "mig_pending": values.switch(leaves, "mig_mode/pending_mig"),
        "memory_total_mib": values.integer(leaves, "fb_memory_usage/total"),
        "memory_used_mib": values.integer(leaves, "fb_memory_usage/used"),
        "pstate": pstate,
        "idle": _idle(leaves, throttle["active"], pstate),
        "throttle": throttle,
        "pcie": _pcie(leaves),
        "clocks": _clocks(leaves),
        **_temperatures(leaves),
        **_power(leaves),
        "ecc": values.switch(leaves, "ecc_mode/current_ecc"),
        "ecc_pending": values.switch(leaves, "ecc_mode/pending_ecc"),
        "ecc_errors": health.ecc_errors(leaves),
        "remapped_rows": health.remapped_rows(leaves),
        "retired_pages": health.retired_pages(leaves),
        "fabric": health.fabric(leaves),
        "recovery_action": health.recovery_action(leaves),
        "state": health.state(leaves),
        "processes": [_process(process) for process in gpu.processes],
        "errors": health.errors(leaves),
    }


def _idle(leaves: values.Leaves, active: list[str], pstate: str | None) -> bool | None:
    match = re.fullmatch(r"P(\d+)", pstate or "")
    if "gpu_idle" in active or (match and int(match.group(1)) >= _IDLE_PSTATE):
        return True
    return False if match or values.below(leaves, *health.REASONS) else None


def _pcie(leaves: values.Leaves) -> dict[str, int | None]:
    gen, width = "pci/pci_gpu_link_info/pcie_gen", "pci/pci_gpu_link_info/link_widths"
    return {
        "gen_current": values.integer(leaves, f"{gen}/current_link_gen"),
        "gen_max": values.integer(leaves, f"{gen}/max_link_gen"),
        "gen_device_max": values.integer(leaves, f"{gen}/max_device_link_gen"),
        # 0: not known to the driver
        "gen_host_max": values.integer(leaves, f"{gen}/max_host_link_gen") or None,
        "width_current": values.integer(leaves, f"{width}/current_link_width"),
        "width_max": values.integer(leaves, f"{width}/max_link_width"),
        "replays": values.integer(leaves, "pci/replay_counter"),
    }


def _clocks(leaves: values.Leaves) -> dict[str, int | None]:
    return {
        "sm_mhz": values.integer(leaves, "clocks/sm_clock"),
        "memory_mhz": values.integer(leaves, "clocks/mem_clock"),
        "application_sm_mhz": values.integer(leaves, "applications_clocks/graphics_clock"),
        "max_sm_mhz": values.integer(leaves, "max_clocks/sm_clock", "max_clocks/graphics_clock"),
    }


def _temperatures(leaves: values.Leaves) -> dict[str, int | None]:
    """Return absolute threshold and margin, each if the board has it: no architecture tells which one it has."""
    return {
        "temperature_c": values.integer(leaves, "temperature/gpu_temp"),
        "temperature_slowdown_c": values.integer(leaves, "temperature/gpu_temp_slow_threshold"),
        "temperature_margin_c": values.integer(
            leaves, "temperature/gpu_temp_tlimit", "temperature/gpu_current_temp_tlimit"
        ),
        "temperature_memory_c": values.integer(leaves, "temperature/memory_temp"),
    }


def _power(leaves: values.Leaves) -> dict[str, float | None]:
    def limit(*names: str) -> float | None:
        return values.number(
            leaves, *(f"{section}/{group}{name}" for section in _POWER for group in _LIMIT_GROUPS for name in names)
        )

    return {
        "power_draw_w": values.number(leaves, *(f"{section}/{name}" for section in _POWER for name in _DRAWS)),
        "power_limit_w": limit(*_LIMITS),
        "power_default_w": limit("default_power_limit"),
        "power_max_w": limit("max_power_limit"),
    }


def _process(leaves: values.Leaves) -> dict[str, Any]:
    return {
        "pid": values.integer(leaves, "pid"),
        "type": values.text(leaves, "type"),
        "name": values.text(leaves, "process_name"),
        "used_mib": values.integer(leaves, "used_memory"),
    }
