# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines as a plan sees them, without a snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import driver, installed
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import GpuFound, Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import make_wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables

TABLE: dict[str, Any] = yaml.safe_load(
    (Path(__file__).resolve().parents[4] / "fixtures" / "plan" / "boards.yml").read_text(encoding="utf-8")
)


def gpus(*devices: str | None, passthrough: bool = False) -> tuple[GpuFound, ...]:
    found = []
    for number, device in enumerate(devices):
        board = tables.gpu(device)
        name = board.name if board else f"10de:{device}"
        found.append(GpuFound(f"0000:{number + 1:02x}:00.0", device, board, name, passthrough))
    return tuple(found)


def host(*devices: str | None, system: str = "ubuntu24.04", **changes: Any) -> Machine:
    """A host with these device ids. changes: fields of Machine; packages: those that are installed."""
    values: dict[str, Any] = {"arch": "x86_64", "secure_boot": False, **TABLE["systems"][system]}
    packages = changes.pop("packages", {})
    if packages:
        values.update(
            installed=packages,
            installed_branch=installed.branch(packages),
            installed_source=installed.source(packages, values["os_id"], values["family"]),
            installed_flavour=installed.flavour(packages),
        )
    return Machine(**{**values, "gpus": gpus(*devices), **changes})


def plan(machine: Machine, **wishes: Any) -> driver.Driver:
    return driver.choose(machine, make_wishes(wishes))


def short(machine: Machine, **wishes: Any) -> str:
    """ "nvidia 580 open", or "refused driver_branch"."""
    try:
        found = plan(machine, **wishes)
    except RefusedError as error:
        return f"refused {error.rung}"
    return f"{found.source} {found.branch} {found.modules}"
