# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GPUs through Docker, tried: `nvidia-smi -L` in running containers, and in a container that is made for it.

Only on request: both wake the GPU, and the second makes a container (and removes it). No image is ever pulled.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from functools import partial
from typing import Any, Callable
from urllib.parse import quote

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, classify, parallel
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.engine_api import (
    SOCKET,
    DockerAPI,
    demultiplex,
    execute,
    message,
)

PROBES_MAX = 8
# a cold start of a container with GPUs takes some seconds
_SMOKE_SECONDS = 60
# the first version that takes CDI names (daemon.json still has to allow them; nvidia-facts: Docker Engine)
_CDI_SINCE = 25


def gpu_listing(rc: int | None, output: str) -> dict[str, Any]:
    """Return what `nvidia-smi -L` said. GPU names and UUIDs stay behind: the host's own list has them."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    count = sum(1 for line in lines if re.match(r"GPU \d+:", line))
    said = None if rc == 0 else " ".join(lines)[:300] or None
    return {"rc": rc, "count": count if rc == 0 else None, "message": said}


def probe_containers(
    host: Host, engine: dict[str, Any], gpu_allowed: Callable[[], bool], path: str | None = None
) -> None:
    """Fill `probe` of running containers that ask for a GPU, at most eight, all at the same time."""
    if not (host.live and engine["reachable"]):
        return
    wanted = [item for item in engine["containers"] if item["gpu"]["requested"] and item["state"] == "running"]
    if not wanted:
        return
    source = "docker exec CONTAINER nvidia-smi -L"
    if not gpu_allowed():
        reason = "not tried: nvidia-smi on the host did not end in time"
        host.probes.record("docker_exec", "missing", source, error=reason)
        return
    began = time.monotonic()
    calls = [
        partial(execute, host, str(item["id"]), ["nvidia-smi", "-L"], path or SOCKET) for item in wanted[:PROBES_MAX]
    ]
    answers = parallel(calls, host.runner.timeout + 1)
    for item, answer in zip(wanted, answers):
        late = (None, f"nvidia-smi did not end within {host.runner.timeout} s")
        item["probe"] = gpu_listing(*(answer or late))
    skipped = len(wanted) - len(calls)
    error = f"{skipped} more containers were not looked at" if skipped else None
    hung = any(answer is None or answer[0] is None for answer in answers)
    host.probes.record("docker_exec", "failed" if hung else "ok", source, _since(began), error=error)


def _since(began: float) -> float:
    return (time.monotonic() - began) * 1000


def request_way(engine: dict[str, Any], has_cdi: bool) -> str:
    """Return how this engine is best asked for GPUs: "cdi", "runtime" or "gpus"."""
    major = re.match(r"\d+", str(engine.get("version") or ""))
    if has_cdi and engine.get("cdi_spec_dirs") and major and int(major.group()) >= _CDI_SINCE:
        return "cdi"
    return "runtime" if "nvidia" in (engine.get("runtimes") or {}) else "gpus"


def smoke(
    host: Host,
    engine: dict[str, Any],
    image: str,
    gpu_allowed: Callable[[], bool],
    request: str = "auto",
    has_cdi: bool = False,
    path: str | None = None,
) -> dict[str, Any] | None:
    """Run `nvidia-smi -L` in a new container of a local image and remove it; None if that could not be tried."""
    source = f"docker run --rm {image} nvidia-smi -L"
    reason = None if host.live and engine["reachable"] else "the engine does not answer"
    if reason is None and not gpu_allowed():
        reason = "not tried: nvidia-smi on the host did not end in time"
    if reason is not None:
        host.probes.record("smoke", "missing", source, error=reason)
        return None
    way = request_way(engine, has_cdi) if request == "auto" else request
    began = time.monotonic()
    api = DockerAPI(path or SOCKET, _SMOKE_SECONDS)
    try:
        rc, output = _run_once(api, image, way)
    except (OSError, ValueError, KeyError, http.client.HTTPException) as exc:
        host.probes.record("smoke", classify(exc), source, _since(began), error=str(exc) or type(exc).__name__)
        return {"image": image, "request": way, "rc": None, "count": None, "message": (str(exc) or None)}
    found = {"image": image, "request": way, **gpu_listing(rc, output)}
    host.probes.record("smoke", "ok" if rc == 0 else "failed", source, _since(began), rc, found["message"])
    return found


def _smoke_body(image: str, way: str) -> dict[str, Any]:
    host_config: dict[str, Any] = {"NetworkMode": "none"}
    env = []
    if way == "cdi":
        host_config["DeviceRequests"] = [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}]
    elif way == "runtime":
        host_config["Runtime"] = "nvidia"
        env = ["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"]
    else:
        host_config["DeviceRequests"] = [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]
    return {
        "Image": image,
        "Entrypoint": ["nvidia-smi"],
        "Cmd": ["-L"],
        "Env": env,
        "Labels": {"io.gpuready.smoke": "1"},
        "HostConfig": host_config,
    }


def _run_once(api: DockerAPI, image: str, way: str) -> tuple[int | None, str]:
    # the API, unlike `docker run`, pulls nothing: an image that is not there is a 404
    status, answer = api.request("POST", "/containers/create", _smoke_body(image, way))
    if status != 201:
        return None, message(answer)
    name = quote(str(json.loads(answer)["Id"]), safe="")
    try:
        status, answer = api.request("POST", f"/containers/{name}/start")
        if status not in (204, 304):
            return None, message(answer)
        status, answer = api.request("POST", f"/containers/{name}/wait")
        code = json.loads(answer).get("StatusCode") if status == 200 else None
        _status, stream = api.request("GET", f"/containers/{name}/logs?stdout=1&stderr=1")
        return (code if isinstance(code, int) else None), demultiplex(stream)
    finally:
        api.request("DELETE", f"/containers/{name}?force=1&v=1")
