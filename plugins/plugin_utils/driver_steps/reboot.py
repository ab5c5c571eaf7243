# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the machine must load the driver anew or boot, told by its state and not by what a run has done."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import Driver
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import driver_version
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# The words of the kernel's command line that decide which driver takes the GPUs
_WORDS = ("nouveau", "nvidia", "modprobe.blacklist", "module_blacklist", "rd.driver.blacklist", "rd.driver.pre")


def reload_causes(facts: View, driver: Driver, installed: str) -> list[Text]:
    """Why the modules that are loaded are not those that are installed. `installed`: version of the packages."""
    loaded = facts.text_or_none("driver.module.version")
    if not facts.is_true("driver.module.loaded") or loaded is None:
        return []
    causes = []
    if installed and driver_version(loaded) != installed:
        causes.append(say("driver {loaded} is loaded, {installed} is installed", loaded=loaded, installed=installed))
    flavour = facts.text_or_none("driver.module.flavour")
    if driver.modules and flavour and flavour != driver.modules and not causes:
        causes.append(
            say("{loaded} modules are loaded, {planned} ones are installed", loaded=flavour, planned=driver.modules)
        )
    return causes


def reboot_causes(facts: View, driver: Driver) -> list[Text]:
    """Why only a boot brings the driver that is installed."""
    return [*_nouveau(facts), *_kernel(facts), *_command_line(facts)]


def _nouveau(facts: View) -> Iterator[Text]:
    free = facts.text_or_none("driver.nouveau.module")
    if free and not facts.is_true("driver.module.loaded"):
        yield say("the free driver {name} is loaded and holds the GPUs", name=free)


def _kernel(facts: View) -> Iterator[Text]:
    """The running kernel has no module, and the one that boots next has."""
    running, newest = facts.text_or_none("kernel.running"), facts.text_or_none("kernel.newest")
    if facts.is_true("driver.module.loaded") or not running or not newest or running == newest:
        return
    try:
        kernels = {
            kernel.text("release"): kernel.text_or_none("nvidia.path") for kernel in facts.views("kernel.installed")
        }
    except UnmeasuredError:
        return
    if not kernels.get(running) and kernels.get(newest):
        yield say("kernel {running} runs, the module is built for {newest}", running=running, newest=newest)


def _command_line(facts: View) -> Iterator[Text]:
    now, following = facts.text_or_none("kernel.cmdline"), facts.text_or_none("kernel.cmdline_next")
    if now is None or following is None:
        return
    running, wanted = _words(now), _words(following)
    if running != wanted:
        changed = sorted(running ^ wanted)
        yield say("the kernel's command line changes at the next boot: {words}", words=changed)


def _words(line: str) -> set[str]:
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return {word for word in words if word.startswith(_WORDS)}
