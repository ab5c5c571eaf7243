# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs under a supervisord of their own: its configuration, its start, and what has changed since."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import string
import subprocess
import time
from typing import TYPE_CHECKING, Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _supervisor
from ansible_collections.gpuready.bootstrap.plugins.module_utils._dev_stages import last_lines
from ansible_collections.gpuready.bootstrap.plugins.module_utils._dev_stages_run import (
    digest,
    end_group,
    put,
    started,
    tail,
    unlink,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._secrets import redact_url
from ansible_collections.gpuready.bootstrap.plugins.module_utils._supervisor import Supervisor, SupervisorError

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

LETTERS = string.ascii_letters + string.digits
LENGTH = 48  # of a secret made by chance: 285 bits
SHORTEST = 24  # of one that is given
PLACE = "{secret}"
UP = ("RUNNING", "STARTING")


def token_error(path: str, value: str) -> str:
    """What is wrong with a secret; JupyterLab takes every character of the file as part of it, and none as "open"."""
    if len(value) < SHORTEST:
        return f"the secret for {path} is shorter than {SHORTEST} characters"
    if any(character.isspace() for character in value):
        return f"the secret for {path} holds white space"
    return ""


def kept_secret(raw: bytes | None, text: str) -> str:
    """The secret that a file holds already; empty for none, or one that could not stay."""
    there = (raw or b"").decode("utf-8", "replace")
    before, _place, _after = (text or PLACE).partition(PLACE)
    # of a text whose other parts have changed the line with the secret is enough
    head = before.rpartition("\n")[2]
    found = next((line for line in there.split("\n") if line.startswith(head)), "")
    value = found[len(head) :].rstrip('"')
    return "" if token_error("", value) or (not text and there != value) else value


class Services:
    """The programs as they shall be."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module, self.gate = module, FileGate(module)
        self.params: dict[str, Any] = module.params
        self.folder, self.run = self.params["dir"].rstrip("/"), self.params["run_dir"].rstrip("/")
        self.config, self.log = f"{self.folder}/supervisord.conf", f"{self.folder}/log"
        self.programs: list[dict[str, Any]] = self.params["programs"]
        self.pid = _supervisor.pid_of(self.run, self.config)
        self.started: list[str] = []
        self.ended = False

    # -- present -----------------------------------------------------------------------------------------------
    def present(self) -> dict[str, Any]:
        text = _supervisor.render(self.programs, self.config, self.log, self.run)
        program = _supervisor.first_there(self.params["supervisord"])
        if program is None and not self.module.check_mode:
            raise SupervisorError(f"there is no supervisord (looked for {', '.join(self.params['supervisord'])})")
        self._free_ports()
        self._secrets()
        self.gate.write(self.config, text, mode=0o600)
        if self.module.check_mode:
            self._predict()
            return {}
        try:
            if self.pid is None:
                self._start(str(program))
            else:
                self._adjust()
            return {"states": self._wait()}
        except SupervisorError:
            self._note()
            raise

    def _secrets(self) -> None:
        for entry in self.params["secrets"]:
            if entry["value"] and token_error(entry["path"], entry["value"]):
                raise SupervisorError(token_error(entry["path"], entry["value"]))
        for entry in self.params["secrets"]:
            path, value = entry["path"], entry["value"]
            if not value and not entry["generate"]:
                self.gate.restore(path, ours=True, secret=True)
                continue
            value = value or kept_secret(self.gate.read(path), entry["text"])
            value = value or "".join(secrets.choice(LETTERS) for _number in range(LENGTH))
            self.module.no_log_values.add(value)
            text = entry["text"].replace(PLACE, value) if entry["text"] else value
            self.gate.write(path, text, mode=0o600, secret=True)

    def _free_ports(self) -> None:
        """Raises SupervisorError where a program that does not run yet would find its port taken."""
        states = {} if self.pid is None else Supervisor(self.run).states()
        known = self._known().get("ports", {})
        for program in self.programs:
            # nothing is known of one that a login has started: with the configuration that there is
            same = known.get(program["name"], program["port"]) == program["port"]
            up = states.get(program["name"]) in UP and same
            if self.pid is None and _supervisor.orphans(self.config, program["command"]):
                continue  # ours: ended before the start
            if program["port"] and not up and _supervisor.answers(program["port"]):
                raise SupervisorError(
                    f"port {program['port']} on loopback, which {program['name']} shall have, is taken by another "
                    "program; give it another port"
                )

    def _known(self) -> dict[str, Any]:
        """What was noted of the supervisord that runs now; empty when another process wrote it."""
        try:
            with open(f"{self.run}/state.json", encoding="utf-8") as stream:
                found: dict[str, Any] = json.load(stream)
        except (OSError, ValueError):
            return {}
        if self.pid is None or found.get("pid") != self.pid or found.get("started") != started(self.pid):
            return {}
        return found

    def _watched(self) -> dict[str, dict[str, str | None]]:
        return {program["name"]: {path: digest(path) for path in program["watch"]} for program in self.programs}

    def _note(self) -> None:
        """Remember what the programs have read."""
        pid = _supervisor.pid_of(self.run, self.config)
        if pid is None:
            return
        ports = {program["name"]: program["port"] for program in self.programs}
        state = {"pid": pid, "started": started(pid), "watched": self._watched(), "ports": ports}
        put(f"{self.run}/state.json", json.dumps(state, sort_keys=True), 0o600, None)

    def _stale(self) -> list[str]:
        """Programs that have read another file than there is now."""
        known = self._known().get("watched", {})
        now = self._watched()
        return [name for name, files in now.items() if name in known and known[name] != files]

    def _predict(self) -> None:
        names = [program["name"] for program in self.programs]
        if self.pid is None:
            self.started = names
            return
        states = Supervisor(self.run).states()
        stale = self._stale()
        self.started = [name for name in names if states.get(name) not in UP or name in stale]

    def _start(self, program: str) -> None:
        if not self.programs:
            return
        for folder in (self.run, self.log):
            os.makedirs(folder, exist_ok=True)
            os.chmod(folder, 0o700)
        with _supervisor.alone(self.run):
            # the machine was started again, and meanwhile somebody has logged in
            self.pid = _supervisor.begun(self.run, self.config)
            if self.pid is None:
                self._launch(program)
                return
        self._adjust()

    def _launch(self, program: str) -> None:
        for entry in self.programs:
            self._end_orphans(entry["command"])
        for name in ("supervisord.pid", "supervisor.sock", "state.json"):
            unlink(f"{self.run}/{name}")
        words = [program, "-c", self.config]
        # pylint: disable-next=ansible-bad-function  # run_command has no time limit, and a daemon may keep its pipes
        done = subprocess.run(
            words, cwd="/", capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise SupervisorError(f"{program} ended with {done.returncode}: {redact_url(last_lines(done.stderr, 3))}")
        deadline = time.monotonic() + 20
        while self.pid is None or not os.path.exists(f"{self.run}/supervisor.sock"):
            if time.monotonic() > deadline:
                raise SupervisorError(f"supervisord did not start; see {self.log}/supervisord.log")
            time.sleep(0.05)
            self.pid = _supervisor.pid_of(self.run, self.config)
        self.started = [entry["name"] for entry in self.programs]
        self._note()

    def _end_orphans(self, command: list[str]) -> None:
        """supervisord makes each of its programs the first of a group."""
        for pid in _supervisor.orphans(self.config, command):
            end_group(pid)

    def _adjust(self) -> None:
        if not self.programs:
            self._end()
            return
        supervisor = Supervisor(self.run)
        stale, known = self._stale(), self._known()
        fresh = supervisor.update()
        names = [program["name"] for program in self.programs]
        for name in names:
            if name in stale and name not in fresh:
                supervisor.restart(name)
            elif name not in fresh and supervisor.states().get(name) not in UP:
                supervisor.start(name)
            else:
                continue
            self.started.append(name)
        self.started = sorted({*self.started, *fresh})
        if self.started or not known:
            self._note()

    def _wait(self) -> dict[str, str]:
        """Until all programs answer as they shall. Raises SupervisorError where one does not."""
        if not self.programs:
            return {}
        deadline, supervisor = time.monotonic() + self.params["wait"], Supervisor(self.run)
        for program in self.programs:
            while program["ready"] and _supervisor.status(program["port"], program["ready"]) != 200:
                state = supervisor.states().get(program["name"])
                if state == "FATAL" or time.monotonic() > deadline:
                    raise SupervisorError(self._why_not(program, str(state)))
                time.sleep(0.2)
            self._closed(program, supervisor)
        return supervisor.states()

    def _why_not(self, program: dict[str, Any], state: str) -> str:
        log = f"{self.log}/{program['name']}.log"
        said = redact_url(last_lines(tail(log)))
        what = f"{program['name']} does not answer on port {program['port']} (state {state})"
        return f"{what}; last lines of {log}:\n{said}\n"

    def _closed(self, program: dict[str, Any], supervisor: Supervisor) -> None:
        if program["closed"] and _supervisor.status(program["port"], program["closed"]) == 200:
            supervisor.call("stopProcess", program["name"], True)
            raise SupervisorError(
                f"{program['name']} answered {program['closed']} on port {program['port']} without credentials, "
                "and was stopped; look for settings that open it, such as a file in ~/.jupyter"
            )

    # -- absent ------------------------------------------------------------------------------------------------
    def _end(self) -> None:
        self.ended = self.pid is not None
        if self.pid is None or self.module.check_mode:
            return
        when = started(self.pid)
        try:
            Supervisor(self.run).call("shutdown")
        except SupervisorError:
            end_group(self.pid)
        deadline = time.monotonic() + 30
        while started(self.pid) == when:
            if time.monotonic() > deadline:
                raise SupervisorError(f"supervisord (process {self.pid}) does not end")
            time.sleep(0.1)

    def absent(self) -> dict[str, Any]:
        self._end()
        if self.pid is None and not self.module.check_mode:
            for program in self.programs:
                self._end_orphans(program["command"])
        self.gate.restore(self.config, ours=True)
        for entry in self.params["secrets"]:
            self.gate.restore(entry["path"], ours=True, secret=True)
        there = [path for path in (self.run, self.log) if os.path.isdir(path)]
        self.ended = self.ended or bool(there)
        if not self.module.check_mode:
            for path in there:
                shutil.rmtree(path, ignore_errors=True)
            if os.path.isdir(self.folder) and not os.listdir(self.folder):
                os.rmdir(self.folder)
        return {}

    def result(self) -> dict[str, Any]:
        found = self.gate.result()
        found.pop("kept", None)
        return {**found, "changed": self.gate.changed or bool(self.started) or self.ended, "started": self.started}
