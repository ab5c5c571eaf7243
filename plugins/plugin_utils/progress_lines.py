# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run without the live area: when it is one, and lines that name a long task while it runs."""

from __future__ import annotations

import os
import sys
import threading
import time


def choose(wish: str, *, terminal: bool, term: str, plain: bool, rich: bool) -> str:
    """Which mode it will be. `plain`: something was asked for that only the default output shows."""
    if wish != "live":
        return wish
    able = terminal and rich and term not in ("", "dumb", "unknown")
    return "live" if able and not plain else "lines"


def say(line: str) -> None:
    """Write a line at once. Past Python's buffer and its lock: Ansible forks while the clock below may be writing."""
    sys.stdout.flush()
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


class Clock:
    """Names the task in hand after `first` seconds, and then every `every` seconds, until it is stopped."""

    def __init__(self, name: str, first: float, every: float) -> None:
        self._name, self._first, self._every = name, first, every
        self._done = threading.Event()
        self._began = time.monotonic()
        # a daemon: a run that is interrupted must not wait for it
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        wait = self._first
        while not self._done.wait(wait):
            say(f"   ... {self._name} [{time.monotonic() - self._began:.0f} s]")
            wait = self._every

    def stop(self) -> None:
        self._done.set()
