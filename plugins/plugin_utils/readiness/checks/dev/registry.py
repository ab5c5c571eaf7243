# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dev checks, in the order of the report. A check that is not listed here does not run."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev import (
    computing,
    cuda,
    login,
    running,
    storage,
    torch,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Check,
    CheckFunction,
    Severity,
    Stage,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

BLOCKER, MAJOR, MINOR, INFO = Severity.BLOCKER, Severity.MAJOR, Severity.MINOR, Severity.INFO
_DOCKER = ("CTR-DOCKER",)
# while these fail, no container can have a GPU
_DRIVER = (*_DOCKER, "DRV-SMI", "DRV-CUINIT", "CTR-TOOLKIT", "CTR-CDI-FRESH")
_NETWORK = ("PRE-NET-PYPI", "PRE-NET-CONDA", "PRE-NET-HF")
# each of them is reason enough for a computation to fail
_TORCH = (
    *_DRIVER,
    "DEV-GPU",
    "DEV-LIBCUDA",
    "DEV-CUDA-DRIVER",
    "DEV-CONDA-BUILD",
    "DEV-TORCH-CUDA",
    "DEV-TORCH-ARCH",
    "DEV-TORCH-DRIVER",
)


def _check(name: str, severity: Severity, title: Text, function: CheckFunction, after: tuple[str, ...] = ()) -> Check:
    return Check(name, Stage.DEV, severity, title, function, (*_DOCKER, *after))


def _gpu(
    name: str, severity: Severity, title: Text, function: CheckFunction, after: tuple[str, ...] = _DRIVER
) -> Check:
    return Check(name, Stage.DEV, severity, title, function, after, gpu=True)


CHECKS: tuple[Check, ...] = (
    _check("DEV-RUNNING", BLOCKER, say("Dev container runs"), running.running),
    _gpu("DEV-GPU", BLOCKER, say("GPU in the dev container"), running.sees_gpu),
    _gpu("DEV-CAPS", MAJOR, say("Driver capabilities"), running.capabilities),
    _gpu("DEV-CUDA-DRIVER", BLOCKER, say("CUDA fits the driver"), cuda.image_fits_driver),
    _gpu("DEV-LIBCUDA", MAJOR, say("The driver's libcuda"), cuda.libcuda),
    _check("DEV-PYTHON", MAJOR, say("Python environment"), running.python_environment),
    _check("DEV-TORCH", MAJOR, say("torch is installed"), torch.torch_installed),
    _gpu("DEV-CONDA-BUILD", BLOCKER, say("conda's build of torch"), torch.conda_build, _DOCKER),
    _gpu("DEV-TORCH-CUDA", BLOCKER, say("torch uses the GPU"), torch.torch_uses_gpu, _DOCKER),
    _gpu("DEV-TORCH-ARCH", BLOCKER, say("torch has code for the GPU"), torch.torch_fits_gpu, (*_DRIVER, "DEV-GPU")),
    _gpu(
        "DEV-TORCH-DRIVER",
        BLOCKER,
        say("torch fits the driver"),
        torch.torch_fits_driver,
        (*_DRIVER, "DEV-CUDA-DRIVER"),
    ),
    _gpu(
        "DEV-TORCH-RUN",
        MAJOR,
        say("torch computes"),
        computing.torch_computes,
        _TORCH,
    ),
    _gpu("DEV-NCCL", MINOR, say("GPUs talk to each other"), computing.nccl, ("DEV-TORCH-RUN",)),
    _check("DEV-SHM", MAJOR, say("Shared memory"), storage.shared_memory),
    _check("DEV-ULIMIT", MINOR, say("Limits"), storage.limits),
    _check("DEV-CGROUP", INFO, say("CPU limit"), storage.processors),
    _check("DEV-SSHD", MAJOR, say("ssh login"), login.ssh_answers),
    _check("DEV-SSH-SAFE", MAJOR, say("ssh is safe"), login.ssh_is_safe),
    _check("DEV-SSH-ENV", MAJOR, say("Environment of ssh sessions"), login.ssh_environment),
    _check("DEV-JUPYTER", MAJOR, say("JupyterLab"), login.jupyter_guarded),
    _check("DEV-CODE", MINOR, say("code-server"), login.code_server),
    _check("DEV-MOUNTS", MAJOR, say("Mounted directories"), storage.mounts),
    _check("DEV-PERSIST", MINOR, say("What survives"), storage.persistence),
    _check("DEV-INDEX", MINOR, say("Package indexes"), storage.indexes, _NETWORK),
    _check("DEV-LOCALE", INFO, say("Locale"), storage.locale),
)
