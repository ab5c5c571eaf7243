# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed packages, package sources and the package manager's lock."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import sys
from collections.abc import Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import apt_conf, apt_sources
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import packages as parse

_DPKG = "/var/lib/dpkg/status"
_DPKG_JOURNAL = "/var/lib/dpkg/updates"
_DNF_MODULES = "/etc/dnf/modules.d"
_RPM_FORMAT = r"%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n"
_LOCKS = {
    "apt": (
        "/var/lib/dpkg/lock-frontend",
        "/var/lib/dpkg/lock",
        "/var/lib/apt/lists/lock",
        "/var/cache/apt/archives/lock",
    ),
    # held for writing during a transaction, of dnf too; seen with rpm 4.20, whose database lies in one of the two
    "dnf": ("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock"),
}
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
            known["broken"] = sorted({*known["broken"], *_interrupted(host)})
    elif host.exists("/var/lib/rpm") or host.exists("/usr/lib/sysimage/rpm"):
        manager = "dnf"
        known["installed"] = _rpm(host)
    else:
        host.probes.record("packages", "missing", _DPKG, error="neither a dpkg nor an rpm database was found")
    sources, trusted = _sources(host)
    if manager == "dnf":
        known["holds"] = parse.versionlock(host.text("/etc/dnf/plugins/versionlock.list") or "")
    return {
        "manager": manager,
        "lock": _lock(host, _LOCKS[manager]) if manager else {"held": None, "pid": None, "comm": None},
        **known,
        "sources": sources,
        "unattended": _unattended(host, manager, known["installed"]),
        "snaps": _snaps(host),
        "trusted_sources": trusted,
        "streams": _streams(host) if manager == "dnf" else {},
    }


def _interrupted(host: Host) -> list[str]:
    """Return the packages that dpkg was at when it was killed, and of which its status file does not tell yet."""
    names = [name for name in host.names(_DPKG_JOURNAL) if name.isdigit()]
    return [found for name in names for found in parse.dpkg_journal(host.text(f"{_DPKG_JOURNAL}/{name}") or "")]


def _streams(host: Host) -> dict[str, str]:
    """Return the streams of NVIDIA's modules that dnf has enabled."""
    found: dict[str, str] = {}
    for name in host.names(_DNF_MODULES):
        if name.startswith("nvidia") and name.endswith(".module"):
            found.update(parse.module_streams(host.text(f"{_DNF_MODULES}/{name}") or ""))
    return found


def _rpm(host: Host) -> dict[str, str]:
    if not host.live:
        host.probes.record("packages", "missing", "rpm -qa", error=f"no command is run for root {host.root}")
        return {}
    result = host.runner.run(["rpm", "-qa", "--qf", _RPM_FORMAT])
    host.probes.command("packages", "rpm -qa", result)
    installed = parse.rpm_list(result.stdout)
    # an epoch of 0 is not written in a version, as dnf itself does
    return {name: version[2:] if version.startswith("0:") else version for name, version in installed.items()}


EMPTY: dict[str, Any] = {
    "manager": None,
    "lock": {"held": None, "pid": None, "comm": None},
    "broken": [],
    "installed": {},
    "holds": [],
    "sources": [],
    "unattended": {"installed": None, "enabled": None, "excludes": []},
    "snaps": None,
    "trusted_sources": [],
    "streams": {},
}


def _sources(host: Host) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the entries, and the files that have APT trust an unsigned repository."""
    found: list[dict[str, Any]] = []
    trusted: list[str] = []
    with host.probes.watch("package_sources", "/etc/apt, /etc/yum.repos.d"):
        errors = []
        for path in _source_files(host):
            try:
                text = host.read(path)
                found += _parser(path)(text, path)
                if not path.endswith(".repo") and apt_sources.trusted(text, path):
                    trusted.append(path)
            except (OSError, ValueError) as exc:
                errors.append(exc)
        if errors:
            raise errors[0]
    return found, trusted


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


def apt_settings(host: Host) -> apt_conf.Settings:
    """Return APT's configuration; files are read in the order of apt.conf(5), a later value replaces an earlier one."""
    folder = "/etc/apt/apt.conf.d"
    paths = [f"{folder}/{name}" for name in host.names(folder) if re.fullmatch(r"[\w-]+|[\w.-]+\.conf", name)]
    settings: apt_conf.Settings = {}
    for path in [*paths, "/etc/apt/apt.conf"]:
        apt_conf.parse(host.text(path) or "", settings)
    return settings


def _unattended(host: Host, manager: str | None, installed: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"installed": None, "enabled": None, "excludes": []}
    with host.probes.watch("unattended", "/etc/apt/apt.conf.d, /etc/dnf"):
        if manager == "apt":
            settings = apt_settings(host)
            found["installed"] = "unattended-upgrades" in installed
            # a number of days, "always", or a number with a unit; unset means never (apt.systemd.daily)
            interval = apt_conf.value(settings, "APT::Periodic::Unattended-Upgrade") or "0"
            periodic = apt_conf.value(settings, "APT::Periodic::Enable") or "1"
            found["enabled"] = found["installed"] and not _never(interval) and not _never(periodic)
            found["excludes"] = apt_conf.entries(settings, "Unattended-Upgrade::Package-Blacklist")
        elif manager == "dnf":
            found.update(_dnf_automatic(host, installed))
    return found


def _never(interval: str) -> bool:
    return re.fullmatch(r"0*[smhd]?", interval.strip()) is not None or interval.strip().lower() in ("false", "no")


def _dnf_automatic(host: Host, installed: dict[str, str]) -> dict[str, Any]:
    if not installed and not host.exists("/etc/dnf/automatic.conf"):
        return {"installed": None if not host.live else False, "enabled": None if not host.live else False}
    automatic, main = (host.text(f"/etc/dnf/{name}.conf") or "" for name in ("automatic", "dnf"))
    wants = host.names("/etc/systemd/system/timers.target.wants")
    apply = (parse.ini(automatic, "commands", "apply_updates") or "no").lower() in ("yes", "true", "1", "on")
    excludes = [
        parse.ini(text, section, key) or ""
        for text, section in ((main, "main"), (automatic, "base"))
        for key in ("exclude", "excludepkgs")
    ]
    return {
        "installed": "dnf-automatic" in installed or host.exists("/etc/dnf/automatic.conf"),
        # dnf-automatic-install.timer applies whatever the file says
        "enabled": "dnf-automatic-install.timer" in wants or (apply and "dnf-automatic.timer" in wants),
        "excludes": re.split(r"[\s,]+", " ".join(excludes).strip()) if any(excludes) else [],
    }


def _snaps(host: Host) -> list[str] | None:
    """Return the names of the snaps; null if they cannot be listed."""
    folder = "/var/lib/snapd/snaps"
    if not host.exists(folder):
        return []
    try:
        names = os.listdir(host.path(folder))
    except OSError:
        return None
    return sorted({name.partition("_")[0] for name in names if name.endswith(".snap")})


def _lock(host: Host, paths: Sequence[str]) -> dict[str, Any]:
    lock: dict[str, Any] = {"held": None, "pid": None, "comm": None}
    with host.probes.watch("package_lock", ", ".join(paths)):
        lock["held"] = False
        for path in paths:
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
