# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is mounted, what the kernel can mount, who answers, and how much room there is."""

from __future__ import annotations

import os
import socket
import time
from typing import NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner, first_line
from ansible_collections.gpuready.bootstrap.plugins.module_utils._fstab import unescape
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_entry import KERNEL, PROGRAMS, Built

ANSWER_S = 5.0  # how long a server may take to accept a connection
COUNT_CAP = 50000  # files that are counted in a folder, at most
GB = 1000**3


class Mounted(NamedTuple):
    """One line of /proc/self/mountinfo (proc(5))."""

    path: str
    type: str
    source: str
    device: str  # major:minor
    root: str


def mountinfo(text: str) -> dict[str, Mounted]:
    """What is mounted where; of several on one path the one on top."""
    found = {}
    for line in text.splitlines():
        left, dash, right = line.partition(" - ")
        fields, more = left.split(), right.split()
        if dash and len(fields) >= 6 and len(more) >= 2:
            path = unescape(fields[4])
            found[path] = Mounted(path, more[0], unescape(more[1]), fields[2], unescape(fields[3]))
    return found


def mounted(path: str = "/proc/self/mountinfo") -> dict[str, Mounted]:
    with open(path, encoding="utf-8", errors="surrogateescape") as stream:
        return mountinfo(stream.read())


def automounts(path: str = "/proc/self/mountinfo") -> set[str]:
    """Paths on which systemd waits for a first use, whatever is mounted on top by now."""
    with open(path, encoding="utf-8", errors="surrogateescape") as stream:
        lines = [line for line in stream if " - autofs " in line]
    return {unescape(line.split()[4]) for line in lines}


def right(built: Built, there: Mounted, runner: Runner) -> bool:
    """Whether what is mounted is what was described. A waiting automount is."""
    entry = built.entry
    if there.type == "autofs":
        return True
    if built.kind == "bind":
        return _same(entry.spec, entry.path)
    if built.kind == "disk":
        device = device_of(entry.spec, runner)
        if not device:
            return False
        info = os.stat(device).st_rdev
        return there.device == f"{os.major(info)}:{os.minor(info)}"
    if built.kind == "s3":
        return there.type == entry.type
    return there.type.startswith(entry.type) and there.source.rstrip("/") == entry.spec.rstrip("/")


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def device_of(spec: str, runner: Runner) -> str:
    """The device behind UUID=, LABEL= or a path; '' where there is none."""
    if spec.startswith("/"):
        return os.path.realpath(spec) if os.path.exists(spec) else ""
    done = runner.run(["findfs", spec])
    return done.stdout.strip() if done.status == "ok" else ""


def knows(kind: str, runner: Runner) -> str:
    """Why the kernel cannot mount this kind, '' where it can."""
    name = KERNEL.get(kind)
    if name is None or _listed(name):
        return ""
    done = runner.run(["modprobe", name])
    if _listed(name):
        return ""
    said = first_line(done.stderr) or done.error or "no such module"
    return f"the running kernel has no {name} file system ({said})"


def _listed(name: str) -> bool:
    with open("/proc/filesystems", encoding="ascii", errors="replace") as stream:
        return name in stream.read().split()


def lacks_helper(kind: str, runner: Runner) -> bool:
    return kind in PROGRAMS and runner.which(PROGRAMS[kind]) is None


def silent(built: Built) -> str:
    """Why no server answers, '' where one does. Asks each for a few seconds at most."""
    reasons = []
    for host, port in built.endpoints:
        try:
            with socket.create_connection((host, port), timeout=ANSWER_S):
                return ""
        except socket.gaierror:
            reasons.append(f"the name {host} is unknown")
        except socket.timeout:
            reasons.append(f"{host} does not answer on port {port} within {ANSWER_S:.0f} s")
        except OSError as error:
            reasons.append(f"{host} does not answer on port {port} ({error.strerror or error})")
    return "; ".join(reasons)


def holds_files(path: str) -> str:
    """The name of something in a folder, '' where it is empty or not there."""
    try:
        with os.scandir(path) as entries:
            return next((item.name for item in entries if item.name != "lost+found"), "")
    except FileNotFoundError:
        return ""
    except NotADirectoryError:
        return os.path.basename(path)


def above(path: str) -> str:
    """The path, or the nearest folder above it that exists."""
    while not os.path.isdir(path) and path != "/":
        path = os.path.dirname(path)
    return path


def held(path: str, limit: int, seconds: float = 5.0) -> int:
    """Bytes of the files below a folder; counting ends at `limit`, at COUNT_CAP files, and after `seconds`."""
    total, count, deadline = 0, 0, time.monotonic() + seconds
    for folder, _folders, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue
            count += 1
        if total >= limit or count > COUNT_CAP or time.monotonic() > deadline:
            break
    return total


def shortages(budget: list[tuple[str, float]]) -> list[str]:
    """Where there is less room than asked for: (path, GB), the wishes of one file system added up.

    What a folder already holds counts as its share.
    """
    wishes: dict[int, list[tuple[str, float]]] = {}
    for path, size in budget:
        place = above(path)
        missing = max(0.0, size - (held(path, int(size * GB)) / GB if place == path else 0.0))
        wishes.setdefault(os.stat(place).st_dev, []).append((path, missing))
    found = []
    for parts in wishes.values():
        place = above(parts[0][0])
        space = os.statvfs(place)
        free, asked = space.f_bavail * space.f_frsize / GB, sum(size for _path, size in parts)
        if free < asked:
            names = ", ".join(f"{path} {size:.1f} GB" for path, size in parts)
            found.append(f"the file system of {place} has {free:.1f} GB free, but {asked:.1f} GB are planned ({names})")
    return found
