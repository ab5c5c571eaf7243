# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The device nodes that a process has in its own /dev.

A container decides what stands there. So no link is followed (an absolute one would lead to the host's files), nothing
is opened but folders, and there is a limit on their number.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

_DEPTH = 3
_LIMIT = 5000
# terminals come and go, and every engine allows them all; the others hold no nodes
_SKIPPED = frozenset({"pts", "shm", "mqueue", "fd", "hugepages"})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Node(NamedTuple):
    """A device node: its path for the process, char or block, and its number."""

    path: str
    kind: str
    major: int
    minor: int

    @property
    def number(self) -> tuple[int, int]:
        return (self.major, self.minor)

    @property
    def spec(self) -> str:
        """How systemd names it, whatever the host calls it (systemd.resource-control(5), DeviceAllow)."""
        return f"/dev/{self.kind}/{self.major}:{self.minor}"


def of_process(pid: int, root: str = "/") -> list[Node]:
    """The nodes below /dev of a process. OSError if it has ended or may not be looked at."""
    return below(f"{root.rstrip('/')}/proc/{pid}/root")


def below(folder: str) -> list[Node]:
    """The nodes of the /dev in `folder`; none if it has no such folder."""
    base = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = []
        for node in _walk(base, "/dev", "dev", _DEPTH):
            found.append(node)
            if len(found) >= _LIMIT:
                break
        return sorted(found)
    finally:
        os.close(base)


def _walk(parent: int, path: str, name: str, depth: int) -> Iterator[Node]:
    try:
        here = os.open(name, _FOLDER, dir_fd=parent)
    except OSError:
        return
    try:
        for entry in _names(here):
            try:
                status = os.stat(entry, dir_fd=here, follow_symlinks=False)
            except OSError:
                continue
            kind = "char" if stat.S_ISCHR(status.st_mode) else "block" if stat.S_ISBLK(status.st_mode) else None
            if kind is not None:
                yield Node(f"{path}/{entry}", kind, os.major(status.st_rdev), os.minor(status.st_rdev))
            elif depth and stat.S_ISDIR(status.st_mode) and entry not in _SKIPPED:
                yield from _walk(here, f"{path}/{entry}", entry, depth - 1)
    finally:
        os.close(here)


def _names(folder: int) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
