# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight checks, in the order of the report. A check that is not listed here does not run."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight import (
    boot,
    branch,
    gpu,
    network,
    packages,
    platform,
    resources,
    sources,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Check, Severity, Stage
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say

STAGE = Stage.PREFLIGHT
BLOCKER, MAJOR, MINOR, INFO = Severity.BLOCKER, Severity.MAJOR, Severity.MINOR, Severity.INFO

_MACHINE = (
    Check("PRE-OS", STAGE, BLOCKER, say("Operating system"), platform.supported_os, host_only=True),
    Check("PRE-ARCH", STAGE, BLOCKER, say("CPU architecture"), platform.architecture),
    Check("PRE-PRIVILEGE", STAGE, BLOCKER, say("Administrator rights"), platform.privilege),
    Check("PRE-SCOPE", STAGE, BLOCKER, say("Host or container"), platform.scope),
    Check("PRE-SYSTEMD", STAGE, BLOCKER, say("systemd"), platform.systemd, host_only=True),
    Check("PRE-CGROUP", STAGE, MINOR, say("Control groups"), platform.cgroup, host_only=True),
    Check("PRE-SELINUX", STAGE, INFO, say("SELinux"), platform.selinux, host_only=True),
)
_GPU = (
    Check("PRE-AMD", STAGE, BLOCKER, say("NVIDIA GPUs, no others"), gpu.other_makers, gpu=True, host_only=True),
    Check(
        "PRE-GPU-PCI", STAGE, BLOCKER, say("GPU on the PCI bus"), gpu.gpu_on_pci, ("PRE-AMD",), gpu=True, host_only=True
    ),
    Check("PRE-GPU-ALIVE", STAGE, BLOCKER, say("GPU answers on PCIe"), gpu.gpu_answers, gpu=True, host_only=True),
    Check("PRE-GPU-KNOWN", STAGE, MINOR, say("GPU model is known"), gpu.gpu_known, gpu=True, host_only=True),
    # its GPUs are those that nvidia-smi shows where there is no PCI bus to look at
    Check("PRE-TIER", STAGE, MAJOR, say("Tier of the machine"), gpu.tier, ("PRE-AMD", "PRE-GPU-PCI"), gpu=True),
    Check("PRE-BRANCH-FIT", STAGE, BLOCKER, say("Driver fits the GPU"), branch.branch_fits, gpu=True, host_only=True),
    Check("PRE-BOUND-DRIVER", STAGE, BLOCKER, say("GPU not given away"), gpu.gpu_binding, gpu=True, host_only=True),
    Check("PRE-BIOS-BAR", STAGE, MINOR, say("GPU memory mapped"), gpu.bar_mapped, gpu=True, host_only=True),
    Check(
        "PRE-GPU-BUSY", STAGE, MAJOR, say("GPU free for a driver change"), gpu.gpu_busy, ("PRE-PRIVILEGE",), gpu=True,
        host_only=True,
    ),
)  # fmt: skip
_KERNEL = (
    Check("PRE-NOUVEAU", STAGE, MAJOR, say("nouveau out of the way"), boot.nouveau, gpu=True, host_only=True),
    Check("PRE-SECURE-BOOT", STAGE, MAJOR, say("Secure Boot"), boot.secure_boot, host_only=True),
    Check("PRE-KERNEL-NEWEST", STAGE, MAJOR, say("Newest kernel runs"), boot.newest_kernel, host_only=True),
    Check("PRE-HEADERS", STAGE, BLOCKER, say("Kernel headers"), boot.kernel_headers, host_only=True),
    Check("PRE-COMPILER", STAGE, MAJOR, say("Compiler of the kernel"), boot.compiler, host_only=True),
    Check(
        "PRE-REBOOT",
        STAGE,
        MINOR,
        say("No reboot pending"),
        boot.reboot_pending,
        ("PRE-KERNEL-NEWEST",),
        host_only=True,
    ),
)
_RESOURCES = (
    Check("PRE-DISK", STAGE, BLOCKER, say("Free disk space"), resources.disk),
    Check("PRE-FS-RW", STAGE, BLOCKER, say("Filesystems can be written"), resources.writable),
    Check("PRE-RAM", STAGE, MAJOR, say("Main memory"), resources.memory),
    Check("PRE-CPU", STAGE, MINOR, say("Processors"), resources.processors),
    Check("PRE-PORTS", STAGE, MINOR, say("Ports"), resources.ports, host_only=True),
)
_PACKAGES = (
    Check("PRE-RUNFILE", STAGE, BLOCKER, say("No driver from a .run file"), packages.runfile, host_only=True),
    Check("PRE-MIXED-PKGS", STAGE, MAJOR, say("One driver in packages"), packages.mixed_packages, host_only=True),
    Check("PRE-DOCKER-CONFLICT", STAGE, MAJOR, say("One Docker Engine"), packages.docker_conflicts, host_only=True),
    Check("PRE-UNATTENDED", STAGE, MINOR, say("Automatic upgrades"), packages.unattended, host_only=True),
    Check("PRE-PKG-LOCK", STAGE, MAJOR, say("Package manager is free"), packages.package_lock),
    Check("PRE-PKG-STATE", STAGE, BLOCKER, say("Package database"), packages.package_state),
    Check("PRE-APT-SOURCES", STAGE, MAJOR, say("apt sources agree"), sources.apt_sources),
)
_NETWORK = (
    Check("PRE-REPOS", STAGE, BLOCKER, say("Repositories answer"), network.repositories),
    Check("PRE-NET-APT", STAGE, MAJOR, say("Distribution's archive"), network.net_apt),
    Check("PRE-NET-PYPI", STAGE, MAJOR, say("Python packages"), network.net_pypi),
    Check("PRE-NET-CONDA", STAGE, MAJOR, say("conda channels"), network.net_conda),
    Check("PRE-NET-DOCKER", STAGE, MAJOR, say("Image registry"), network.net_docker),
    Check("PRE-NET-HF", STAGE, MAJOR, say("Models and data sets"), network.net_hf),
    Check("PRE-NET-NVIDIA", STAGE, MAJOR, say("NVIDIA's packages"), network.net_nvidia),
    Check("PRE-TIME", STAGE, MAJOR, say("Clock"), network.clock),
    Check("PRE-MIRROR-FRESH", STAGE, MINOR, say("Mirrors are up to date"), network.mirror_fresh, ("PRE-TIME",)),
    Check("PRE-DNS-PROXY", STAGE, MINOR, say("Name server and proxy"), network.proxies),
)

CHECKS: tuple[Check, ...] = (*_MACHINE, *_GPU, *_KERNEL, *_RESOURCES, *_PACKAGES, *_NETWORK)
