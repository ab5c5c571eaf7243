# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Described mounts held against the host, before anything is changed: what is right, what can be, what must not be."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _fstab, _secrets, _storage_host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner, first_line
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_entry import (
    PACKAGES,
    Built,
    EntryError,
    build,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_host import Mounted


class MountError(Exception):
    """The mounts cannot be what was asked for; the text is one sentence for the user."""


def described(mounts: Sequence[dict[str, Any]], table: str) -> list[Built]:
    """The mounts, those above others first. table: the text of fstab. Raises MountError for what cannot be meant."""
    found: list[Built] = []
    for mount in mounts:
        try:
            built = build(mount)
        except EntryError as error:
            raise MountError(f"mount {mount['name']}: {error}") from error
        twins = [other for other in found if built.name == other.name or built.entry.path == other.entry.path]
        if twins:
            raise MountError(f"mount {built.name}: {twins[0].name} has the same name or path already")
        for number, line in _fstab.others_at(table, built.entry.path):
            said = f"line {number} of {_fstab.PATH} is about the same path ({_secrets.redact_url(line)})"
            raise MountError(f"mount {built.name}: {said}; take it out, or leave {built.name} out")
        found.append(built)
    return sorted(found, key=lambda built: built.entry.path.count("/"))


def needs(wanted: Sequence[Built], runner: Runner) -> list[str]:
    """Names of the packages that have the helpers which are missing."""
    family = "debian" if runner.which("dpkg") else "rhel"
    kinds = [built.kind for built in wanted if _storage_host.lacks_helper(built.kind, runner)]
    return sorted({PACKAGES[family][kind] for kind in kinds})


class Look:
    """Judges one mount after the other. notes: where a person is told what is not as wished."""

    def __init__(
        self, params: Mapping[str, Any], runner: Runner, there: Mapping[str, Mounted], notes: list[str]
    ) -> None:
        self.params, self.runner, self.there, self.notes = params, runner, there, notes

    def at(self, built: Built) -> str:
        """Whether a mount is 'right', 'new', or its server 'silent'. Raises MountError for what must not be done."""
        entry = built.entry
        there = self.there.get(entry.path)
        if there is not None:
            if _storage_host.right(built, there, self.runner):
                return "right"
            raise MountError(f"mount {built.name}: {there.source} is mounted on {entry.path} already; unmount it first")
        name = _storage_host.holds_files(entry.path)
        if name and not self._above_changes(entry.path):
            raise MountError(
                f"mount {built.name}: {entry.path} holds files ({name}), which it would hide; move them away"
            )
        reason = _storage_host.knows(built.kind, self.runner) or self._no_source(built)
        if reason:
            raise MountError(f"mount {built.name}: {reason}")
        reason = _storage_host.silent(built)
        if reason and self.params["on_unreachable"] == "fail":
            raise MountError(f"mount {built.name}: {reason}; nothing else was tried")
        if reason:
            self.notes.append(f"{built.name} is not mounted: {reason}. Its entry is there, and no boot waits for it.")
        return "silent" if reason else "new"

    def _above_changes(self, path: str) -> bool:
        """A folder below a mount that is not there yet will be another one afterwards."""
        above = [mount["path"] for mount in self.params["mounts"] if path.startswith(mount["path"] + "/")]
        return any(parent not in self.there for parent in above)

    def _no_source(self, built: Built) -> str:
        spec = built.entry.spec
        if built.kind == "bind" and not os.path.isdir(spec):
            return f"there is no folder {spec}"
        if built.kind != "disk" or _storage_host.device_of(spec, self.runner):
            return ""
        mount = next(mount for mount in self.params["mounts"] if mount["name"] == built.name)
        if not mount["format"]:
            return f"there is no disk {spec} here (`lsblk -o NAME,UUID,LABEL` shows those there are)"
        if built.name not in self.params["may_format"]:
            return f"there is no disk {spec}, and it is formatted only if may_format names {built.name}, too"
        device = mount["device"]
        if not device or not os.path.exists(device):
            return f"there is no device {device or '(device is empty)'} to format"
        probe = self.runner.run(["blkid", "-p", device])
        if probe.status == "ok" or probe.rc != 2 or self._in_use(device):
            said = first_line(probe.stdout) or probe.error or "it is in use"
            return f"{device} is not empty ({said}), and is not formatted"
        return ""

    def _in_use(self, device: str) -> bool:
        info = os.stat(device).st_rdev
        return f"{os.major(info)}:{os.minor(info)}" in {there.device for there in self.there.values()}
