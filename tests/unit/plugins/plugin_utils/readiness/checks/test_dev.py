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

ENV, MOUNT, ENVIRONMENT = f"{INSIDE}.envs.0", f"{INSIDE}.mounts.0", "ssh_environment"
RENTED = {"base": "rented_container"}
ONE = {f"{INSIDE}.gpu.count": 1, f"{INSIDE}.cuinit.count": 1}
NO_SMI = {f"{INSIDE}.smi": False}
NO_TORCH = {f"{INSIDE}.torch": None, f"{ENV}.torch": None}
CPU_ACCEPTED = {"policy": {"torch_cpu_accepted": True}}
LOST = {"dev.dev.nccl": {"status": "timeout", "ms": 1, "source": "python", "rc": 142, "error": "no end"}}
CPU_WISHED = {"dev_requested": [DevWish("dev", torch_cpu_accepted=True)]}
CPU_WISHED_ELSEWHERE = {"dev_requested": [DevWish("dev"), DevWish("other", torch_cpu_accepted=True)]}
NO_GPU_WANTED = {"policy": {"dev_gpu_wanted": False}}
LIBCUDA = "/usr/lib/x86_64-linux-gnu/libcuda.so.1"
DRIVER_550 = {f"{INSIDE}.driver_version": "550.163.01", f"{INSIDE}.libcuda.version": "550.163.01"}
IMAGE_12 = {f"{INSIDE}.cuda_image": {"version": "12.4.1", "require": None}}
COMPAT = {f"{INSIDE}.libcuda.compat": True, f"{INSIDE}.libcuda.version": "580.159.03"}
ROOT_LOGIN = {f"{INSIDE}.sshd.permit_root_login": "yes", f"{INSIDE}.sshd.password_authentication": True}
HERE_ROOT_LOGIN = {"dev.here.sshd.permit_root_login": "yes", "dev.here.sshd.password_authentication": True}
CPU_TORCH: dict[str, Any] = {"version": "2.15.0+cpu", "cuda": None, "archs": None, "conda_build": None}


def torch(
    version: str = "2.15.0+cu130", cuda: str | None = "13.0", archs: Any = None, conda_build: str | None = None
) -> dict[str, Any]:
    """One environment has this torch, and it is the default Python's."""
    found = {"version": version, "cuda": cuda}
    return {f"{ENV}.torch": {**found, "archs": archs, "conda_build": conda_build}, f"{INSIDE}.torch": found}


CONDA_CPU = torch(version="2.15.0", cuda=None, conda_build="cpu_generic_py312h1_0")


def cards(name: str, capability: str) -> dict[str, Any]:
    devices = [{"index": index, "name": name, "compute_capability": capability} for index in range(2)]
    return {f"{INSIDE}.cuinit.devices": devices}


CARDS_5090, CARDS_V100 = cards("NVIDIA GeForce RTX 5090", "12.0"), cards("Tesla V100-SXM2-16GB", "7.0")


def run(index: int, error: str | None = None) -> dict[str, Any]:
    return {"index": index, "ok": error is None, "error": error, "ms": 900}


def endpoint(status: str) -> dict[str, Any]:
    return {"kind": "pypi", "name": "m", "url": "https://mirror.example.com/pypi/simple/pip/", "status": status}


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
    ("DEV-GPU", "pass", "sees all its GPUs (2)", {}, {}),
    ("DEV-GPU", "pass", "sees all its GPUs (1)", {f"{ENGINE}.gpu.devices": ["nvidia.com/gpu=0"], **ONE}, {}),
    ("DEV-GPU", "pass", "sees all its", {f"{ENGINE}.gpu.devices": ["/dev/nvidiactl", "/dev/nvidia1"], **ONE}, {}),
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
    ("DEV-GPU", "pass", "sees all its GPUs (2)", {f"{ENGINE}.gpu.devices": ["count=2"]}, {}),
    ("DEV-GPU", "unknown", "engine said no", {f"{INSIDE}.gpu": {"rc": None, "message": "engine said no"}}, {}),
    ("DEV-SHM", "pass", "16384", {}, {}),
    ("DEV-SHM", "fail", "64 MiB of 1024", {f"{INSIDE}.shm_mib": 64}, {}),
    ("DEV-SHM", "pass", "512", {f"{INSIDE}.shm_mib": 512, "memory.total_mib": 1000}, {}),
    ("DEV-SHM", "skip", "does not run", STOPPED, {}),
    ("DEV-SHM", "unknown", "shm_mib", {f"{INSIDE}.shm_mib": None}, {}),
    ("DEV-PYTHON", "pass", "3.12.3", {}, {}),
    ("DEV-PYTHON", "fail", "lacks jupyterlab", {f"{INSIDE}.python.packages": {}}, {}),
    ("DEV-PYTHON", "fail", "no Python", {f"{INSIDE}.python": None}, {}),
    ("DEV-PYTHON", "unknown", "gpu.rc", {f"{INSIDE}.python": None, f"{INSIDE}.gpu.rc": None}, {}),
    ("DEV-PYTHON", "skip", "does not run", STOPPED, {}),
    ("DEV-PYTHON", "unknown", "python", {f"{INSIDE}.python": DROP}, {}),
    ("DEV-TORCH-CUDA", "pass", "CUDA 13.0", {}, {}),
    ("DEV-TORCH-CUDA", "fail", "CPU build", {f"{INSIDE}.torch": {"version": "2.15.0+cpu", "cuda": None}}, {}),
    ("DEV-TORCH", "fail", "not installed", NO_TORCH, {"policy": {"torch_wanted": True}}),
    ("DEV-TORCH-CUDA", "skip", "no Python", {**NO_TORCH, f"{INSIDE}.python": None}, {}),
    ("DEV-TORCH", "skip", "not asked for", NO_TORCH, {}),
    ("DEV-TORCH-CUDA", "skip", "not installed", NO_TORCH, {}),
    ("DEV-TORCH-CUDA", "unknown", "torch", {f"{INSIDE}.torch": DROP}, {}),
    ("DEV-TORCH-CUDA", "fail", "CPU build", torch(version="2.15.0", cuda=None), {}),
    ("DEV-TORCH-CUDA", "fail", "other GPUs", torch(version="2.15.0+rocm6.4", cuda=None), {}),
    ("DEV-TORCH-CUDA", "skip", "wants no GPU", torch(version="2.15.0+cpu", cuda=None), NO_GPU_WANTED),
    ("DEV-TORCH-CUDA", "warn", "as accepted: it", torch(version="2.15.0+cpu", cuda=None), CPU_ACCEPTED),
    ("DEV-TORCH-CUDA", "warn", "as accepted: it", torch(version="2.15.0+cpu", cuda=None), CPU_WISHED),
    ("DEV-TORCH-CUDA", "fail", "CPU build", torch(version="2.15.0+cpu", cuda=None), CPU_WISHED_ELSEWHERE),
    ("DEV-TORCH-ARCH", "skip", "as accepted", torch(version="2.15.0+cpu", cuda=None), CPU_WISHED),
    ("DEV-TORCH-CUDA", "fail", "other GPUs", torch(version="2.15.0+xpu", cuda=None), CPU_ACCEPTED),
    ("DEV-TORCH", "pass", "2.15.0+cu130", {}, {}),
    ("DEV-TORCH", "unknown", "envs", {f"{INSIDE}.envs": None}, {}),
    ("DEV-CONDA-BUILD", "pass", "cuda126", torch(conda_build="cuda126_py312h1_200"), {}),
    ("DEV-CONDA-BUILD", "fail", "made without CUDA", CONDA_CPU, {}),
    ("DEV-CONDA-BUILD", "skip", "does not come from conda", {}, {}),
    ("DEV-CONDA-BUILD", "unknown", "conda_build", {f"{ENV}.torch.conda_build": DROP}, {}),
    ("DEV-TORCH-CUDA", "skip", "no CUDA build", CONDA_CPU, {}),
    ("DEV-TORCH-ARCH", "pass", "every GPU", {}, {}),
    ("DEV-TORCH-ARCH", "pass", "every GPU", torch(archs=["sm_80", "compute_80"]), {}),
    ("DEV-TORCH-ARCH", "pass", "every GPU", {f"{INSIDE}.cuinit": None, "pci.gpus.0.device": "2684"}, {}),
    ("DEV-TORCH-ARCH", "fail", "12.0", {**torch(version="2.5.1+cu121", cuda="12.1"), **CARDS_5090}, {}),
    ("DEV-TORCH-ARCH", "fail", "7.0", {**torch(version="2.15.0+cu132", cuda="13.2"), **CARDS_V100}, {}),
    ("DEV-TORCH-ARCH", "skip", "no CUDA build", CONDA_CPU, {}),
    ("DEV-TORCH-ARCH", "unknown", "not known for which", torch(version="2.16.0a0+cu140", cuda="14.0"), {}),
    ("DEV-TORCH-ARCH", "unknown", "capability", {f"{INSIDE}.cuinit.devices.0.compute_capability": None}, {}),
    ("DEV-TORCH-ARCH", "unknown", "capability", {f"{INSIDE}.cuinit": None, "pci.gpus": []}, {"stages": ["dev"]}),
    ("DEV-TORCH-DRIVER", "pass", "580.159.03", {}, {}),
    ("DEV-TORCH-DRIVER", "fail", "needs driver 580", {**DRIVER_550, **IMAGE_12}, {}),
    ("DEV-TORCH-DRIVER", "skip", "DEV-CUDA-DRIVER", DRIVER_550, {}),
    ("DEV-TORCH-DRIVER", "pass", "runs on driver 580", {**DRIVER_550, **COMPAT}, {}),
    ("DEV-TORCH-DRIVER", "unknown", "CUDA 99.0", torch(cuda="99.0"), {}),
    ("DEV-TORCH-RUN", "pass", "(2)", {f"{INSIDE}.torch_run": [run(0), run(1)]}, {}),
    ("DEV-TORCH-RUN", "fail", "GPU 1 of dev: no kernel", {f"{INSIDE}.torch_run": [run(0), run(1, "no kernel")]}, {}),
    ("DEV-TORCH-RUN", "skip", "asked for", {}, {}),
    ("DEV-TORCH-RUN", "skip", "DEV-TORCH-CUDA", torch(version="2.15.0+cpu", cuda=None), {}),
    ("DEV-TORCH-RUN", "unknown", "no result", {f"{INSIDE}.torch_run": []}, {}),
    ("DEV-NCCL", "pass", "22.5 GB/s", {f"{INSIDE}.nccl": {"ok": True, "busbw_gbs": 22.5, "error": None}}, {}),
    ("DEV-NCCL", "warn", "hung", {f"{INSIDE}.nccl": {"ok": False, "busbw_gbs": None, "error": "hung"}}, {}),
    ("DEV-NCCL", "warn", "4.0 GB/s of 15", {f"{INSIDE}.nccl": {"ok": True, "busbw_gbs": 4.0, "error": None}}, {}),
    ("DEV-NCCL", "skip", "asked for", {}, {}),
    ("DEV-NCCL", "skip", "needs two GPUs", {**ONE, "gpus.1": DROP, "probes": LOST}, {}),
    ("DEV-NCCL", "unknown", "no end", {"probes": LOST}, {}),
    ("DEV-NCCL", "unknown", "busbw", {f"{INSIDE}.nccl": {"ok": True, "busbw_gbs": None, "error": None}}, {}),
    ("DEV-GPU", "fail", "cuInit 999", {f"{INSIDE}.cuinit.rc": 999}, {}),
    ("DEV-GPU", "fail", "cuInit 802", {f"{INSIDE}.cuinit.rc": 802}, {}),
    ("DEV-GPU", "fail", "finds 1 of 2", {f"{INSIDE}.cuinit.count": 1}, {}),
    ("DEV-GPU", "skip", "not tried", {f"{INSIDE}.cuinit": None}, {}),
    ("DEV-GPU", "unknown", "cuinit.rc", {f"{INSIDE}.cuinit.rc": None}, {}),
    ("DEV-GPU", "skip", "does not start", {f"{INSIDE}.cuinit.rc": 804}, {}),
    ("DEV-GPU", "skip", "no nvidia-smi", {f"{INSIDE}.gpu": {"rc": 127, "count": None, "message": "x"}, **NO_SMI}, {}),
    ("DEV-CAPS", "pass", "tools and libraries", {}, {}),
    ("DEV-CAPS", "fail", "nvidia-smi", NO_SMI, {}),
    ("DEV-CAPS", "fail", "libcuda.so.1", {f"{INSIDE}.libcuda.path": None, f"{INSIDE}.capabilities": "utility"}, {}),
    ("DEV-CAPS", "skip", "no GPU", {f"{ENGINE}.gpu.requested": False}, {}),
    ("DEV-CAPS", "unknown", "libcuda", {f"{INSIDE}.libcuda": None}, {}),
    ("DEV-CUDA-DRIVER", "pass", "CUDA 13.0", {}, {}),
    ("DEV-CUDA-DRIVER", "pass", "compatibility libraries", {**DRIVER_550, **COMPAT}, {}),
    ("DEV-CUDA-DRIVER", "fail", "needs driver 580", DRIVER_550, {}),
    ("DEV-CUDA-DRIVER", "fail", "cuInit 804", {f"{INSIDE}.cuinit.rc": 804}, {}),
    ("DEV-CUDA-DRIVER", "warn", "PTX", {f"{INSIDE}.cuda_image.version": "13.2.1"}, {}),
    ("DEV-CUDA-DRIVER", "warn", "PTX", {f"{INSIDE}.cuda_image.require": "cuda>=13.2 brand=tesla,driver>=535"}, {}),
    ("DEV-CUDA-DRIVER", "skip", "no CUDA", {f"{INSIDE}.cuda_image": {"version": None, "require": None}}, {}),
    ("DEV-CUDA-DRIVER", "unknown", "cuda_image", {f"{INSIDE}.cuda_image": None}, {}),
    ("DEV-LIBCUDA", "pass", "580.159.03", {}, {}),
    ("DEV-LIBCUDA", "fail", "stub", {f"{INSIDE}.libcuda.stub": True, f"{INSIDE}.cuinit.rc": 34}, {}),
    ("DEV-LIBCUDA", "fail", "libcuda 570", {f"{INSIDE}.libcuda.version": "570.1", f"{INSIDE}.cuinit.rc": 803}, {}),
    ("DEV-LIBCUDA", "warn", "more than one", {f"{INSIDE}.libcuda.copies": [LIBCUDA, "/opt/old/libcuda.so.1"]}, {}),
    ("DEV-LIBCUDA", "pass", "580", {f"{INSIDE}.libcuda.copies": [LIBCUDA, LIBCUDA[4:]]}, {}),
    ("DEV-LIBCUDA", "pass", "compatibility", {**DRIVER_550, **COMPAT}, {}),
    ("DEV-LIBCUDA", "pass", "CUDA starts", {f"{INSIDE}.libcuda.version": None}, {}),
    ("DEV-LIBCUDA", "skip", "no libcuda", {f"{INSIDE}.libcuda.path": None}, {}),
    ("DEV-LIBCUDA", "unknown", "libcuda", {f"{INSIDE}.libcuda": None}, {}),
    ("DEV-ULIMIT", "pass", "wide enough", {}, {}),
    ("DEV-ULIMIT", "warn", "nofile 1024", {f"{INSIDE}.ulimits.nofile": 1024}, {}),
    ("DEV-ULIMIT", "warn", "memlock_kib 64", {f"{INSIDE}.ulimits.memlock_kib": 64}, {}),
    ("DEV-ULIMIT", "skip", "simulated", {"simulated.host": True}, {}),
    ("DEV-ULIMIT", "unknown", "ulimits", {f"{INSIDE}.ulimits": None}, {}),
    ("DEV-CGROUP", "pass", "(32)", {f"{INSIDE}.cgroup.cpus": 32}, {}),
    ("DEV-CGROUP", "warn", "4.5 CPUs and counts 32", {f"{INSIDE}.cgroup.cpus": 4.5}, {}),
    ("DEV-CGROUP", "skip", "no CPU limit", {}, {}),
    ("DEV-CGROUP", "unknown", "nproc", {f"{INSIDE}.cgroup": {"cpus": 4, "nproc": None}}, {}),
    ("DEV-SSHD", "fail", "nobody can log in", {f"{INSIDE}.sshd.authorized_keys": 0}, {}),
    ("DEV-SSHD", "skip", "could not be counted", {f"{INSIDE}.sshd": None}, {}),
    ("DEV-SSH-SAFE", "pass", "lets nobody in", {}, {}),
    ("DEV-SSH-SAFE", "pass", "lets nobody in", {f"{INSIDE}.known_passwords": None}, {}),
    ("DEV-SSH-SAFE", "fail", "127.0.0.1:2222", ROOT_LOGIN, {}),
    ("DEV-SSH-SAFE", "fail", "root", {**ROOT_LOGIN, f"{INSIDE}.known_passwords": ["root"]}, {}),
    ("DEV-SSH-SAFE", "warn", "tutorials print: dev", {f"{INSIDE}.known_passwords": ["dev"]}, {}),
    ("DEV-SSH-SAFE", "fail", "host keys", {f"{INSIDE}.sshd.host_keys_shared": True}, {}),
    ("DEV-SSH-SAFE", "skip", "are its own", {f"{INSIDE}.sshd.host_keys_shared": None}, {}),
    ("DEV-SSH-SAFE", "skip", "no ssh port", {}, {"dev_requested": [DevWish("dev", ssh=False)]}),
    ("DEV-SSH-SAFE", "unknown", "sshd", {f"{INSIDE}.sshd": None}, {}),
    ("DEV-SSH-ENV", "pass", "find the environment", {}, {}),
    (
        "DEV-SSH-ENV",
        "fail",
        "lack variables of the image: CUDA_HOME",
        {f"{INSIDE}.{ENVIRONMENT}.missing": ["CUDA_HOME"]},
        {},
    ),
    ("DEV-SSH-ENV", "fail", "other values: PATH", {f"{INSIDE}.{ENVIRONMENT}.different": {"PATH": "/opt/venv/bin"}}, {}),
    ("DEV-SSH-ENV", "skip", "not compared", {f"{INSIDE}.{ENVIRONMENT}": None}, {}),
    ("DEV-SSH-ENV", "unknown", "missing", {f"{INSIDE}.{ENVIRONMENT}.missing": None}, {}),
    ("DEV-CODE", "pass", "answers", {f"{INSIDE}.code_server": {"status": 200}}, {}),
    ("DEV-CODE", "warn", "does not answer", {f"{INSIDE}.code_server": {"status": None}}, {}),
    ("DEV-CODE", "warn", "502", {f"{INSIDE}.code_server": {"status": 502}}, {}),
    ("DEV-CODE", "skip", "no code-server", {}, {}),
    ("DEV-CODE", "unknown", "code_server", {f"{INSIDE}.code_server": DROP}, {}),
    ("DEV-MOUNTS", "pass", "/workspace", {}, {}),
    ("DEV-MOUNTS", "fail", "no answer", {f"{MOUNT}.error": "no answer within 5 s"}, {}),
    ("DEV-MOUNTS", "fail", "read-only", {f"{MOUNT}.rw": False}, {}),
    ("DEV-MOUNTS", "skip", "on purpose", {f"{MOUNT}.rw": False, f"{ENGINE}.mounts.1.rw": False}, {}),
    ("DEV-MOUNTS", "fail", "cannot be written", {f"{MOUNT}.writable": False}, {}),
    ("DEV-MOUNTS", "fail", "12 MiB free", {f"{MOUNT}.free_mib": 12}, {}),
    ("DEV-MOUNTS", "skip", "nothing is mounted", {f"{INSIDE}.mounts": []}, {}),
    ("DEV-MOUNTS", "unknown", "writable", {f"{MOUNT}.writable": None}, {}),
    ("DEV-PERSIST", "pass", "/home/dev", {}, {}),
    ("DEV-PERSIST", "warn", "/data", {f"{INSIDE}.persistent": {"/home/dev": True, "/data": False}}, {}),
    ("DEV-PERSIST", "skip", "not known", {f"{INSIDE}.persistent": None}, {}),
    ("DEV-PERSIST", "unknown", "persistent", {f"{INSIDE}.persistent": DROP}, {}),
    ("DEV-INDEX", "pass", "pip", {"network.endpoints": [endpoint("ok")]}, {"stages": ["dev"]}),
    ("DEV-INDEX", "warn", "pip (mirror.example.com)", {"network.endpoints": [endpoint("failed")]}, {"stages": ["dev"]}),
    ("DEV-INDEX", "skip", "asked for", {}, {}),
    ("DEV-INDEX", "skip", "no package index", {f"{INSIDE}.indexes": {"pip": None}}, {}),
    ("DEV-INDEX", "unknown", "endpoints", {"network.endpoints": None}, {"stages": ["dev"]}),
    ("DEV-LOCALE", "pass", "C.UTF-8", {}, {}),
    ("DEV-LOCALE", "warn", "no UTF-8", {f"{INSIDE}.locale.lang": None}, {}),
    ("DEV-LOCALE", "unknown", "not known", {f"{INSIDE}.locale": None}, {}),
    ("DEV-RUNNING", "skip", "container itself", {}, RENTED),
    ("DEV-GPU", "pass", "this machine", {}, RENTED),
    ("DEV-GPU", "fail", "this machine sees 1 of 2", {"dev.here.gpu.count": 1}, RENTED),
    ("DEV-GPU", "unknown", "dev.here", {"dev.here": None}, RENTED),
    ("DEV-SSHD", "skip", "not known", {}, RENTED),
    ("DEV-SSH-SAFE", "warn", "root may log in", HERE_ROOT_LOGIN, RENTED),
    ("DEV-JUPYTER", "skip", "no Jupyter port", {}, RENTED),
    ("DEV-JUPYTER", "fail", "anyone", {"dev.here.jupyter": {"api": 200, "no_token": 200, "with_token": None}}, RENTED),
    ("DEV-JUPYTER", "pass", "refuses", {"dev.here.jupyter": {"api": 200, "no_token": 403, "with_token": None}}, RENTED),
    ("DEV-TORCH-CUDA", "fail", "CPU build", {"dev.here.envs.0.torch": CPU_TORCH, "dev.here.torch": None}, RENTED),
    ("DEV-PYTHON", "fail", "no Python", {"dev.here.python": None}, RENTED),
    ("DEV-SHM", "fail", "64 MiB of 1024", {"dev.here.shm_mib": 64}, RENTED),
    ("DEV-PERSIST", "warn", "/root", {"dev.here.persistent": {"/root": False, "/data": True}}, RENTED),
    ("DEV-MOUNTS", "warn", "read-only", {"dev.here.mounts.0.rw": False}, RENTED),
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
    for check in (
        "DEV-MOUNTS",
        "DEV-LIBCUDA",
        "DEV-TORCH",
        "DEV-TORCH-ARCH",
        "DEV-SSHD",
        "DEV-JUPYTER",
        "DEV-GPU",
        "DEV-SHM",
        "DEV-PYTHON",
        "DEV-TORCH-CUDA",
    ):
        (result,) = results_of(check, changes=STOPPED)
        assert (result["status"], result["caused_by"]) == ("skip", "DEV-RUNNING")
