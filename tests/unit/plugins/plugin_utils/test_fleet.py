# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may say about the order of hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.fleet import BATCH, batches, problems
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("said", "sizes"),
    [
        (5, ["5"]),
        ("5", ["5"]),
        ("20%", ["20%"]),
        ("1,5, 50%", ["1", "5", "50%"]),
        ([1, "100%"], ["1", "100%"]),
        # what -e gpuready_serial=[1,"50%"] gives: text
        ('[1, "50%"]', ["1", "50%"]),
    ],
)
def test_numbers_shares_and_several_of_them(said: Any, sizes: list[str]) -> None:
    assert batches(said) == sizes
    assert batches(said, canary=True) == ["1", *sizes]


@pytest.mark.parametrize(
    "said", ["", "ten", 0, -1, "0%", "101%", "2.5", [], [1, "x"], True, [True], None, {"a": 1}, "1,,2"]
)
def test_what_ansible_would_trip_over_is_refused(said: Any) -> None:
    with pytest.raises(ValueError, match="it must be a number of hosts such as 5"):
        batches(said)


@given(
    st.one_of(st.text(max_size=12), st.integers(), st.lists(st.one_of(st.integers(), st.text(max_size=4)), max_size=4))
)
def test_whatever_passes_is_what_serial_takes(said: Any) -> None:
    try:
        sizes = batches(said)
    except ValueError:
        return
    assert sizes and all(BATCH.fullmatch(size) for size in sizes)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("gpuready_serial", "1,2", "few"),
        ("gpuready_canary", "yes", "maybe"),
        ("gpuready_max_fail_percentage", "12.5%", 100.5),
        ("gpuready_max_fail_percentage", 0, "some"),
    ],
)
def test_values_are_judged_and_belong_on_the_command_line(name: str, good: Any, bad: Any) -> None:
    assert problems({name: good, "other": 1}, {name: good}) == []
    ((variable, text),) = problems({name: bad}, {name: bad})
    assert variable == name and repr(bad) in text
    ((_variable, text),) = problems({name: good}, {})
    assert "has no effect in the inventory" in text and f"-e {name}=" in text
