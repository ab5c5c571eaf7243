# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which driver the packages of a machine hold, and where they came from.

Versions tell: NVIDIA's for Ubuntu end with -0ubuntu1 or -1ubuntu1, those of Ubuntu's archive name the release
(-0ubuntu0.24.04.1), those of the PPA graphics-drivers have ~gpu24.04.1. On Debian the names of the packages differ;
akmod-nvidia and xorg-x11-drv-nvidia are RPM Fusion's, a plain kmod-nvidia is ELRepo's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# in the neighbourhood of a driver, and of no version of it
_NO_DRIVER = re.compile(
    r"nvidia-(driver-(pinning|assistant|local-repo)|container|docker|persistenced|modprobe|settings|xconfig|firmware"
    r"|prime|installer|support|egl|fabric|imex|cuda)|nvidia-kernel-common$"
)
# libraries alone are no driver: other packages pull them in
_DRIVER = re.compile(
    r"nvidia-(driver|open|kernel|dkms|headless|utils|compute-utils|smi|tesla|kmod)"
    r"|cuda-drivers|kmod-nvidia|akmod-nvidia|xorg-x11-drv-nvidia|linux-modules-nvidia-"
)
# a branch has three digits: kernels (6.8.0), dates and tools do not match
_VERSION = re.compile(r"(?:\d+:)?(\d{3})\.\d{2,3}(?:\.\d{2})?(?!\d)")
_PPA = re.compile(r"~gpu\d|ppa")
_UBUNTU_ARCHIVE = re.compile(r"ubuntu\d+\.\d\d\.\d\d")
_KERNEL = re.compile(
    r"nvidia-(open-)?kernel-(?!common|source|support)|nvidia-dkms|nvidia-tesla-.*kernel-dkms|a?kmod-nvidia|linux-modules-nvidia-"
)
_THIRD_PARTY_RPM = re.compile(r"akmod-nvidia|xorg-x11-drv-nvidia|kmod-nvidia(-\d+xx)?$")
_SERVER = re.compile(r"nvidia-.*-\d{3}-server|linux-modules-nvidia-")
_NVIDIA_ON_DEBIAN = re.compile(r"nvidia-driver-cuda|nvidia-kernel-open-dkms|nvidia-open$|cuda-drivers")
_DEBIAN_ARCHIVE = re.compile(r"nvidia-tesla|nvidia-open-kernel-dkms|nvidia-smi$")


def driver(installed: Mapping[str, str]) -> dict[str, str]:
    """The packages of a driver and their versions."""
    return {name: version for name, version in installed.items() if _DRIVER.match(name) and not _NO_DRIVER.match(name)}


def branch(installed: Mapping[str, str]) -> str | None:
    """The newest branch that driver packages hold, '580'."""
    found = [match.group(1) for match in map(_VERSION.match, driver(installed).values()) if match]
    return max(found, default=None)


def source(installed: Mapping[str, str], os_id: str | None, family: str) -> str | None:
    """Where driver packages came from: "nvidia", "distribution", "ppa" (any third party); None where there are none."""
    packages = driver(installed)
    if not packages:
        return None
    if any(_PPA.search(version) for version in packages.values()):
        return "ppa"
    if family == "rhel":
        return "ppa" if any(_THIRD_PARTY_RPM.match(name) for name in packages) else "nvidia"
    if os_id == "ubuntu":
        archive = any(_SERVER.match(name) for name in packages) or any(
            _UBUNTU_ARCHIVE.search(version) for version in packages.values()
        )
        return "distribution" if archive else "nvidia"
    if any(_NVIDIA_ON_DEBIAN.match(name) for name in packages):
        return "nvidia"
    # names that both have: Debian has two branches, and NVIDIA's repository no 550 for Debian 13
    archive = any(_DEBIAN_ARCHIVE.match(name) for name in packages) or branch(installed) in ("535", "550")
    return "distribution" if archive else "nvidia"


def flavour(installed: Mapping[str, str]) -> str | None:
    """The flavour of kernel modules in packages; None where they hold none, or both."""
    found = {"open" if "open" in name else "proprietary" for name in driver(installed) if is_kernel(name)}
    return found.pop() if len(found) == 1 else None


def is_kernel(name: str) -> bool:
    """Whether a package brings kernel modules, or builds them."""
    return _KERNEL.match(name) is not None
