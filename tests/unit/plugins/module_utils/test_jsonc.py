# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of editors: comments stay, own values stay, only what is missing is added."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._jsonc import JsoncError, dumps, loads, merge
from hypothesis import given
from hypothesis import strategies as st

MINE = """\
// my project
{
    /* editors */ "recommendations": [
        "me.mine", // the best one
    ],
    "unwantedRecommendations": ["a.b"], "deep": {"x": 1}
    // the end
}
"""


def test_missing_items_and_keys_are_added_and_comments_stay() -> None:
    wanted = {"recommendations": ["ms-python.python", "me.mine"], "deep": {"y": [2]}, "new": True}
    text, conflicts = merge(MINE, wanted)
    assert conflicts == []
    assert text == (
        "// my project\n{\n"
        '    /* editors */ "recommendations": [\n        "me.mine", // the best one\n'
        '        "ms-python.python"\n    ],\n'
        '    "unwantedRecommendations": ["a.b"], "deep": {"x": 1, "y": [2]},\n'
        '    // the end\n    "new": true\n}\n'
    )


def test_own_values_stay_and_are_named() -> None:
    text = '{"a": 1, "b": {"c": "mine"}, "d": [1]}'
    assert merge(text, {"a": True, "b": {"c": "theirs"}, "d": {"x": 1}}) == (text, ["a", "b.c", "d"])


def test_what_is_there_already_changes_nothing() -> None:
    assert merge(MINE, {"recommendations": ["me.mine"], "deep": {}}) == (MINE, [])


@pytest.mark.parametrize("text", ["{}", "{ }", "{\n}", "{\n  // nothing\n}\n", "", " \n", "\ufeff{}"])
def test_empty_ones(text: str) -> None:
    merged, conflicts = merge(text, {"a": [1]})
    assert loads(merged) == {"a": [1]} and conflicts == []


def test_a_comment_sign_in_a_string_is_none() -> None:
    assert loads('{"a": "http://x/*y*/", /* "b": 1, */ "c": "\\"//"}') == {"a": "http://x/*y*/", "c": '"//'}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1\n"b": 2}', "line 2: expected a comma"),
        ("{'a': 1}", "line 1: expected a key in double quotes"),
        ('{"a": }', "line 1: expected a value"),
        ('{"a": 1} x', "something stands behind the end"),
        ("[1]", "expected an object, found a list"),
        ('{"a": 01}', "expected a comma"),
        ('{"a": "\\q"}', "no string of JSON"),
        ('{"a" 1}', "expected a colon"),
        ("{,}", "expected a key"),
    ],
)
def test_broken_texts_are_refused_with_their_line(text: str, why: str) -> None:
    with pytest.raises(JsoncError) as caught:
        merge(text, {"a": 1})
    assert why in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abcde"), VALUES, max_size=4)


def plainly(mine: Any, wanted: Any) -> Any:
    """The rule, on data."""
    if isinstance(mine, dict) and isinstance(wanted, dict):
        both = {key: plainly(mine[key], wanted[key]) for key in mine if key in wanted}
        return {**mine, **both, **{key: value for key, value in wanted.items() if key not in mine}}
    if isinstance(mine, list) and isinstance(wanted, list):
        merged = list(mine)
        for item in wanted:
            if json.dumps(item, sort_keys=True) not in [json.dumps(known, sort_keys=True) for known in merged]:
                merged.append(item)
        return merged
    return mine


@given(OBJECTS, OBJECTS, st.sampled_from([None, 0, 2, "\t"]))
def test_merge_of_texts_is_merge_of_data(mine: Any, wanted: Any, indent: int | str | None) -> None:
    text, _conflicts = merge(json.dumps(mine, indent=indent), wanted)
    assert loads(text) == plainly(mine, wanted)
    assert json.loads(text) == loads(text)  # no comment, no trailing comma of ours
    assert merge(text, wanted)[0] == text


@given(OBJECTS, OBJECTS)
def test_every_line_and_comment_survives(mine: Any, wanted: Any) -> None:
    commented = "".join(f"{line} // {number}\n" for number, line in enumerate(json.dumps(mine, indent=1).split("\n")))
    text, _conflicts = merge(commented, wanted)
    assert loads(text) == plainly(mine, wanted)
    assert [f"// {number}\n" in text for number in range(commented.count("\n"))].count(False) == 0


@given(VALUES)
def test_written_values_are_read(value: Any) -> None:
    assert loads(dumps(value)) == value
