# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from dataclasses import replace

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress import cells, render, titles
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.cells import Line
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.estimates import Estimates
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.results import said_lines
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.state import Plan, Run, Slot
from hypothesis import given
from hypothesis import strategies as st

SLOTS = tuple(Slot(f"t{n}", f"k{n}", n // 2) for n in range(8))
PLAN = Plan(
    name="The road", hosts=("gpu01",), slots=SLOTS, steps=("Preflight", "NVIDIA driver", "Docker Engine", "Dev")
)
WAITS = "waits for the download, and for the build of the kernel module; minutes"
LONG = f"nvidia_driver : Install | Take the packages ({WAITS})"


def text(lines: list[Line]) -> list[str]:
    return ["".join(part for part, _style in line).rstrip() for line in lines]


def at_work(plan: Plan = PLAN, task: str = "t2", title: str = LONG, detail: str = "12 packages") -> Run:
    run = Run(Estimates())
    run.play_started(plan, 0)
    run.task_started(title, 10)
    for host in plan.hosts[: plan.forks]:
        run.host_started(host, task, "k2", title, 10, detail)
    return run


def test_one_host() -> None:
    picture = text(render.frame(at_work(), 44, 79, 24, moving=False))
    assert picture == [
        "",
        "The road" + " " * 67 + "0:44",
        "· gpu01 ━━━━━━━━╸─────────────── 2/4 NVIDIA driver",
        "  Install | Take the packages" + " " * 46 + "0:34",
        "    12 packages · waits for the download, and for the build of the kernel modu…",
    ]


def test_what_is_known_of_a_long_task() -> None:
    run = at_work(title="docker : Wait", detail="")
    for _failure in range(4):
        run.host_retries("gpu01", 21)
    assert "attempt 5 of 21" in text(render.frame(run, 20, 79, 24))[3]
    run.host_started("gpu01", "t3", "k", "docker : Load", 21)
    run.host_item("gpu01", "nvidia")
    run.host_item("gpu01", "nvidia_uvm")
    assert "Load · 2 items done, last nvidia_uvm" in text(render.frame(run, 21, 79, 24))[3]
    run.estimates.tasks["task:k"] = {"changed": 50.0}
    assert text(render.frame(run, 30, 79, 24))[3].endswith("0:09 of ~0:50")


def test_two_hundred_hosts_fit_the_screen_failed_first_then_the_slowest() -> None:
    names = tuple(f"gpu{n:03}" for n in range(200))
    run = at_work(replace(PLAN, hosts=names, forks=20))
    for name in names[3:19]:
        run.host_ended(name, "ok", 30)
    run.host_ended("gpu000", "failed", 31)
    picture = text(render.frame(run, 44, 79, 24, moving=False))
    assert len(picture) < 24
    assert "1 failed" in picture[1]
    assert picture[2].startswith("nvidia_driver : Install | Take the packages") and picture[2].endswith(
        "17 of 200 hosts"
    )
    assert picture[3].startswith("✗ gpu000")
    assert [line.split()[1] for line in picture[4:7]] == ["gpu001", "gpu002", "gpu019"]
    assert picture[7] == "  and 196 more hosts: 180 waiting, 16 finished it"


@pytest.mark.parametrize("columns", [20, 39, 79, 200])
@pytest.mark.parametrize("rows", [2, 5, 10, 24, 60])
@pytest.mark.parametrize("count", [1, 3, 8, 200])
def test_every_size(columns: int, rows: int, count: int) -> None:
    run = at_work(
        replace(PLAN, hosts=tuple(f"主机{n}" for n in range(count)), forks=20), title="写入软件源（清华大学镜像站）"
    )
    lines = render.frame(run, 44, columns, rows)
    assert 1 <= len(lines) <= max(1, rows - 1)
    assert max(cells.line_width(line) for line in lines) <= columns
    assert any("主机0" in line or "hosts" in line for line in text(lines)) or rows < 5


def many_of_which_some_failed(minutes: int = 70) -> tuple[Run, float]:
    """13 of 40 hosts have failed in an earlier task; the others are at another one."""
    names = tuple(f"cn-shanghai-pudong-lingang-rack07-gpu{n:03}" for n in range(40))
    run = at_work(replace(PLAN, hosts=names, forks=40), "t1", "Another one")
    for number, name in enumerate(names):
        run.host_ended(name, "changed" if number % 3 else "failed" if number % 6 else "unreachable", 12 + number)
    run.hosts[names[39]].status = "idle"
    run.task_started("The last one", 60)
    for number, name in enumerate(names):
        if number % 3 or number == 39:
            run.host_started(name, "t2", "k2", "The last one", 60)
            if number % 2:
                run.host_ended(name, "ok", 70)
    run.estimates.tasks.update({f"slot:k{n}": {"changed": 900.0} for n in range(8)})
    return run, 60.0 * minutes


@pytest.mark.parametrize("columns", [20, 39, 59, 79, 120])
@pytest.mark.parametrize("rows", [8, 10, 14, 24])
def test_the_header_always_tells_of_failures(columns: int, rows: int) -> None:
    run, now = many_of_which_some_failed()
    header = text(render.frame(run, now, columns, rows))[0] or text(render.frame(run, now, columns, rows))[1]
    assert "13 failed" in header
    # what gives way: first the time ahead, then the changes
    assert "changed" in header or "left" not in header


def test_few_rows_name_the_task_and_count_the_failed_first() -> None:
    run, now = many_of_which_some_failed()
    picture = text(render.frame(run, now, 39, 10, moving=False))
    assert picture == [
        "The road             13 failed  1:10:00",
        "The last one             14 of 27 hosts",
        "  40 hosts: 6 failed, 7 unreachable, 1…",
    ]


def test_a_task_counts_the_hosts_that_come_to_it() -> None:
    run, now = many_of_which_some_failed()
    for name, host in run.hosts.items():
        if host.status == "running":
            run.host_ended(name, "ok", now)
    assert any(line.endswith("27 of 27 hosts") for line in text(render.frame(run, now, 79, 24)))


def test_the_end_of_a_long_name_is_seen() -> None:
    run, now = many_of_which_some_failed()
    rows = [line for line in text(render.frame(run, now, 79, 24)) if "━" in line or "──" in line]
    names = [line.split()[1] for line in rows]
    assert len(names) > 8 and len(set(names)) == len(names)
    assert all(re.fullmatch(r"cn-sha.*….*gpu\d{3}", name) for name in names)


def test_check_mode_would_change() -> None:
    run = Run(Estimates(), check=True)
    run.play_started(PLAN, 0)
    run.host_started("gpu01", "t0", "k", "x", 0)
    run.host_ended("gpu01", "changed", 1)
    assert "check mode" in text(render.frame(run, 1, 79, 24))[1]
    assert "1 would change" in text(render.frame(run, 1, 79, 24))[1]
    assert text(render.recap(run, {"gpu01": {"changed": 1}}, 1, 9))[-1] == "✓ gpu01  1 would change"


def test_the_recap_names_those_that_failed_first() -> None:
    run = Run(Estimates())
    run.started(0)
    counts = {f"gpu{n:02}": {"changed": n} for n in range(30)} | {"zoo": {"unreachable": 1}, "yak": {"failures": 1}}
    lines = text(render.recap(run, counts, 125, 5))
    assert lines == [
        "",
        "2:05  32 hosts, 435 changed, 2 failed",
        "✗ yak    1 failed  0 changed",
        "✗ zoo    1 unreachable  0 changed",
        "✓ gpu00  0 changed",
        "✓ gpu01  1 changed",
        "  and 28 more, none of them failed",
    ]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (
            LONG,
            (
                "nvidia_driver : Install | Take the packages",
                WAITS,
            ),
        ),
        (
            "Install (APT; waits for the download, about 100 MB)",
            ("Install", "APT; waits for the download, about 100 MB"),
        ),
        ("Look (once)", ("Look (once)", "")),
    ],
)
def test_what_a_title_says_of_waiting(title: str, expected: tuple[str, str]) -> None:
    assert render.split_title(title) == expected


@pytest.mark.parametrize(
    ("seconds", "clock", "duration", "about"),
    [
        (0, "0:00", "0.0 s", "a few s"),
        (34.4, "0:34", "34 s", "~35 s"),
        (130, "2:10", "2 min 10 s", "~2 min"),
        (3900, "1:05:00", "1 h 5 min", "~1 h 5 min"),
    ],
)
def test_times(seconds: float, clock: str, duration: str, about: str) -> None:
    assert (render.clock(seconds), render.duration(seconds), render.about(seconds)) == (clock, duration, about)


@given(st.text(max_size=60), st.integers(0, 40))
def test_cut_text_fits(value: str, room: int) -> None:
    value = titles.clean(value)
    assert cells.width(cells.fit(value, room)) <= room
    assert cells.width(cells.pad(value, room)) == room
    if cells.width(value) <= room:
        assert cells.fit(value, room) == value


@given(st.text(max_size=60), st.integers(0, 40))
def test_a_name_cut_in_the_middle_fits(value: str, room: int) -> None:
    value = titles.clean(value)
    assert cells.width(cells.fit_middle(value, room)) <= room
    if cells.width(value) <= room:
        assert cells.fit_middle(value, room) == value


@given(st.lists(st.tuples(st.text(max_size=9), st.just("")), max_size=6), st.integers(0, 40))
def test_cut_lines_fit(line: Line, room: int) -> None:
    line = [(titles.clean(part), style) for part, style in line]
    assert cells.line_width(cells.fit_line(line, room)) <= room
    assert cells.line_width(cells.spread(line, [("0:34", "")], room)) <= room


def test_a_failure_in_full_without_noise() -> None:
    result = {
        "changed": False,
        "msg": "No package\nmatches",
        "rc": 100,
        "stderr": "E: one\nE: two",
        "stderr_lines": ["E: one"],
        "invocation": {"module_args": {"password": "hunter2"}},
        "_ansible_no_log": False,
        "cmd": ["apt", "install"],
        "stdout": "",
        "hint": {"a": "中"},
        "exception": "Traceback",
        "ansible_loop_var": "thing",
        "thing": "noise",
    }
    said = ["No package", "matches", 'cmd: ["apt", "install"]', "rc: 100", "stderr:", "  E: one", "  E: two"]
    assert text(said_lines(result, "")) == said


def test_without_a_message_all_is_shown() -> None:
    result = {"failed": True, "hint": {"a": "中"}, "count": 3, "_ansible_no_log": False, "invocation": {}}
    assert text(said_lines(result, "")) == ["count: 3", 'hint: {"a": "中"}']


def test_a_censored_failure_says_so() -> None:
    result = {"censored": "the output has been hidden", "changed": False}
    assert text(said_lines(result, "")) == ["the output has been hidden"]
