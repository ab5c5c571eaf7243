# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run gave, as the programs here tell it: gpuready.outcome/1 (docs/programs.md, docs/outcome.schema.json).

`Collector` makes it of the events of ansible-runner. Nothing here starts a process or writes a file.
"""

from __future__ import annotations

import datetime
import re
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = "gpuready.outcome/1"
REPORT = "gpuready.report/1"
READY, WARNINGS, NOT_READY, UNKNOWN = 0, 1, 2, 3
# sysexits.h, and timeout(1) for TIMEOUT
USAGE, SOFTWARE, LOCKED, TIMEOUT = 64, 70, 75, 124
# warnings < unknown < not ready
BADNESS = [READY, WARNINGS, UNKNOWN, NOT_READY]
# Without an answer about the machine: another attempt may give one
UNANSWERED = ("failed", "unreachable", "stopped", "not_run")
# They read inputs and facts, and change nothing: what they refuse, another attempt would refuse again
REFUSING = (
    "gpuready.bootstrap.validate_inputs",
    "gpuready.bootstrap.gpu_plan",
    "ansible.builtin.validate_argument_spec",
)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
ERROR_LINE = re.compile(r"^\s*(?:\[?ERROR\]?[:!]?\s*)(.+)", re.MULTILINE)


def worst(codes: Iterable[int]) -> int:
    """The worst of exit codes from READY to UNKNOWN; NOT_READY without any."""
    return max(codes, key=BADNESS.index, default=NOT_READY)


@dataclass
class Host:
    """One host. `done`: it got to the end of the play; `report`: its last one; `refused`: for what its inputs are."""

    report: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    unreachable: bool = False
    refused: bool = False
    done: bool = False
    changed: int = 0
    attempts: int = 0
    duration_s: float = 0.0

    @property
    def verdict(self) -> str:
        """The report's, unless the run says that the report is not the last word."""
        if self.unreachable:
            return "unreachable"
        # A report that is not ready fails its own task: then it is the answer, and the error repeats it
        if self.error and (self.report is None or self.report["exit_code"] < NOT_READY):
            return "failed"
        if self.error is None and not self.done:
            return "stopped" if self.attempts else "not_run"
        return str(self.report["verdict"]) if self.report else "unjudged"

    @property
    def exit_code(self) -> int:
        if self.verdict in UNANSWERED:
            return NOT_READY
        return int(self.report["exit_code"]) if self.report else UNKNOWN

    def as_dict(self, reports: bool) -> dict[str, Any]:
        found = {
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "counts": self.report["counts"] if self.report else None,
            "changed": self.changed,
            "error": self.error,
            "unreachable": self.unreachable,
            "attempts": self.attempts,
            "duration_s": round(self.duration_s, 1),
        }
        return {**found, "report": self.report} if reports else found


@dataclass
class Outcome:
    """A whole run, all attempts together. `status` is ansible-runner's for the last attempt, or "not started"."""

    playbook: str = ""
    inventory: str = ""
    status: str = "not started"
    error: str | None = None
    attempts: int = 0
    signal: int = 0
    started: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.timezone.utc))
    ended: datetime.datetime | None = None
    hosts: dict[str, Host] = field(default_factory=dict)  # in Ansible's order
    canary: bool = False  # whether the first host goes first (gpuready_canary)
    counted: bool = True  # whether the last attempt came to its end, where Ansible sums up

    @property
    def exit_code(self) -> int:
        """What the program ends with: the worst host's, or why there is no answer."""
        if self.status == "canceled":
            return 128 + (self.signal or signal.SIGTERM)
        if self.status in ("timeout", "not started"):
            return TIMEOUT if self.status == "timeout" else USAGE
        code = worst(host.exit_code for host in self.hosts.values())
        # a run that failed for no host's sake has verified nothing
        through = self.status == "successful" and self.counted
        return NOT_READY if not through and code in (READY, WARNINGS) else code

    def host(self, name: str) -> Host:
        return self.hosts.setdefault(name, Host())

    def unanswered(self) -> list[str]:
        return sorted(name for name, host in self.hosts.items() if host.verdict in UNANSWERED)

    def again(self) -> list[str]:
        """The hosts that another attempt, which is for them only, may help.

        None where a canary was refused: without it the next host would be the canary, and be changed.
        """
        first = next(iter(self.hosts.values()), None)
        if self.canary and first and first.refused:
            return []
        return [name for name in self.unanswered() if not self.hosts[name].refused]

    def finish(self, status: str) -> None:
        self.status, self.ended = status, datetime.datetime.now(datetime.timezone.utc)

    def as_dict(self, reports: bool = False) -> dict[str, Any]:
        ended = self.ended or datetime.datetime.now(datetime.timezone.utc)
        return {
            "schema": SCHEMA,
            "status": self.status,
            "exit_code": self.exit_code,
            "error": self.error,
            "playbook": self.playbook,
            "inventory": self.inventory,
            "attempts": self.attempts,
            "started": _stamp(self.started),
            "ended": _stamp(ended),
            "duration_s": round((ended - self.started).total_seconds(), 1),
            "hosts": {name: host.as_dict(reports) for name, host in sorted(self.hosts.items())},
        }


def _stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


# What somebody may want to show while it happens: kind ("task", "changed", "failed"), host or "", text
Say = Callable[[str, str, str], None]


class Collector:
    """Receives the events of one attempt of ansible-runner and fills the outcome."""

    def __init__(
        self,
        outcome: Outcome,
        say: Say = lambda kind, host, text: None,
        reword: Callable[[str], str] = str,
    ) -> None:
        self.outcome, self.say, self.reword = outcome, say, reword
        outcome.counted = False
        self.began: dict[str, tuple[float, float]] = {}  # host -> its first event, and what earlier attempts took
        self.batch: set[str] = set()  # hosts of the play that runs
        self.halted: set[str] = set()  # hosts that a play gave up without a failure of their own
        self.reached: set[str] = set()
        self.heard = ""  # the last that Ansible said as an error

    def __call__(self, event: Mapping[str, Any]) -> bool:
        kind, data = str(event.get("event")), event.get("event_data") or {}
        if kind == "playbook_on_task_start":
            self.say("task", "", str(data.get("name", "")))
        elif kind == "playbook_on_play_start":
            self._next_play()
        elif kind == "playbook_on_no_hosts_remaining":
            self.halted |= {name for name in self.batch if self.outcome.host(name).error is None}
        elif kind == "playbook_on_stats":
            self._stats(data)
        elif kind.startswith("runner_") and data.get("host"):
            self._result(kind, str(data["host"]), data)
        self._listen(str(event.get("stdout") or ""))
        return True

    def _next_play(self) -> None:
        """Batches of one play are plays of their own here: the hosts before are through."""
        for name in self.batch - self.halted:
            self.outcome.host(name).done = True
        self.batch = set()

    def _result(self, kind: str, name: str, data: Mapping[str, Any]) -> None:
        host, result = self.outcome.host(name), data.get("res") or {}
        self._seen(name, host)
        if not kind.startswith("runner_on_"):
            return
        report = result.get("report")
        # The last report of a host covers all stages; an earlier one (preflight) stands if the run stops there
        if isinstance(report, dict) and report.get("schema") == REPORT:
            host.report = report
        if kind == "runner_on_ok" and result.get("changed"):
            host.changed += 1
            self.say("changed", name, str(data.get("task", "")))
        elif kind in ("runner_on_failed", "runner_on_unreachable") and not data.get("ignore_errors"):
            message = self.reword(str(result.get("msg") or kind))
            host.error = {"task": str(data.get("task", "")), "msg": message}
            host.unreachable = kind == "runner_on_unreachable"
            host.refused = not host.unreachable and data.get("resolved_action", data.get("task_action")) in REFUSING
            self.say("failed", name, host.error["msg"])

    def _seen(self, name: str, host: Host) -> None:
        now = time.monotonic()
        if name not in self.reached:
            self.reached.add(name)
            self.began[name] = (now, host.duration_s)
            host.attempts += 1
            host.report, host.error, host.unreachable, host.refused = None, None, False, False
        began, earlier = self.began[name]
        host.duration_s = earlier + now - began
        host.done = False
        self.batch.add(name)

    def _stats(self, data: Mapping[str, Any]) -> None:
        """The end of a run that ended by itself: a failure that was rescued is none."""
        self._next_play()
        self.outcome.counted = True
        lost = {**(data.get("failures") or {}), **(data.get("dark") or {})}
        for name in self.reached - set(lost):
            host = self.outcome.host(name)
            host.error, host.unreachable, host.refused = None, False, False

    def _listen(self, text: str) -> None:
        found = ERROR_LINE.search(ANSI.sub("", text))
        self.heard = found[1].strip() if found else self.heard
