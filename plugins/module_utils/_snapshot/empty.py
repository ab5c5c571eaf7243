# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a section says when its code failed or its thread gave no answer: the same keys, nothing known."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any, Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import (
    clock,
    cuda,
    environment,
    gpu,
    kernel_log,
    network,
    package_manager,
    pci,
    processes,
    system,
    topology,
)

_SMI: dict[str, Any] = {"present": None, "rc": None, "message": None, "driver_version": None, "cuda_version": None}
_SECTIONS: dict[str, Any] = {
    "simulated": {"gpu": False, "host": False, "text": None},
    "os": {
        "id": None,
        "version": None,
        "id_like": [],
        "codename": None,
        "name": None,
        "machine": None,
        "family": "other",
        "systemd": {"running": None, "version": None},
        "cgroup": None,
    },
    "virt": {
        "kind": None,
        "container": None,
        "technology": None,
        "wsl": None,
        "markers": [],
        "rented": {"provider": None, "markers": []},
        "jetson": None,
        "cloud": None,
    },
    "kernel": {
        "running": None,
        "cmdline": None,
        "cmdline_next": None,
        "installed": [],
        "headers": None,
        "reboot_required": None,
        "reboot_packages": [],
        "newest": None,
        "compiler": None,
        "compilers": [],
        "initramfs": None,
    },
    "firmware": system.EMPTY_FIRMWARE,
    "packages": package_manager.EMPTY,
    "files": {},
    "services": {},
    "storage": {"fs": []},
    "memory": {"total_mib": None, "available_mib": None, "limit_mib": None, "shm_mib": None},
    "cpu": {"count": None, "model": None, "sockets": None, "avx2": None, "limit": None},
    "selinux": {"enforcing": None},
    "time": clock.EMPTY,
    "environment": environment.EMPTY,
    "network": network.EMPTY,
    "pci": pci.EMPTY,
    "driver": {**gpu.EMPTY_DRIVER, "smi": _SMI},
    "gpus": [],
    "smi": _SMI,
    "topology": topology.EMPTY,
    "cuda": cuda.EMPTY,
    "kernel_log": kernel_log.EMPTY,
    "processes": processes.EMPTY,
    "daemon_json": {"path": "/etc/docker/daemon.json", "present": None, "valid": None, "error": None, "data": {}},
    "toolkit": {
        "present": None,
        "version": None,
        "mode": None,
        "no_cgroups": None,
        "config_present": None,
        "config": None,
    },
    "cdi": {"specs": []},
    "mirrors": None,
    "mirror_addresses": {},
    "dev": {"containers": [], "here": None},
    "raw": {},
}

EMPTY: dict[str, Callable[[], Any]] = {name: partial(copy.deepcopy, value) for name, value in _SECTIONS.items()}
