# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests of the files that roles manage, so that drift is seen without a task for each of them."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, classify
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import json_object

# Where our modules remember what they wrote (_files.STORE)
RECORDS = "/var/lib/gpuready/originals/index.json"
MAX_FILES = 500
MAX_SIZE = 1024 * 1024

# a trailing slash: the files in the folder, or in each folder of a pattern; "**": all below it
WATCHED = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d/",
    "/etc/apt/keyrings/",
    "/etc/apt/preferences.d/",
    "/etc/apt/apt.conf.d/*gpuready*",
    "/etc/yum.repos.d/",
    "/etc/pki/rpm-gpg/*gpuready*",
    "/etc/dnf/plugins/versionlock.list",
    "/etc/dnf/modules.d/nvidia-driver.module",
    "/etc/pip.conf",
    "/etc/docker/daemon.json",
    "/etc/systemd/system/docker.service.d/",
    "/etc/systemd/system/nvidia-*.service.d/",
    "/etc/nvidia-container-runtime/config.toml",
    "/etc/cdi/",
    "/var/run/cdi/",
    "/etc/modprobe.d/*gpuready*",
    "/etc/udev/rules.d/*gpuready*",
    "/etc/modules-load.d/*gpuready*",
    "/etc/dracut.conf.d/*gpuready*",
    "/var/lib/gpuready/nvidia-driver.json",
    "/var/lib/gpuready/nvidia-driver-before.json",
    "/var/lib/gpuready/docker-users.json",
    "/var/lib/gpuready/docker-rootless.json",
    "/opt/gpuready/**",
)


def section(host: Host, extra: Sequence[str] = ()) -> dict[str, Any]:
    """Return the digests by path."""
    found: dict[str, Any] = {}
    worst: tuple[str, str] | None = None
    for path in _paths(host, extra):
        if path in found:
            continue
        if len(found) >= MAX_FILES:
            worst = ("failed", f"more than {MAX_FILES} files are watched; the rest is left out, from {path} on")
            break
        try:
            found[path] = digest(host, path)
        except FileNotFoundError:
            continue
        except OSError as exc:
            worst = (classify(exc), f"{path}: {exc.strerror or exc}")
    status, error = worst or ("ok", None)
    host.probes.record("files", status, "watched files", error=error)
    remembered = records(host)
    return {
        path: {**found[path], **_written(found[path], remembered.get(path))}
        for path in sorted(found)
        if found[path] is not None
    }


def records(host: Host) -> dict[str, Any]:
    """Return what our modules remember of the files that they wrote, by path; nothing where they never ran."""
    try:
        remembered = json_object(host.read(RECORDS))["files"]
    except (OSError, ValueError, KeyError):
        return {}
    return remembered if isinstance(remembered, dict) else {}


def _written(found: dict[str, Any], record: Any) -> dict[str, Any]:
    """Say whether a file of ours is still as a module wrote it, and for which inputs that was."""
    if not isinstance(record, dict):
        return {}
    meta = record.get("meta")
    stamp = meta.get("stamp") if isinstance(meta, dict) else None
    same = found["sha256"] is not None and found["sha256"] == record.get("sha256_written")
    return {"as_written": same, "stamp": stamp if isinstance(stamp, str) else None}


def digest(host: Host, path: str) -> dict[str, Any] | None:
    """Return digest, size, mode and owner of a regular file; None for anything else."""
    status = host.stat(path)
    if not stat.S_ISREG(status.st_mode):
        return None
    # a fifo that took the file's place would block here, hence the test above
    content = host.read_bytes(path, MAX_SIZE) if status.st_size <= MAX_SIZE else None
    return {
        "sha256": None if content is None else hashlib.sha256(content).hexdigest(),
        "size": status.st_size,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "uid": status.st_uid,
        "gid": status.st_gid,
    }


def _paths(host: Host, extra: Sequence[str]) -> Iterator[str]:
    for pattern in WATCHED:
        if pattern.endswith("/**"):
            yield from _below(host, pattern[:-3])
        elif pattern.endswith("/"):
            for folder in _matching(host, pattern[:-1]):
                yield from (f"{folder}/{name}" for name in host.names(folder))
        else:
            yield from _matching(host, pattern)
    for path in extra:
        clean = path.rstrip("/") or "/"
        yield from _below(host, clean) if host.is_dir(clean) else iter([clean])


def _matching(host: Host, pattern: str) -> list[str]:
    """Return the paths that a pattern with "*" in its last part names; a pattern without one names itself."""
    if "*" not in pattern:
        return [pattern]
    folder, _slash, name = pattern.rpartition("/")
    return [f"{folder}/{entry}" for entry in host.names(folder) if fnmatch.fnmatchcase(entry, name)]


def _below(host: Host, top: str) -> Iterator[str]:
    base = host.path(top)
    # a generator: the caller stops the walk when it has enough, so that a mounted data set costs nothing
    for folder, folders, names in os.walk(base):
        folders.sort()
        relative = os.path.relpath(folder, base)
        prefix = top if relative == "." else f"{top}/{relative}"
        yield from (f"{prefix}/{name}" for name in sorted(names))
