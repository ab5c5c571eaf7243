# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of a container: are they there, writable, and does the user's work lie on them? Part of the probe (bundle.py):
Python 3.6. Nothing is written; each place is looked at in a child, because a dead NFS server makes a stat hang."""

from __future__ import annotations

import json
import os
import re
import select
import time
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.tools import read_text

PLACES_MAX = 24
PLACE_SECONDS = 5.0
_SYSTEM = re.compile(r"/(?:proc|sys|dev|etc|usr|bin|sbin|lib|lib32|lib64|boot|run|tmp|var|\.\w+)(?:/|$)")
_WORK_DIRS = ("/workspace", "/workspaces", "/data", "/root/autodl-tmp", "/root/autodl-fs")


def mount_table(text: str) -> list[dict[str, Any]]:
    """Parse /proc/self/mountinfo (proc(5)); of mounts on the same place the last one holds."""
    found: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        left, dash, right = line.partition(" - ")
        fields, tail = left.split(" "), right.split(" ")
        if not dash or len(fields) < 6 or len(tail) < 3:
            continue
        path = _unescape(fields[4])
        # read-only by the mount, or by the file system below it
        rw = "ro" not in fields[5].split(",") and "ro" not in tail[2].split(",")
        found[path] = {"path": path, "source": _unescape(tail[1]), "type": tail[0], "rw": rw}
    return list(found.values())


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)


def _mounts_now() -> list[dict[str, Any]]:
    return mount_table(read_text("/proc/self/mountinfo"))


def work_mounts() -> list[dict[str, Any]]:
    """Return the mounts where work may lie, each looked at as this user. access(2) tells, nothing is written."""
    table = sorted(_mounts_now(), key=lambda item: str(item["path"]))
    wanted = [item for item in table if item["path"] != "/" and not _SYSTEM.match(item["path"])][:PLACES_MAX]
    looks = _look_at([item["path"] for item in wanted])
    return [dict(item, **look) for item, look in zip(wanted, looks) if look.pop("folder", True)]


def _look_at(paths: list[str]) -> list[dict[str, Any]]:
    """Look at all places at the same time, for five seconds at most."""
    pipes = [_look_in_child(path) for path in paths]
    end = time.time() + PLACE_SECONDS
    looks = []
    for pipe in pipes:
        look: dict[str, Any] = {"writable": None, "free_mib": None}
        if not select.select([pipe], [], [], max(end - time.time(), 0))[0]:
            look["error"] = f"no answer within {int(PLACE_SECONDS)} s"
        else:
            try:
                look = json.loads(os.read(pipe, 4096).decode())
            except (OSError, ValueError):
                look["error"] = "the look at it ended without an answer"
        os.close(pipe)
        looks.append(look)
    return looks


def _look_in_child(path: str) -> int:
    reader, writer = os.pipe()
    if os.fork() != 0:
        os.close(writer)
        return reader
    try:
        # a child that hangs must not keep the caller's output open
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        os.write(writer, json.dumps(_look_once(path)).encode())
    finally:
        os._exit(0)


def _look_once(path: str) -> dict[str, Any]:
    try:
        folder = os.path.isdir(path)
        status = os.statvfs(path)
    except OSError as exc:
        return {"writable": None, "free_mib": None, "error": os.strerror(exc.errno or 0)}
    free = status.f_bavail * status.f_frsize // (1024 * 1024)
    return {"writable": os.access(path, os.W_OK | os.X_OK), "free_mib": free, "error": None, "folder": folder}


def on_volume(path: str, table: list[dict[str, Any]] | None = None) -> bool:
    """Say whether a path lies on a mount of its own that outlives the container."""
    best: dict[str, Any] = {"path": "/", "type": "overlay"}
    for item in _mounts_now() if table is None else table:
        inside = path == item["path"] or path.startswith(item["path"].rstrip("/") + "/")
        if inside and len(item["path"]) >= len(best["path"]):
            best = item
    return best["path"] != "/" and best["type"] not in ("tmpfs", "ramfs", "overlay")


def persistent(env: dict[str, str], home: str) -> dict[str, bool]:
    """Return for the places where work and caches go whether they lie on a volume."""
    table = _mounts_now()
    cache = env.get("XDG_CACHE_HOME") or home + "/.cache"
    paths = [home, env.get("HF_HOME") or cache + "/huggingface", env.get("PIP_CACHE_DIR") or cache + "/pip"]
    # a link into a mount that hangs is not followed
    mounts = [item["path"] for item in table if not _SYSTEM.match(item["path"])]
    paths += [path for path in _WORK_DIRS if path in mounts or os.path.lexists(path)]
    return {path: on_volume(path, table) for path in paths if path.startswith("/")}
