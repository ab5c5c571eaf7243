# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two choices about control groups: Docker's cgroupfs driver, and the kernel parameter for cgroup v1.

Both only where somebody asks for them: CDI or the runtime cure the loss without them.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

DRIVER = "native.cgroupdriver"
CGROUPFS = f"{DRIVER}=cgroupfs"
PARAMETER = "systemd.unified_cgroup_hierarchy"
# systemd 256 refuses to boot with cgroup v1 unless forced, 257 ignores the parameter, 258 has no v1 (its NEWS)
SYSTEMD_WITHOUT_V1 = 256
# values that systemd reads as false (its parse_boolean)
_FALSE = ("0", "no", "n", "false", "f", "off")


# -- Docker's driver ---------------------------------------------------------------------------------------------------
def exec_opts(data: Mapping[str, Any]) -> list[str]:
    """Docker's exec-opts with the cgroupfs driver; all others stay as they are."""
    present = data.get("exec-opts")
    others = [str(word) for word in present] if isinstance(present, list) else []
    kept = [word for word in others if word.partition("=")[0].strip() != DRIVER]
    return others if CGROUPFS in others and len(others) == len(kept) + 1 else [*kept, CGROUPFS]


def cgroupfs_settings(machine: Machine, data: Mapping[str, Any], noted: frozenset[str]) -> dict[str, Any]:
    """The key of daemon.json for the opt-in; nothing where the driver is cgroupfs by itself (cgroup v1)."""
    if machine.in_container or (machine.cgroup_driver == "cgroupfs" and "cgroupfs" not in noted):
        return {}
    return {"exec-opts": exec_opts(data)}


def refuse_cgroupfs(machine: Machine) -> Text | None:
    if machine.in_container:
        return say("nvml_stability_cgroupfs: this is a container, Docker's driver is its host's matter")
    if machine.rootless:
        return say("nvml_stability_cgroupfs: a rootless engine writes no device rules, so that no driver keeps any")
    if machine.kubelet:
        return say(
            "nvml_stability_cgroupfs: Kubernetes runs here; kubelet and Docker must use the same cgroup driver, and two"
            " managers of one cgroup tree disturb each other"
        )
    return None


# -- the kernel parameter ----------------------------------------------------------------------------------------------
def refuse_v1(machine: Machine) -> Text | None:
    """Why the kernel parameter must not be written here; None where it may."""
    if machine.in_container:
        return say("nvml_stability_cgroup_v1: a container has no boot loader; its host chooses the cgroup version")
    if machine.wsl:
        return say("nvml_stability_cgroup_v1: WSL takes the kernel's parameters from .wslconfig on Windows")
    if machine.systemd is None:
        return say("nvml_stability_cgroup_v1: the version of systemd is not known, and newer ones cannot boot with it")
    if machine.systemd >= SYSTEMD_WITHOUT_V1:
        return say(
            "nvml_stability_cgroup_v1: systemd {version} no longer boots with cgroup v1 ({last} was the last one), and"
            " nothing needs it: containers keep their GPUs through CDI or runtime: nvidia",
            version=machine.systemd,
            last=SYSTEMD_WITHOUT_V1 - 1,
        )
    if machine.cmdline_next is None:
        return say(
            "nvml_stability_cgroup_v1: it could not be told what the boot loader gives the kernel, so that a wrong"
            " parameter would be found at the next boot only"
        )
    return None


def is_v1(line: str | None) -> bool | None:
    """What a command line says about the parameter; None where it does not name it."""
    found: bool | None = None
    for word in _words(line or ""):
        name, equals, value = word.partition("=")
        if name == PARAMETER:
            # the last one counts
            found = bool(equals) and value.lower() in _FALSE
    return found


def v1_wanted(machine: Machine, noted: frozenset[str]) -> bool:
    """Whether the opt-in needs a parameter: not where the machine boots with v1 by itself."""
    by_itself = machine.cgroup in ("v1", "hybrid") and is_v1(machine.cmdline) is None and "cgroup_v1" not in noted
    return not by_itself


def v1_right(machine: Machine) -> bool:
    return is_v1(machine.cmdline_next) is True


def pending(machine: Machine) -> Text | None:
    """What the next boot changes, whoever wrote or took back the parameter."""
    now, following = is_v1(machine.cmdline) is True, is_v1(machine.cmdline_next) is True
    if machine.in_container or machine.cmdline_next is None or now == following:
        return None
    if following:
        return say("cgroup v1 comes with the next boot; this role never reboots, so choose the moment: sudo reboot")
    return say("cgroup v2 comes back with the next boot; this role never reboots, so choose the moment: sudo reboot")


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()
