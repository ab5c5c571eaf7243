# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What forbids to touch the driver, or the graphics, of a machine. Asked before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import busy, files
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import Driver
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# Packages, what dkms builds, and the download: measured on Debian 12 with headers and compiler, 1.2 GB
ROOT_MIB = 3072
# One more image of the newest kernel beside the old one
BOOT_MIB = 160


def blockers(facts: View, machine: Machine, driver: Driver, inputs: Mapping[str, Any]) -> list[Text]:
    """Sentences, each with what to do; empty where the driver may be installed or changed."""
    found = [*_room(facts), *_secure_boot(machine, driver, inputs), *_kernel(facts, driver), *_packages(facts)]
    if machine.loaded is not None:
        found += in_use(facts)
    return found


def in_use(facts: View) -> list[Text]:
    """A driver in use is not changed, reloaded or rebooted away."""
    holders = busy.holders(facts)
    if not holders and busy.untold(facts):
        return [
            say(
                "it cannot be told who uses the GPUs, for not all programs could be looked at (probe processes: "
                "{status}); run again as root, when fewer files are open, or end the jobs and unload the driver",
                status=facts.text_or_none("probes.processes.status") or "?",
            )
        ]
    if not holders:
        return []
    return [
        say(
            "the GPUs are in use by {holders}; end these jobs, or run playbooks/upgrade_driver.yml, which can wait for "
            "them or stop and start containers that you name",
            holders=names(holders),
        )
    ]


def _room(facts: View) -> Iterator[Text]:
    try:
        systems = {one.text("mount"): one.integer_or_none("free_mib") for one in facts.views("storage.fs")}
    except UnmeasuredError:
        return
    for mount, least in (("/", ROOT_MIB), ("/usr", ROOT_MIB), ("/var", ROOT_MIB // 2), ("/boot", BOOT_MIB)):
        free = systems.get(mount)
        if free is not None and free < least:
            yield say(
                "{mount} has {free} MiB free, the driver needs {least} MiB there; remove old kernels or other files",
                mount=mount,
                free=free,
                least=least,
            )


def _secure_boot(machine: Machine, driver: Driver, inputs: Mapping[str, Any]) -> Iterator[Text]:
    if driver.secure_boot not in ("stop", "enrol") or not driver.build:
        return
    if inputs.get("secure_boot") != "enrol":
        yield say(
            "Secure Boot is on and no key of this machine may sign modules, so the kernel would refuse the driver; set "
            "nvidia_driver_secure_boot to enrol (needs one visit at the console), use a distribution's signed modules "
            "(Ubuntu: nvidia_driver_source=distribution), or switch Secure Boot off in the firmware"
        )
    elif not inputs.get("mok_password_given") and not machine.mok_pending:
        yield say(
            "to enrol a key, set nvidia_driver_mok_password (8 characters or more, from a vault): it is asked for "
            "once, at the console, at the next boot"
        )


def _kernel(facts: View, driver: Driver) -> Iterator[Text]:
    """A module is built for kernels that are installed; another one may run after an upgrade."""
    running = facts.text_or_none("kernel.running")
    if not driver.build or running is None or facts.is_true("simulated.host"):
        return
    try:
        installed = [kernel.text("release") for kernel in facts.views("kernel.installed")]
    except UnmeasuredError:
        return
    if installed and running not in installed:
        yield say(
            "kernel {running} runs, but is no longer installed ({installed}); reboot into an installed one and run "
            "again",
            running=running,
            installed=installed,
        )


def belongs(package: str) -> bool:
    """Whether a half-installed package is one that the driver brings."""
    return "nvidia" in package or package.startswith(("libcuda", "dkms", "linux-headers", "kernel-devel"))


def _packages(facts: View) -> Iterator[Text]:
    try:
        broken = facts.strings("packages.broken")
    except UnmeasuredError:
        return
    foreign = [name for name in broken if not belongs(name)]
    interrupted = files.BEFORE in (facts.data.get("files") or {})
    if foreign and not interrupted:
        yield say(
            "packages are half installed: {packages}; mend them first (dpkg --configure -a, or the role preflight)",
            packages=names(foreign),
        )
