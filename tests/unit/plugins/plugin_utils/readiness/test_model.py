# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least, version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View
from hypothesis import given
from hypothesis import strategies as st


def test_a_view_reads_what_is_there_and_names_what_is_not() -> None:
    view = View({"a": {"b": [{"c": 1}], "n": None, "t": True}})
    assert view.views("a.b")[0].integer("c") == 1
    assert view.is_null("a.n")
    for read, path in (
        (view.text, "a.x"),
        (view.text, "a.n"),
        (view.integer, "a.t"),
        (view.flag, "a.n"),
        (view.text, "a.b.c"),
    ):
        with pytest.raises(UnmeasuredError, match=path.replace(".", r"\.")):
            read(path)
    with pytest.raises(UnmeasuredError, match=r"a\.b\[0\]\.d"):
        view.views("a.b")[0].text("d")
    with pytest.raises(UnmeasuredError):
        view.is_null("a.missing")


@pytest.mark.parametrize(
    ("version", "key"),
    [
        ("5:28.0.1-1~debian", (28, 0, 1)), ("26.1.5+dfsg1", (26, 1, 5)), ("v2.3.3", (2, 3, 3)),
        ("580.159.03", (580, 159, 3)), ("1.19.1-1", (1, 19, 1)),
    ],
)  # fmt: skip
def test_versions_of_all_sorts(version: str, key: tuple[int, ...]) -> None:
    assert version_key(version) == key


def test_no_version() -> None:
    with pytest.raises(ValueError, match="a version number in"):
        version_key("unknown")


parts = st.lists(st.integers(0, 999), min_size=1, max_size=4)


@given(parts, parts)
def test_versions_compare_as_numbers(left: list[int], right: list[int]) -> None:
    def text(numbers: list[int]) -> str:
        return ".".join(str(number) for number in numbers)

    width = max(len(left), len(right))
    wide_left, wide_right = left + [0] * (width - len(left)), right + [0] * (width - len(right))
    assert version_at_least(text(left), text(right)) == (wide_left >= wide_right)
