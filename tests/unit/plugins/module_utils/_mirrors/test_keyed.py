# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import keyed


def test_filled_leaves_out_what_has_no_value() -> None:
    assert keyed.filled({"a": 0, "b": "", "c": None, "d": [], "e": False, "f": "x"}) == {
        "a": "0",
        "e": "False",
        "f": "x",
    }


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "a\tb", "\x7f"])
def test_control_characters_are_refused_without_showing_the_value(value: str) -> None:
    with pytest.raises(keyed.ValueRefusedError, match="the value of password holds") as error:
        keyed.filled({"password": value})
    assert value not in str(error.value)


@pytest.mark.parametrize(
    ("own", "line", "text"),
    [
        ([], "n=1", "a=1\nn=1\nb=2"),
        ([0], "n=1", "n=1\nb=2"),
        ([0, 1], "n=1", "a=1\nn=1"),
        ([0], None, "b=2"),
        ([], None, "a=1\nb=2"),
    ],
)
def test_put(own: list[int], line: str | None, text: str) -> None:
    assert keyed.put(["a=1\n", "b=2"], own, line, 1) == text


def test_put_behind_a_last_line_without_end() -> None:
    assert keyed.put(["a=1"], [], "n=1", 1) == "a=1\nn=1\n" and keyed.put([], [], "n=1", 0) == "n=1\n"
