# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel driver and its user-space half, and what nvidia-smi says."""

from __future__ import annotations

import os
import re
import stat
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, first_line
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import nvidia_smi
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import dkms, driver_files, kept

_SMI = (
    "/usr/bin/nvidia-smi",
    "/usr/local/bin/nvidia-smi",
    "/usr/lib/wsl/lib/nvidia-smi",
    "/opt/bin/nvidia-smi",
    "/bin/nvidia-smi",
)
_MODPROBE_DIRS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
_NOUVEAU = re.compile(r"^\s*(blacklist\s+nouveau\b|install\s+nouveau\s+/(usr/)?bin/(true|false))", re.MULTILINE)
_VERSION = re.compile(r"\b\d{3,}\.\d+(?:\.\d+)?\b")


def driver_section(host: Host, smi: dict[str, Any], gpus: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the loaded module, the device nodes, the libraries and what stands in the driver's way."""
    driver: dict[str, Any] = {}
    with host.probes.watch("driver", "/proc/driver/nvidia/version, /sys/module, /dev"):
        persistence = [gpu["persistence"] for gpu in gpus if gpu["persistence"] is not None]
        driver = {
            "module": _module(host),
            "devnodes": _devnodes(host),
            "libraries": {
                "nvidia_ml": _library(host, "libnvidia-ml.so.1"),
                "cuda": _library(host, "libcuda.so.1"),
            },
            "nouveau": {
                "loaded": driver_files.nouveau(host) is not None,
                "blacklisted": _nouveau_blacklisted(host),
                "module": driver_files.nouveau(host),
            },
            "persistence": all(persistence) if persistence else None,
        }
        driver.update(driver_files.section(host, driver["module"]["version"]))
        driver["dkms"] = dkms.modules(host)
    return {**EMPTY_DRIVER, **driver, "smi": smi}


EMPTY_DRIVER: dict[str, Any] = {
    "module": {"loaded": None, "version": None, "flavour": None},
    "devnodes": [],
    "libraries": {"nvidia_ml": None, "cuda": None},
    "nouveau": {"loaded": None, "blacklisted": None, "module": None},
    "persistence": None,
    "dkms": [],
    **driver_files.EMPTY,
}


def _module(host: Host) -> dict[str, Any]:
    text = host.text("/proc/driver/nvidia/version")
    # Debian's module file has its own name, but registers as "nvidia"
    loaded = text is not None or driver_files.loaded(host, "nvidia")
    found = _VERSION.search(text or "") or _VERSION.search(host.text("/sys/module/nvidia/version") or "")
    flavour = None
    if text is not None:
        flavour = "open" if "Open Kernel Module" in text else "proprietary"
    return {"loaded": loaded, "version": found.group(0) if found else None, "flavour": flavour}


def _devnodes(host: Host) -> list[dict[str, Any]]:
    found = []
    names = [f"/dev/{name}" for name in host.names("/dev") if name.startswith("nvidia")]
    names += [f"/dev/nvidia-caps/{name}" for name in host.names("/dev/nvidia-caps")]
    for path in names:
        try:
            status = host.stat(path)
        except OSError:
            continue
        if stat.S_ISDIR(status.st_mode):
            continue
        device = stat.S_ISCHR(status.st_mode)
        found.append(
            {
                "path": path,
                # a regular file in a node's place has no numbers
                "major": os.major(status.st_rdev) if device else None,
                "minor": os.minor(status.st_rdev) if device else None,
                "mode": f"{stat.S_IMODE(status.st_mode):04o}",
            }
        )
    return found


def _library(host: Host, name: str) -> str | None:
    """Return the version in the name of the real file behind a library's link."""
    for folder in driver_files.LIBRARY_DIRS:
        if host.exists(f"{folder}/{name}"):
            match = re.search(r"\.so\.(\d{3,}\.\d+(?:\.\d+)?)$", host.real_name(f"{folder}/{name}"))
            if match:
                return match.group(1)
    return None


def _nouveau_blacklisted(host: Host) -> bool:
    cmdline = host.text("/proc/cmdline") or ""
    if re.search(r"\b(modprobe\.blacklist|module_blacklist|rd\.driver\.blacklist)=\S*\bnouveau\b", cmdline):
        return True
    for folder in _MODPROBE_DIRS:
        for name in host.names(folder):
            if name.endswith(".conf") and _NOUVEAU.search(host.text(f"{folder}/{name}") or ""):
                return True
    return False


def smi_path(host: Host) -> str | None:
    """Return where nvidia-smi is; below another root only a stand-in in <root>/bin counts."""
    if not host.live:
        stub = os.path.join(host.root, "bin/nvidia-smi")
        return stub if os.access(stub, os.X_OK) else None
    return next((path for path in _SMI if os.access(path, os.X_OK)), None) or host.runner.which("nvidia-smi")


def smi_section(host: Host) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run `nvidia-smi -q -x` once; return the section driver.smi and the list of GPUs."""
    smi: dict[str, Any] = {"present": False, "rc": None, "message": None, "driver_version": None, "cuda_version": None}
    path = smi_path(host)
    source = "nvidia-smi -q -x"
    if path is None:
        host.probes.record(_XML, "missing", source, error="nvidia-smi is not installed")
        return smi, []
    smi["present"] = True
    result = host.runner.run([path, "-q", "-x"])
    smi["rc"] = result.rc
    smi["message"] = None if result.rc == 0 else _message(result)
    kept.keep(host, "nvidia_smi_xml", result.stdout)
    parsed, status, error = _parse(result)
    host.probes.record(_XML, status, source, result.ms, result.rc, error)
    # only a command that worked is worth a second one; what failed or hung will do so again
    if status == "unparsable":
        parsed = _text_instead(host, path) or parsed
    smi["driver_version"], smi["cuda_version"] = parsed.get("driver_version"), parsed.get("cuda_version")
    return smi, parsed.get("gpus", [])


_XML = "nvidia_smi"
_TEXT = "nvidia_smi_text"
# every call that enters the driver; after one that hung no other is made
_DRIVER_PROBES = (_XML, _TEXT, "topo_p2p", "nvlink", "topo_matrix", "cuda")


def answers(host: Host) -> bool:
    """Say whether no NVIDIA call of this run has hung so far."""
    return all(host.probes.status(name) != "timeout" for name in _DRIVER_PROBES)


def _text_instead(host: Host, path: str) -> dict[str, Any]:
    result = host.runner.run([path, "-q"])
    kept.keep(host, _TEXT, result.stdout)
    try:
        parsed = nvidia_smi.parse_text(result.stdout)
    except ValueError as exc:
        host.probes.record(_TEXT, "unparsable", "nvidia-smi -q", result.ms, result.rc, str(exc))
        return {}
    host.probes.command(_TEXT, "nvidia-smi -q", result)
    return parsed


def _parse(result: CommandResult) -> tuple[dict[str, Any], str, str | None]:
    # with a lost GPU the document may be complete though the exit code is not 0: take what there is
    if "<nvidia_smi_log" not in result.stdout and result.status != "ok":
        return {}, result.status, result.error
    try:
        return nvidia_smi.parse_any(result.stdout), result.status, result.error
    except ValueError as exc:
        return {}, ("unparsable" if result.status == "ok" else result.status), str(exc)


def _message(result: CommandResult) -> str | None:
    """Return what nvidia-smi says of its failure; its messages go to stdout more often than to stderr."""
    if result.status == "timeout":
        return result.error
    text = result.stdout.partition("<?xml")[0].partition("<nvidia_smi_log")[0]
    lines = [line.strip() for line in (text + "\n" + result.stderr).splitlines() if line.strip()]
    return " ".join(lines)[:300] or first_line(result.error or "")
