# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses the GPUs: no driver is changed, reloaded or rebooted away under a job."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# Programs of the driver itself; they are stopped and started with it. The kernel cuts a name after 15 characters.
OWN = ("nvidia-persiste", "nv-fabricmanage", "nvidia-fabricma", "nv-hostengine", "nvidia-smi", "nvlsm", "nvidia-imex")


def holders(facts: View) -> list[Text]:
    """The processes that hold a GPU's device file, without the driver's own services; one text each."""
    try:
        found = facts.views("processes.gpu")
    except UnmeasuredError:
        return []
    return [_holder(one) for one in found if one.text_or_none("comm") not in OWN]


def untold(facts: View) -> bool:
    """Whether a job may hold a GPU that the look at all programs has not come to: not measured is not idle."""
    try:
        if not facts.flag("driver.module.loaded"):
            return False  # without the module there is no device to hold
    except UnmeasuredError:
        pass
    try:
        facts.views("processes.gpu")
        return facts.text("probes.processes.status") != "ok"
    except UnmeasuredError:
        return True


def _holder(process: View) -> Text:
    name, pid = process.text_or_none("comm") or "?", process.integer_or_none("pid")
    user = process.text_or_none("user") or "?"
    container = process.text_or_none("container_name") or process.text_or_none("container")
    if container:
        return say(
            "{name} (pid {pid}, user {user}, container {container})", name=name, pid=pid, user=user, container=container
        )
    return say("{name} (pid {pid}, user {user})", name=name, pid=pid, user=user)
