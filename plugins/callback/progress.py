# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows where a run stands, while it runs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Where each host stands, live on a terminal
version_added: 0.1.0
author:
  - The gpuready authors (@gpuready)
description:
  - On a terminal, a live area at its end shows for each host how far it is, its task, and what that waits for. Changes,
    failures and warnings scroll above it.
  - Anywhere else, Ansible's default output, with one line more for a task that takes longer than a moment, while it
    runs. Default output that leaves skipped tasks out prints the name of a task only after it has ended.
  - On a terminal, too, the default output is taken with C(-v), C(--step) or a debugger, without rich, and where the
    terminal cannot move its cursor.
  - Takes all options of P(ansible.builtin.default#callback).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout callback in the configuration
  - rich (for the live area)
options:
  mode:
    description:
      - V(live) is the live area where that is possible, and V(lines) where it is not.
      - V(lines) names long tasks in the default output.
      - V(off) is the default output.
    type: str
    choices: [live, lines, "off"]
    default: live
    env:
      - name: GPUREADY_PROGRESS
    ini:
      - section: gpuready_progress
        key: mode
  estimates:
    description:
      - File with the durations of earlier runs, from which times ahead are estimated. Empty for none.
      - By default C(gpuready/progress.json) in E(XDG_CACHE_HOME) or C(~/.cache).
    type: str
    default: default
    env:
      - name: GPUREADY_PROGRESS_ESTIMATES
    ini:
      - section: gpuready_progress
        key: estimates
  first_after:
    description: Seconds after which V(lines) name a task for the first time.
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
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible import constants as C  # noqa: N812 - the name that all of Ansible gives it
from ansible import context
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.template import Templar
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.titles import key_of, task_title
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress_lines import Clock, choose

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.inventory.host import Host
    from ansible.playbook import Playbook
    from ansible.playbook.included_file import IncludedFile
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.cells import Line
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.live import Live
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.state import Plan

# Lines of the recap
RECAP = 12
# What a task takes its time for: action -> (argument, one, several)
COUNTED = {
    "ansible.builtin.apt": ("name", "package", "packages"),
    "ansible.builtin.dnf": ("name", "package", "packages"),
    "ansible.builtin.package": ("name", "package", "packages"),
    "gpuready.bootstrap.dev_stages": ("stages", "stage", "stages"),
}
ASKS = ("pause", "ansible.builtin.pause", "ansible.legacy.pause")


class CallbackModule(Default):
    """Feeds the state of the run with Ansible's events. All that it does not show live is the default's."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "gpuready.bootstrap.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._clock: Clock | None = None
        self._mode = ""
        self._live: Live | None = None

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.stop()
            self._clock = None

    def _plain(self) -> bool:
        """Whether something was asked for that only the default output shows."""
        return bool(
            self._display.verbosity
            or context.CLIARGS.get("step")
            or C.config.get_config_value("ENABLE_TASK_DEBUGGER")
            or C.DEFAULT_DEBUG
            or self.get_option("show_custom_stats")
            or self.get_option("show_per_host_start")
            or C.DISPLAY_ARGS_TO_STDOUT
        )

    # --- the run ----------------------------------------------------------------------------------------------------

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        self._mode = self._choose()
        if self._mode != "live":
            super().v2_playbook_on_start(playbook)
            return
        self._plays = [str(play.get_name()) for play in playbook.get_plays()]
        self._number = 0
        self._begin()

    def _choose(self) -> str:
        given: dict[str, Any] = {
            "terminal": sys.stdout.isatty(),
            "term": os.environ.get("TERM", ""),
            "plain": self._plain(),
        }
        mode = choose(self.get_option("mode"), **given, rich=True)
        if mode != "live":
            return mode
        # every run loads this plugin: only one that may be live pays for rich, and for what draws
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import progress_screen

        return choose(mode, **given, rich=progress_screen.HAS_RICH)

    def _begin(self) -> None:
        """The live area, and all that only it needs."""
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import progress_files, progress_screen
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress import render
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.live import Live
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.state import Run

        file = self.get_option("estimates")
        path = progress_files.default_path() if file == "default" else Path(file).expanduser() if file else None
        run = Run(progress_files.load(path), check=bool(context.CLIARGS.get("check")))
        self._screen = progress_screen.Screen(
            lambda now, columns, rows, moving: render.frame(run, now, columns, rows, moving),
            colours=progress_screen.has_colours(),
        )
        self._live = Live(run, self._scroll, time.monotonic, progress_screen.LOCK)
        self._save = partial(progress_files.save, path)

    def _scroll(self, lines: list[Line]) -> None:
        self._screen.scroll(lines)
        if C.DEFAULT_LOG_PATH:
            for line in lines:
                self._display.display("".join(text for text, _style in line), log_only=True)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        self._stop()
        if not self._live:
            super().v2_playbook_on_stats(stats)
            return
        counts = {name: dict(stats.summarize(name)) for name in stats.processed}
        self._screen.close()
        self._live.end(counts, RECAP)
        if not self._live.run.check:
            self._save(self._live.run.estimates)

    def v2_playbook_on_play_start(self, play: Play) -> None:
        if not self._live:
            super().v2_playbook_on_play_start(play)
            return
        self._play = play
        self._screen.open()
        self._live.play(self._plan(play))

    def _plan(self, play: Play) -> Plan:
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.slots import plan_of

        name = str(play.get_name()).strip()
        if self._number == 0 or self._plays[self._number - 1 : self._number] != [name] or not play.serial:
            self._number += 1
        variables = play.get_variable_manager().get_vars(play=play)
        blocks = [block.filter_tagged_tasks(variables) for block in play.compile()]
        place = (self._number, max(self._number, len(self._plays)))
        forks = int(context.CLIARGS.get("forks") or 1)
        return plan_of(name, blocks, variables, place, forks, str(play.strategy), C._ACTION_META)

    def v2_playbook_on_vars_prompt(self, *args: Any, **kwargs: Any) -> None:
        """The question is asked at the end of the screen; the next play begins to draw again."""
        if self._live:
            self._screen.close()

    def v2_playbook_on_no_hosts_matched(self) -> None:
        if self._live:
            self._scroll([[("no hosts matched", "yellow")]])
        else:
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        if self._live:
            self._scroll([[("no hosts are left", "bold red")]])
        else:
            super().v2_playbook_on_no_hosts_remaining()

    # --- tasks ------------------------------------------------------------------------------------------------------

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        if not self._live:
            super().v2_playbook_on_task_start(task, is_conditional)
        self._task_started(task)

    def v2_playbook_on_handler_task_start(self, task: Task) -> None:
        if not self._live:
            super().v2_playbook_on_handler_task_start(task)
        self._task_started(task)

    def _task_started(self, task: Task) -> None:
        self._stop()
        title = task_title(task.get_name())
        if self._live:
            self._live.task(title)
            # somebody is asked: the screen is theirs until the next task
            if task.action in ASKS or task.debugger:
                self._screen.close()
            else:
                self._screen.open()
        elif self._mode == "lines":
            self._clock = Clock(title, self.get_option("first_after"), self.get_option("every"))

    def v2_runner_on_start(self, host: Host, task: Task) -> None:
        if not self._live:
            super().v2_runner_on_start(host, task)
            return
        title = task_title(task.get_name())
        self._live.start(host.get_name(), task._uuid, key_of(task), title, self._particulars(host, task))

    def _particulars(self, host: Host, task: Task) -> str:
        """How much a task has before it, where its arguments say so: 12 packages."""
        name, one, several = COUNTED.get(getattr(task, "resolved_action", None) or task.action, ("", "", ""))
        value = task.args.get(name) if name else None
        if not self._live or not value or not self._live.few:
            return ""
        try:
            if isinstance(value, str):
                variables = self._play.get_variable_manager().get_vars(play=self._play, host=host, task=task)
                value = Templar(loader=self._play.get_loader(), variables=variables).template(value)
            count = len(value) if isinstance(value, (list, tuple)) else 1
        except Exception:
            # the task may be one that is skipped, and its variables not there: then there is nothing to say
            return ""
        return f"{count} {one if count == 1 else several}" if count else ""

    # --- results ----------------------------------------------------------------------------------------------------

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        if not self._live:
            super().v2_runner_on_ok(result)
            return
        host, title = self._who(result)
        found = result.result
        self._handle_warnings(found)
        changed = bool(found.get("changed"))
        said = self._run_is_verbose(result) and not (result.task.loop and "results" in found)
        if said:
            self._live.message(host, title, "", changed, found)
        self._live.well(host, title, changed, told=said)

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        if self._live:
            self._live.well(*self._who(result), False)
        else:
            super().v2_runner_on_skipped(result)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        if not self._live:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        self._handle_warnings(result.result)
        self._live.badly(*self._who(result), result.result, "failed", ignore_errors)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        if not self._live:
            super().v2_runner_on_unreachable(result)
            return
        self._handle_warnings(result.result)
        self._live.badly(*self._who(result), result.result, "unreachable", bool(result.task.ignore_unreachable))

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        if not self._live:
            super().v2_runner_item_on_ok(result)
            return
        self._handle_warnings(result.result)
        host, title = self._who(result)
        item = str(self._get_item_label(result.result) or "")
        self._live.item(host, item)
        if self._run_is_verbose(result):
            self._live.message(host, title, item, bool(result.result.get("changed")), result.result)

    def v2_runner_item_on_skipped(self, result: CallbackTaskResult) -> None:
        if self._live:
            self._live.item(self._who(result)[0], "")
        else:
            super().v2_runner_item_on_skipped(result)

    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        if not self._live:
            super().v2_runner_item_on_failed(result)
            return
        self._handle_warnings(result.result)
        self._live.bad_item(*self._who(result), str(self._get_item_label(result.result) or ""), result.result)

    def v2_runner_retry(self, result: CallbackTaskResult) -> None:
        if not self._live:
            super().v2_runner_retry(result)
            return
        self._live.retry(self._who(result)[0], int(result.result.get("retries") or 1))

    def v2_playbook_on_include(self, included_file: IncludedFile) -> None:
        if not self._live:
            super().v2_playbook_on_include(included_file)
            return
        for host in included_file._hosts:
            self._live.well(host.get_name(), "", False)

    def v2_on_file_diff(self, result: CallbackTaskResult) -> None:
        if not self._live:
            super().v2_on_file_diff(result)
            return
        found = result.result
        results = found.get("results", []) if result.task.loop else [found]
        diffs = [self._get_diff(entry["diff"]) for entry in results if entry.get("diff") and entry.get("changed")]
        if text := "\n".join(diff for diff in diffs if diff):
            host, title = self._who(result)
            self._live.diff(host, title, [])
            self._display.display(text)

    def v2_runner_on_async_poll(self, result: CallbackTaskResult) -> None:
        if not self._live:
            super().v2_runner_on_async_poll(result)

    def v2_runner_on_async_ok(self, result: CallbackTaskResult) -> None:
        if not self._live:
            super().v2_runner_on_async_ok(result)

    def v2_runner_on_async_failed(self, result: CallbackTaskResult) -> None:
        if not self._live:
            super().v2_runner_on_async_failed(result)

    def v2_playbook_on_notify(self, handler: Any, host: Any) -> None:
        if not self._live:
            super().v2_playbook_on_notify(handler, host)

    @staticmethod
    def _who(result: CallbackTaskResult) -> tuple[str, str]:
        return str(result.host.get_name()), task_title(result.task.get_name())
