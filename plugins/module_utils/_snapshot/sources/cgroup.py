# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits that control groups of both versions set on us: a container has less than the machine."""

from __future__ import annotations

import os
import re

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host

_ROOT = "/sys/fs/cgroup"
_MIB = 1024 * 1024
# version 1 writes "no limit" as the largest number of pages
_NO_LIMIT = 2**60


def _folders(host: Host, controller: str) -> list[str]:
    """Return our group and those above it: a limit of any of them counts."""
    text = host.text("/proc/self/cgroup") or ""
    if controller:
        match = re.search(rf"^\d+:(?:[^:\n]*,)?{controller}(?:,[^:\n]*)?:(/[^\n]*)$", text, re.MULTILINE)
        bases = [f"{_ROOT}/{controller}"] if controller != "cpu" else [f"{_ROOT}/cpu", f"{_ROOT}/cpu,cpuacct"]
    else:
        match = re.search(r"^0::(/[^\n]*)$", text, re.MULTILINE)
        bases = [_ROOT, f"{_ROOT}/unified"]
    path = match.group(1).rstrip("/") if match else ""
    chain = [""]
    while path and ".." not in path and len(chain) < 32:
        chain.append(path)
        path = os.path.dirname(path).rstrip("/")
    return [base + part for base in bases for part in chain]


def cpus(host: Host) -> float | None:
    """Return the quota in processors, or None if there is none."""
    found = []
    for folder in _folders(host, ""):
        match = re.fullmatch(r"(\d{1,15}) (\d{1,15})", host.text(f"{folder}/cpu.max") or "")
        if match and int(match.group(2)):
            found.append(int(match.group(1)) / int(match.group(2)))
    for folder in _folders(host, "cpu"):
        quota, period = (host.text(f"{folder}/cpu.cfs_{name}_us") or "" for name in ("quota", "period"))
        if re.fullmatch(r"\d{1,15}", quota) and re.fullmatch(r"\d{1,15}", period) and int(quota) and int(period):
            found.append(int(quota) / int(period))
    return round(min(found), 2) if found else None


def memory_mib(host: Host, total_mib: int | None) -> int | None:
    """Return the limit in MiB, or None if there is none below what the machine has."""
    found = []
    files = [f"{folder}/memory.max" for folder in _folders(host, "")]
    files += [f"{folder}/memory.limit_in_bytes" for folder in _folders(host, "memory")]
    for path in files:
        text = host.text(path) or ""
        if re.fullmatch(r"\d{1,20}", text) and int(text) < _NO_LIMIT:
            found.append(int(text) // _MIB)
    limit = min(found, default=None)
    return None if limit is None or (total_mib is not None and limit >= total_mib) else limit
