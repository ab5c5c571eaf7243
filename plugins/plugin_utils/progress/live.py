# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of a run, as plain values, become the state that is drawn and the lines that scroll."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress import render
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.cells import Line
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.results import said_lines
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.state import FAILED, UNREACHABLE, Plan, Run

# Up to so many hosts each change has a line of its own
FEW_HOSTS = 8
BAD = {FAILED: "✗ failed", UNREACHABLE: "✗ unreachable"}


class Live:
    """`say` shows lines that scroll, `now` is a steady clock, `lock` keeps the drawing thread out of the state."""

    def __init__(
        self,
        run: Run,
        say: Callable[[list[Line]], None],
        now: Callable[[], float],
        lock: AbstractContextManager[Any],
    ) -> None:
        self.run = run
        self._say, self._now, self._lock = say, now, lock
        # what was said of a task -> the host of which it was said first
        self._said: dict[tuple[str, str], str] = {}
        # messages of the task in hand on many hosts: what was said -> by whom
        self._gathered: dict[tuple[str, str, bool], tuple[list[Line], list[str]]] = {}

    def play(self, plan: Plan) -> None:
        again = plan.name == self.run.plan.name and plan.number == self.run.plan.number
        self._flush()
        with self._lock:
            self.run.play_started(plan, self._now())
        # a later batch of the same play
        self._say([render.play_line(self.run)] if again else [[], render.play_line(self.run)])

    def task(self, title: str) -> None:
        """A play in lock-step comes to its next task. With strategy free: a host does."""
        self._flush()
        with self._lock:
            self.run.task_started(title, self._now())

    def start(self, host: str, task: str, key: str, title: str, detail: str = "") -> None:
        with self._lock:
            self.run.host_started(host, task, key, title, self._now(), detail)

    def retry(self, host: str, of: int) -> None:
        with self._lock:
            self.run.host_retries(host, of)

    def item(self, host: str, label: str) -> None:
        with self._lock:
            self.run.host_item(host, label)

    def well(self, host: str, title: str, changed: bool, told: bool = False) -> None:
        """A task has ended without failure. told: a message of it has said already that it changed something."""
        with self._lock:
            seconds = self.run.host_ended(host, "changed" if changed else "ok", self._now())
            many = self._many(title)
            if changed and many and not told:
                self.run.task.changed.append((host, seconds))
        if changed and not many and not told:
            self._say([render.event_line(self._changed(), "yellow", host, title, seconds)])

    def badly(self, host: str, title: str, result: Mapping[str, Any], outcome: str, ignored: bool = False) -> None:
        with self._lock:
            changed = bool(result.get("changed")) and outcome == FAILED
            seconds = self.run.host_ended(host, "ignored" if ignored else outcome, self._now(), changed)
        word, style = ("failed, ignored", "yellow") if ignored else (BAD[outcome], "bold red")
        self._tell(render.event_line(word, style, host, title, seconds), host, title, said_lines(result))

    def bad_item(self, host: str, title: str, item: str, result: Mapping[str, Any]) -> None:
        self.item(host, item)
        head = render.event_line("✗ failed", "bold red", host, title, 0.0, f"item {item}")
        self._tell(head, host, title, said_lines(result))

    def message(self, host: str, title: str, item: str, changed: bool, result: Mapping[str, Any]) -> None:
        """What a task was written to say, such as ansible.builtin.debug."""
        lines = said_lines(result)
        if self._many(title):
            key = (item, "\n".join("".join(part for part, _style in line) for line in lines), changed)
            self._gathered.setdefault(key, (lines, []))[1].append(host)
        else:
            self._say([self._head(host, title, item, changed), *lines])

    def _head(self, host: str, title: str, item: str, changed: bool) -> Line:
        word, style = (self._changed(), "yellow") if changed else ("says", "cyan")
        return render.event_line(word, style, host, title, 0.0, f"item {item}" if item else "")

    @property
    def few(self) -> bool:
        """Whether there are so few hosts that each has lines of its own."""
        return len(self.run.plan.hosts) <= FEW_HOSTS

    def _many(self, title: str) -> bool:
        """Whether lines wait until the task is over on all hosts, to be one line then."""
        return not self.few and not self.run.plan.free and title == self.run.task.title

    def diff(self, host: str, title: str, lines: list[Line]) -> None:
        self._say([render.event_line("differs", "yellow", host, title, 0.0), *lines])

    def end(self, counts: dict[str, dict[str, int]], rows: int) -> None:
        self._flush()
        with self._lock:
            self.run.ended(self._now())
            lines = render.recap(self.run, counts, self._now(), rows)
        self._say(lines)

    def _changed(self) -> str:
        return "would change" if self.run.check else "changed"

    def _tell(self, head: Line, host: str, title: str, lines: list[Line]) -> None:
        """In full, and once where several hosts say the same."""
        text = "\n".join("".join(part for part, _style in line) for line in lines)
        first = self._said.setdefault((title, text), host)
        if first != host and len(lines) > 1:
            lines = [[*lines[0], (f"  (the rest as on {first})", "dim")]]
        self._say([head, *lines])

    def _flush(self) -> None:
        """What a task has changed and said on many hosts, when it is over."""
        with self._lock:
            title, changed = self.run.task.title, self.run.task.changed
            self.run.task.changed = []
        gathered, self._gathered = self._gathered, {}
        for (item, _text, predicted), (lines, hosts) in gathered.items():
            self._say([self._head(render.some(hosts, len(self.run.plan.hosts)), title, item, predicted), *lines])
        if changed:
            self._say([render.changes_line(self.run, title, changed)])
