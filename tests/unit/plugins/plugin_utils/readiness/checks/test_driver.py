# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

DROP = "<dropped>"
OLD = "525.60.13"


def versions(value: str) -> dict[str, Any]:
    return {"driver.module.version": value, "driver.libraries.nvidia_ml": value, "driver.libraries.cuda": value}


def smi(code: int, text: str = "some text") -> dict[str, Any]:
    return {"driver.smi.rc": code, "driver.smi.message": text}


UNLOADED = {"driver.module": {"loaded": False, "version": None, "flavour": None}}
NO_PERSISTENCE = {"gpus.0.persistence": False}

CASES: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
    ("DRV-MODULE", "pass", "580.159.03", {}, {}),
    ("DRV-MODULE", "fail", "no driver package", {}, {"base": "bare_host"}),
    ("DRV-MODULE", "fail", "nouveau has the GPU", {**UNLOADED, "driver.nouveau.loaded": True}, {}),
    ("DRV-MODULE", "fail", "Secure Boot", {**UNLOADED, "firmware.secure_boot": True}, {}),
    ("DRV-MODULE", "fail", "a reboot is pending", {**UNLOADED, "kernel.reboot_required": True}, {}),
    ("DRV-MODULE", "fail", "not loaded", UNLOADED, {}),
    ("DRV-MODULE", "fail", "not loaded", UNLOADED, {"base": "rented_container"}),
    ("DRV-MODULE", "skip", "PRE-GPU-PCI", {"pci.gpus": []}, {}),
    ("DRV-MODULE", "unknown", "loaded", {"driver": None}, {}),
    ("DRV-DEVNODES", "pass", "2 GPU device nodes", {}, {}),
    ("DRV-DEVNODES", "fail", "0 of 2", {"driver.devnodes": []}, {}),
    ("DRV-DEVNODES", "fail", "1 of 2", {"driver.devnodes.0": DROP}, {}),
    ("DRV-DEVNODES", "fail", "/dev/nvidiactl", {"driver.devnodes.2": DROP}, {}),
    ("DRV-DEVNODES", "skip", "DRV-MODULE", UNLOADED, {}),
    ("DRV-DEVNODES", "unknown", "devnodes", {"driver.devnodes": None}, {}),
    ("DRV-UVM", "pass", "exists", {}, {}),
    ("DRV-UVM", "warn", "999", {"driver.devnodes.3": DROP}, {}),
    ("DRV-UVM", "unknown", "devnodes", {"driver.devnodes": None}, {}),
    ("DRV-VERSION-MATCH", "pass", "580.159.03", {}, {}),
    ("DRV-VERSION-MATCH", "fail", "NVML library 580.1", {"driver.libraries.nvidia_ml": "580.1"}, {}),
    ("DRV-VERSION-MATCH", "fail", "CUDA library 580.1", {"driver.libraries.cuda": "580.1"}, {}),
    ("DRV-VERSION-MATCH", "fail", "18", {}, {"base": "version_mismatch"}),
    ("DRV-VERSION-MATCH", "unknown", "libraries", {"driver.libraries.cuda": None}, {}),
    ("DRV-VERSION-MATCH", "pass", "[simulated GPU]", {}, {"base": "sandbox_ready"}),
    ("DRV-VERSION-MATCH", "fail", "[simulated GPU]", {"driver.libraries.cuda": "1.2"}, {"base": "sandbox_ready"}),
    ("DRV-SMI", "pass", "answers", {}, {}),
    ("DRV-SMI", "fail", "not installed", {"driver.smi.present": False, "driver.smi.rc": None}, {}),
    ("DRV-SMI", "fail", "kernel module", smi(9), {}),
    ("DRV-SMI", "fail", "libnvidia-ml", smi(12), {}),
    ("DRV-SMI", "fail", "cgroup", smi(17), {}),
    ("DRV-SMI", "fail", "permission", smi(4), {}),
    ("DRV-SMI", "fail", "status 255: Unable to determine", smi(255, "Unable to determine\nmore"), {}),
    ("DRV-SMI", "skip", "DRV-VERSION-MATCH", {}, {"base": "version_mismatch"}),
    ("DRV-SMI", "unknown", "driver.smi.rc", {"driver.smi.rc": None}, {}),
    ("DRV-GPU-COUNT", "pass", "all 2", {}, {}),
    ("DRV-GPU-COUNT", "fail", "2 GPUs on the PCI bus, 1 in the driver", {"gpus.1": DROP}, {}),
    ("DRV-GPU-COUNT", "fail", "0 in the driver", {"gpus": []}, {}),
    ("DRV-GPU-COUNT", "skip", "DRV-SMI", smi(9), {}),
    ("DRV-GPU-COUNT", "unknown", "gpus", {"gpus": None}, {}),
    ("DRV-GPU-LOST", "pass", "2 seen", {}, {}),
    ("DRV-GPU-LOST", "fail", "0000:41:00.0 is in state lost", {"gpus.1.state": "lost"}, {}),
    ("DRV-GPU-LOST", "skip", "no GPU", {"gpus": []}, {}),
    ("DRV-GPU-LOST", "unknown", "state", {"gpus.0.state": None}, {}),
    ("DRV-RECOVERY", "pass", "no GPU asks", {}, {}),
    ("DRV-RECOVERY", "fail", "Node Reboot", {"gpus.0.recovery_action": "Node Reboot"}, {}),
    ("DRV-RECOVERY", "skip", "does not report", {"gpus.0.recovery_action": None}, {}),
    ("DRV-RECOVERY", "unknown", "recovery_action", {"gpus.0.recovery_action": DROP}, {}),
    ("DRV-BRANCH-MIN", "pass", "new enough", {}, {"policy": {"cuda_wanted": "13.0"}}),
    ("DRV-BRANCH-MIN", "pass", "new enough", versions("615.71.09"), {}),
    ("DRV-BRANCH-MIN", "warn", "fixed in 580.159.03", versions("580.95.05"), {}),
    (
        "DRV-BRANCH-MIN",
        "fail",
        "fixed in 580.159.03",
        versions("580.95.05"),
        {"policy": {"driver_below_floor": "fail"}},
    ),
    ("DRV-BRANCH-MIN", "warn", "no security fixes", versions("550.163.01"), {}),
    ("DRV-BRANCH-MIN", "fail", "cannot run CUDA 13.0", versions("550.163.01"), {"policy": {"cuda_wanted": "13.0"}}),
    ("DRV-BRANCH-MIN", "fail", "cannot run CUDA 12.8", versions("470.256.02"), {"policy": {"cuda_wanted": "12.8"}}),
    ("DRV-BRANCH-MIN", "fail", "no driver is known", {}, {"policy": {"cuda_wanted": "14.0"}}),
    ("DRV-BRANCH-MIN", "unknown", "version", {"driver.module.version": None}, {}),
    ("DRV-PERSIST", "pass", "is on", {}, {}),
    ("DRV-PERSIST", "warn", "0000:01:00.0", NO_PERSISTENCE, {}),
    ("DRV-PERSIST", "fail", "0000:01:00.0", NO_PERSISTENCE, {"policy": {"severity": {"DRV-PERSIST": "major"}}}),
    ("DRV-PERSIST", "unknown", "persistence", {"gpus.0.persistence": None}, {}),
]


@pytest.mark.parametrize(("check", "status", "says", "changes", "options"), CASES)
def test_driver(
    check: str,
    status: str,
    says: str,
    changes: dict[str, Any],
    options: dict[str, Any],
    expect: Callable[..., None],
) -> None:
    expect(check, status, says, changes, options)


def test_an_old_driver_names_the_branch_to_install(results_of: Callable[..., list[dict[str, Any]]]) -> None:
    (result,) = results_of("DRV-BRANCH-MIN", changes=versions(OLD), policy={"cuda_wanted": "13.0"})
    assert result["remedy"]["vars"] == {"nvidia_driver_branch": "580"}
    assert result["remedy"]["command"].endswith("--tags nvidia_driver,readiness -e nvidia_driver_branch=580")
