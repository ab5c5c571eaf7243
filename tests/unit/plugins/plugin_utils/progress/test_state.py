# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any sequence of events keeps the state sound, and its picture within the terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress import render, state
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.cells import line_width
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.estimates import Estimates
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.state import Plan, Run, Slot
from hypothesis import given
from hypothesis import strategies as st

HOSTS = ("gpu01", "gpu02", "显卡主机三", "host-with-a-name-that-is-longer-than-any-column")
TITLES = (
    "docker_engine : Packages | Install (waits for the download, about 100 MB)",
    "写入软件源（清华大学）",
    "x",
    "",
)
SLOTS = tuple(Slot(f"t{n}", f"role|task {n}", n // 3) for n in range(9))
PLAN = Plan(
    name="把主机带到开发环境 Bring hosts", hosts=HOSTS[:3], slots=SLOTS, steps=("One", "第二步", "Three"), forks=2
)

hosts = st.sampled_from(HOSTS)
tasks = st.sampled_from([*(slot.task for slot in SLOTS), "included"])
events = st.one_of(
    st.tuples(st.just("play_started"), st.sampled_from([PLAN, replace(PLAN, hosts=HOSTS, name="x", of=2), Plan()])),
    st.tuples(st.just("task_started"), st.sampled_from(TITLES)),
    st.tuples(st.just("host_started"), hosts, tasks, st.sampled_from(["a|b", "c|d"]), st.sampled_from(TITLES)),
    st.tuples(st.just("host_retries"), hosts, st.integers(0, 9)),
    st.tuples(st.just("host_item"), hosts, st.text(max_size=50)),
    st.tuples(st.just("host_ended"), hosts, st.sampled_from(["ok", "changed", "ignored", "failed", "unreachable"])),
    st.tuples(st.just("ended")),
)
UNTIMED = ("host_retries", "host_item")


def feed(run: Run, sequence: list[tuple[Any, ...]], seconds: list[float]) -> float:
    now = 100.0
    for (name, *arguments), gap in zip(sequence, seconds):
        now += gap
        getattr(run, name)(*arguments, *([] if name in UNTIMED else [now]))
    return now


def sound(run: Run, now: float) -> None:
    assert sum(run.tally().values()) == len(run.hosts)
    assert set(run.tally()) == {"waiting", "running", "idle", "failed", "unreachable", "done"}
    for host in run.hosts.values():
        number, of, _name = run.step(host)
        assert 0 <= number <= of
        assert 0 <= run.fraction(host, now) <= 1
        assert host.busy >= 0
        assert host.slot < max(1, len(run.plan.slots)) or host.name not in run.plan.hosts
    remaining = run.remaining(now)
    assert remaining is None or remaining >= 0


@given(
    sequence=st.lists(events, max_size=40),
    seconds=st.lists(st.floats(0, 500), min_size=40, max_size=40),
    columns=st.integers(1, 200),
    rows=st.integers(1, 60),
    check=st.booleans(),
)
def test_events_in_any_order(
    sequence: list[tuple[Any, ...]], seconds: list[float], columns: int, rows: int, check: bool
) -> None:
    estimates = Estimates()
    for slot in SLOTS:
        estimates.tasks[f"slot:{slot.key}"] = {"changed": 7.0}
    run = Run(estimates, check)
    now = feed(run, sequence, seconds)
    sound(run, now)
    lines = render.frame(run, now, columns, rows)
    assert 1 <= len(lines) <= max(1, rows - 1)
    assert all(line_width(line) <= columns for line in lines), lines
    assert all("\n" not in text and "\x1b" not in text for line in lines for text, _style in line)
    again = Estimates.read(estimates.learned())
    assert again.run == 1


def through(run: Run, now: float, changed: bool = True, seconds: float = 10.0, plan: Plan = PLAN) -> float:
    run.play_started(plan, now)
    for slot in plan.slots:
        run.task_started(slot.key, now)
        for host in plan.hosts:
            run.host_started(host, slot.task, slot.key, slot.key, now)
        now += seconds
        for host in plan.hosts:
            run.host_ended(host, "changed" if changed else "ok", now)
    run.ended(now)
    return now


def learned(run: Run) -> Estimates:
    return Estimates.read(run.estimates.learned())


def test_nothing_is_promised_without_an_earlier_run() -> None:
    run = Run(Estimates())
    run.play_started(PLAN, 0)
    assert run.remaining(5) is None


def test_the_time_ahead_comes_from_the_run_before() -> None:
    first = Run(Estimates())
    through(first, 0)
    run = Run(learned(first))
    # new hosts: what changed is what will change; two at a time
    run.play_started(replace(PLAN, hosts=("new1", "new2")), 0)
    assert run.remaining(0) == pytest.approx(90, rel=0.2)
    run.host_started("new1", "t8", "role|task 8", "last", 80)
    run.host_started("new2", "t8", "role|task 8", "last", 80)
    assert run.remaining(80) == pytest.approx(10, rel=0.2)
    assert run.fraction(run.hosts["new1"], 80) == pytest.approx(8 / 9, abs=0.02)


def test_a_host_that_has_been_through_is_expected_to_change_little() -> None:
    first = Run(Estimates())
    through(first, 0)
    second = Run(learned(first))
    through(second, 0, changed=False, seconds=1.0)
    third = Run(learned(second))
    third.play_started(replace(PLAN, forks=3), 0)
    seen = third.remaining(0)
    fourth = Run(learned(second))
    fourth.play_started(replace(PLAN, hosts=("a", "b", "c"), forks=3), 0)
    fresh = fourth.remaining(0)
    assert seen is not None and fresh is not None
    assert seen < 12 < 60 < fresh


def test_more_hosts_than_forks_take_longer() -> None:
    first = Run(Estimates())
    through(first, 0)
    few, many = Run(learned(first)), Run(learned(first))
    few.play_started(replace(PLAN, hosts=("a", "b"), forks=2), 0)
    many.play_started(replace(PLAN, hosts=tuple("abcdefghij"), forks=2), 0)
    assert (many.remaining(0) or 0) > 3 * (few.remaining(0) or 0)


def test_included_tasks_belong_to_the_task_that_is_known() -> None:
    run = Run(Estimates())
    run.play_started(PLAN, 0)
    run.host_started("gpu01", "t0", "role|task 0", "include", 0)
    run.host_ended("gpu01", "ok", 1)
    run.host_started("gpu01", "unknown", "role|inner", "inner", 1)
    run.host_ended("gpu01", "changed", 21)
    run.host_started("gpu01", "t1", "role|task 1", "next", 21)
    known = learned(run)
    assert known.expect("slot:role|task 0", changed=True) == pytest.approx(21)
    assert known.expect("task:role|inner", changed=True) == pytest.approx(20)


def test_a_failure_teaches_nothing_and_a_rescue_goes_on() -> None:
    run = Run(Estimates())
    run.play_started(PLAN, 0)
    run.host_started("gpu01", "t0", "role|task 0", "zero", 0)
    run.host_ended("gpu01", "failed", 500)
    assert run.hosts["gpu01"].status == state.FAILED
    run.host_started("gpu01", "rescue", "role|rescue", "rescue", 500)
    assert run.hosts["gpu01"].status == state.RUNNING
    run.host_ended("gpu01", "ok", 501)
    run.host_started("gpu01", "t1", "role|task 1", "one", 501)
    assert learned(run).expect("slot:role|task 0", changed=True) is None


def test_a_lost_host_stays_lost_in_the_next_play() -> None:
    run = Run(Estimates())
    run.play_started(PLAN, 0)
    run.host_ended("gpu02", "unreachable", 1)
    run.play_started(replace(PLAN, name="next"), 2)
    assert run.tally() == {"waiting": 2, "running": 0, "idle": 0, "failed": 0, "unreachable": 1, "done": 0}


def test_hosts_of_an_earlier_batch_are_done() -> None:
    run = Run(Estimates())
    run.play_started(replace(PLAN, hosts=("a", "b"), all_hosts=tuple("abcd")), 0)
    run.play_started(replace(PLAN, hosts=("c", "d"), all_hosts=tuple("abcd")), 9)
    assert {name: host.status for name, host in run.hosts.items()} == {
        "a": "done",
        "b": "done",
        "c": "waiting",
        "d": "waiting",
    }
    assert "hosts 3-4 of 4" in "".join(text for text, _style in render.frame(run, 9, 100, 24)[1])
