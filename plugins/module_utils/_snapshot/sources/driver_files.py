# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What files alone tell about the driver: GSP firmware, nvidia-uvm, a .run installer, the copies of libcuda."""

from __future__ import annotations

import os
import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host

LIBRARY_DIRS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib/wsl/lib",
    "/usr/lib/x86_64-linux-gnu/nvidia/current",
    "/usr/local/nvidia/lib64",
    "/usr/local/lib",
    "/usr/lib",
)
_MORE_LIBRARY_DIRS = ("/usr/lib/aarch64-linux-gnu/nvidia/current", "/usr/local/nvidia/lib", "/usr/local/lib64")
# below each /usr/local/cuda*: the forward-compatibility libraries and the stub to link against
_CUDA_DIRS = ("compat", "lib64", "lib64/stubs", "targets/x86_64-linux/lib/stubs", "targets/sbsa-linux/lib/stubs")
_FIRMWARE = ("/lib/firmware/nvidia", "/usr/lib/firmware/nvidia")
# kernels from 5.3 on load compressed firmware, too
_GSP = re.compile(r"gsp\w*\.bin(\.xz|\.zst)?")
_LIBCUDA = re.compile(r"libcuda\.so(\.\d+)*")
_INSTALLER = ("/usr/bin/nvidia-uninstall", "/usr/bin/nvidia-installer")
_INSTALLER_LOG = "/var/log/nvidia-installer.log"
# of nvidia-installer's log: "installer version: 535.129.03"
_INSTALLER_VERSION = re.compile(r"^installer version:\s*(\d{3,}\.\d+(?:\.\d+)?)", re.MULTILINE)
_LD_CONF = "/etc/ld.so.conf"
_INCLUDE_DEPTH = 4

EMPTY: dict[str, Any] = {
    "runfile": None,
    "runfile_version": None,
    "uvm_loaded": None,
    "gsp_files": [],
    "libcuda_files": [],
}


def section(host: Host, version: str | None) -> dict[str, Any]:
    """Return the keys of EMPTY; `version` is that of the loaded module, whose firmware is looked for."""
    runfile = any(host.exists(path) for path in _INSTALLER)
    return {
        "runfile": runfile,
        # the log stays behind when the driver goes
        "runfile_version": _runfile_version(host) if runfile else None,
        "uvm_loaded": loaded(host, "nvidia_uvm"),
        "gsp_files": _gsp_files(host, version),
        "libcuda_files": _libcuda_files(host),
    }


def loaded(host: Host, name: str) -> bool:
    """Say whether a kernel module is loaded, or built in with parameters."""
    if host.is_dir(f"/sys/module/{name}"):
        return True
    modules = host.text("/proc/modules") or ""
    return re.search(rf"^{name} ", modules, re.MULTILINE) is not None


def nouveau(host: Host) -> str | None:
    """Return the free driver that is loaded for NVIDIA GPUs: nouveau, or its successor nova_core (Linux 6.15)."""
    return next((name for name in ("nouveau", "nova_core") if loaded(host, name)), None)


def _runfile_version(host: Host) -> str | None:
    match = _INSTALLER_VERSION.search(host.text(_INSTALLER_LOG) or "")
    return match.group(1) if match else None


def _gsp_files(host: Host, version: str | None) -> list[str]:
    if version is None:
        return []
    names = (name for folder in _FIRMWARE for name in host.names(f"{folder}/{version}"))
    return sorted({name for name in names if _GSP.fullmatch(name)})


def _libcuda_files(host: Host) -> list[str]:
    """Return each copy of libcuda once; links are ways to a copy, not copies."""
    found: dict[tuple[int, int], str] = {}
    for folder in _folders(host):
        for name in host.names(folder):
            path = f"{folder}/{name}"
            if not _LIBCUDA.fullmatch(name) or host.link_name(path) is not None:
                continue
            try:
                status = host.stat(path)
            except OSError:
                continue
            # /lib64 and /usr/lib64 may be one folder
            found.setdefault((status.st_dev, status.st_ino), path)
    return sorted(found.values())


def _folders(host: Host) -> list[str]:
    cuda = [f"/usr/local/{name}" for name in host.names("/usr/local") if name.startswith("cuda")]
    # "cuda" is mostly a link to "cuda-13.0": the folder itself gives a copy its name
    cuda.sort(key=lambda path: host.link_name(path) is not None)
    folders = [*LIBRARY_DIRS, *_MORE_LIBRARY_DIRS, *_loader_conf(host, _LD_CONF)]
    folders += [f"{top}/{part}" for top in cuda for part in _CUDA_DIRS]
    if host.live:
        # what programs started by this user see, too
        folders += [part for part in os.environ.get("LD_LIBRARY_PATH", "").split(":") if part.startswith("/")]
    return list(dict.fromkeys(folder.rstrip("/") or "/" for folder in folders))


def _loader_conf(host: Host, path: str, depth: int = 0) -> list[str]:
    """Return the folders of ld.so.conf(5) and of what it includes."""
    folders: list[str] = []
    for raw in (host.text(path) or "").splitlines():
        line = raw.partition("#")[0].strip()
        if line.startswith("include ") and depth < _INCLUDE_DEPTH:
            for included in _included(host, line.partition(" ")[2].strip(), os.path.dirname(path)):
                folders += _loader_conf(host, included, depth + 1)
        elif line.startswith("/"):
            folders.append(line)
    return folders


def _included(host: Host, pattern: str, base: str) -> list[str]:
    folder, _slash, name = (pattern if pattern.startswith("/") else f"{base}/{pattern}").rpartition("/")
    wanted = re.compile(".*".join(re.escape(part) for part in name.split("*")))
    return [f"{folder}/{entry}" for entry in host.names(folder) if wanted.fullmatch(entry)]
