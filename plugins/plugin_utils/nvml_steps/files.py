# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of this role on the machine: the udev rule, and the note of what was set by choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps.files import right
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps import links

File = dict[str, str]
# Name of the set, and of our part of the kernel's command line
NAME = "nvml-stability"
UDEV = "/etc/udev/rules.d/71-gpuready-dev-char.rules"
# What was set by choice. A choice that is taken back is not seen in the settings: the user may have made them, too.
NOTE = "/opt/gpuready/nvml_stability/choices"
CHOICES = ("cgroup_v1", "cgroupfs", "links")
_OURS = "# Written by gpuready (role nvml_stability); edits are overwritten.\n"
# NVIDIA's advice for these versions of runc; the event is that of the driver being loaded. A link that is there already
# is a warning only. TEST: the rule outlives the toolkit.
_RULE = (
    'ACTION=="add", DEVPATH=="/bus/pci/drivers/nvidia", TEST=="/usr/bin/nvidia-ctk", '
    f'RUN+="/usr/bin/{" ".join(links.COMMAND)}"\n'
)


def wanted(choices: Iterable[str]) -> list[File]:
    """The files for these choices; none for none. The note comes first: the stamp is kept with the first file."""
    chosen = sorted(choices)
    if not chosen:
        return []
    lines = "".join(f"{choice}\n" for choice in chosen)
    found = [_file(NOTE, _OURS + "# Set by choice, and taken back with it:\n" + lines)]
    return [*found, _file(UDEV, _OURS + _RULE)] if "links" in chosen else found


def stamp(choices: Iterable[str]) -> str:
    return " ".join(sorted(choices))


def noted(facts: Mapping[str, Any]) -> frozenset[str]:
    """What an earlier run has set by choice. facts: the section `files`."""
    found = facts.get(NOTE)
    told = found.get("stamp") if isinstance(found, Mapping) else None
    return frozenset(str(told or "").split()) & frozenset(CHOICES)


def all_right(choices: Iterable[str], facts: Mapping[str, Any]) -> bool:
    """Whether note and rule are there as wanted, and no more of them."""
    chosen = frozenset(choices)
    return noted(facts) == chosen and right(wanted(chosen), facts) and (bool(chosen) or NOTE not in facts)


def _file(path: str, content: str) -> File:
    return {"path": path, "content": content, "mode": "0644"}
