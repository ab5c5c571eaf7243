# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import math
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress import estimates
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.estimates import Estimates
from hypothesis import given
from hypothesis import strategies as st

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(anything, anything, anything)
def test_garbage_is_left_out(tasks: Any, hosts: Any, run: Any) -> None:
    for data in (tasks, {"schema": estimates.SCHEMA, "tasks": tasks, "hosts": hosts, "run": run}):
        found = Estimates.read(data)
        found.measured("task:a", True, 3.0)
        again = Estimates.read(json.loads(json.dumps(found.learned())))
        assert again.run == found.run + 1
        assert again.expect("task:a", True) is not None


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, 1e9, True, "3", None])
def test_impossible_times_are_no_times(seconds: Any) -> None:
    data = {"schema": estimates.SCHEMA, "tasks": {"task:a": {"ok": seconds, "run": 1}}}
    assert Estimates.read(data).expect("task:a", False) is None


def test_what_is_unknown_of_one_outcome_comes_from_the_other() -> None:
    known = Estimates()
    known.measured("k", True, 30)
    known = Estimates.read(known.learned())
    assert known.expect("k", True) == known.expect("k", False) == 30
    known.measured("k", False, 1)
    known = Estimates.read(known.learned())
    assert (known.expect("k", True), known.expect("k", False)) == (30, 1)


def test_one_run_counts_as_much_as_all_before_however_many_hosts_it_had() -> None:
    known = Estimates()
    known.measured("k", True, 10)
    known = Estimates.read(known.learned())
    for _host in range(50):
        known.measured("k", True, 20)
    assert Estimates.read(known.learned()).expect("k", True) == 15


def test_the_file_is_bounded_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "MAX_TASKS", 10)
    monkeypatch.setattr(estimates, "MAX_HOSTS", 10)
    known = Estimates()
    for run in range(4):
        for number in range(6):
            known.measured(f"{run}/{number}", True, 1.0)
            known.completed("play", f"{run}/{number}")
        known = Estimates.read(known.learned())
    assert len(known.tasks) == len(known.hosts) == 10
    assert {key.partition("/")[0] for key in known.tasks} == {"2", "3"}
    assert known.seen("play", "3/0") and not known.seen("play", "0/0")


def test_no_host_is_named() -> None:
    known = Estimates()
    known.completed("play", "secret-host")
    assert "secret-host" not in json.dumps(known.learned())
