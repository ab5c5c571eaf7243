# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which task a run is waiting for, while it waits."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: Name a long task while it runs
version_added: 0.1.0
author:
  - The gpuready authors (@gpuready)
description:
  - Names a task that takes longer than a moment while it runs, and again from time to time, with the time it has taken.
    Ansible's default output, when it leaves skipped tasks out, prints the name of a task only after it has ended, and a
    person would stare at nothing while an image is built.
requirements:
  - enable in configuration
options:
  first_after:
    description: Seconds after which a task is named for the first time.
    type: float
    default: 2
    env:
      - name: GPUREADY_PROGRESS_FIRST_AFTER
    ini:
      - section: gpuready_progress
        key: first_after
  every:
    description: Seconds between the later lines.
    type: float
    default: 20
    env:
      - name: GPUREADY_PROGRESS_EVERY
    ini:
      - section: gpuready_progress
        key: every
"""

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.playbook.task import Task


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


class CallbackModule(CallbackBase):
    """Starts a clock with each task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "gpuready.bootstrap.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._clock: Clock | None = None

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.stop()
            self._clock = None

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        self._stop()
        name = task.get_name().removeprefix("gpuready.bootstrap.")
        self._clock = Clock(name, self.get_option("first_after"), self.get_option("every"))

    def v2_playbook_on_handler_task_start(self, task: Task) -> None:
        self.v2_playbook_on_task_start(task, False)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        self._stop()
