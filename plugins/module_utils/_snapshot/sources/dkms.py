# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dkms knows of NVIDIA's modules, read from its tree as dkms itself reads it; running it costs 0.3 s a module.

The tree (dkms 3.0.10 of Debian 12, 3.4.3): NAME/VERSION/source is there once the sources are registered,
NAME/VERSION/KERNEL/ARCH/module once a build succeeded, and the link NAME/kernel-KERNEL-ARCH once it is installed. A
build works in NAME/VERSION/build, which a success takes away and a failure leaves, with make.log in it.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import dkms as parse

TREE = "/var/lib/dkms"
# names of packages, versions and kernels; anything else is not of dkms
_NAME = re.compile(r"[A-Za-z0-9._+~:-]{1,100}")
# of a log of several MiB the end counts: make stops at its errors
_LOG_END = 1024 * 1024
_LOG_START = 4096
# twenty kernels with three modules each; more is no machine
_MOST = 60


def modules(host: Host) -> list[dict[str, Any]]:
    """Return one entry for each module, version and kernel; kernel and arch are null for one that was never built.

    "broken" means that the last build for a kernel failed, or was stopped, and left no module.
    """
    found: list[dict[str, Any]] = []
    with host.probes.watch("dkms", TREE):
        for name in _names(host, TREE):
            # GPUDirect Storage is no part of the driver
            if not name.startswith("nvidia") or name.endswith("-fs"):
                continue
            for version in _names(host, f"{TREE}/{name}"):
                if _registered(host, f"{TREE}/{name}/{version}"):
                    found += _builds(host, name, version)
                if len(found) >= _MOST:
                    return found[:_MOST]
    return found


def _names(host: Host, folder: str) -> list[str]:
    return [name for name in host.names(folder) if _NAME.fullmatch(name)]


def _registered(host: Host, base: str) -> bool:
    return host.link_target(f"{base}/source") is not None or host.is_dir(f"{base}/source")


def _builds(host: Host, name: str, version: str) -> list[dict[str, Any]]:
    base = f"{TREE}/{name}/{version}"
    found: dict[tuple[str | None, str | None], dict[str, Any]] = {}
    for kernel in _names(host, base):
        # as dkms does: "build", "source" and what else may lie there are no kernels
        if not kernel[:1].isdigit():
            continue
        for arch in _names(host, f"{base}/{kernel}"):
            # new versions of dkms collect in ".tmp_ARCH_XXXXXX"
            entry = None if arch.startswith(".") else _build(host, name, version, kernel, arch)
            if entry is not None:
                found[(kernel, arch)] = entry
    failed = _failure(host, f"{base}/build/make.log", (None, None))
    if failed is not None and (failed[0], failed[1]) not in found:
        found[(failed[0], failed[1])] = _entry(name, version, *failed)
    return list(found.values()) or [_entry(name, version, None, None, None)]


def _build(host: Host, name: str, version: str, kernel: str, arch: str) -> dict[str, Any] | None:
    base = f"{TREE}/{name}/{version}/{kernel}/{arch}"
    if any(".ko" in file for file in host.names(f"{base}/module")):
        link = host.link_target(f"{TREE}/{name}/kernel-{kernel}-{arch}") or ""
        # a version that is built, but not this one, may be the installed one
        installed = f"/{link}".endswith(f"/{version}/{kernel}/{arch}")
        return {**_entry(name, version, kernel, arch, None), "status": "installed" if installed else "built"}
    failed = _failure(host, f"{base}/log/make.log", (kernel, arch))
    return None if failed is None else _entry(name, version, kernel, arch, failed[2])


def _entry(name: str, version: str, kernel: str | None, arch: str | None, log: dict[str, Any] | None) -> dict[str, Any]:
    status = "added" if log is None else "broken"
    return {"name": name, "version": version, "kernel": kernel, "arch": arch, "status": status, "log": log}


def _failure(
    host: Host, path: str, known: tuple[str | None, str | None]
) -> tuple[str | None, str | None, dict[str, Any]] | None:
    """Return (kernel, architecture, log) of a build that left only a log; None without one."""
    if not host.exists(path):
        return None
    kernel, arch = known
    log: dict[str, Any] = {"path": path, "errors": [], "kernel": kernel}
    try:
        end, whole = host.read_end(path, _LOG_END)
        start = end[:_LOG_START] if whole else host.read_bytes(path, _LOG_START)
    except OSError:
        # that there is a log says enough
        return kernel, arch, log
    told = parse.title(start.decode("utf-8", "replace"))
    if told is not None and kernel is None:
        kernel, arch = told
    log.update(errors=parse.errors(end.decode("utf-8", "replace"), whole), kernel=kernel)
    return kernel, arch, log
