# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each host of a run stands. Fed with events and the time at which they came (seconds of any steady clock)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.estimates import Estimates

WAITING, RUNNING, IDLE, FAILED, UNREACHABLE, DONE = "waiting", "running", "idle", "failed", "unreachable", "done"
LOST = (FAILED, UNREACHABLE)

# An executed task costs about this much; it stands for what no earlier run has measured (seconds)
UNMEASURED = 0.3
# Share of the tasks ahead that an earlier run must have measured before a time is named
COVERAGE = 0.8
# The pace of this run against earlier ones is believed slowly (seconds) and within limits
PACE_INERTIA = 10.0
PACE_LIMITS = (0.2, 5.0)


@dataclass(frozen=True)
class Slot:
    """A task that is known before the play runs. What it includes while it runs belongs to it."""

    task: str
    key: str
    step: int


@dataclass(frozen=True)
class Plan:
    """What is known of a play before it runs."""

    name: str = ""
    hosts: tuple[str, ...] = ()
    slots: tuple[Slot, ...] = ()
    steps: tuple[str, ...] = ()
    # which play of how many
    number: int = 1
    of: int = 1
    # hosts of all batches, and which of them begin now
    all_hosts: tuple[str, ...] = ()
    forks: int = 1
    # each host goes at its own pace (strategy free)
    free: bool = False


@dataclass
class Host:
    name: str
    status: str = WAITING
    slot: int = -1
    seen: bool = False
    # the task in hand, or the last one
    key: str = ""
    title: str = ""
    since: float = 0.0
    detail: str = ""
    attempt: str = ""
    tries: int = 1
    items: int = 0
    item: str = ""
    # in the slot: seconds of work, whether anything changed, whether anything failed
    busy: float = 0.0
    touched: bool = False
    spoiled: bool = False
    changed: int = 0
    failures: int = 0

    @property
    def lost(self) -> bool:
        return self.status in LOST


@dataclass
class Task:
    """The task that a play in lock-step is at."""

    title: str = ""
    began: float = 0.0
    started: int = 0
    ended: int = 0
    # hosts that come to it: those that failed before do not
    of: int = 0
    # (host, seconds) of those that it has changed
    changed: list[tuple[str, float]] = field(default_factory=list)


class _Ahead:
    """Expected seconds from each slot to the end of the play, and how many of these slots were measured before."""

    def __init__(self, slots: Sequence[Slot], estimates: Estimates, changed: bool) -> None:
        times = [estimates.expect(f"slot:{slot.key}", changed) for slot in slots]
        self.of = [UNMEASURED if time is None else max(time, 0.01) for time in times]
        self.known = [0] * (len(slots) + 1)
        self.rest = [0.0] * (len(slots) + 1)
        for index in reversed(range(len(slots))):
            self.rest[index] = self.rest[index + 1] + self.of[index]
            self.known[index] = self.known[index + 1] + (times[index] is not None)


class Run:
    """All hosts of a run, whichever order its events come in."""

    def __init__(self, estimates: Estimates, check: bool = False) -> None:
        self.estimates = estimates
        self.check = check
        self.began: float | None = None
        self.play_began = 0.0
        self.hosts: dict[str, Host] = {}
        self.plan = Plan()
        self.task = Task()
        self.changed = 0
        self.failures = 0
        self._index: dict[str, int] = {}
        self._ahead = {changed: _Ahead((), estimates, changed) for changed in (False, True)}

    # --- events -----------------------------------------------------------------------------------------------------

    def started(self, now: float) -> None:
        if self.began is None:
            self.began = now

    def play_started(self, plan: Plan, now: float) -> None:
        self.started(now)
        self._leave_play(now)
        self.plan = plan
        self.play_began = now
        self.task = Task(began=now)
        # a task may stand in a play twice (a role that is taken twice): the first place counts
        self._index = {slot.task: index for index, slot in reversed(list(enumerate(plan.slots)))}
        self._ahead = {changed: _Ahead(plan.slots, self.estimates, changed) for changed in (False, True)}
        for name in plan.hosts:
            host = self.hosts.setdefault(name, Host(name))
            host.seen = self.check or self.estimates.seen(plan.name, name)
            if not host.lost:
                host.status, host.slot, host.since = WAITING, -1, now
                host.title = host.key = ""

    def task_started(self, title: str, now: float) -> None:
        coming = sum(not self.hosts[name].lost for name in self.plan.hosts)
        self.task = Task(title=title, began=now, of=coming)

    def host_started(self, name: str, task: str, key: str, title: str, now: float, detail: str = "") -> None:
        host = self.hosts.setdefault(name, Host(name, since=now))
        slot = self._index.get(task)
        if slot is not None and slot > host.slot:
            self._leave_slot(host)
            host.slot = slot
        if host.lost:
            # a rescue block goes on with it
            host.spoiled = True
            self.task.of += 1
        host.status, host.key, host.title, host.since = RUNNING, key, title, now
        host.detail, host.attempt, host.tries, host.items, host.item = detail, "", 1, 0, ""
        self.task.started += 1

    def host_retries(self, name: str, of: int) -> None:
        """A try has failed, and there will be another. Counted here: versions of Ansible number them differently."""
        if host := self._running(name):
            host.tries += 1
            host.attempt = f"attempt {host.tries} of {max(of, host.tries)}"

    def host_item(self, name: str, label: str) -> None:
        """An item of a loop has ended."""
        if host := self._running(name):
            host.items += 1
            host.item = label
            # the next item is tried anew
            host.attempt, host.tries = "", 1

    def host_ended(self, name: str, outcome: str, now: float, changed: bool = False) -> float:
        """The task in hand has ended: ok, changed, ignored, failed, unreachable. Returns the seconds it took.

        changed: an ignored failure has changed something before it failed; Ansible's recap counts it, too.
        """
        host = self.hosts.setdefault(name, Host(name, since=now))
        running = host.status == RUNNING
        seconds = max(0.0, now - host.since) if running else 0.0
        if outcome in LOST:
            host.failures += 1
            self.failures += 1
            host.spoiled = True
            host.status = outcome
        elif running:
            host.status = IDLE
        if outcome == "changed" or (outcome == "ignored" and changed):
            host.changed += 1
            host.touched = True
            self.changed += 1
        if running:
            self.task.ended += 1
            host.busy += seconds
            if outcome in ("ok", "changed"):
                self.estimates.measured(f"task:{host.key}", outcome == "changed", seconds)
        return seconds

    def ended(self, now: float) -> None:
        self._leave_play(now)

    # --- questions --------------------------------------------------------------------------------------------------

    def tally(self) -> dict[str, int]:
        """How many hosts stand where."""
        found = dict.fromkeys((WAITING, RUNNING, IDLE, FAILED, UNREACHABLE, DONE), 0)
        for host in self.hosts.values():
            found[host.status] += 1
        return found

    def elapsed(self, now: float) -> float:
        return max(0.0, now - self.began) if self.began is not None else 0.0

    def step(self, host: Host) -> tuple[int, int, str]:
        """Which step of how many a host is at, from 1, and its name; 0 before the first."""
        steps = self.plan.steps
        if host.status == DONE:
            return len(steps), len(steps), ""
        if host.slot < 0 or host.slot >= len(self.plan.slots):
            return 0, len(steps), ""
        number = self.plan.slots[host.slot].step
        return number + 1, len(steps), steps[number] if number < len(steps) else ""

    def fraction(self, host: Host, now: float) -> float:
        """How much of the play a host has behind it, by the time that its tasks take: 0 to 1."""
        ahead = self._ahead[not host.seen]
        if host.status == DONE:
            return 1.0
        if not 0 <= host.slot < len(ahead.of):
            return 0.0
        total = ahead.rest[0]
        return min(1.0, max(0.0, (total - ahead.rest[host.slot] + self._of_slot(host, now)) / total))

    def expected(self, host: Host) -> float | None:
        """Seconds that the task in hand takes, as far as earlier runs tell."""
        return self.estimates.expect(f"task:{host.key}", not host.seen)

    def remaining(self, now: float) -> float | None:
        """Seconds until the last host has ended the play; None where earlier runs do not tell."""
        active = [host for host in self.hosts.values() if host.status in (RUNNING, IDLE, WAITING)]
        here = set(self.plan.hosts)
        found = [self._remaining(host, now) for host in active if host.name in here]
        known = [seconds for seconds in found if seconds is not None]
        if not known or len(known) < len(found):
            return None
        return max(known)

    # --- within -----------------------------------------------------------------------------------------------------

    def _running(self, name: str) -> Host | None:
        host = self.hosts.get(name)
        return host if host is not None and host.status == RUNNING else None

    def _of_slot(self, host: Host, now: float) -> float:
        """Expected seconds of the host's slot that are over: all of them when it waits for others."""
        whole = self._ahead[not host.seen].of[host.slot]
        if host.status == IDLE:
            return whole
        going = now - host.since if host.status == RUNNING else 0.0
        return min(0.95 * whole, max(0.0, host.busy + going))

    def _remaining(self, host: Host, now: float) -> float | None:
        ahead = self._ahead[not host.seen]
        slots = len(ahead.of)
        begin = max(0, host.slot)
        if slots == 0 or ahead.known[begin] < COVERAGE * (slots - begin):
            return None
        waves = -(-max(1, len(self.plan.hosts)) // max(1, self.plan.forks))
        behind = (ahead.rest[0] - ahead.rest[begin]) * waves
        spent = max(0.0, now - self.play_began)
        pace = min(
            max((spent + PACE_INERTIA) / (behind + self._now(host, now) + PACE_INERTIA), PACE_LIMITS[0]), PACE_LIMITS[1]
        )
        rest = ahead.rest[begin] - (self._of_slot(host, now) if host.slot >= 0 else 0.0)
        return max(0.0, rest * waves * pace)

    def _now(self, host: Host, now: float) -> float:
        return self._of_slot(host, now) if host.slot >= 0 else 0.0

    def _leave_slot(self, host: Host) -> None:
        """What the slot took is a lesson, unless something failed in it."""
        if 0 <= host.slot < len(self.plan.slots) and not host.spoiled:
            self.estimates.measured(f"slot:{self.plan.slots[host.slot].key}", host.touched, host.busy)
        host.busy, host.touched, host.spoiled = 0.0, False, False

    def _leave_play(self, now: float) -> None:
        for name in self.plan.hosts:
            host = self.hosts[name]
            self._leave_slot(host)
            if not host.lost:
                if host.slot >= 0:
                    self.estimates.completed(self.plan.name, name)
                host.status, host.since = DONE, now
