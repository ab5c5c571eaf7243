# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What image and torch are chosen for: the GPUs, and the driver that will run under them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.cards import GIVEN, Card, capabilities
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import Driver
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import Nearest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least, version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say


@dataclass(frozen=True)
class Base:
    """The ground under the software. `driver`: version or None where it is not known; `cuda`: what it brings.

    fixed: the driver is not this machine's to change. working: one runs already. today: the month of the
    snapshot, '2026-11', or None.
    """

    cards: tuple[Card, ...]
    driver: str | None = None
    cuda: str | None = None
    fixed: bool = False
    working: bool = False
    arch: str | None = None
    today: str | None = None

    @property
    def capabilities(self) -> tuple[str, ...]:
        return capabilities(self.cards)

    def runs(self, cuda: str) -> bool:
        """Whether the driver runs programs of a CUDA version, also one newer than its own within a major version."""
        return _runs(self.driver, cuda)

    def other_driver(self, cuda: str) -> list[Nearest]:
        """The driver branch to go to for a CUDA version; none where the driver cannot be changed."""
        branch = None if self.fixed else branch_for(cuda)
        if branch is None:
            return []
        given: dict[str, Any] = {"nvidia_driver_branch": branch}
        if self.working:
            given["nvidia_driver_allow_change"] = True
        return [Nearest(say("driver branch {branch}", branch=branch), given)]

    def above(self, cuda: str) -> bool:
        """Whether a CUDA version is newer than what the driver brings: it then runs by minor version compatibility."""
        return self.cuda is not None and not at_least(self.cuda, minor(cuda))


@lru_cache(maxsize=512)
def _runs(driver: str | None, cuda: str) -> bool:
    floor = tables.min_driver_for_cuda(cuda)
    return floor is not None and (driver is None or at_least(driver, floor))


def make(machine: Machine, driver: Driver, cards: tuple[Card, ...], today: str | None = None) -> Base:
    version = _version(machine, driver)
    return Base(
        cards=cards,
        driver=version,
        cuda=tables.max_cuda_for_driver(version),
        fixed=machine.platform in GIVEN,
        working=machine.loaded is not None,
        arch=machine.arch,
        today=today,
    )


def minor(version: str) -> str:
    """'12.4.1' -> '12.4'."""
    return ".".join(version.split(".")[:2])


def major(version: str) -> int:
    return version_key(version)[0]


@lru_cache(maxsize=2048)
def at_least(version: str, floor: str) -> bool:
    try:
        return version_at_least(version, floor)
    except ValueError:
        return False


def branch_for(cuda: str) -> str | None:
    """The driver branch to go to for a CUDA version: of those still supported the one that lives longest."""
    rows: Mapping[int, Mapping[str, Any]] = tables.table("drivers")["branches"]
    floor = tables.min_driver_for_cuda(cuda)
    fitting = [
        (row["eol"] or "", -number)
        for number, row in rows.items()
        if floor is not None and row["state"] == "supported" and at_least(row["newest"] or str(number), floor)
    ]
    return str(-max(fitting)[1]) if fitting else None


def _version(machine: Machine, driver: Driver) -> str | None:
    if driver.version:
        return driver.version
    if driver.stays and machine.loaded:
        return machine.loaded
    if driver.branch:
        found = tables.driver_branch(int(driver.branch)) if driver.branch.isdecimal() else None
        row = tables.table("drivers")["branches"][found.number] if found else {}
        # a branch stands for its newest release
        return row.get("newest") or f"{driver.branch}.999"
    return machine.loaded
