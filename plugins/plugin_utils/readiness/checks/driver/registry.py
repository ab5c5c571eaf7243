# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver checks, in the order of the report. A check that is not listed here does not run.

`after` follows the road of a failure: module -> device nodes -> versions -> nvidia-smi -> all GPUs -> each GPU.
`host_only`: all but what somebody in a rented container can measure and act on.
"""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver import (
    kernel_log,
    links,
    memory,
    module,
    package_set,
    pcie,
    settings,
    smi,
    thermal,
    versions,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Check,
    CheckFunction,
    Severity,
    Stage,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

BLOCKER, MAJOR, MINOR, INFO = Severity.BLOCKER, Severity.MAJOR, Severity.MINOR, Severity.INFO
_MODULE = ("DRV-HANG", "DRV-MODULE")
_ANSWERS = (*_MODULE, "DRV-SMI")


def _check(
    name: str,
    severity: Severity,
    title: Text,
    function: CheckFunction,
    *,
    after: tuple[str, ...] = _ANSWERS,
    rented: bool = False,
    gpu: bool = True,
) -> Check:
    """`rented`: also asked in a rented container."""
    return Check(name, Stage.DRIVER, severity, title, function, after, gpu, host_only=not rented)


_KERNEL = (
    _check("DRV-HANG", BLOCKER, say("No call hangs"), module.no_hang, after=()),
    _check("DRV-MODULE", BLOCKER, say("Kernel module"), module.module_loaded, after=("DRV-HANG",)),
    _check("DRV-DEVNODES", BLOCKER, say("Device nodes"), module.device_nodes, after=_MODULE),
    _check("DRV-UVM", MAJOR, say("Unified memory node"), module.uvm_node, after=_MODULE),
    _check(
        "DRV-VERSION-MATCH",
        BLOCKER,
        say("One driver version"),
        versions.versions_match,
        after=(*_MODULE, "DRV-DEVNODES"),
        rented=True,
    ),
    _check(
        "DRV-NEXT-BOOT",
        MAJOR,
        say("Ready for the next boot"),
        versions.next_boot,
        after=(*_MODULE, "DRV-VERSION-MATCH", "PRE-NOUVEAU"),
    ),
    _check(
        "DRV-FLAVOUR",
        BLOCKER,
        say("Driver fits the GPUs"),
        versions.flavour_fits,
        after=(*_MODULE, "PRE-BRANCH-FIT"),
    ),
    _check("DRV-BRANCH-MIN", MAJOR, say("Driver new enough"), versions.branch_minimum, after=_MODULE),
)
_ANSWERING = (
    _check(
        "DRV-GPU-LOST",
        BLOCKER,
        say("No GPU lost"),
        smi.gpu_lost,
        after=(*_MODULE, "DRV-DEVNODES", "DRV-VERSION-MATCH", "DRV-FLAVOUR", "PRE-GPU-ALIVE"),
    ),
    _check(
        "DRV-SMI",
        BLOCKER,
        say("nvidia-smi"),
        smi.smi_answers,
        after=(*_MODULE, "DRV-DEVNODES", "DRV-VERSION-MATCH", "DRV-FLAVOUR"),
        rented=True,
    ),
    _check(
        "DRV-GPU-COUNT",
        BLOCKER,
        say("All GPUs in the driver"),
        smi.gpu_count,
        after=(*_ANSWERS, "DRV-GPU-LOST", "PRE-GPU-PCI", "PRE-GPU-ALIVE", "PRE-BOUND-DRIVER"),
        rented=True,
    ),
    _check("DRV-RECOVERY", BLOCKER, say("No reset asked for"), smi.recovery_action),
    _check("DRV-FABRIC", BLOCKER, say("NVLink fabric"), links.fabric),
    _check("DRV-GSP", MINOR, say("GSP firmware"), versions.gsp_firmware),
    _check(
        "DRV-CUINIT",
        BLOCKER,
        say("CUDA starts"),
        smi.cuda_starts,
        after=(*_ANSWERS, "DRV-UVM", "DRV-GPU-LOST", "DRV-FABRIC", "DRV-COMPUTE-MODE"),
        rented=True,
    ),
)
_BOARDS = (
    _check("DRV-MEM-SIZE", INFO, say("Size of the memory"), smi.memory_size, rented=True),
    _check("DRV-UNIFORM", MINOR, say("GPUs alike"), versions.uniform),
    _check("DRV-INFOROM", MINOR, say("InfoROM"), smi.inforom),
    _check("DRV-VGPU", MAJOR, say("Virtual GPU licence"), settings.vgpu),
    _check("DRV-ECC-MODE", MINOR, say("ECC mode"), memory.ecc_mode, rented=True),
    _check("DRV-ECC-UNC", MAJOR, say("Uncorrectable memory errors"), memory.ecc_uncorrectable, rented=True),
    _check("DRV-ECC-CORR", INFO, say("Correctable memory errors"), memory.ecc_correctable, rented=True),
    _check("DRV-REMAP", MAJOR, say("Remapped memory rows"), memory.remapped_rows, rented=True),
    _check("DRV-RETIRED", MAJOR, say("Retired memory pages"), memory.retired_pages),
)
_LOG = (
    _check(
        "DRV-XID",
        MAJOR,
        say("Xid messages"),
        kernel_log.xid,
        after=_MODULE,
        rented=True,
    ),
    _check("DRV-SXID", MAJOR, say("NVSwitch messages"), kernel_log.sxid, after=_MODULE),
    _check("DRV-AER", MINOR, say("PCIe errors"), kernel_log.aer, after=("PRE-GPU-PCI",)),
)
_LINKS = (
    _check("DRV-PCIE-WIDTH", MAJOR, say("PCIe lanes"), pcie.width),
    _check("DRV-PCIE-GEN", MINOR, say("PCIe generation"), pcie.generation, rented=True),
    _check("DRV-PCIE-REPLAY", INFO, say("PCIe replays"), pcie.replays, rented=True),
    _check("DRV-NVLINK", MAJOR, say("NVLinks"), links.nvlink, after=(*_ANSWERS, "DRV-FABRIC", "DRV-GPU-LOST")),
    _check(
        "DRV-P2P", INFO, say("Peer access"), links.peer_access, after=(*_ANSWERS, "DRV-FABRIC", "DRV-NVLINK", "DRV-ACS")
    ),
    _check("DRV-TOPO", INFO, say("NUMA nodes"), links.numa, after=("PRE-GPU-PCI",)),
    _check("DRV-ACS", MINOR, say("PCIe access control"), links.acs),
)
_SETTINGS = (
    _check("DRV-PERSIST", MINOR, say("Persistence mode"), settings.persistence),
    _check("DRV-MIG", MAJOR, say("MIG mode"), settings.mig),
    _check("DRV-COMPUTE-MODE", MAJOR, say("Compute mode"), settings.compute_mode),
    _check("DRV-POWER", MINOR, say("Power limit"), thermal.power, rented=True),
    _check("DRV-THERMAL", MAJOR, say("Heat"), thermal.thermal, rented=True),
    _check("DRV-THROTTLE-HIST", INFO, say("Slowdowns since boot"), thermal.throttle_history),
    _check("DRV-CLOCKS", MINOR, say("Application clocks"), thermal.clocks),
    _check("DRV-IDLE", MINOR, say("GPUs free"), settings.idle, rented=True),
    _check("DRV-ENV", MINOR, say("Environment of CUDA"), settings.environment, after=("DRV-CUINIT",), gpu=False),
    _check(
        "DRV-SET",
        MAJOR,
        say("One set of packages"),
        package_set.one_version,
        after=("PRE-MIXED-PKGS", "DRV-VERSION-MATCH", "DRV-FABRIC"),
        gpu=False,
    ),
    _check("DRV-HOLD", MINOR, say("Driver held"), package_set.held, after=(), gpu=False),
)

CHECKS: tuple[Check, ...] = (*_KERNEL, *_ANSWERING, *_BOARDS, *_LOG, *_LINKS, *_SETTINGS)
