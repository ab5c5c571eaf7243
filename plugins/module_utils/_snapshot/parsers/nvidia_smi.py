# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The XML of `nvidia-smi -q -x`.

Elements move between document versions (v11: driver 470, v12: 525-570, v13: 580 and later), so that each value is
looked up by name with its older places as fallback. "N/A" means that the board has no such reading; "None" is a
good value of gpu_recovery_action, so it is never folded into "unknown" here.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

_DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]*(\[.*?\])?\s*>", re.DOTALL)
# since r610 the text reads "610.57.04 [Deprecated; ...]"
_DRIVER = re.compile(r"\d{3,}\.\d+(?:\.\d+)?")
_ABSENT = ("n/a", "[n/a]", "not available", "not supported", "requested functionality has been deprecated")
_ERROR = re.compile(r"GPU is lost|Unknown Error|ERR!|GPU requires reset|Reset Required", re.IGNORECASE)
# a GPU that fell off the bus still shows its name and uuid; only live readings tell. An "Unknown Error" in any
# other leaf (Addressing Mode on 535) is harmless.
_TELLING = ("fb_memory_usage", "utilization", "temperature", "ecc_errors", "ecc_mode")


def parse(text: str) -> dict[str, Any]:
    """Return {driver_version, cuda_version, attached, gpus}; a ValueError if it is no such document."""
    start = text.find("<nvidia_smi_log")
    if start < 0:
        raise ValueError("no <nvidia_smi_log> element in the output of nvidia-smi -q -x")
    try:
        root = ET.fromstring(_DOCTYPE.sub("", text[start:].rpartition(">")[0] + ">"))
    except ET.ParseError as exc:
        raise ValueError(f"the output of nvidia-smi -q -x is not well-formed XML: {exc}") from exc
    driver = _DRIVER.search(_text(root, "driver_version", "kmd_version") or "")
    cuda = re.match(r"\d+\.\d+", _text(root, "cuda_version", "cuda_umd_version") or "")
    return {
        "driver_version": driver.group(0) if driver else None,
        "cuda_version": cuda.group(0) if cuda else None,
        "attached": _integer(_text(root, "attached_gpus")),
        "gpus": [_gpu(index, element) for index, element in enumerate(root.findall("gpu"))],
    }


def bdf(value: str | None) -> str | None:
    """Bring "00000000:53:00.0", "0000:53:00.0" and "53:00.0" to the form of sysfs, "0000:53:00.0"."""
    match = re.fullmatch(r"(?:([0-9a-fA-F]{1,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])", (value or "").strip())
    if match is None:
        return None
    domain = int(match.group(1) or "0", 16)
    return f"{domain:04x}:{match.group(2)}:{match.group(3)}.{match.group(4)}".lower()


def _gpu(index: int, gpu: ET.Element) -> dict[str, Any]:
    power = ("gpu_power_readings", "power_readings", "module_power_readings")
    return {
        "index": index,
        "bdf": bdf(gpu.get("id")) or bdf(_text(gpu, "pci/pci_bus_id")),
        "name": _value(_text(gpu, "product_name")),
        "uuid": _value(_text(gpu, "uuid")),
        "minor": _integer(_text(gpu, "minor_number")),
        "memory_total_mib": _integer(_text(gpu, "fb_memory_usage/total")),
        "memory_used_mib": _integer(_text(gpu, "fb_memory_usage/used")),
        "temperature_c": _integer(_text(gpu, "temperature/gpu_temp")),
        "power_draw_w": _first_number(gpu, power, ("instant_power_draw", "power_draw", "average_power_draw")),
        "power_limit_w": _first_number(
            gpu, power, ("current_power_limit", "enforced_power_limit", "power_limit", "requested_power_limit")
        ),
        "persistence": _switch(_text(gpu, "persistence_mode")),
        "mig": _switch(_text(gpu, "mig_mode/current_mig")),
        "ecc": _switch(_text(gpu, "ecc_mode/current_ecc")),
        "state": _state(gpu),
        "recovery_action": _recovery(gpu),
    }


def _text(element: ET.Element, *paths: str) -> str | None:
    for path in paths:
        found = element.find(path)
        if found is not None and found.text is not None and found.text.strip():
            return found.text.strip()
    return None


def _value(text: str | None) -> str | None:
    if text is None or text.lower() in _ABSENT or _ERROR.search(text):
        return None
    return text


def _number(text: str | None) -> float | None:
    match = re.match(r"-?\d+(?:\.\d+)?", text or "")
    return None if match is None else float(match.group(0))


def _integer(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


def _first_number(gpu: ET.Element, parents: tuple[str, ...], names: tuple[str, ...]) -> float | None:
    for parent in parents:
        for name in names:
            # ".//": r610 nests the limits one level deeper
            for element in gpu.findall(f"{parent}//{name}"):
                number = _number((element.text or "").strip())
                if number is not None:
                    return number
    return None


def _switch(text: str | None) -> bool | None:
    return {"enabled": True, "disabled": False}.get((text or "").lower())


def _state(gpu: ET.Element) -> str:
    for name in _TELLING:
        for section in gpu.findall(name):
            for leaf in section.iter():
                match = _ERROR.search(leaf.text or "")
                if match:
                    return "lost" if match.group(0).lower() == "gpu is lost" else "error"
    return "ok"


def _recovery(gpu: ET.Element) -> str | None:
    action = _value(_text(gpu, "gpu_recovery_action"))
    if action is not None:
        return action
    # before 570 there was only gpu_reset_status
    required = (_text(gpu, "gpu_reset_status/reset_required") or "").lower()
    return {"yes": "GPU Reset", "no": "None"}.get(required)
