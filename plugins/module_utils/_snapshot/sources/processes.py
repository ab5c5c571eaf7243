# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds the GPUs, who hangs in the kernel, and who listens: one walk over /proc/PID/fd answers all three.

Nothing is read that can block on a process's memory (cmdline, environ, maps): a process that hangs in the driver would
take us with it.
"""

from __future__ import annotations

import os
import re
import threading
import time
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host

# A busy host has 2000 processes with 50 000 open files, which takes 0.2 s; what is not seen within this time is not
# waited for, and no driver is changed on such a host. Of the processor: jobs that take all of it are no reason to know
# less. And of the clock, whatever happens.
_BUDGET_S = 1.5
_WALL_S = 6.0
_MAX_FDS = 400000
# stat(5): a kernel thread has no files
_KTHREAD = 0x00200000
_NVIDIA = re.compile(r"nvidia|nv_|nv-")
_CONTAINER = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?=$|[./\n])", re.MULTILINE)
_STAT = re.compile(r"(\d+) \((.*)\) (\S) (-?\d+) \S+ \S+ \S+ \S+ (\d+) ", re.DOTALL)
_AGAIN_S = 0.1
_AGAIN = 2

EMPTY: dict[str, Any] = {"gpu": [], "stuck": []}


class Process(NamedTuple):
    """One process: what stat and its open files say."""

    pid: int
    parent: int
    comm: str
    state: str
    devices: tuple[str, ...]


class Scan(NamedTuple):
    """One walk. `owners`: process by inode of a socket. `whole`: the budget was enough, and nobody refused."""

    processes: list[Process]
    owners: dict[int, int]
    whole: bool
    denied: bool


_LOCK = threading.Lock()
_DONE: WeakKeyDictionary[Host, Scan] = WeakKeyDictionary()


def scan(host: Host) -> Scan:
    """Walk once; whoever asks again for the same host gets the same answer. Safe in several threads."""
    with _LOCK:
        if host not in _DONE:
            _DONE[host] = _walk(host)
        return _DONE[host]


def _walk(host: Host) -> Scan:
    proc = host.path("/proc")
    processes: list[Process] = []
    owners: dict[int, int] = {}
    worked, deadline = time.thread_time() + _BUDGET_S, time.monotonic() + _WALL_S
    left, denied = _MAX_FDS, False
    for pid in _pids(proc):
        found = _stat(proc, pid)
        if found is None:
            continue
        parent, comm, state, flags = found
        devices: set[str] = set()
        if not flags & _KTHREAD:
            try:
                names = os.listdir(f"{proc}/{pid}/fd")
            except PermissionError:
                denied, names = True, []
            except OSError:
                names = []
            left -= len(names)
            if left < 0 or time.thread_time() > worked or time.monotonic() > deadline:
                return Scan(processes, owners, False, denied)
            _files(f"{proc}/{pid}/fd/", names, pid, devices, owners)
        processes.append(Process(pid, parent, comm, state, tuple(sorted(devices))))
    return Scan(processes, owners, True, denied)


def _pids(proc: str) -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(proc) if name.isdigit())
    except OSError:
        return []


def _stat(proc: str, pid: int) -> tuple[int, str, str, int] | None:
    try:
        with open(f"{proc}/{pid}/stat", "rb", buffering=0) as handle:
            text = handle.read(4096).decode("utf-8", "replace")
    except OSError:
        return None
    match = _STAT.match(text)
    if match is None:
        return None
    return int(match.group(4)), match.group(2), match.group(3), int(match.group(5))


def _files(folder: str, names: list[str], pid: int, devices: set[str], owners: dict[int, int]) -> None:
    for name in names:
        try:
            target = os.readlink(folder + name)
        except OSError:
            continue
        if target.startswith("socket:["):
            inode = target[8:-1]
            if inode.isdigit():
                owners.setdefault(int(inode), pid)
        elif target.startswith("/dev/nvidia"):
            devices.add(target)


def section(host: Host) -> dict[str, Any]:
    """Return {gpu, stuck}. NVIDIA's own daemons are among the holders; comm shows 15 characters of a name."""
    found: dict[str, Any] = {"gpu": [], "stuck": []}
    with host.probes.watch("processes", "/proc/PID/fd, /proc/PID/stat"):
        walked = scan(host)
        ours = _ours(walked.processes)
        found["gpu"] = [
            _holder(host, process) for process in walked.processes if process.devices and process.pid not in ours
        ]
        found["stuck"] = _stuck(host, walked.processes, ours)
        if walked.denied:
            raise PermissionError("the open files of other users' processes cannot be read")
        if not walked.whole:
            raise TimeoutError("more processes and open files than can be looked at in time")
    return found


def _ours(processes: list[Process]) -> set[int]:
    """Return this process and what it started: nvidia-smi may be running for us right now."""
    ours = {os.getpid()}
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    todo = list(ours)
    while todo:
        for pid in children.get(todo.pop(), []):
            if pid not in ours:
                ours.add(pid)
                todo.append(pid)
    return ours


def _holder(host: Host, process: Process) -> dict[str, Any]:
    return {
        "pid": process.pid,
        "comm": process.comm,
        "user": _user(host, process.pid),
        "devices": list(process.devices),
        "container": container(host.text(f"/proc/{process.pid}/cgroup") or ""),
        # name_containers, once the engine has answered
        "container_name": None,
    }


def name_containers(holders: list[dict[str, Any]], containers: list[dict[str, Any]]) -> None:
    """Give holders the names of the engine's containers; one of another engine keeps its id only."""
    names = {str(known["id"]): known["name"] or None for known in containers if known["id"]}
    for holder in holders:
        holder["container_name"] = names.get(str(holder["container"]))


def container(cgroup: str) -> str | None:
    """Return the id of the container that a cgroup belongs to (docker-ID.scope, /docker/ID, cri-containerd-ID)."""
    found = _CONTAINER.findall(cgroup)
    return str(found[-1]) if found else None


def _user(host: Host, pid: int) -> str | None:
    try:
        uid = host.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    # the file only: a directory service may not answer
    for line in (host.text("/etc/passwd") or "").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2] == str(uid):
            return fields[0]
    return str(uid)


def _stuck(host: Host, processes: list[Process], ours: set[int]) -> list[dict[str, Any]]:
    """Return who is in uninterruptible sleep each time we look; a driver call may pass through it for a moment."""
    suspects = [
        process
        for process in processes
        if process.state == "D" and process.pid not in ours and (process.devices or _NVIDIA.match(process.comm))
    ]
    proc = host.path("/proc")
    for _time in range(_AGAIN if suspects and host.live else 0):
        time.sleep(_AGAIN_S)
        states = {process.pid: (_stat(proc, process.pid) or (0, "", "", 0))[2] for process in suspects}
        suspects = [process for process in suspects if states[process.pid] == "D"]
    return [{"pid": process.pid, "comm": process.comm} for process in suspects]
