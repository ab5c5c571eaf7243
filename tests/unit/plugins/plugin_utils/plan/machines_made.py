# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of made-up machines: the saved one of a host with other GPUs, driver or place."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

SNAPSHOTS = Path(__file__).resolve().parents[4] / "fixtures" / "snapshots"
ALL = sorted(str(path.relative_to(SNAPSHOTS)).removesuffix(".json") for path in SNAPSHOTS.rglob("*.json"))


@cache
def _read(name: str) -> str:
    return (SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8")


def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(_read(name))
    return data


def machine(devices: Sequence[str], loaded: str | None = None, **changes: Any) -> dict[str, Any]:
    """A bare Ubuntu 24.04 host with these PCI ids; `loaded`: the version of a driver that runs already.

    changes: scope="container"; arch; wsl; gpus, the names that the driver tells of the GPUs.
    """
    data = copy.deepcopy(load("bare_host"))
    usual = data["pci"]["gpus"][0]
    data["pci"]["gpus"] = [
        {**usual, "device": device, "bdf": f"0000:{number + 1:02x}:00.0"} for number, device in enumerate(devices)
    ]
    data["driver"]["module"] = {"loaded": loaded is not None, "version": loaded, "flavour": loaded and "open"}
    data["driver"]["nouveau"].update(loaded=False, module=None)
    data["scope"] = changes.get("scope", "host")
    data["os"]["machine"] = changes.get("arch", "x86_64")
    data["virt"]["wsl"] = changes.get("wsl", False)
    names = changes.get("gpus", [])
    data["gpus"] = [
        {"bdf": f"0000:{number + 1:02x}:00.0", "name": name, "memory_total_mib": 24564}
        for number, name in enumerate(names)
    ]
    if loaded and changes.get("wsl"):
        data["driver"]["smi"] = {**data["driver"]["smi"], "present": True, "rc": 0, "driver_version": loaded}
    return data
