# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed packages, package sources and the package manager's lock."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import apt_sources
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import packages as parse

_DPKG = "/var/lib/dpkg/status"
_RPM_FORMAT = r"%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n"
_LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
# struct flock on 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid
_FLOCK = "hhqqi4x"


def section(host: Host) -> dict[str, Any]:
    """Return what the package manager knows."""
    manager = None
    known: dict[str, Any] = {"installed": {}, "broken": [], "holds": []}
    if host.exists(_DPKG):
        manager = "apt"
        with host.probes.watch("packages", _DPKG):
            known = parse.dpkg_status(host.read(_DPKG))
    elif host.exists("/var/lib/rpm") or host.exists("/usr/lib/sysimage/rpm"):
        manager = "dnf"
        known["installed"] = _rpm(host)
    else:
        host.probes.record("packages", "missing", _DPKG, error="neither a dpkg nor an rpm database was found")
    return {
        "manager": manager,
        "lock": _lock(host) if manager == "apt" else {"held": None, "pid": None, "comm": None},
        **known,
        "sources": _sources(host),
    }


def _rpm(host: Host) -> dict[str, str]:
    if not host.live:
        host.probes.record("packages", "missing", "rpm -qa", error=f"no command is run for root {host.root}")
        return {}
    result = host.runner.run(["rpm", "-qa", "--qf", _RPM_FORMAT])
    host.probes.command("packages", "rpm -qa", result)
    installed = parse.rpm_list(result.stdout)
    # an epoch of 0 is not written in a version, as dnf itself does
    return {name: version[2:] if version.startswith("0:") else version for name, version in installed.items()}


def _sources(host: Host) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with host.probes.watch("package_sources", "/etc/apt, /etc/yum.repos.d"):
        errors = []
        for path in _source_files(host):
            try:
                found += _parser(path)(host.read(path), path)
            except (OSError, ValueError) as exc:
                errors.append(exc)
        if errors:
            raise errors[0]
    return found


def _source_files(host: Host) -> list[str]:
    folder = "/etc/apt/sources.list.d"
    paths = [f"{folder}/{name}" for name in host.names(folder) if name.endswith((".list", ".sources"))]
    if host.exists("/etc/apt/sources.list"):
        paths.insert(0, "/etc/apt/sources.list")
    yum = "/etc/yum.repos.d"
    return paths + [f"{yum}/{name}" for name in host.names(yum) if name.endswith(".repo")]


def _parser(path: str) -> Any:
    if path.endswith(".sources"):
        return apt_sources.deb822
    return apt_sources.yum_repos if path.endswith(".repo") else apt_sources.one_line


def _lock(host: Host) -> dict[str, Any]:
    lock: dict[str, Any] = {"held": None, "pid": None, "comm": None}
    with host.probes.watch("package_lock", ", ".join(_LOCKS)):
        lock["held"] = False
        for path in _LOCKS:
            if not host.exists(path):
                continue
            pid = _holder(host.path(path))
            if pid is not None:
                lock = {"held": True, "pid": pid or None, "comm": host.text(f"/proc/{pid}/comm") if pid else None}
                break
    if host.probes.status("package_lock") != "ok":
        lock["held"] = None
    return lock


def _holder(path: str) -> int | None:
    """Return the process that holds a POSIX lock on a file: 0 if it is in another pid namespace, None if nobody."""
    if sys.maxsize < 2**32:
        return None
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        # F_GETLK asks only; it takes no lock
        kind, _whence, _start, _length, pid = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, question))
    finally:
        os.close(handle)
    return None if kind == fcntl.F_UNLCK else int(pid)
