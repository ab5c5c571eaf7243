# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from ansible.executor.stats import AggregateStats
from ansible_collections.gpuready.bootstrap.plugins.callback import summary
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import plan_files
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import terminal
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import make_wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import brief, judge

SNAPSHOTS = Path(__file__).resolve().parents[3] / "fixtures" / "snapshots"


def judged(host: str, name: str, **options: Any) -> dict[str, Any]:
    snapshot = json.loads((SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8"))
    return judge(snapshot, host=host, **options)


def task_result(host: str, data: dict[str, Any], task: str = "Judge the host") -> Any:
    return SimpleNamespace(
        host=SimpleNamespace(get_name=lambda: host), task=SimpleNamespace(get_name=lambda: task), result=data
    )


class Run:
    """A callback with a recorded screen."""

    def __init__(self, tty: bool = False, show_all: bool = False, check: bool = False, **cli: list[str]) -> None:
        self.plugin = summary.CallbackModule()
        self.plugin._display = mock.Mock()
        self.plugin.get_option = lambda name: {"show_all": show_all}[name]
        self.stats = AggregateStats()
        self.tty = tty
        self.cli = {"check": check, **cli}

    def ok(self, host: str, data: dict[str, Any]) -> None:
        self.stats.increment("ok", host)
        self.plugin.v2_runner_on_ok(task_result(host, data))

    def failed(self, host: str, data: dict[str, Any], task: str) -> None:
        self.stats.increment("failures", host)
        self.plugin.v2_runner_on_failed(task_result(host, data, task))

    def play(self, serial: list[str]) -> None:
        self.plugin.v2_playbook_on_play_start(SimpleNamespace(serial=serial))

    def turn(self, host: str) -> None:
        self.plugin.v2_runner_on_start(SimpleNamespace(get_name=lambda: host), SimpleNamespace())

    def unreachable(self, host: str, message: str = "") -> None:
        self.stats.increment("dark", host)
        self.plugin.v2_runner_on_unreachable(task_result(host, {"msg": message}))

    def finish(self) -> str:
        with (
            mock.patch("sys.stdout.isatty", return_value=self.tty, create=True),
            mock.patch("ansible.context.CLIARGS", self.cli),
        ):
            self.plugin.v2_playbook_on_stats(self.stats)
        return "\n".join(call.args[0] for call in self.plugin._display.display.call_args_list)


def test_an_inventory_without_hosts_is_told() -> None:
    run = Run()
    run.plugin.v2_playbook_on_no_hosts_matched()
    assert "no host of the inventory is meant" in run.finish()
    one = Run()
    one.plugin.v2_playbook_on_no_hosts_matched()  # a play for a group that is empty, and another one with hosts
    one.ok("gpu01", {})
    assert "no host" not in one.finish()


def test_one_ready_host() -> None:
    run = Run()
    run.ok("n1", {"changed": False})
    run.ok("n1", {"report": judged("n1", "sandbox_ready")})
    text = run.finish()
    assert re.search(r"n1: READY — \d+ skipped, \d+ passed \[simulated GPU\]", text)
    assert "fleet" not in text
    assert "\x1b" not in text


def test_a_run_without_reports_is_left_alone() -> None:
    run = Run()
    run.ok("n1", {"report": "text"})
    run.ok("n2", {"report": {"schema": "other/1"}})
    run.failed("n3", {}, "Something")
    assert run.finish() == ""


def test_the_last_report_of_a_host_counts() -> None:
    run = Run()
    run.ok("n1", {"report": judged("n1", "bare_host", stages=["preflight"])})
    run.ok("n1", {"report": judged("n1", "ready_host")})
    text = run.finish()
    assert text.count("n1: ") == 1
    assert "n1: READY — " in text


def test_a_failed_judgement_shows_its_report_and_not_the_task() -> None:
    run = Run()
    run.failed("n1", {"report": judged("n1", "bare_host"), "msg": "n1: NOT READY"}, "Judge the host")
    text = run.finish()
    assert "n1: NOT READY — 3 blockers, 1 warning" in text
    assert "STOPPED" not in text


def test_a_host_that_fails_after_a_good_preflight_is_stopped_not_ready() -> None:
    run = Run()
    run.ok("n1", {"report": judged("n1", "ready_host", stages=["preflight"])})
    run.failed("n1", {"msg": "apt broke"}, "Install Docker")
    text = run.finish()
    assert "n1: STOPPED: task 'Install Docker' failed" in text
    assert "n1: READY" not in text


def test_an_ignored_failure_does_not_stop_a_host() -> None:
    run = Run()
    run.ok("n1", {"report": judged("n1", "ready_host")})
    run.plugin.v2_runner_on_failed(task_result("n1", {}, "Try"), ignore_errors=True)
    assert "n1: READY" in run.finish()


def test_several_hosts_end_with_a_line_for_all() -> None:
    run = Run()
    run.ok("n1", {"report": judged("n1", "ready_host")})
    run.ok("n2", {"report": judged("n2", "many_faults")})
    run.ok("n3", {"report": judged("n3", "ready_host")})
    run.unreachable("n3")
    run.unreachable("n4")
    text = run.finish()
    assert "n3: STOPPED: the host cannot be reached" in text
    assert "fleet: 4 hosts — 1 ready; 1 not ready (n2); 2 unreachable (n3, n4)" in text


def test_reports_in_a_loop_are_found() -> None:
    run = Run()
    run.ok("n1", {"results": [{"report": judged("n1", "ready_host")}, "junk"]})
    assert "n1: READY" in run.finish()


def test_show_all_names_what_passed() -> None:
    run = Run(show_all=True)
    run.ok("n1", {"report": judged("n1", "ready_host")})
    assert "✓ PRE-OS" in run.finish()


def test_check_mode_is_said() -> None:
    run = Run(check=True)
    run.ok("n1", {"report": judged("n1", "bare_host")})
    assert "check mode: judged as the hosts are now" in run.finish()


def test_a_terminal_gets_colours_and_the_log_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    run = Run(tty=True)
    run.ok("n1", {"report": judged("n1", "many_faults", inventory=["inventories/lab"])})
    run.finish()
    (screen, log) = run.plugin._display.display.call_args_list
    assert screen.kwargs == {"screen_only": True}
    assert "\x1b[" in screen.args[0]
    assert log.kwargs == {"log_only": True}
    assert "\x1b" not in log.args[0]
    # the command lines are whole on the terminal too
    assert "--tags nvml_stability,readiness -e nvml_stability_state=present" in screen.args[0]


def test_without_rich_a_terminal_gets_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    run = Run(tty=True)
    run.ok("n1", {"report": judged("n1", "ready_host")})
    text = run.finish()
    assert "n1: READY" in text
    assert "\x1b" not in text


def test_the_documentation_names_the_plugin_and_its_options(
    documentation: Callable[[ModuleType], dict[str, Any]],
) -> None:
    described = documentation(summary)
    assert (described["name"], described["type"]) == ("summary", summary.CallbackModule.CALLBACK_TYPE)
    assert set(described["options"]) == {"show_all"}


def test_the_page_of_a_run_shows_every_host_and_where_it_stopped(tmp_path: Path) -> None:
    page = tmp_path / "readiness.html"
    snapshot = SNAPSHOTS / "ready_host.json"
    run = Run()
    for host, name in (("n1", "ready_host"), ("n2", "bare_host")):
        files = {"snapshot": str(snapshot)} if host == "n1" else {}
        run.ok(host, {"report": judged(host, name), "report_page": str(page), "report_files": files})
    run.failed("n1", {"msg": "no"}, "Start the container")
    text = run.finish()
    assert f"page: {page}" in text
    written = page.read_text(encoding="utf-8")
    for word in ("n1", "n2", "Start the container"):
        assert word in written
    assert list(tmp_path.iterdir()) == [page]


def test_the_page_says_why_hosts_have_no_report(tmp_path: Path) -> None:
    page = tmp_path / "readiness.html"
    run = Run(inventory=[str(Path.cwd() / "inventories/lab")], args=["playbooks/readiness.yml"])
    run.ok("n1", {"report": judged("n1", "ready_host"), "report_page": str(page), "report_files": {}})
    run.unreachable("n2", "ssh: connect to host n2\nport 22: No route to host")
    run.failed("n3", {"msg": "no python"}, "Look at the host")
    run.ok("n4", {})
    run.play(["1"])
    for host in ("n1", "n2", "n3"):
        run.turn(host)
    run.finish()
    found = re.search(r'id="fleet">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert found
    told = {
        host["name"]: (host["why"], host["reason"], host["next"]["command"]) for host in json.loads(found[1])["silent"]
    }
    ping = "ansible -i inventories/lab n2 -m ansible.builtin.ping -vvv"
    again = "ansible-playbook playbooks/readiness.yml -i inventories/lab -l "
    assert told == {
        "n2": ("unreachable", "ssh: connect to host n2 port 22: No route to host", ping),
        "n3": ("failed", "task 'Look at the host' failed: no python", again + "n3"),
        "n4": ("not_begun", "", again + "n4"),
    }


def test_a_host_that_was_judged_and_had_no_turn_is_on_the_page_once(tmp_path: Path) -> None:
    page = tmp_path / "readiness.html"
    run = Run()
    for host in ("n1", "n2"):
        run.ok(host, {"report": judged(host, "ready_host"), "report_page": str(page), "report_files": {}})
    run.play(["1"])
    run.turn("n1")
    run.finish()
    found = re.search(r'id="fleet">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert found
    told = json.loads(found[1])
    assert told["silent"] == []
    assert told["stopped"] == {"n2": "the run ended before this host had its turn"}


def test_a_page_that_cannot_be_written_is_said_and_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    run = Run()
    page = str(tmp_path / "file" / "readiness.html")
    run.ok("n1", {"report": judged("n1", "ready_host"), "report_page": page, "report_files": {}})
    text = run.finish()
    assert "n1: READY" in text
    assert f"the page {page} cannot be written" in text


def test_a_judged_folder_is_a_table_with_the_worst_first() -> None:
    hosts = [
        brief(judged(host, name)) for host, name in (("a", "ready_host"), ("b", "bare_host"), ("c", "many_faults"))
    ]
    run = Run()
    run.ok(
        "localhost", {"hosts": hosts, "verdicts": {"ready": 1, "not_ready": 2}, "report_files": {"page": "/x/y.html"}}
    )
    lines = [line for line in run.finish().splitlines() if line]
    assert [line.split()[0] for line in lines] == ["b", "c", "a", "page:"]
    assert "NOT READY" in lines[0] and "DRV-MODULE" in lines[0]


def folder(number: int, language: str = "en", **files: Any) -> dict[str, Any]:
    """The result of the action for so many saved snapshots."""
    reports = {f"n{n}": judged(f"n{n}", "bare_host", language=language) for n in range(number)}
    result = {"hosts": [brief(report) for report in reports.values()], "verdicts": {"not_ready": number}}
    return {**result, "report_files": files, **({"reports": reports} if number <= 3 else {})}


def test_a_few_judged_snapshots_are_shown_in_full() -> None:
    run = Run()
    run.ok("localhost", folder(1, page="/x/y.html"))
    text = run.finish()
    assert "DRV-MODULE" in text and "n0: NOT READY — 3 blockers" in text and "  next: " in text
    assert not [line for line in text.splitlines() if line.startswith("n0  ")], "no table of one"
    run = Run()
    run.ok("localhost", folder(3, page="/x/y.html"))
    text = run.finish()
    assert all(f"n{n}: NOT READY" in text and f"\nn{n}  NOT READY" in text for n in range(3))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"page": "/x/y.html", "n0": {"report": "/x/n0.json"}}, "each host: on the page\npage: /x/y.html"),
        ({"n0": {"report": "/x/n0.json"}}, "each host: /x"),
        ({}, "each host: in the task's result; readiness_report_dir=FOLDER writes them"),
    ],
)
def test_of_many_judged_snapshots_it_says_where_the_details_are(files: dict[str, Any], says: str) -> None:
    run = Run()
    run.ok("localhost", folder(4, **files))
    text = run.finish()
    assert f"causes and commands of {says}" in text
    assert "n0: NOT READY" not in text


def test_chinese_throughout(tmp_path: Path) -> None:
    run = Run(check=True)
    for host in ("n1", "n2"):
        page = {"report_page": str(tmp_path / "readiness.html"), "report_files": {}}
        run.ok(host, {"report": judged(host, "ready_host", stages=["preflight"], language="zh"), **page})
    run.failed("n1", {"msg": "no"}, "Install")
    run.unreachable("n2")
    text = run.finish()
    assert "检查模式：按主机当前状态评判" in text
    assert "n1: 已中止：任务「Install」失败" in text and "n2: 已中止：无法连接主机" in text
    assert f"页面：{tmp_path / 'readiness.html'}" in text
    assert "page:" not in text and "failed" not in text
    run = Run()
    run.ok("localhost", folder(4, "zh", page="/x/y.html"))
    assert run.finish().endswith("每台主机的原因和命令：见页面\n页面：/x/y.html")


def test_what_changed_since_it_was_ready_is_told() -> None:
    report = judged("n1", "bare_host")
    change = {"path": "driver.libraries.cuda", "kind": "changed", "was": "580.159.03", "now": None}
    report["since_ready"] = {"collected_at": "2026-11-20T10:00:00Z", "changes": [change] * 20}
    run = Run()
    run.ok("n1", {"report": report})
    text = run.finish()
    assert "changed since it was ready (2026-11-20T10:00:00Z):" in text
    assert "driver.libraries.cuda: 580.159.03 → None" in text
    assert "and 8 more, in the report" in text


def test_plans_are_printed_where_the_task_asks_for_it() -> None:
    run = Run()
    run.ok("n2", {"plan": {}, "table": ["── n2: plan ──", "", "Choice  Value"], "show_table": True})
    run.ok("n1", {"plan": {}, "table": ["── n1: plan ──"], "show_table": True})
    run.ok("n3", {"plan": {}, "table": ["── n3: plan ──"], "show_table": False})
    run.ok("n4", {"table": "text", "show_table": True})
    assert run.finish().splitlines() == ["", "── n1: plan ──", "", "── n2: plan ──", "", "Choice  Value"]


@pytest.mark.parametrize("columns", [60, 100])
def test_a_plan_fits_a_narrow_terminal(columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    snapshot = json.loads((SNAPSHOTS / "ready_host.json").read_text(encoding="utf-8"))
    plans = [make_plan(snapshot, make_wishes({}), host) for host in ("n1", "n2")]
    shown = {"show_table": True, "language": "zh"}
    run = Run()
    run.ok("n1", {"plan": plans[0], "table": terminal.table(plans[0], "zh"), **shown})
    many = {"table": terminal.folder(plans, "zh"), **shown}
    run.ok("n2", {"plans": {plan["host"]: plan for plan in plans}, **many})
    run.ok("n3", {"report_files": plan_files.write(tmp_path, plans), **many})
    # what cannot be read leaves the table as it came
    run.ok("n4", {"report_files": {"n1": "/nowhere"}, "table": ["as it came"], **shown})
    text = run.finish()
    wanted = min(columns, terminal.WIDTH)
    one, several = terminal.table(plans[0], "zh", wanted), terminal.folder(plans, "zh", wanted)
    lines = [*one, "", *several, "", *several, "", "as it came"]
    assert text.splitlines()[1:] == lines


def test_hosts_that_had_no_turn_are_named_and_so_are_unreachable_ones_without_any_report() -> None:
    run = Run()
    run.play([])
    for host in ("n1", "n2", "n3"):
        run.ok(host, {})
    run.unreachable("n4")
    run.play(["1", "100%"])
    run.turn("n1")
    run.failed("n1", {}, "Install the driver")
    assert "fleet: 4 hosts — 1 unreachable (n4); 1 without a report (n1); 2 not begun (n2, n3)" in run.finish()


def test_a_host_that_dies_after_its_report_is_unreachable() -> None:
    run = Run()
    for host in ("n1", "n2"):
        run.ok(host, {"report": judged(host, "ready_host")})
    run.unreachable("n2")
    assert "fleet: 2 hosts — 1 ready; 1 unreachable (n2)" in run.finish()
