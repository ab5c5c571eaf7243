# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""supervisord: its configuration as text (pure), and the running one through its socket.

Formats and calls: supervisord.org, "Configuration File" and "XML-RPC API Documentation", version 4.2.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import shlex
import socket
import time
import xmlrpc.client
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

# in the environment of all programs: by it those are known that a killed supervisord has left
MARK = "GPUREADY_SERVICES"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
HEAD = """\
; Managed by Ansible (gpuready.bootstrap.dev_services); changes made by hand are undone by the next run.
[supervisord]
nodaemon=false
user=root
logfile={log}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
childlogdir={log}
pidfile={run}/supervisord.pid

[unix_http_server]
file={run}/supervisor.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{run}/supervisor.sock
"""
PROGRAM = """
[program:{name}]
command={command}
directory={directory}
environment={environment}
autorestart=true
startsecs=2
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={log}/{name}.log
stdout_logfile_maxbytes=5MB
stdout_logfile_backups=1
"""


class SupervisorError(Exception):
    """Something about supervisord or its programs; the text is one sentence for the user."""


def render(programs: Sequence[Mapping[str, Any]], config: str, log: str, run: str) -> str:
    """The whole configuration. Raises SupervisorError for values that it cannot hold."""
    parts = [HEAD.format(log=plain(log), run=plain(run))]
    for program in programs:
        name = str(program["name"])
        if not NAME.fullmatch(name):
            raise SupervisorError(f"the name {name!r} of a program may only hold letters, digits, - and _")
        pairs = [
            f"{key}={quoted(key, str(value))}"
            for key, value in sorted({**program["environment"], MARK: config}.items())
        ]
        parts.append(
            PROGRAM.format(
                name=name,
                command=plain(shlex.join(str(word) for word in program["command"])),
                directory=plain(program["directory"] or "/"),
                environment=",".join(pairs),
                log=plain(log),
            )
        )
    return "".join(parts)


def plain(text: str) -> str:
    """A value: a percent sign begins an expansion, a blank before a semicolon a comment."""
    if "\n" in text or " ;" in text:
        raise SupervisorError(f"{text!r} cannot stand in the configuration of supervisord (a line feed, or ' ;')")
    return text.replace("%", "%%")


def quoted(key: str, value: str) -> str:
    """A value of environment=: quotes of one kind only, since there is no way to escape them."""
    if '"' in value and "'" in value:
        raise SupervisorError(f"the variable {key} holds both kinds of quotes, which supervisord cannot pass on")
    mark = "'" if '"' in value else '"'
    return f"{mark}{plain(value)}{mark}"


def pid_of(run: str, config: str) -> int | None:
    """The supervisord that was started with this configuration; a pid file may be that of an earlier life."""
    try:
        with open(f"{run}/supervisord.pid", encoding="ascii") as stream:
            pid = int(stream.read())
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            words = stream.read().decode("utf-8", "replace").split("\0")
    except (OSError, ValueError):
        return None
    return pid if config in words else None


@contextmanager
def alone(run: str, wait: float = 30) -> Iterator[None]:
    """Starts one after the other; a login takes the same lock. Raises SupervisorError after so many seconds."""
    folder, deadline = os.open(run, os.O_RDONLY | os.O_DIRECTORY), time.monotonic() + wait
    try:
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SupervisorError(f"{run} has been locked for {wait:.0f} s by another start") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(folder)


def begun(run: str, config: str, wait: float = 5) -> int | None:
    """As pid_of, of one that a login has just started: it has its socket a moment before it notes its number."""
    deadline = time.monotonic() + wait
    while pid_of(run, config) is None and _listens(f"{run}/supervisor.sock") and time.monotonic() < deadline:
        time.sleep(0.05)
    return pid_of(run, config)


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            return probe.connect_ex(path) == 0
        except OSError:  # longer than the address of a socket may be: supervisord cannot listen there either
            return False


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self.path)


class Supervisor:
    """A running supervisord."""

    def __init__(self, run: str) -> None:
        self.proxy = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_Transport(f"{run}/supervisor.sock"))

    def call(self, name: str, *args: Any) -> Any:
        try:
            return getattr(self.proxy.supervisor, name)(*args)
        except xmlrpc.client.Fault as error:
            raise SupervisorError(
                f"supervisord says of {' '.join(map(str, args)) or name}: {error.faultString}"
            ) from error
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorError(f"supervisord does not answer: {error}") from error

    def states(self) -> dict[str, str]:
        """Programs and their states, such as RUNNING, STARTING, BACKOFF, FATAL."""
        return {info["name"]: info["statename"] for info in self.call("getAllProcessInfo")}

    def update(self) -> list[str]:
        """Take over a configuration that was written; only what differs is restarted. The programs concerned."""
        added, changed, removed = self.call("reloadConfig")[0]
        for name in [*removed, *changed]:
            self.call("stopProcessGroup", name)
            self.call("removeProcessGroup", name)
        for name in [*added, *changed]:
            self.call("addProcessGroup", name)
        return sorted({*added, *changed, *removed})

    def restart(self, name: str) -> None:
        if self.states().get(name) in ("RUNNING", "STARTING", "STOPPING"):
            self.call("stopProcess", name, True)
        self.start(name)

    def start(self, name: str) -> None:
        """Ask for the start; whether it comes up is for others to look at."""
        self.call("startProcess", name, False)


def answers(port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def status(port: int, path: str) -> int | None:
    """The status that a GET without credentials gets; None without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def orphans(config: str, command: Sequence[str]) -> list[int]:
    """Processes that a supervisord of this configuration has started for a program, and left when it was killed.

    What users have started in such a program bears the mark, too, and is not one: it has another command line.
    """
    telling = [word for word in command[1:] if "/" in word]
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or not telling:
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as stream:
                marked = f"{MARK}={config}".encode() in stream.read().split(b"\0")
            with open(f"/proc/{entry}/cmdline", "rb") as stream:
                words = stream.read().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if marked and all(word in words for word in telling):
            found.append(int(entry))
    return found


def first_there(candidates: Sequence[str]) -> str | None:
    return next((path for path in candidates if os.access(path, os.X_OK)), None)
