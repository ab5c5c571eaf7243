# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's API over its socket: requests, and commands run in containers as `docker exec` runs them."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import systemctl

SOCKET = "/run/docker.sock"
_BODY_CAP = 32 * 1024 * 1024
_UNITS = ("docker.service", "docker.socket")
_RUNS = ("active", "activating", "reloading")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket in place of a host and port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class AnswerError(OSError):
    """An answer of the engine that is an error; `status` is that of HTTP."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class DockerAPI:
    """The few calls we need. Paths carry no version: the engine then speaks its own newest."""

    def __init__(self, path: str = SOCKET, timeout: float = 10) -> None:
        self._path = path
        self._timeout = timeout

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Return status and body; raises OSError or http.client.HTTPException."""
        connection = _UnixConnection(self._path, self._timeout)
        try:
            payload = None if body is None else json.dumps(body)
            headers = {"Connection": "close"}
            if payload is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            return response.status, response.read(_BODY_CAP)
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """Return the parsed answer of a GET; an error answer is an OSError with Docker's own message."""
        status, body = self.request("GET", path)
        if status != 200:
            raise AnswerError(status, f"GET {path}: HTTP {status}: {message(body)}")
        return json.loads(body)


def runs(units: Mapping[str, systemctl.Block]) -> bool:
    """Whether docker.service is up, or on its way there by itself."""
    service = units.get(_UNITS[0], {})
    # it failed, and systemd will try again
    waits = systemctl.first(service, "SubState") == "auto-restart"
    return systemctl.first(service, "ActiveState") in _RUNS and not waits


def asleep(units: Mapping[str, systemctl.Block]) -> str:
    """Why nobody may connect who only looks; '' where that changes nothing, or systemd says nothing.

    systemd listens in place of an engine that is down, and starts it for the first who connects. Without live-restore
    that start ends the containers that outlived the engine.
    """
    if runs(units) or systemctl.first(units.get(_UNITS[1], {}), "ActiveState") != "active":
        return ""
    state = systemctl.first(units.get(_UNITS[0], {}), "ActiveState") or "not active"
    return f"docker.service is {state}, and was not asked: docker.socket listens for it, and would start it"


def asleep_now(runner: Runner) -> str:
    """The same, asked of systemd here and now."""
    result = runner.run(["systemctl", "show", "--no-pager", "--property=Id,ActiveState,SubState", *_UNITS])
    return asleep(systemctl.by_name(systemctl.show(result.stdout)))


def message(body: bytes) -> str:
    """Return the text of an error answer."""
    try:
        return str(json.loads(body)["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace").strip()[:300]


def execute(
    host: Host,
    container: str,
    argv: list[str],
    path: str | None = None,
    user: str | None = None,
    timeout: float | None = None,
) -> tuple[int | None, str]:
    """Run a command in a container through the engine's API, as `docker exec` does; the client need not be there.

    rc None: the engine gave no answer (in time); 127: the program is not in the image. With a user the command starts
    in "/": the working folder may hold modules that shadow Python's own.
    """
    api = DockerAPI(path or SOCKET, timeout or host.runner.timeout)
    body: dict[str, Any] = {"AttachStdout": True, "AttachStderr": True, "Tty": False, "Cmd": argv}
    if user is not None:
        body["User"] = user
        body["WorkingDir"] = "/"
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
