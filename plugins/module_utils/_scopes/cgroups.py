# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers by their control groups: engine, unit of systemd, first process.

Names (reference: the engines' sources): docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, crio-ID.scope,
nerdctl-ID.scope with the systemd driver; /docker/ID, /libpod_parent/libpod-ID, /kubepods/.../ID with cgroupfs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

# "libpod-conmon-ID.scope" and "crio-conmon-ID.scope" hold the monitor, not the container
_SCOPE = re.compile(r"(docker|libpod|cri-containerd|crio|nerdctl)-([0-9a-f]{12,64})\.scope")
_PLAIN = re.compile(r"(?:(docker|libpod|libpod-payload|cri-containerd|crio|nerdctl)-)?([0-9a-f]{64})")
_ENGINES = {
    "docker": "docker",
    "libpod": "podman",
    "libpod-payload": "podman",
    "cri-containerd": "containerd",
    "crio": "cri-o",
    "nerdctl": "nerdctl",
}
# kubepods/burstable/podUID/ID is the deepest that engines make; nested managers go deeper
_DEPTH = 12
ROOT = "/sys/fs/cgroup"


@dataclass(frozen=True)
class Group:
    """A container's group. `path` is relative to the hierarchy; `scope` is None where no unit stands for it."""

    path: str
    scope: str | None
    engine: str
    id: str

    @property
    def of_user(self) -> bool:
        """Whether the systemd of a user, and not PID 1, has made it: a rootless engine."""
        return re.search(r"/user@\d+\.service/", self.path) is not None


@dataclass(frozen=True)
class Process:
    """A container's first process, and the group it is in: the container's own or one below it."""

    pid: int
    path: str


class Hierarchy:
    """The hierarchy that decides on devices. `version` is 1, 2, or 0 where no control groups are mounted."""

    def __init__(self, root: str = "/") -> None:
        self.root = root.rstrip("/")
        base = self.root + ROOT
        self.version, self.base = 0, base
        if os.path.exists(f"{base}/cgroup.controllers"):
            self.version = 2
        elif os.path.isdir(f"{base}/devices"):
            # the hybrid layout too: devices belong to version 1 there
            self.version, self.base = 1, f"{base}/devices"

    def containers(self) -> list[Group]:
        """All containers, but for those that run inside another one: their systemd is not ours."""
        return sorted(self._walk("", 0), key=_path) if self.version else []

    def _walk(self, path: str, depth: int) -> Iterator[Group]:
        for name in self._folders(path):
            here = f"{path}/{name}"
            found = _group(here, name)
            if found is not None:
                yield found
            elif depth < _DEPTH:
                yield from self._walk(here, depth + 1)

    def _folders(self, path: str) -> list[str]:
        try:
            with os.scandir(self.base + path) as entries:
                return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            # it ended meanwhile
            return []

    def exists(self, group: Group) -> bool:
        return os.path.isdir(self.base + group.path)

    def folder(self, path: str) -> str:
        return self.base + path

    def first(self, group: Group) -> Process | None:
        """The oldest process: what `docker exec` starts is younger. None if none is left."""
        return min(self._processes(group.path, 0), key=self._age, default=None)

    def _processes(self, path: str, depth: int) -> Iterator[Process]:
        for pid in self.pids(path):
            yield Process(pid, path)
        if depth < _DEPTH:
            for name in self._folders(path):
                yield from self._processes(f"{path}/{name}", depth + 1)

    def pids(self, path: str) -> list[int]:
        try:
            with open(f"{self.base}{path}/cgroup.procs", encoding="ascii") as handle:
                # 0 stands for a process that our pid namespace does not show
                return [int(line) for line in handle if line.strip().isdigit() and int(line)]
        except OSError:
            return []

    def _age(self, process: Process) -> tuple[int, int]:
        try:
            with open(f"{self.root}/proc/{process.pid}/stat", encoding="utf-8", errors="replace") as handle:
                # proc(5): field 22 is the start time; the name in field 2 may hold blanks and brackets
                return int(handle.read().rpartition(")")[2].split()[19]), process.pid
        except (OSError, ValueError, IndexError):
            # it ended: any other one is better
            return 2**63, process.pid


def _path(group: Group) -> str:
    return group.path


def _group(path: str, name: str) -> Group | None:
    match = _SCOPE.fullmatch(name)
    if match:
        return Group(path, name, _ENGINES[match.group(1)], match.group(2))
    match = _PLAIN.fullmatch(name)
    if match is None:
        return None
    parent = os.path.basename(os.path.dirname(path))
    engine = _ENGINES.get(match.group(1) or parent) or "containerd"
    return Group(path, None, engine, match.group(2))
