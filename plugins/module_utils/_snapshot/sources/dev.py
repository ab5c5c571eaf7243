# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dev containers, seen as their user sees them: ssh, Jupyter, nvidia-smi, Python and torch inside."""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, classify, parallel
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.docker import (
    SOCKET,
    DockerAPI,
    message,
)

_NET_TIMEOUT_S = 5
# torch is looked at, not imported: its import takes seconds and wakes the GPU
_PYTHON_PROBE = r"""
import importlib.metadata as m, importlib.util as u, json, os, re, sys
p = {}
for n in ("jupyterlab", "torch"):
    try: p[n] = m.version(n)
    except Exception: p[n] = None
t = None
try:
    s = u.find_spec("torch")
    if s and s.origin:
        x = open(os.path.join(os.path.dirname(s.origin), "version.py")).read()
        f = lambda n: (re.search(n + r"(?:\s*:[^=\n]*)?\s*=\s*['\"]([^'\"]+)['\"]", x) or [None, None])[1]
        t = {"version": f("__version__") or p["torch"], "cuda": f("cuda")}
except Exception: pass
print(json.dumps({"version": sys.version.split()[0], "packages": p, "torch": t}))
"""


def section(host: Host, wishes: Sequence[dict[str, Any]], gpu_allowed: Callable[[], bool]) -> dict[str, Any]:
    """Probe every dev container, all at the same time. `gpu_allowed` says whether one more NVIDIA call is wise."""
    if not wishes:
        return {"containers": []}
    if not host.live:
        host.probes.record("dev", "missing", "ssh, HTTP, docker exec", error=f"nothing is probed for root {host.root}")
        return {"containers": [empty(wish) for wish in wishes]}
    began = time.monotonic()
    found = [empty(wish) for wish in wishes]
    work: list[Callable[[], Any]] = []
    for wish, entry in zip(wishes, found):
        work += [partial(_ssh, wish, entry), partial(_jupyter, host, wish, entry)]
        work += [partial(_inside, host, wish, entry), partial(_gpu, host, wish, entry, gpu_allowed)]
    parallel(work, host.runner.timeout + _NET_TIMEOUT_S, width=16)
    host.probes.record("dev", "ok", "ssh, HTTP, docker exec", (time.monotonic() - began) * 1000)
    return {"containers": found}


def empty(wish: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of a container of which nothing is known."""
    return {
        "name": str(wish.get("container") or ""),
        "ssh": {"status": None, "banner": None},
        "jupyter": {"api": None, "no_token": None, "with_token": None},
        "gpu": {"rc": None, "count": None, "message": None},
        "python": {"version": None, "packages": {"jupyterlab": None, "torch": None}},
        "torch": None,
    }


def _address(wish: dict[str, Any]) -> str:
    return str(wish.get("host") or "127.0.0.1")


def _ssh(wish: dict[str, Any], entry: dict[str, Any]) -> None:
    """Read the identification line that a server sends first (RFC 4253, 4.2)."""
    if not wish.get("ssh_port"):
        return
    try:
        with socket.create_connection((_address(wish), int(wish["ssh_port"])), timeout=_NET_TIMEOUT_S) as link:
            line = link.recv(255).decode("utf-8", "replace").splitlines()
        banner = line[0].strip() if line else ""
        # the proxy of a published port accepts even when nothing listens behind it
        entry["ssh"] = {"status": "ok" if banner.startswith("SSH-") else "failed", "banner": banner or None}
    except (OSError, ValueError) as exc:
        entry["ssh"] = {"status": classify(exc), "banner": None}


def _jupyter(host: Host, wish: dict[str, Any], entry: dict[str, Any]) -> None:
    """Ask with and without the token; a server that answers /api/contents without it stands open."""
    if not wish.get("jupyter_port"):
        return
    jupyter = entry["jupyter"]
    jupyter["api"] = _get(wish, "/api", None)
    if jupyter["api"] is None:
        return
    jupyter["no_token"] = _get(wish, "/api/contents", None)
    name = f"dev.{entry['name']}.token"
    if wish.get("token_file"):
        token = ""
        with host.probes.watch(name, str(wish["token_file"])):
            token = host.read(str(wish["token_file"]), 4096).strip()
        if token and "\n" not in token and token.isascii():
            jupyter["with_token"] = _get(wish, "/api/contents", token)


def _get(wish: dict[str, Any], path: str, token: str | None) -> int | None:
    connection = http.client.HTTPConnection(_address(wish), int(wish["jupyter_port"]), timeout=_NET_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={} if token is None else {"Authorization": f"token {token}"})
        return connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _gpu(host: Host, wish: dict[str, Any], entry: dict[str, Any], gpu_allowed: Callable[[], bool]) -> None:
    if not entry["name"]:
        return
    if not gpu_allowed():
        entry["gpu"]["message"] = "not tried: nvidia-smi on the host did not end in time"
        return
    rc, output = execute(host, entry["name"], ["nvidia-smi", "-L"])
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    count = sum(1 for line in lines if re.match(r"GPU \d+:", line))
    entry["gpu"] = {
        "rc": rc,
        "count": count if rc == 0 else None,
        "message": None if rc == 0 else " ".join(lines)[:300] or None,
    }


def _inside(host: Host, wish: dict[str, Any], entry: dict[str, Any]) -> None:
    if not entry["name"]:
        return
    for program in ("python", "python3"):
        rc, output = execute(host, entry["name"], [program, "-c", _PYTHON_PROBE])
        if rc != 0:
            continue
        try:
            found = json.loads(output.strip().splitlines()[-1])
            entry["python"] = {"version": str(found["version"]), "packages": dict(found["packages"])}
            entry["torch"] = found["torch"]
        except (ValueError, KeyError, TypeError, IndexError):
            continue
        return


def execute(host: Host, container: str, argv: list[str], path: str | None = None) -> tuple[int | None, str]:
    """Run a command in a container through the engine's API, as `docker exec` does; the client need not be there."""
    api = DockerAPI(path or SOCKET, host.runner.timeout)
    body = {"AttachStdout": True, "AttachStderr": True, "Tty": False, "Cmd": argv}
    try:
        status, answer = api.request("POST", f"/containers/{container}/exec", body)
        if status != 201:
            return None, message(answer)
        name = str(json.loads(answer)["Id"])
        status, stream = api.request("POST", f"/exec/{name}/start", {"Detach": False, "Tty": False})
        if status != 200:
            # the engine says here that the program is not in the image
            return 127, message(stream)
        code = api.get(f"/exec/{name}/json").get("ExitCode")
        return (code if isinstance(code, int) else None), demultiplex(stream)
    except (OSError, ValueError, KeyError, http.client.HTTPException) as exc:
        return None, str(exc) or type(exc).__name__


def demultiplex(stream: bytes) -> str:
    """Join the frames of an attached stream: one byte stream number, three zero, four bytes length, then the text."""
    parts, position = [], 0
    while position + 8 <= len(stream):
        (length,) = struct.unpack(">I", stream[position + 4 : position + 8])
        parts.append(stream[position + 8 : position + 8 + length])
        position += 8 + length
    return b"".join(parts).decode("utf-8", "replace")
