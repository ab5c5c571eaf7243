# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import brief, judge
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.terminal import (
    cells,
    fleet_line,
    folded,
    pad,
    plain,
    report_lines,
    table_lines,
    wrap,
)
from hypothesis import given
from hypothesis import strategies as st

Maker = Callable[..., dict[str, Any]]


def page(report: dict[str, Any], width: int = 100, **options: Any) -> str:
    return plain(report_lines(report, width=width, **options))


def judged_in(report: dict[str, Any], stage: str) -> tuple[int, int]:
    """(checks with an answer, skipped ones) of a stage, counted from the results themselves."""
    statuses = [result["status"] for result in report["results"] if result["stage"] == stage]
    return sum(status != "skip" for status in statuses), statuses.count("skip")


def test_a_ready_host_is_a_short_page(snapshot: Maker) -> None:
    report = judge(snapshot(), host="gpu01")
    text = page(report)
    judged, skipped = judged_in(report, "preflight")
    assert judged > 30
    assert f"✓ preflight  {judged} of {judged} passed     {skipped} skipped" in text
    counts = report["counts"]
    assert f"gpu01: READY — {counts['skip']} skipped, {counts['pass']} passed\n" in text
    assert text.endswith("\n  GPU: 2 x NVIDIA GeForce RTX 4090")
    assert "PRE-OS" not in text


def test_show_all_names_every_check(snapshot: Maker) -> None:
    report = judge(snapshot("many_faults"), host="gpu01")
    text = page(report, show_all=True)
    assert all(result["id"] in text for result in report["results"])


def test_a_failure_shows_message_text_and_whole_command(snapshot: Maker) -> None:
    report = judge(snapshot("many_faults"), host="gpu01", inventory=["inventories/a-rather-long-name-of-a-lab"])
    for width in (40, 80, 200):
        lines = page(report, width).splitlines()
        for result in report["results"]:
            if result["status"] in ("fail", "warn"):
                assert f"          $ {result['remedy']['command']}" in lines
    failed = [result["severity"] for result in report["results"] if result["status"] == "fail"]
    blockers, others = failed.count("blocker"), len(failed) - failed.count("blocker")
    assert (blockers, others) > (3, 3)
    warnings = report["counts"]["warn"]
    said = f"gpu01: NOT READY — {blockers} blockers, {others} other failures, {warnings} warnings, "
    assert said in page(report)
    assert f"        $ {report['next']['command']}" in page(report)


@pytest.mark.parametrize(("language", "label"), [("en", "then judge again:"), ("zh", "然后重新检查：")])
@pytest.mark.parametrize("again", [None, "python3 doctor.pyz"])
def test_a_command_that_only_judges_again_is_not_called_the_remedy(
    language: str, label: str, again: str | None, snapshot: Maker
) -> None:
    report = judge(snapshot(), host="gpu01", policy={"cpus_min": 9999}, language=language, again=again)
    lines = page(report).splitlines()
    command = report["next"]["command"]
    assert [lines[n - 1] for n, line in enumerate(lines) if line.endswith(f"$ {command}")] == [f"      {label}"] * 2
    # one that does something is the remedy
    report = judge(snapshot("bare_host"), host="gpu01", language=language)
    before = page(report).partition(f"$ {report['next']['command']}")[0].splitlines()
    assert label not in before[-2:]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("base", ["many_faults", "ready_host", "rented_container", "sandbox_ready"])
@pytest.mark.parametrize("width", [60, 80])
def test_only_commands_are_wider_than_the_terminal(width: int, base: str, language: str, snapshot: Maker) -> None:
    lines = page(judge(snapshot(base), host="gpu01", language=language), width).splitlines()
    # a path stays whole
    assert [line for line in lines if cells(line) > width and "$ " not in line and " " in line.strip()] == []


@given(st.lists(st.tuples(st.text(st.sampled_from("ab 机、")), st.sampled_from(["", "bold"])), max_size=5))
def test_folding_keeps_words_and_styles(line: list[tuple[str, str]]) -> None:
    lines = folded(line, 12, "  ")
    for style in ("", "bold"):
        was = "".join(text for text, its in line if its == style)
        now = "".join(text for part in lines for text, its in part if its == style)
        assert now.replace(" ", "") == was.replace(" ", "")


def test_consequences_are_told_in_one_line(snapshot: Maker) -> None:
    text = page(judge(snapshot("version_mismatch"), host="gpu01"), 200)
    report = judge(snapshot("version_mismatch"), host="gpu01")
    fallen = [result["id"] for result in report["results"] if result["caused_by"] == "DRV-VERSION-MATCH"]
    assert {"DRV-SMI", "DRV-GPU-COUNT", "DRV-GPU-LOST", "DEV-GPU"} <= set(fallen)
    # the line is wrapped where it is long
    assert f"– not judged (while DRV-VERSION-MATCH fails): {', '.join(fallen)}" in " ".join(text.split())


def test_the_simulation_is_named_in_the_verdict(snapshot: Maker) -> None:
    text = page(judge(snapshot("sandbox_ready"), host="gpu01"))
    assert re.search(r"gpu01: READY — \d+ skipped, \d+ passed \[simulated GPU\]", text)
    assert "\n  simulated: sandbox" in text


def test_a_stopped_host_is_not_called_ready(snapshot: Maker) -> None:
    text = page(judge(snapshot(), host="gpu01", stages=["preflight"]), stopped="task 'x' failed")
    assert "gpu01: STOPPED: task 'x' failed" in text
    assert "READY" not in text


def test_a_stage_without_anything_to_judge_says_why(snapshot: Maker) -> None:
    report = judge(snapshot(changes={"dev.containers": []}), host="gpu01")
    skipped = judged_in(report, "dev")[1]
    assert skipped > 20
    said = " ".join(page(report).split())
    assert f"– dev not judged {skipped} skipped: no dev container is configured" in said


def test_terminal_control_characters_do_not_pass(snapshot: Maker) -> None:
    changes = {"docker.reachable": False, "docker.error": "\x1b[2Jevil\nline"}
    assert "\x1b" not in page(judge(snapshot(changes=changes), host="gpu01"))


def test_the_fleet_counts_every_host_once(snapshot: Maker) -> None:
    reports = [
        judge(snapshot(base), host=host)
        for host, base in (("a", "ready_host"), ("b", "bare_host"), ("c", "ready_host"))
    ]
    assert plain([fleet_line(reports, ["c"], ["d"])]) == (
        "fleet: 4 hosts — 1 ready; 1 not ready (b); 1 stopped (c); 1 without a report (d)"
    )
    assert plain([fleet_line(reports[:1], [], [])]) == "fleet: 1 host — 1 ready"
    # b was judged, and died afterwards; d was never reached, e had no turn
    assert plain([fleet_line(reports, ["c"], ["d"], unreachable=["b", "d"], untouched=["e"])]) == (
        "fleet: 5 hosts — 1 ready; 1 stopped (c); 2 unreachable (b, d); 1 not begun (e)"
    )


def test_the_fleet_in_chinese_has_chinese_punctuation(snapshot: Maker) -> None:
    reports = [
        judge(snapshot(base), host=host, language="zh")
        for host, base in (("a", "ready_host"), ("b", "bare_host"), ("c", "bare_host"))
    ]
    assert plain([fleet_line(reports, [], [], unreachable=["ghost"])]) == (
        "共 4 台主机 — 1 台就绪；2 台未就绪（b、c）；1 台无法连接（ghost）"
    )


def test_a_long_name_of_a_table_moves_its_own_row_only(snapshot: Maker) -> None:
    hosts = [brief(judge(snapshot("bare_host"), host=host)) for host in ("gpu01", "n" * 220)]
    lines = plain(table_lines(hosts)).splitlines()
    assert lines[0].index("NOT READY") == 42 and lines[1].startswith("n" * 220 + "  NOT READY")


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("机器三", 6), ("e\u0301", 1), ("", 0), ("a机", 3)])
def test_wide_characters_take_two_cells(text: str, width: int) -> None:
    assert cells(text) == width
    assert cells(pad(text, 10)) == 10


ALPHABET = st.sampled_from("ab ,.机器准备好了、e\u0301 ")


@given(st.text(ALPHABET, max_size=60), st.integers(4, 30))
def test_wrapping_keeps_the_words_and_the_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    for line in lines:
        assert cells(line) <= width or " " not in line.strip()


def test_chinese_is_wrapped_by_the_width_of_a_terminal() -> None:
    assert wrap("机器没有准备好", 6) == ["机器没", "有准备", "好"]
