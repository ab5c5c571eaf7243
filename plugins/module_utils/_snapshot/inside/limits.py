# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container gives: CUDA libraries, shared memory, limits. Part of the probe (bundle.py): Python 3.6."""

from __future__ import annotations

import glob
import json
import os
import re
import resource
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.tools import (
    program,
    read_text,
    run_program,
    text_or_none,
)

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
# ld.so(8): searched after LD_LIBRARY_PATH and the cache
_LIB_DIRS = (
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
)


def cuda_image(env: dict[str, str]) -> dict[str, Any]:
    """Return the CUDA version of the image, and what it demands of the driver."""
    version = env.get("CUDA_VERSION") or None
    for path in ["/usr/local/cuda/version.json", *sorted(glob.glob("/usr/local/cuda-*/version.json"))]:
        if version is None and os.path.isfile(path):
            version = str(json.loads(read_text(path))["cuda"]["version"])
    if version is None:
        # until CUDA 11.0
        match = re.search(r"CUDA Version (\S+)", text_or_none("/usr/local/cuda/version.txt") or "")
        version = match.group(1) if match else None
    return {"version": version, "require": (env.get("NVIDIA_REQUIRE_CUDA") or "")[:300] or None}


def libcuda(env: dict[str, str]) -> dict[str, Any]:
    """Return the libcuda.so.1 that the loader takes, and every other one that it could reach."""
    paths = [folder + "/libcuda.so.1" for folder in env.get("LD_LIBRARY_PATH", "").split(":") if folder.startswith("/")]
    paths += _cached_libraries()
    paths += [folder + "/libcuda.so.1" for folder in _LIB_DIRS]
    seen: dict[str, str] = {}
    for path in paths:
        if os.path.exists(path):
            seen.setdefault(os.path.realpath(path), path)
    copies = list(seen.values())
    if not copies:
        return {"path": None, "version": None, "stub": None, "compat": None, "copies": []}
    real, path = next(iter(seen.items()))
    match = re.search(r"libcuda\.so\.(\d{3,}\.\d+(?:\.\d+)?)$", real)
    both = path + "\n" + real
    return {
        "path": path,
        "version": match.group(1) if match else None,
        "stub": "/stubs/" in both,
        "compat": "/compat/" in both or "cuda-compat" in both,
        "copies": copies,
    }


def _cached_libraries() -> list[str]:
    ldconfig = program("ldconfig", _SBIN)
    if ldconfig is None:
        return []
    found = []
    for line in run_program([ldconfig, "-p"], 5)[1].splitlines():
        match = re.match(r"\s*libcuda\.so\.1 \(([^)]*)\) => (\S+)", line)
        # an entry for 32 bit programs has no "64" in its flags
        if match and "64" in match.group(1):
            found.append(match.group(2))
    return found


def driver_version() -> str | None:
    """Return the version of the loaded kernel module; it shows in containers, too."""
    match = re.search(r"NVRM version:.*?\s(\d{3,}\.\d+(?:\.\d+)?)\s", text_or_none("/proc/driver/nvidia/version") or "")
    return match.group(1) if match else None


def shm_mib() -> int:
    """Return the size of /dev/shm."""
    status = os.statvfs("/dev/shm")
    return status.f_blocks * status.f_frsize // (1024 * 1024)


def ulimits() -> dict[str, int]:
    """Return the soft limits; -1 stands for unlimited."""

    def soft(kind: int, unit: int) -> int:
        value = resource.getrlimit(kind)[0]
        return -1 if value == resource.RLIM_INFINITY else value // unit

    return {
        "memlock_kib": soft(resource.RLIMIT_MEMLOCK, 1024),
        "nofile": soft(resource.RLIMIT_NOFILE, 1),
        "stack_kib": soft(resource.RLIMIT_STACK, 1024),
    }


def cgroup_limits(base: str = "/sys/fs/cgroup") -> dict[str, Any]:
    """Return the limits of the container's control group, null for none, and the CPUs that nproc counts."""
    cpus, memory = None, None
    quota = (text_or_none(base + "/cpu.max") or "").split()
    if len(quota) != 2:
        names = ("/cpu/cpu.cfs_quota_us", "/cpu/cpu.cfs_period_us")
        quota = [text_or_none(base + name) or "" for name in names]
    if quota[0].isdigit() and quota[1].isdigit() and int(quota[1]) > 0:
        cpus = round(int(quota[0]) / int(quota[1]), 2)
    limit = text_or_none(base + "/memory.max") or text_or_none(base + "/memory/memory.limit_in_bytes") or ""
    # version 1 writes a number near 2^63 for "no limit"
    if limit.isdigit() and int(limit) < 1 << 60:
        memory = int(limit) // (1024 * 1024)
    return {"cpus": cpus, "memory_mib": memory, "nproc": len(os.sched_getaffinity(0))}
