# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small files that keep a driver together: hold, blacklist, guards of its services."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

HOLD = "/etc/apt/preferences.d/gpuready-nvidia-driver-hold"
UNATTENDED = "/etc/apt/apt.conf.d/51gpuready-nvidia-driver"
NOUVEAU = "/etc/modprobe.d/gpuready-nouveau.conf"
# Names of the packages before an installation of ours; gone when it has come to its end
BEFORE = "/var/lib/gpuready/nvidia-driver-before.json"
VERSIONLOCK = "/etc/dnf/plugins/versionlock.list"
_OURS = "# Written by gpuready (role nvidia_driver); edits are overwritten.\n"
# What the preference names. It touches only versions of the driver, so one wide pattern does no harm to the container
# toolkit. APT holds each pattern against all names of the archive (17 ms each, measured), but looks exact names up.
_HELD = (
    "*nvidia*",
    "libcuda1",
    "libcudadebugger1",
    "libnvcuvid1",
    "libnvoptix1",
    "libnvsdm",
    "libxnvctrl0",
    "cuda-drivers",
)
# Names of a driver's parts in all sources, and names that look like one and belong to the container toolkit
_MEMBERS: tuple[str, ...] = (
    "nvidia-",
    "libnvidia-",
    "xserver-xorg-video-nvidia",
    "libcuda1",
    "kmod-nvidia",
    "linux-modules-nvidia-",
)
_MEMBERS += (
    "linux-objects-nvidia-",
    "linux-signatures-nvidia-",
    "cuda-drivers",
    "nvlsm",
    "libnvsdm",
    "firmware-nvidia-",
)
_TOOLKIT = ("nvidia-container-", "libnvidia-container", "nvidia-docker")
# Modules that the distribution has built belong to one kernel: a kernel that comes alone would boot without them
_KERNELS = (
    "linux-image-",
    "linux-headers-",
    "linux-modules-",
    "linux-generic",
    "linux-virtual",
    "linux-aws",
    "linux-azure",
)

File = dict[str, str]


def hold(version: str, branch: str, pinned: Sequence[str], manager: str, exact: bool, build: bool) -> list[File]:
    """What holds the set, for APT. `exact`: at this version and out of unattended upgrades; else at its branch."""
    if manager != "apt" or not (version or branch):
        return []
    kept = f"{version}-" if exact and version else f"{branch}."
    # A regular expression: a star at the end makes APT compare the text before it, epoch and all (pkgVersionMatch)
    pattern = f"/^([0-9]+:)?{kept.replace('.', '[.]')}/"
    packages = " ".join((*_HELD, f"cuda-drivers-{branch}"))
    files = [_file(HOLD, _OURS + f"Package: {packages}\nPin: version {pattern}\nPin-Priority: 1001\n")]
    if exact:
        files.append(_file(UNATTENDED, _OURS + _blacklist(pinned, build)))
    return files


def _blacklist(pinned: Sequence[str], build: bool) -> str:
    """unattended-upgrades matches Python regular expressions at the start of a name."""
    starts = sorted({name.split("*")[0] for name in pinned} | {"linux-modules-nvidia-", "linux-objects-nvidia-"})
    starts += [] if build else list(_KERNELS)
    lines = "".join(f'  "{start}";\n' for start in starts)
    return "Unattended-Upgrade::Package-Blacklist {\n" + lines + "};\n"


def boot() -> list[File]:
    """What keeps the free driver from taking the GPUs at the next boot."""
    return [_file(NOUVEAU, _OURS + "blacklist nouveau\nblacklist nova_core\noptions nouveau modeset=0\n")]


def guards(services: Iterable[str], systemd: int | None) -> list[File]:
    """Drop-ins: no unit of the driver starts on a machine that lacks its hardware, so that one image serves all."""
    found = []
    for unit in services:
        lines = _conditions(unit, systemd)
        if lines:
            path = f"/etc/systemd/system/{unit}.d/10-gpuready.conf"
            found.append(_file(path, _OURS + "\n".join(lines) + "\n"))
    return found


def _conditions(unit: str, systemd: int | None) -> list[str]:
    if unit == "nvidia-fabricmanager.service":
        # A100 to H200 have switches of their own, B200 and newer are reached through InfiniBand devices
        return [
            "[Unit]",
            "ConditionPathExistsGlob=|/dev/nvidia-nvswitch*",
            "ConditionPathExistsGlob=|/sys/class/infiniband/*",
        ]
    if unit == "nvidia-persistenced.service":
        # ExecCondition= came with systemd 243; the unit itself loads the modules, so only the bus can be asked
        guard = (
            ["[Service]", "ExecCondition=/bin/sh -c 'grep -qsx 0x10de /sys/bus/pci/devices/*/vendor'"]
            if systemd is None or systemd >= 243
            else ["[Unit]", "ConditionPathExists=/proc/driver/nvidia", "[Service]"]
        )
        # distributions start the daemon without persistence mode; the driver is told through the daemon that runs
        return [*guard, "ExecStartPost=-/usr/bin/nvidia-smi -pm 1"]
    return []


def locks(installed: Mapping[str, str], pinned: Sequence[str]) -> str:
    """Lines of dnf's versionlock for the packages of the set that are installed: NAME-EPOCH:VERSION-RELEASE.*"""
    names = sorted(name for name in installed if any(fnmatchcase(name, pattern) for pattern in pinned))
    return "\n".join(f"{name}-{_with_epoch(installed[name])}.*" for name in names)


def _with_epoch(version: str) -> str:
    return version if ":" in version else f"0:{version}"


def members(installed: Iterable[str]) -> list[str]:
    """The packages of a driver, whichever source they are from; the container toolkit is none."""
    return sorted(name for name in installed if name.startswith(_MEMBERS) and not name.startswith(_TOOLKIT))


def right(files: Iterable[File], facts: Mapping[str, Any]) -> bool:
    """Whether each file is on the machine as wanted, with its mode, owned by root."""
    return all(_right(file, facts.get(file["path"])) for file in files)


def _right(file: File, found: Any) -> bool:
    if not isinstance(found, Mapping):
        return False
    digest = hashlib.sha256(file["content"].encode()).hexdigest()
    return (found.get("sha256"), found.get("mode"), found.get("uid")) == (digest, file["mode"], 0)


def _file(path: str, content: str) -> File:
    return {"path": path, "content": content, "mode": "0644"}
