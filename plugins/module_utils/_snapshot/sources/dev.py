# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dev containers, and a rented container from within, as their user finds them: ssh, Jupyter, code-server, GPUs,
Python and torch. Nothing is written; `active` tests, which use the GPUs, are only done on request."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Callable
from urllib.parse import quote

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, classify, parallel
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.docker_api import as_dict
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import dev_active
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.dev_inside import (
    Execute,
    container_facts,
    look_into,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.docker_gpu import gpu_listing
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.engine_api import (
    SOCKET,
    DockerAPI,
    execute,
)

HERE = "here"
_NET_TIMEOUT_S = 5
_NOT_TRIED = "not tried: nvidia-smi on the host did not end in time"


def section(
    host: Host,
    wishes: Sequence[dict[str, Any]],
    gpu_allowed: Callable[[], bool],
    active: Sequence[str] = (),
    here: dict[str, Any] | None = None,
    asleep: Callable[[], str] = str,
) -> dict[str, Any]:
    """Probe every dev container, all at the same time. `gpu_allowed` says whether one more NVIDIA call is wise.

    `here`: look at this machine in the same way (a rented container), with the ports that it names; None: do not.
    `asleep`: why the engine must not be asked (engine_api.asleep).
    """
    if not wishes and here is None:
        return {"containers": [], "here": None}
    found = [empty(wish) for wish in wishes]
    own = None if here is None else empty({"container": HERE})
    if not host.live:
        host.probes.record("dev", "missing", "ssh, HTTP, docker exec", error=f"nothing is probed for root {host.root}")
        return {"containers": found, "here": own}
    began = time.monotonic()
    work: list[Callable[[], Any]] = []
    for wish, entry in zip(wishes, found):
        work += _work(host, wish, entry, gpu_allowed, active, _Container(host, wish, asleep))
    if here is not None and own is not None:
        work += _work(host, here, own, gpu_allowed, active, _Machine(host))
    parallel(work, patience(host, active), width=20)
    host.probes.record("dev", "ok", "ssh, HTTP, docker exec", (time.monotonic() - began) * 1000)
    return {"containers": found, "here": own}


def patience(host: Host, active: Sequence[str] = ()) -> float:
    """Return for how many seconds the section may work at most."""
    tests = sum(1 for name in ("torch", "nccl") if name in active)
    return float(2 * host.runner.timeout + _NET_TIMEOUT_S + tests * (dev_active.ACTIVE_SECONDS + 5))


def empty(wish: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of a container of which nothing is known."""
    return {
        "name": str(wish.get("container") or ""),
        "ssh": {"status": None, "banner": None},
        "jupyter": {"api": None, "no_token": None, "with_token": None},
        "gpu": {"rc": None, "count": None, "message": None},
        "python": {"version": None, "packages": {"jupyterlab": None, "torch": None}},
        "torch": None,
        "code_server": None,
        "capabilities": None,
        "smi": None,
        "cuda_image": {"version": None, "require": None},
        "libcuda": None,
        "driver_version": None,
        "cuinit": None,
        "envs": [],
        "torch_run": None,
        "nccl": None,
        "shm_mib": None,
        "ulimits": None,
        "cgroup": None,
        "sshd": None,
        "known_passwords": None,
        "ssh_environment": None,
        "mounts": None,
        "persistent": None,
        "indexes": None,
        "locale": None,
    }


class _Container:
    """How to get into a dev container, asked of the engine once."""

    first = False

    def __init__(self, host: Host, wish: dict[str, Any], asleep: Callable[[], str]) -> None:
        self._host = host
        self._asleep = asleep
        self._name = str(wish.get("container") or "")
        self._wanted = str(wish.get("user") or "")

    def facts(self) -> tuple[str, float | None]:
        """Return the login user and when the container was made."""
        if self._asleep():
            return self._wanted, None
        try:
            name = quote(self._name, safe="")
            inspect = as_dict(DockerAPI(SOCKET, self._host.runner.timeout).get(f"/containers/{name}/json"))
        except (OSError, ValueError, http.client.HTTPException):
            return self._wanted, None
        runs_as, created = container_facts(inspect)
        return self._wanted or runs_as, created

    def run(self, argv: list[str], user: str, timeout: float | None = None) -> tuple[int | None, str]:
        """Run a command as a user of the container."""
        reason = self._asleep()
        return (None, reason) if reason else execute(self._host, self._name, argv, SOCKET, user or "root", timeout)

    def smi(self) -> tuple[int | None, str]:
        """Run nvidia-smi as the container's first process would."""
        reason = self._asleep()
        return (None, reason) if reason else execute(self._host, self._name, ["nvidia-smi", "-L"], SOCKET)


class _Machine:
    """The machine that this runs on, in the same words. The user is the one who runs this."""

    first = True

    def __init__(self, host: Host) -> None:
        self._host = host

    def facts(self) -> tuple[str, float | None]:
        """Return no other user, and no time: the look finds it out."""
        return "", None

    def run(self, argv: list[str], user: str, timeout: float | None = None) -> tuple[int | None, str]:
        """Run a command out of a login shell, so that it finds the Python of the user's profile."""
        shell = self._host.runner.which("bash") or "/bin/sh"
        whole = [shell, "-l", "-c", 'exec "$0" "$@"', *argv]
        result = self._host.runner.run(whole, None if timeout is None else int(timeout))
        if result.status == "timeout":
            return None, f"timed out: {result.error}"
        return result.rc, result.stdout if result.rc == 0 else result.stdout + result.stderr

    def smi(self) -> tuple[int | None, str]:
        """Run nvidia-smi."""
        result = self._host.runner.run(["nvidia-smi", "-L"])
        rc = 127 if result.status == "missing" else result.rc
        return rc, result.stdout + result.stderr or str(result.error or "")


def _work(
    host: Host,
    wish: dict[str, Any],
    entry: dict[str, Any],
    gpu_allowed: Callable[[], bool],
    active: Sequence[str],
    door: _Container | _Machine,
) -> list[Callable[[], Any]]:
    work: list[Callable[[], Any]] = [
        partial(_ssh, wish, entry),
        partial(_jupyter, host, wish, entry),
        partial(_code_server, wish, entry),
    ]
    if entry["name"]:
        work += [partial(_inside, host, entry, door), partial(_gpu, host, entry, door, gpu_allowed, active)]
    return [partial(_quietly, host, entry, call) for call in work]


def _quietly(host: Host, entry: dict[str, Any], call: Callable[[], Any]) -> None:
    """A part that fails in a way that nobody thought of must not take the others with it."""
    try:
        call()
    except Exception as exc:
        part = getattr(getattr(call, "func", call), "__name__", "part").strip("_")
        host.probes.record(f"dev.{entry['name']}.{part}", "failed", "gpu_facts", error=type(exc).__name__)


def _inside(host: Host, entry: dict[str, Any], door: _Container | _Machine) -> None:
    user, created = door.facts()
    look_into(host, entry, door.run, user, created, door.first)


def _gpu(
    host: Host,
    entry: dict[str, Any],
    door: _Container | _Machine,
    gpu_allowed: Callable[[], bool],
    active: Sequence[str],
) -> None:
    """Ask nvidia-smi, then CUDA, then, on request, torch and NCCL: each only if the one before came back."""
    if not gpu_allowed():
        entry["gpu"]["message"] = _NOT_TRIED
        _skip_active(host, entry, active, _NOT_TRIED)
        return
    name, began = entry["name"], time.monotonic()
    rc, output = door.smi()
    entry["gpu"] = gpu_listing(rc, output)
    status = "ok" if rc == 0 else "missing" if rc in (126, 127) else "timeout" if "timed out" in output else "failed"
    ms = (time.monotonic() - began) * 1000
    host.probes.record(f"dev.{name}.smi", status, "nvidia-smi -L", ms, rc, entry["gpu"]["message"])
    if rc is None:
        _skip_active(host, entry, active, "not tried: nvidia-smi did not answer there")
        return
    user = door.facts()[0]
    run: Execute = door.run
    entry["cuinit"] = dev_active.cuinit(host, name, run, user)
    if host.probes.status(f"dev.{name}.cuinit") == "timeout":
        _skip_active(host, entry, active, "not tried: cuInit did not end in time")
        return
    if "torch" in active:
        entry["torch_run"] = dev_active.torch_run(host, name, run, user)
    if host.probes.status(f"dev.{name}.torch_run") == "timeout":
        _skip_active(host, entry, set(active) - {"torch"}, "not tried: the computation with torch did not end in time")
    elif "nccl" in active:
        entry["nccl"] = dev_active.nccl(host, name, run, user, int(entry["gpu"]["count"] or 0))


def _skip_active(host: Host, entry: dict[str, Any], active: Collection[str], why: str) -> None:
    """Nobody must take a test that could not be tried for one that was not asked for."""
    for test, part in (("torch", "torch_run"), ("nccl", "nccl")):
        if test in active:
            host.probes.record(f"dev.{entry['name']}.{part}", "missing", f"python -c, {part}", error=why)


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
    jupyter, port = entry["jupyter"], int(wish["jupyter_port"])
    jupyter["api"] = _get(wish, port, "/api", None)
    if jupyter["api"] is None:
        return
    jupyter["no_token"] = _get(wish, port, "/api/contents", None)
    name = f"dev.{entry['name']}.token"
    if wish.get("token_file"):
        token = ""
        with host.probes.watch(name, str(wish["token_file"])):
            token = host.read(str(wish["token_file"]), 4096).strip()
        if token and "\n" not in token and token.isascii():
            jupyter["with_token"] = _get(wish, port, "/api/contents", token)


def _code_server(wish: dict[str, Any], entry: dict[str, Any]) -> None:
    """Ask for /healthz, which code-server answers without a password."""
    if wish.get("code_port"):
        entry["code_server"] = {"status": _get(wish, int(wish["code_port"]), "/healthz", None)}


def _get(wish: dict[str, Any], port: int, path: str, token: str | None) -> int | None:
    connection = http.client.HTTPConnection(_address(wish), port, timeout=_NET_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={} if token is None else {"Authorization": f"token {token}"})
        return connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
