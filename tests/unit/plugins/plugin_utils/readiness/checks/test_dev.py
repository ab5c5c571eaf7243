# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import DevWish

DROP = "<dropped>"
BARE = {"base": "bare_host", "stages": ["dev"]}
ENGINE = "docker.containers.0"
INSIDE = "dev.containers.0"
STOPPED = {f"{ENGINE}.state": "exited"}
JUPYTER = f"{INSIDE}.jupyter"
SILENT = {"api": None, "no_token": None, "with_token": None}

CASES: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
    ("DEV-RUNNING", "pass", "running", {}, {}),
    ("DEV-RUNNING", "fail", "exited", STOPPED, {}),
    ("DEV-RUNNING", "fail", "unhealthy", {f"{ENGINE}.health": "unhealthy"}, {}),
    ("DEV-RUNNING", "warn", "starting", {f"{ENGINE}.health": "starting"}, {}),
    ("DEV-RUNNING", "pass", "running", {f"{ENGINE}.health": None}, {}),
    ("DEV-RUNNING", "fail", "restarted 5 times", {f"{ENGINE}.restart_count": 5}, {}),
    ("DEV-RUNNING", "fail", "lab does not exist", {}, {"dev_requested": [DevWish("lab")]}),
    ("DEV-RUNNING", "skip", "no dev container is configured", {}, BARE),
    ("DEV-RUNNING", "skip", "no dev container is configured", {"dev": None}, {"dev_requested": []}),
    ("DEV-RUNNING", "skip", "CTR-DOCKER", {"docker.reachable": False}, {}),
    ("DEV-RUNNING", "unknown", "dev.containers", {"dev": None}, {}),
    ("DEV-RUNNING", "unknown", "restart_count", {f"{ENGINE}.restart_count": None}, {}),
    ("DEV-SSHD", "pass", "SSH-2.0-OpenSSH", {}, {}),
    ("DEV-SSHD", "fail", "timeout", {f"{INSIDE}.ssh": {"status": "timeout", "banner": None}}, {}),
    ("DEV-SSHD", "fail", "foreign answer", {f"{INSIDE}.ssh.banner": "HTTP/1.1 400"}, {}),
    ("DEV-SSHD", "skip", "no ssh port", {f"{INSIDE}.ssh": None}, {}),
    ("DEV-SSHD", "skip", "no ssh port", {}, {"dev_requested": [DevWish("dev", ssh=False)]}),
    ("DEV-JUPYTER", "skip", "no Jupyter port", {}, {"dev_requested": [DevWish("dev", jupyter=False)]}),
    ("DEV-SSHD", "skip", "does not run", STOPPED, {}),
    ("DEV-SSHD", "unknown", "ssh", {f"{INSIDE}.ssh": DROP}, {}),
    ("DEV-SSHD", "unknown", "dev.containers", {"dev.containers": []}, {"dev_requested": [DevWish("dev")]}),
    ("DEV-JUPYTER", "pass", "only with its token", {}, {}),
    ("DEV-JUPYTER", "pass", "only with its token", {f"{JUPYTER}.no_token": 401}, {}),
    ("DEV-JUPYTER", "fail", "anyone", {f"{JUPYTER}.no_token": 200}, {}),
    ("DEV-JUPYTER", "fail", "refuses its own token", {f"{JUPYTER}.with_token": 403}, {}),
    ("DEV-JUPYTER", "fail", "not a refusal", {f"{JUPYTER}.no_token": 500}, {}),
    ("DEV-JUPYTER", "fail", "502", {f"{JUPYTER}.api": 502}, {}),
    ("DEV-JUPYTER", "fail", "does not answer", {JUPYTER: SILENT}, {"dev_requested": [DevWish("dev")]}),
    ("DEV-JUPYTER", "unknown", "jupyter.api", {JUPYTER: SILENT}, {}),
    ("DEV-JUPYTER", "unknown", "with_token", {f"{JUPYTER}.with_token": None}, {}),
    ("DEV-JUPYTER", "skip", "no Jupyter port", {JUPYTER: None}, {}),
    ("DEV-GPU", "pass", "sees 2 of 2", {}, {}),
    ("DEV-GPU", "pass", "sees 1 of 1", {f"{ENGINE}.gpu.devices": ["nvidia.com/gpu=0"], f"{INSIDE}.gpu.count": 1}, {}),
    (
        "DEV-GPU",
        "pass",
        "sees 1 of 1",
        {f"{ENGINE}.gpu.devices": ["/dev/nvidiactl", "/dev/nvidia1"], f"{INSIDE}.gpu.count": 1},
        {},
    ),
    ("DEV-GPU", "fail", "sees 1 of 2", {f"{INSIDE}.gpu.count": 1}, {}),
    (
        "DEV-GPU",
        "fail",
        "Unknown Error",
        {f"{INSIDE}.gpu": {"rc": 255, "count": 0, "message": "NVML: Unknown Error"}},
        {},
    ),
    ("DEV-GPU", "fail", "without a GPU", {f"{ENGINE}.gpu.requested": False}, {}),
    ("DEV-GPU", "skip", "wants no GPU", {f"{ENGINE}.gpu.requested": False}, {"policy": {"dev_gpu_wanted": False}}),
    ("DEV-GPU", "skip", "DRV-VERSION-MATCH", {}, {"base": "version_mismatch"}),
    ("DEV-GPU", "unknown", "gpu.rc", {f"{INSIDE}.gpu": None}, {}),
    ("DEV-GPU", "pass", "sees 2 of 2", {f"{ENGINE}.gpu.devices": ["count=2"]}, {}),
    ("DEV-GPU", "unknown", "engine said no", {f"{INSIDE}.gpu": {"rc": None, "message": "engine said no"}}, {}),
    ("DEV-SHM", "pass", "16384", {}, {}),
    ("DEV-SHM", "fail", "64 MiB of 1024", {f"{ENGINE}.shm_mib": 64}, {}),
    ("DEV-SHM", "pass", "512", {f"{ENGINE}.shm_mib": 512, "memory.total_mib": 1000}, {}),
    ("DEV-SHM", "skip", "does not run", STOPPED, {}),
    ("DEV-SHM", "unknown", "shm_mib", {f"{ENGINE}.shm_mib": None}, {}),
    ("DEV-PYTHON", "pass", "3.12.3", {}, {}),
    ("DEV-PYTHON", "fail", "lacks jupyterlab", {f"{INSIDE}.python.packages": {}}, {}),
    ("DEV-PYTHON", "fail", "no Python", {f"{INSIDE}.python": None}, {}),
    ("DEV-PYTHON", "unknown", "gpu.rc", {f"{INSIDE}.python": None, f"{INSIDE}.gpu.rc": None}, {}),
    ("DEV-PYTHON", "skip", "does not run", STOPPED, {}),
    ("DEV-PYTHON", "unknown", "python", {f"{INSIDE}.python": DROP}, {}),
    ("DEV-TORCH-CUDA", "pass", "CUDA 13.0", {}, {}),
    ("DEV-TORCH-CUDA", "fail", "CPU build", {f"{INSIDE}.torch": {"version": "2.15.0+cpu", "cuda": None}}, {}),
    ("DEV-TORCH-CUDA", "fail", "not installed", {f"{INSIDE}.torch": None}, {"policy": {"torch_wanted": True}}),
    ("DEV-TORCH-CUDA", "skip", "no Python", {f"{INSIDE}.torch": None, f"{INSIDE}.python": None}, {}),
    ("DEV-TORCH-CUDA", "skip", "not asked for", {f"{INSIDE}.torch": None}, {}),
    ("DEV-TORCH-CUDA", "unknown", "torch", {f"{INSIDE}.torch": DROP}, {}),
]


@pytest.mark.parametrize(("check", "status", "says", "changes", "options"), CASES)
def test_dev(
    check: str,
    status: str,
    says: str,
    changes: dict[str, Any],
    options: dict[str, Any],
    expect: Callable[..., None],
) -> None:
    expect(check, status, says, changes, options)


def test_an_open_notebook_is_a_blocker(results_of: Callable[..., list[dict[str, Any]]]) -> None:
    (result,) = results_of("DEV-JUPYTER", changes={f"{JUPYTER}.no_token": 200})
    assert result["severity"] == "blocker"
    (result,) = results_of("DEV-JUPYTER", changes={f"{JUPYTER}.api": 502})
    assert result["severity"] == "major"


def test_a_stopped_container_is_one_failure_and_not_seven(
    results_of: Callable[..., list[dict[str, Any]]],
) -> None:
    for check in ("DEV-SSHD", "DEV-JUPYTER", "DEV-GPU", "DEV-SHM", "DEV-PYTHON", "DEV-TORCH-CUDA"):
        (result,) = results_of(check, changes=STOPPED)
        assert (result["status"], result["caused_by"]) == ("skip", "DEV-RUNNING")
