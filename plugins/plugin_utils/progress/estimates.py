# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long tasks took in earlier runs. Seconds of work on one host, kept apart for tasks that changed something."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

SCHEMA = "gpuready.progress/1"
MAX_TASKS = 4000
MAX_HOSTS = 2000
MAX_KEY = 200
# a task that took longer was interrupted by sleep or by a person
MAX_SECONDS = 86400.0
# A measured run counts as much as all earlier ones: mirrors and machines change
NEW_SHARE = 0.5

OK, CHANGED = "ok", "changed"


def _seconds(value: Any) -> float | None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good and 0 <= value <= MAX_SECONDS else None


def _run_number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40 else 0


def host_key(play: str, host: str) -> str:
    """The file of estimates needs no host names in it."""
    return hashlib.sha256(f"{play}\n{host}".encode("utf-8", "replace")).hexdigest()[:16]


class Estimates:
    """Mean durations by key and outcome, and which hosts have been through a play."""

    def __init__(self) -> None:
        self.run = 0
        # key -> {"ok": s, "changed": s, "run": number of the run that saw it last}
        self.tasks: dict[str, dict[str, float]] = {}
        self.hosts: dict[str, int] = {}
        self._sums: dict[tuple[str, str], tuple[float, int]] = {}

    @classmethod
    def read(cls, data: Any) -> Estimates:
        """What of `data` is sound; anything else is left out."""
        found = cls()
        if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
            return found
        found.run = _run_number(data.get("run"))
        tasks, hosts = data.get("tasks"), data.get("hosts")
        for key, entry in tasks.items() if isinstance(tasks, Mapping) else ():
            if isinstance(key, str) and len(key) <= MAX_KEY and isinstance(entry, Mapping):
                times = {name: _seconds(entry.get(name)) for name in (OK, CHANGED)}
                sound: dict[str, float] = {name: value for name, value in times.items() if value is not None}
                if sound:
                    found.tasks[key] = {**sound, "run": _run_number(entry.get("run"))}
        for key, run in hosts.items() if isinstance(hosts, Mapping) else ():
            if isinstance(key, str) and len(key) <= MAX_KEY:
                found.hosts[key] = _run_number(run)
        return found

    def expect(self, key: str, changed: bool) -> float | None:
        """Seconds that the task will take on one host, as far as earlier runs tell."""
        entry = self.tasks.get(key[:MAX_KEY], {})
        first, second = (CHANGED, OK) if changed else (OK, CHANGED)
        return entry.get(first, entry.get(second))

    def seen(self, play: str, host: str) -> bool:
        """Whether this host has been through this play before: then little will change."""
        return host_key(play, host) in self.hosts

    def measured(self, key: str, changed: bool, seconds: float) -> None:
        if _seconds(seconds) is not None:
            place = (key[:MAX_KEY], CHANGED if changed else OK)
            total, count = self._sums.get(place, (0.0, 0))
            self._sums[place] = (total + seconds, count + 1)

    def completed(self, play: str, host: str) -> None:
        self.hosts[host_key(play, host)] = self.run + 1

    def learned(self) -> dict[str, Any]:
        """All that is known after this run, as data for a file; what was not met for longest is left out first."""
        run = self.run + 1
        tasks = {key: dict(entry) for key, entry in self.tasks.items()}
        for (key, outcome), (total, count) in self._sums.items():
            entry = tasks.setdefault(key, {})
            mean = total / count
            before = entry.get(outcome)
            entry[outcome] = round(mean if before is None else before + NEW_SHARE * (mean - before), 3)
            entry["run"] = run
        newest = sorted(tasks.items(), key=lambda item: item[1].get("run", 0), reverse=True)[:MAX_TASKS]
        hosts = sorted(self.hosts.items(), key=lambda item: item[1], reverse=True)[:MAX_HOSTS]
        return {"schema": SCHEMA, "run": run, "tasks": dict(sorted(newest)), "hosts": dict(sorted(hosts))}
