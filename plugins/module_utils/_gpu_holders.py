# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of NVIDIA's kernel modules are loaded, and who holds them: processes, other modules, the kernel itself.

Read from /sys/module, /proc/modules and /proc/PID/fd. Nothing is read that can block on a process's memory (cmdline,
maps): a process that hangs in the driver would take us with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# in the order in which they can be removed; None is the module that all others need
ORDER: tuple[str | None, ...] = ("uvm", "drm", "modeset", "peermem", None)
# Debian's packages name the file, and some of them the module, after the branch: nvidia_current_uvm
_OURS = re.compile(r"nvidia(?:_current|_tesla_\d+|_legacy_\d+\w*?)?(?:_(uvm|drm|modeset|peermem))?")
_VERSION = re.compile(r"\b(\d{3,}\.\d+(?:\.\d+)?)\b")
SHOWN = 8


@dataclass(frozen=True)
class KernelModule:
    """A loaded module. `users`: how often it is used, None where the kernel does not say; `holders`: modules on it."""

    name: str
    users: int | None
    holders: tuple[str, ...]


@dataclass(frozen=True)
class Holder:
    """A process with an open NVIDIA device. `units`: parts of its cgroup, among them the service it belongs to."""

    pid: int
    comm: str
    user: str
    devices: tuple[str, ...]
    units: frozenset[str] = field(default_factory=frozenset)


def part(name: str) -> str | None:
    """uvm, drm, modeset or peermem; None for the module itself. ValueError for a name that is not NVIDIA's."""
    match = _OURS.fullmatch(name)
    if match is None:
        raise ValueError(name)
    return match.group(1)


def is_ours(name: str) -> bool:
    """nvidia_fs, gdrdrv and nv_peer_mem belong to other packages; nvidia_wmi_ec_backlight to the kernel."""
    return _OURS.fullmatch(name) is not None


def removal_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (ORDER.index(part(name)), name))


def proc_modules(text: str) -> dict[str, KernelModule]:
    """Parse /proc/modules: NAME SIZE USERS HOLDERS STATE ADDRESS; "-" stands for no holder."""
    found = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 4:
            users = int(fields[2]) if fields[2].isascii() and fields[2].isdigit() else None
            holders = tuple(name for name in fields[3].split(",") if name not in ("", "-"))
            found[fields[0]] = KernelModule(fields[0], users, holders)
    return found


def blockers(modules: Mapping[str, KernelModule], holders: Iterable[Holder]) -> list[str]:
    """Say what keeps the modules from being removed; [] if nothing does."""
    people = [
        f"pid {who.pid} {who.comm} (user {who.user}, {', '.join(who.devices)})" for who in sorted(holders, key=_pid)
    ]
    if len(people) > SHOWN:
        people = [*people[:SHOWN], f"{len(people) - SHOWN} more processes"]
    foreign = sorted({f"the kernel module {h}" for m in modules.values() for h in m.holders if not is_ours(h)})
    if people or foreign:
        return people + foreign
    return [
        f"the kernel itself, {module.users} times in {module.name} (a console or display on the GPU, or another driver)"
        for module in modules.values()
        # a module counts each one that needs it
        if module.users is not None and module.users > len(module.holders)
    ]


def _pid(holder: Holder) -> int:
    return holder.pid


def version(text: str) -> str | None:
    """The version in /sys/module/nvidia/version or in the first line of /proc/driver/nvidia/version."""
    match = _VERSION.search(text.splitlines()[0]) if text.strip() else None
    return match.group(1) if match else None


class Kernel:
    """The kernel of a machine, whose /proc and /sys lie below `root`."""

    def __init__(self, root: str = "/") -> None:
        self.root = root.rstrip("/")

    def _read(self, path: str) -> str:
        try:
            with open(self.root + path, encoding="utf-8", errors="replace") as handle:
                return handle.read(65536)
        except OSError:
            return ""

    def _names(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self.root + path))
        except OSError:
            return []

    def modules(self) -> dict[str, KernelModule]:
        """NVIDIA's modules that are loaded, in the order in which they can be removed."""
        found = {name: module for name, module in proc_modules(self._read("/proc/modules")).items() if is_ours(name)}
        for name in self._names("/sys/module"):
            if is_ours(name):
                users = self._read(f"/sys/module/{name}/refcnt").strip()
                holders = tuple(self._names(f"/sys/module/{name}/holders"))
                found[name] = KernelModule(name, int(users) if re.fullmatch(r"\d{1,9}", users) else None, holders)
        return {name: found[name] for name in removal_order(found)}

    def version(self) -> str | None:
        """The version of the loaded driver; None if none is loaded or it does not say."""
        main = [name for name in self.modules() if part(name) is None]
        texts = [self._read(f"/sys/module/{name}/version") for name in main]
        return next((v for v in map(version, [*texts, self._read("/proc/driver/nvidia/version")]) if v), None)

    def loaded(self) -> bool:
        main = any(part(name) is None for name in self.modules())
        return main or os.path.exists(self.root + "/proc/driver/nvidia/version")

    def holders(self) -> list[Holder]:
        """Processes with an open /dev/nvidia*, without this one."""
        found = []
        for name in self._names("/proc"):
            if not name.isascii() or not name.isdigit() or int(name) == os.getpid():
                continue
            devices = self._devices(name)
            if devices:
                units = frozenset(re.split(r"[/\n:]", self._read(f"/proc/{name}/cgroup"))) - {""}
                comm = self._read(f"/proc/{name}/comm").strip() or "?"
                found.append(Holder(int(name), comm, self._user(name), devices, units))
        return sorted(found, key=_pid)

    def _devices(self, pid: str) -> tuple[str, ...]:
        folder = f"/proc/{pid}/fd"
        targets = set()
        for name in self._names(folder):
            try:
                targets.add(os.readlink(f"{self.root}{folder}/{name}"))
            except OSError:
                continue
        return tuple(sorted(target for target in targets if target.startswith("/dev/nvidia")))

    def _user(self, pid: str) -> str:
        try:
            uid = str(os.stat(f"{self.root}/proc/{pid}").st_uid)
        except OSError:
            return "?"
        # the file only: a directory service may not answer
        for line in self._read("/etc/passwd").splitlines():
            fields = line.split(":")
            if len(fields) > 2 and fields[2] == uid:
                return fields[0]
        return uid
