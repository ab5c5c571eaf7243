# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that are set for everybody and change how CUDA behaves, and loader paths that lead to stub libraries."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import proxies
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

# the list of DCGM's deployment test (NVIDIA/DCGM, nvvs/src/Software.cpp), and what hides GPUs or libraries
NAMES = (
    "NSIGHT_CUDA_DEBUGGER",
    "CUDA_INJECTION32_PATH",
    "CUDA_INJECTION64_PATH",
    "CUDA_AUTO_BOOST",
    "CUDA_ENABLE_COREDUMP_ON_EXCEPTION",
    "CUDA_COREDUMP_FILE",
    "CUDA_DEVICE_WAITS_ON_EXCEPTION",
    "CUDA_PROFILE",
    "COMPUTE_PROFILE",
    "OPENCL_PROFILE",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_LAUNCH_BLOCKING",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
)
# who asks a mirror of Hugging Face sends them there; that they are set is all that is told
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_SYSTEMD = ("/etc/systemd", "/usr/lib/systemd", "/run/systemd")
_CAP = 256 * 1024

EMPTY: dict[str, Any] = {"variables": [], "stub_dirs": []}


def profiles(host: Host) -> list[str]:
    """Return the files that set variables for every login."""
    folder = "/etc/profile.d"
    return ["/etc/environment", "/etc/profile", *(f"{folder}/{name}" for name in host.names(folder) if _sh(name))]


def _sh(name: str) -> bool:
    return name.endswith(".sh")


def section(host: Host) -> dict[str, Any]:
    """Return {variables: [{name, value, file}], stub_dirs}."""
    found: dict[str, Any] = {"variables": [], "stub_dirs": []}
    with host.probes.watch("environment", "/etc/environment, /etc/profile.d, systemd's DefaultEnvironment"):
        variables = _variables(host)
        found = {"variables": variables, "stub_dirs": _stub_dirs(host, variables)}
    return found


def _read(host: Host, path: str) -> str:
    try:
        return host.read(path, _CAP)
    except OSError:
        return ""


def _variables(host: Host) -> list[dict[str, str]]:
    pairs = [
        (path, pair) for path in profiles(host) for pair in proxies.assignments(_read(host, path), (*NAMES, *TOKENS))
    ]
    for path in _systemd_files(host):
        pairs += [(path, pair) for pair in proxies.unit_environment(_read(host, path), "DefaultEnvironment")]
    return [
        {"name": name, "value": "***" if name in TOKENS else str(mask(value))[:500], "file": path}
        for path, (name, value) in pairs
        if name in (*NAMES, *TOKENS)
    ]


def _systemd_files(host: Host) -> list[str]:
    paths = ["/etc/systemd/system.conf"]
    for base in _SYSTEMD:
        folder = f"{base}/system.conf.d"
        paths += [f"{folder}/{name}" for name in host.names(folder) if name.endswith(".conf")]
    return paths


def _stub_dirs(host: Host, variables: list[dict[str, str]]) -> list[str]:
    """Return the folders of stub libraries (CUDA's .../lib64/stubs) that the loader would search."""
    folder = "/etc/ld.so.conf.d"
    paths = ["/etc/ld.so.conf", *(f"{folder}/{name}" for name in host.names(folder) if name.endswith(".conf"))]
    words = [line.partition("#")[0].strip() for path in paths for line in _read(host, path).splitlines()]
    for variable in variables:
        if variable["name"] == "LD_LIBRARY_PATH":
            words += variable["value"].split(":")
    return sorted({word for word in words if "stubs" in word.rstrip("/").split("/")})
