# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a playbook with ansible-runner, in attempts, within a deadline, and leaves no process and no file behind."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from _outcome import ANSI, ERROR_LINE, SOFTWARE, Collector, Outcome, Say

try:
    import ansible_runner
except ModuleNotFoundError as missing:
    print(
        f"ERROR: {missing.name} is not installed for {sys.executable}; run `make setup`, then "
        f".venv/bin/python {' '.join(sys.argv)}",
        file=sys.stderr,
    )
    sys.exit(SOFTWARE)

PROJECT = Path(__file__).resolve().parents[1]
# How often ansible-runner asks whether to stop, and how long Ansible has to end by itself
POLL_S, GRACE_S = 0.5, 10.0
LISTING_S = 300.0
# unix(7): 107 bytes for the path of a socket, of which Python's multiprocessing takes 32
SOCKET_FOLDER = 70
TRUE = ("true", "yes", "on", "1")  # as Ansible's filter `bool` takes texts
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Job:
    """What to run, and how often: `retries` more attempts for the hosts without an answer, `wait_s` apart.

    `given`: where the user has set each of `extra_vars`, such as `-e @lab.yml`; messages name that.
    """

    inventory: str
    playbook: str = "site.yml"
    extra_vars: dict[str, Any] = field(default_factory=dict)
    limit: str = ""
    forks: int | None = None
    check: bool = False
    retries: int = 0
    wait_s: float = 10.0
    deadline_s: float | None = None
    given: Mapping[str, str] = field(default_factory=dict)


class NotStartedError(Exception):
    """Nothing was run; the text says why."""


def drive(job: Job, say: Say = lambda kind, host, text: None) -> Outcome:
    """All attempts. Raises nothing but what is a fault of this program."""
    canary = str(job.extra_vars.get("gpuready_canary", "")).lower() in TRUE
    outcome = Outcome(playbook=job.playbook, inventory=job.inventory, canary=canary)
    with Stop(job.deadline_s).at_signals() as stop:
        try:
            for name in hosts_of(job, stop):
                outcome.host(name)
        except NotStartedError as error:
            outcome.error = str(error)
            outcome.finish(stop.status or "not started")
            outcome.signal = stop.signal
            return outcome
        again: list[str] = []
        while True:
            outcome.attempts += 1
            status = _attempt(job, again, outcome, say, stop)
            again = outcome.again()
            if status not in ("successful", "failed") or not again or outcome.attempts > job.retries:
                break
            say("attempt", "", f"attempt {outcome.attempts + 1} for {len(again)} host(s) in {job.wait_s:g} s")
            if stop.sleep(job.wait_s):
                status, outcome.error = stop.status, _why(stop.status, job, "")
                break
        outcome.signal = stop.signal
        outcome.finish(status)
    return outcome


def _attempt(job: Job, only: list[str], outcome: Outcome, say: Say, stop: Stop) -> str:
    """One run of the playbook, for some hosts or all of the job; its status."""
    private = Path(tempfile.mkdtemp(prefix="gpuready-runner-"))
    collector = Collector(outcome, say, lambda text: reworded(text, f"{private.name}/env/extravars", job.given))
    limit = f"@{private}/limit" if only else job.limit
    words = (["--check"] if job.check else []) + (["--limit", limit] if limit else [])
    (private / "limit").write_text("\n".join(only) + "\n", encoding="utf-8")
    try:
        stop.begin()
        run = ansible_runner.run(
            private_data_dir=str(private),
            project_dir=str(PROJECT),
            playbook=job.playbook,
            inventory=job.inventory,
            # by way of a file that only we can read: the command line is for all to see
            extravars=job.extra_vars,
            envvars={**variables(), **_temporary(private / "tmp")},
            settings={"pexpect_timeout": POLL_S},
            cmdline=shlex.join(words) or None,
            forks=job.forks,
            event_handler=collector,
            cancel_callback=stop,
            quiet=True,
        )
        status = str(run.status)
    finally:
        stop.end()
        shutil.rmtree(private, ignore_errors=True)
    status = stop.status or status
    blamed = any(host.error for host in outcome.hosts.values()) and not stop.status
    outcome.error = None if blamed or status == "successful" else _why(status, job, collector.heard)
    return status


def reworded(text: str, file: str, given: Mapping[str, str]) -> str:
    """Ansible names the file that we wrote the variables to; what they are to the user is named in its place."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        variable = re.match(r"\W*(\w+)", line)
        origin = given.get(variable[1] if variable else "", "extra_vars")
        path = rf"[^\s\['\"]*{re.escape(file)}(?::\d+)*"
        lines[number] = origin.join(re.split(path, line))
    return "\n".join(lines)


def _temporary(folder: Path) -> dict[str, str]:
    """Ansible's own temporary files go with ours, also those of what is killed. Its sockets need a short path."""
    if len(str(folder)) > SOCKET_FOLDER:
        return {}
    folder.mkdir(mode=0o700)
    return {"TMPDIR": str(folder)}


def _why(status: str, job: Job, heard: str) -> str:
    """What ended a run for no host's sake."""
    if status == "timeout":
        return f"the deadline of {job.deadline_s:g} s has passed"
    if status == "canceled":
        return "a signal asked to stop"
    return heard or f"ansible-playbook ended as {status} without saying why"


def variables() -> dict[str, str]:
    """For Ansible: our configuration, the Ansible beside this Python, and no display that redraws the terminal."""
    return {
        "ANSIBLE_CONFIG": os.environ.get("ANSIBLE_CONFIG", str(PROJECT / "ansible.cfg")),
        "ANSIBLE_NOCOLOR": "1",
        "GPUREADY_PROGRESS": "off",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def hosts_of(job: Job, stop: Stop) -> list[str]:
    """The hosts that the playbook is for, asked of Ansible itself. Raises NotStartedError."""
    argv = ["ansible-playbook", "--list-hosts", "-i", job.inventory, job.playbook]
    argv += ["--limit", job.limit] if job.limit else []
    with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="gpuready-", encoding="utf-8") as file:
        json.dump(job.extra_vars, file)
        file.flush()
        argv += ["-e", f"@{file.name}"]
        environment = {**os.environ, **variables()}
        try:
            # a session of its own: a signal for us is not one for it
            with subprocess.Popen(
                argv,
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            ) as process:
                out, err = _communicate(process, stop)
        except OSError as error:
            raise NotStartedError(f"ansible-playbook cannot be started: {error.strerror}") from error
    if process.returncode:
        raise NotStartedError(_said(ANSI.sub("", err + "\n" + out)))
    found: list[str] = []
    lines = iter(out.splitlines())
    for line in lines:
        count = re.fullmatch(r"\s+hosts \((\d+)\):", line)
        found += [next(lines, "").strip() for _number in range(int(count[1]) if count else 0)]
    if not found:
        raise NotStartedError(f"no host of {job.inventory} matches {job.limit or 'the playbook'}")
    return list(dict.fromkeys(found))


def _said(text: str) -> str:
    """What Ansible says of a playbook or an inventory that it cannot read."""
    # Each of its plugins tries to read the inventory, and says why it cannot: the first is the one that was meant
    found = re.search(r"Failed to parse inventory with '\w+' plugin: (.+?)\n\n", text, re.DOTALL)
    said = ([found[1]] if found else []) + ERROR_LINE.findall(text)
    return "\n".join(line.strip() for line in dict.fromkeys(said)) or text.strip()[-500:]


def _communicate(process: subprocess.Popen[str], stop: Stop) -> tuple[str, str]:
    until = time.monotonic() + LISTING_S
    while True:
        try:
            return process.communicate(timeout=POLL_S)
        except subprocess.TimeoutExpired:
            if stop.wanted() or time.monotonic() > until:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                why = "a signal or the deadline ended it" if stop.wanted() else f"no answer in {LISTING_S:g} s"
                raise NotStartedError(f"the inventory was being read: {why}") from None


class Stop:
    """Says when to stop, and sees that all processes of a run are gone.

    ansible-runner kills ansible-playbook outright, and its workers, each the leader of a session, would go on. A
    SIGTERM to ansible-playbook is handed on to them; what is left after that is killed here.
    """

    def __init__(self, deadline_s: float | None = None) -> None:
        self.until = None if deadline_s is None else time.monotonic() + deadline_s
        self.signal: int = 0
        self.late = False
        self.asked: float | None = None
        self.before: set[int] = set()
        self.ours: dict[int, str] = {}  # process -> when it was started

    @property
    def status(self) -> str:
        """ansible-runner's word for what this has ended; "" if nothing."""
        return "canceled" if self.signal else "timeout" if self.late else ""

    @contextmanager
    def at_signals(self) -> Iterator[Stop]:
        """Signals stop the run in good order; in a thread they are left alone, as Python demands."""
        former: dict[signal.Signals, Any] = {}
        try:
            for number in SIGNALS:
                try:
                    former[number] = signal.signal(number, self._note)
                except ValueError:
                    break
            yield self
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = self.signal or number

    def wanted(self) -> bool:
        if self.until is not None and time.monotonic() > self.until and not self.signal:
            self.late = True
        return bool(self.signal or self.late)

    def sleep(self, seconds: float) -> bool:
        """Wait between attempts; true if it is to stop."""
        end = time.monotonic() + seconds
        while not self.wanted() and time.monotonic() < end:
            time.sleep(min(POLL_S, max(0.0, end - time.monotonic())))
        return self.wanted()

    def begin(self) -> None:
        self.asked, self.ours = None, {}
        self.before = set(_below(os.getpid()))

    def __call__(self) -> bool:
        """Asked by ansible-runner all the time; true means: kill it now."""
        if not self.wanted():
            return False
        found = {pid: born for pid, born in _below(os.getpid()).items() if pid not in self.before}
        self.ours |= found
        if self.asked is None:
            self.asked = time.monotonic()
            for pid in found:
                if _parent(pid) == os.getpid():
                    _send(pid, signal.SIGTERM)
        return not found or time.monotonic() - self.asked > GRACE_S

    def end(self) -> None:
        """Kill what has outlived a run that was stopped."""
        for _round in range(20):
            left = [pid for pid, born in self.ours.items() if _born(pid) == born]
            for pid in left:
                self.ours |= _below(pid)
                _send(pid, signal.SIGKILL)
            if not left:
                return
            time.sleep(0.1)


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        return


def _stat(pid: int) -> list[str]:
    """proc(5), /proc/PID/stat from the state on; empty where there is no such process, or no /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _born(pid: int) -> str:
    """When it was started, so that a number that is used again is another process; "" for one that has ended."""
    fields = _stat(pid)
    return fields[19] if fields and fields[0] not in "ZX" else ""


def _below(pid: int) -> dict[int, str]:
    """All processes that descend from one, with the time of their start."""
    children: dict[int, list[int]] = {}
    try:
        numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        return {}
    for number in numbers:
        children.setdefault(_parent(number), []).append(number)
    found: dict[int, str] = {}
    pending = [pid]
    while pending:
        for child in children.get(pending.pop(), []):
            if child not in found and _born(child):
                found[child] = _born(child)
                pending.append(child)
    return found
