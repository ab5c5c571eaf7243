# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links in /dev/char: runc 1.1.3 to 1.1.6, and systemd before 240, find a device only through them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps.machine import Machine, at_least
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.container.nvml import (
    DRIVER_MAKES_LINKS,
    RUNC_MENDED,
    RUNC_SKIPS,
    SYSTEMD_READS_NUMBERS,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

CHOICES = ("auto", "present", "absent")
COMMAND = ("nvidia-ctk", "system", "create-dev-char-symlinks", "--create-all")


def wanted(machine: Machine, choice: str) -> bool:
    """Whether somebody has to make the links. Raises ValueError for a choice that there is not."""
    if choice not in CHOICES:
        raise ValueError(f"nvml_stability_dev_char_links must be one of {', '.join(CHOICES)}, not {choice}")
    # a container has no udev, WSL has no such devices
    if choice == "absent" or machine.in_container or machine.wsl:
        return False
    return choice == "present" or (needed(machine) and _nobody_makes_them(machine))


def needed(machine: Machine) -> bool:
    """Whether device rules are lost without links. Not with the cgroupfs driver: systemd has no rules to lose there."""
    if machine.cgroup_driver != "systemd" or machine.rootless:
        return False
    skips = at_least(machine.runc, RUNC_SKIPS) and not at_least(machine.runc, RUNC_MENDED)
    return skips or (machine.systemd is not None and machine.systemd < SYSTEMD_READS_NUMBERS)


def _nobody_makes_them(machine: Machine) -> bool:
    # without a driver there is no device that could be lost
    return machine.driver is not None and not at_least(machine.driver, DRIVER_MAKES_LINKS)


def sign(facts: View) -> str:
    """The link whose presence says that all were made: nvidiactl's. '' where there is no such device."""
    driver = facts.data.get("driver")
    nodes: Any = (driver if isinstance(driver, Mapping) else {}).get("devnodes") or []
    for node in nodes:
        if node.get("path") == "/dev/nvidiactl" and node.get("major") is not None:
            return f"/dev/char/{node['major']}:{node['minor']}"
    return ""


def note(machine: Machine) -> list[Text]:
    """A newer runc is the better cure."""
    if not needed(machine) or machine.systemd is None or machine.systemd < SYSTEMD_READS_NUMBERS:
        return []
    return [
        say(
            "runc {runc} drops device rules where links in /dev/char are missing; {floor} and newer do not",
            runc=machine.runc,
            floor=RUNC_MENDED,
        )
    ]
