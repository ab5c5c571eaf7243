# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check there is, in the order of the report. A check that is not listed here does not run."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks import (
    container,
    dev,
    driver,
    preflight,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Check, Severity, Stage

PRE, DRV, CTR, DEV = Stage.PREFLIGHT, Stage.DRIVER, Stage.CONTAINER, Stage.DEV
B, M, MINOR = Severity.BLOCKER, Severity.MAJOR, Severity.MINOR

_DOCKER = ("CTR-DOCKER",)
_RUNNING_GPU = ("DRV-MODULE", "DRV-SMI")

CHECKS: tuple[Check, ...] = (
    Check("PRE-OS", PRE, B, "Operating system", preflight.supported_os),
    Check("PRE-ARCH", PRE, B, "CPU architecture", preflight.architecture),
    Check("PRE-PRIVILEGE", PRE, B, "Administrator rights", preflight.privilege),
    Check("PRE-SCOPE", PRE, B, "Host or container", preflight.scope),
    Check("PRE-SYSTEMD", PRE, B, "systemd", preflight.systemd, host_only=True),
    Check("PRE-CGROUP", PRE, MINOR, "Control groups", preflight.cgroup, host_only=True),
    Check("PRE-GPU-PCI", PRE, B, "GPU on the PCI bus", preflight.gpu_on_pci, gpu=True),
    Check("PRE-GPU-ALIVE", PRE, B, "GPU answers on PCIe", preflight.gpu_answers, ("PRE-GPU-PCI",), gpu=True),
    Check("PRE-BOUND-DRIVER", PRE, B, "GPU not given away", preflight.gpu_binding, ("PRE-GPU-PCI",), gpu=True),
    Check("PRE-NOUVEAU", PRE, M, "nouveau out of the way", preflight.nouveau, gpu=True, host_only=True),
    Check("PRE-SECURE-BOOT", PRE, M, "Secure Boot", preflight.secure_boot, host_only=True),
    Check("PRE-RUNFILE", PRE, B, "No driver from a .run file", preflight.runfile, host_only=True),
    Check("PRE-HEADERS", PRE, B, "Kernel headers", preflight.kernel_headers, host_only=True),
    Check("PRE-REBOOT", PRE, MINOR, "No reboot pending", preflight.reboot_pending, host_only=True),
    Check("PRE-DISK", PRE, B, "Free disk space", preflight.disk),
    Check("PRE-RAM", PRE, M, "Memory", preflight.memory),
    Check("PRE-PKG-LOCK", PRE, M, "Package manager is free", preflight.package_lock),
    Check("PRE-PKG-STATE", PRE, B, "Package database", preflight.package_state),
    Check("PRE-APT-SOURCES", PRE, M, "apt sources agree", preflight.apt_sources),
    Check("PRE-REPOS", PRE, B, "Repositories answer", preflight.repositories),
    Check("DRV-MODULE", DRV, B, "Kernel module", driver.module_loaded, ("PRE-GPU-PCI",), gpu=True),
    Check("DRV-DEVNODES", DRV, B, "Device nodes", driver.device_nodes, ("DRV-MODULE",), gpu=True),
    Check("DRV-UVM", DRV, MINOR, "Unified memory node", driver.uvm_node, ("DRV-MODULE",), gpu=True),
    Check("DRV-VERSION-MATCH", DRV, B, "One driver version", driver.versions_match, ("DRV-MODULE",), gpu=True),
    Check("DRV-SMI", DRV, B, "nvidia-smi", driver.smi_answers, ("DRV-MODULE", "DRV-VERSION-MATCH"), gpu=True),
    Check("DRV-GPU-COUNT", DRV, B, "All GPUs in the driver", driver.gpu_count, _RUNNING_GPU, gpu=True),
    Check("DRV-GPU-LOST", DRV, B, "No GPU lost", driver.gpu_lost, _RUNNING_GPU, gpu=True),
    Check("DRV-RECOVERY", DRV, B, "No reset asked for", driver.recovery_action, _RUNNING_GPU, gpu=True),
    Check("DRV-BRANCH-MIN", DRV, M, "Driver new enough", driver.branch_minimum, ("DRV-MODULE",), gpu=True),
    Check("DRV-PERSIST", DRV, MINOR, "Persistence mode", driver.persistence, _RUNNING_GPU, gpu=True),
    Check("CTR-DOCKER", CTR, B, "Docker daemon", container.docker_answers, host_only=True),
    Check("CTR-DOCKER-VER", CTR, M, "Docker version", container.docker_version, _DOCKER, host_only=True),
    Check("CTR-DAEMON-JSON", CTR, B, "daemon.json", container.daemon_json, host_only=True),
    Check("CTR-RESTART", CTR, MINOR, "Docker runs its settings", container.daemon_is_current, _DOCKER, host_only=True),
    Check("CTR-COMPOSE", CTR, M, "Docker Compose", container.compose_version, _DOCKER, host_only=True),
    Check("CTR-TOOLKIT", CTR, B, "Container toolkit", container.toolkit_installed, gpu=True, host_only=True),
    Check("CTR-TOOLKIT-CVE", CTR, M, "Toolkit has the fixes", container.toolkit_safe, ("CTR-TOOLKIT",), True, True),
    Check("CTR-RUNTIME", CTR, M, "Runtime nvidia", container.runtime_registered, _DOCKER, True, True),
    Check("CTR-NO-CGROUPS", CTR, M, "Device cgroup", container.device_cgroups, ("CTR-TOOLKIT",), True, True),
    Check("CTR-MODE", CTR, MINOR, "Runtime mode", container.runtime_mode, ("CTR-TOOLKIT",), True, True),
    Check("CTR-CDI-SPEC", CTR, M, "CDI file", container.cdi_spec, ("CTR-TOOLKIT", "DRV-MODULE"), True, True),
    Check("CTR-CDI-FRESH", CTR, M, "CDI file is fresh", container.cdi_fresh, ("CTR-CDI-SPEC",), True, True),
    Check("CTR-CDI-ENGINE", CTR, M, "CDI in Docker", container.cdi_in_engine, _DOCKER, True, True),
    Check("CTR-NVML-SURVIVE", CTR, M, "Containers keep the GPU", container.keeps_gpu, _DOCKER, True, True),
    Check("DEV-RUNNING", DEV, B, "Dev container runs", dev.running, _DOCKER),
    Check("DEV-GPU", DEV, B, "GPU in the dev container", dev.sees_gpu, ("DRV-SMI", *_DOCKER), gpu=True),
    Check("DEV-SSHD", DEV, M, "ssh login", dev.ssh_answers, _DOCKER),
    Check("DEV-JUPYTER", DEV, M, "JupyterLab", dev.jupyter_guarded, _DOCKER),
    Check("DEV-SHM", DEV, M, "Shared memory", dev.shared_memory, _DOCKER),
    Check("DEV-PYTHON", DEV, M, "Python environment", dev.python_environment, _DOCKER),
    Check("DEV-TORCH-CUDA", DEV, B, "torch uses the GPU", dev.torch_uses_gpu, _DOCKER, gpu=True),
)

CHECK_IDS = tuple(check.id for check in CHECKS)
