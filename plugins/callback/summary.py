# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints, after the last task, what the readiness checks found on each host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
type: aggregate
short_description: Readiness of each host at the end of a run, on the terminal and as one page
version_added: 0.1.0
author:
  - The gpuready authors (@gpuready)
description:
  - Collects the reports of C(gpuready.bootstrap.gpu_readiness) and prints one block for each host when the run ends,
    and one line for all hosts when there are several.
  - Says nothing in a run without such a report, unless hosts could not be reached or did not have their turn.
  - Writes one HTML page for all hosts of the run, C(readiness.html), in the folder of the reports.
  - Prints the plans of C(gpuready.bootstrap.gpu_plan) where the task asks for it
    (O(gpuready.bootstrap.gpu_plan#module:show)).
  - A host that was judged well but failed in a later task is shown as stopped, not as ready.
requirements:
  - rich (optional, for colours on a terminal)
options:
  show_all:
    description: Show the checks that passed or were skipped, too.
    type: bool
    default: false
    env:
      - name: GPUREADY_SUMMARY_SHOW_ALL
    ini:
      - section: gpuready_summary
        key: show_all
"""

import io
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible import context
from ansible.plugins import loader as plugins
from ansible.plugins.callback import CallbackBase
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.warm import warm

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.inventory.host import Host
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.page_data import Silence
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.terminal import Line
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text

# The first task of every playbook
ROAD_BEGINS = "gpuready.bootstrap.validate_inputs"
DEFAULT_WIDTH = 100
MAX_WIDTH = 160
# characters of a host's failure on the page; ssh and modules may say pages
MAX_MESSAGE = 500
# Ansible itself ends such a run with 0
NO_HOSTS = (
    "Nothing was done: no host of the inventory is meant. `ansible-inventory -i INVENTORY --graph` shows what was "
    "read; hosts.yml begins with `all:` and, below it, `hosts:` (inventories/sample)."
)


def load_plugin(kind: str, name: str) -> object:
    """The class of a plugin, or for a filter and a test what stands for it; Ansible keeps it."""
    known: object = getattr(plugins, f"{kind}_loader").get(name, class_only=True)
    return known


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gpuready.bootstrap.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.reports: dict[str, Mapping[str, Any]] = {}
        # where the page of the run belongs -> the snapshot files of its hosts
        self.pages: dict[str, dict[str, str]] = {}
        self.folders: list[dict[str, Any]] = []
        # host -> what gpu_plan returned: its plan, or a folder's plans
        self.plans: dict[str, Mapping[str, Any]] = {}
        # host -> the task that failed; None: the host cannot be reached
        self.failures: dict[str, str | None] = {}
        # host -> what Ansible or the task said of it
        self.messages: dict[str, str] = {}
        # whether the play gives hosts their turn in batches, and who has had it: a run that ends early leaves hosts out
        self.by_turns = False
        self.had_turn: set[str] | None = None
        self.without_hosts = False

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self.without_hosts = True

    def v2_playbook_on_play_start(self, play: Play) -> None:
        self.by_turns = bool(getattr(play, "serial", None))
        if self.by_turns and self.had_turn is None:
            self.had_turn = set()

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        if task.action == ROAD_BEGINS:
            warm(task.get_loader(), load_plugin)

    def v2_runner_on_start(self, host: Host, task: Task) -> None:
        if self.by_turns and self.had_turn is not None:
            self.had_turn.add(host.get_name())

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        self._keep(result)
        if result.result.get("show_table") and isinstance(result.result.get("table"), list):
            self.plans[result.host.get_name()] = result.result

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        self._keep(result)
        if not ignore_errors:
            self._fail(result, str(result.task.get_name()))

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        self._fail(result, None)

    def _fail(self, result: CallbackTaskResult, task: str | None) -> None:
        host = result.host.get_name()
        self.failures[host] = task
        self.messages[host] = " ".join(str(result.result.get("msg") or "").split())[:MAX_MESSAGE]

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        if self.without_hosts and not stats.processed:
            self._display.display(NO_HOSTS)
        lost = [host for host in stats.processed if self._ended_badly(stats, host)]
        unreachable = sorted(host for host in lost if stats.summarize(host)["unreachable"])
        untouched = [] if self.had_turn is None else sorted(set(stats.processed) - self.had_turn - set(lost))
        silent = sorted(host for host in lost if host not in self.reports)
        if not (self.plans or self.folders or self.reports or unreachable or untouched):
            return
        # here and below: every run loads this plugin, and few have something to show
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.terminal import (
            fleet_line,
            report_lines,
        )
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say

        width = min(shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns, MAX_WIDTH)
        for _host, planned in sorted(self.plans.items()):
            self._print([[], *([(line, "")] for line in _plan_lines(planned, width))])
        for folder in self.folders:
            self._print(_folder_lines(folder, width, self.get_option("show_all")))
        if not self.reports:
            if unreachable or untouched:
                self._print([[], fleet_line([], [], silent, unreachable, untouched), []])
            return
        language = _language(self.reports.values())
        stopped = {host: self._why(host).into(language) for host in lost if self._seemed_good(host)}
        lines: list[Line] = [[]]
        if context.CLIARGS.get("check"):
            text = say("check mode: judged as the hosts are now, before the predicted changes")
            lines += [[(text.into(language), "bold")], []]
        for host, report in sorted(self.reports.items()):
            lines += report_lines(report, width=width, show_all=self.get_option("show_all"), stopped=stopped.get(host))
            lines.append([])
        if len(self.reports) + len(silent) + len(untouched) > 1 or unreachable:
            reports = [report for _host, report in sorted(self.reports.items())]
            lines += [fleet_line(reports, sorted(stopped), silent, unreachable, untouched), []]
        left_out = say("the run ended before this host had its turn").into(language)
        stopped.update((host, left_out) for host in untouched if self._seemed_good(host))
        silences = self._silences(silent, unreachable, untouched, language) if self.pages else {}
        for path in self.pages:
            lines += [self._page(path, stopped, silences), []]
        self._print(lines)

    def _seemed_good(self, host: str) -> bool:
        """Judged well, which says nothing any more of a host that failed or was left out later."""
        return host in self.reports and bool(self.reports[host]["exit_code"] < 2)

    def _silences(
        self, silent: Sequence[str], unreachable: Sequence[str], untouched: Sequence[str], language: str
    ) -> dict[str, Silence]:
        """Why each host without a report has none, and the command to go on with."""
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Commands
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.page_data import Silence

        inventory = tuple(_shown(str(source)) for source in context.CLIARGS.get("inventory") or ())
        playbook = next(iter(context.CLIARGS.get("args") or ()), Commands.playbook)
        found = {}
        for host in sorted({*silent, *untouched} - self.reports.keys()):
            run = Commands(host, inventory, playbook)
            message = self.messages.get(host, "")
            if host in unreachable:
                found[host] = Silence("unreachable", message, run.ping())
            elif host in silent:
                reason = ": ".join(filter(None, (self._why(host).into(language), message)))
                found[host] = Silence("failed", reason, run.once_more())
            else:
                found[host] = Silence("not_begun", "", run.once_more())
        return found

    def _why(self, host: str) -> Text:
        """What ended the run on a host."""
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say

        if host not in self.failures:
            return say("a task failed")
        task = self.failures[host]
        return say("the host cannot be reached") if task is None else say("task '{task}' failed", task=task)

    def _page(self, path: str, stopped: Mapping[str, str], silent: Mapping[str, Silence]) -> Line:
        """Write the page of the run, with every host that has a report, and say where it is."""
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.terminal import page_line
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness_files import write_page

        files = self.pages[path]
        hosts = [(report, _snapshot(files.get(host))) for host, report in sorted(self.reports.items())]
        language = _language(report for report, _saved in hosts)
        try:
            write_page(Path(path), hosts, stopped=stopped, silent=silent, language=language)
        except OSError as error:
            text = say("the page {path} cannot be written: {error}", path=path, error=error)
            return [(text.into(language), "bold red")]
        return page_line(_shown(path), language)

    def _keep(self, result: CallbackTaskResult) -> None:
        """The last report of a host counts: it was made with the freshest facts."""
        found = result.result
        for item in found.get("results") or [found]:
            report = item.get("report") if isinstance(item, Mapping) else None
            if isinstance(report, Mapping) and report.get("schema") == _schema():
                self.reports[str(report["host"])] = report
                if item.get("report_page"):
                    files = self.pages.setdefault(str(item["report_page"]), {})
                    files[str(report["host"])] = str((item.get("report_files") or {}).get("snapshot") or "")
            elif isinstance(item, Mapping) and item.get("verdicts") and isinstance(item.get("hosts"), list):
                kept = {name: item.get(name) or {} for name in ("report_files", "reports")}
                self.folders.append({"hosts": item["hosts"], **kept})

    @staticmethod
    def _ended_badly(stats: AggregateStats, host: str) -> bool:
        summary = stats.summarize(host)
        return bool(summary["failures"] or summary["unreachable"])

    def _print(self, lines: Sequence[Line]) -> None:
        from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.terminal import plain

        text = plain(lines)
        coloured = _coloured(lines) if sys.stdout.isatty() else None
        if coloured is None:
            self._display.display(text)
            return
        self._display.display(coloured, screen_only=True)
        self._display.display(text, log_only=True)


def _schema() -> str:
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import REPORT_SCHEMA

    return REPORT_SCHEMA


def _snapshot(path: str | None) -> dict[str, Any] | None:
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness_files import load_snapshot

    try:
        return load_snapshot(Path(path)) if path else None
    except (OSError, ValueError):
        # the page says that there is no raw snapshot
        return None


def _plan_lines(result: Mapping[str, Any], width: int) -> list[str]:
    """The table of a plan or a folder's plans. The action has no terminal: one that is narrow is known only here."""
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import terminal

    plans = _plans(result) if width < terminal.WIDTH else []
    language = str(result.get("language") or "en")
    if not plans:
        return [str(line) for line in result["table"]]
    if isinstance(result.get("plan"), Mapping):
        return terminal.table(plans[0], language, width)
    return terminal.folder(plans, language, width)


def _plans(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The plans that a table shows: in the result, or in the files that it names. None where one is missing."""
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan_files import load_plan

    if result.get("plan"):
        return [result["plan"]]
    if result.get("plans"):
        return list(result["plans"].values())
    try:
        return [load_plan(Path(path)) for path in (result.get("report_files") or {}).values()]
    except (OSError, ValueError):
        return []


def _language(reports: Iterable[Mapping[str, Any]]) -> str:
    return next((str(report.get("language") or "en") for report in reports), "en")


def _folder_lines(folder: Mapping[str, Any], width: int, show_all: bool) -> list[Line]:
    """Saved snapshots that were judged: a few in full, many as a table that says where the rest stands."""
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.terminal import (
        FEW,
        page_line,
        report_lines,
        table_lines,
    )
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say

    hosts, files, reports = folder["hosts"], folder["report_files"], folder["reports"]
    language, page = _language(hosts), files.get("page")
    lines: list[Line] = [[]]
    if len(hosts) <= FEW:
        for _host, report in sorted(reports.items()):
            lines += [*report_lines(report, width=width, show_all=show_all), []]
    if len(hosts) > 1 or not reports:
        lines += [*table_lines(hosts), []]
    if len(hosts) > FEW:
        written = [str(entry["report"]) for entry in files.values() if isinstance(entry, Mapping) and "report" in entry]
        where: Text | str = say("in the task's result; readiness_report_dir=FOLDER writes them")
        if page or written:
            where = say("on the page") if page else _shown(str(Path(written[0]).parent))
        lines.append([(say("causes and commands of each host: {where}", where=where).into(language), "")])
    return [*lines, *([page_line(_shown(page), language)] if page else [])]


def _shown(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _coloured(lines: Sequence[Line]) -> str | None:
    """rich honours NO_COLOR and TERM; long command lines are left whole. None without rich."""
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        return None
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text.assemble(*line))
    return stream.getvalue().rstrip("\n")
