# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _json_merge as jm
from hypothesis import given
from hypothesis import strategies as st

SCALARS = st.one_of(
    st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=3)
)
VALUES = st.recursive(
    st.one_of(SCALARS, st.lists(SCALARS, max_size=2)),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=6,
)
DATA = st.dictionaries(st.sampled_from("abcdxyz"), VALUES, max_size=5)
OWNED = st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), VALUES), max_size=3)


@given(DATA)
def test_loads_of_dumps_is_the_same(data: dict[str, Any]) -> None:
    assert jm.same(jm.loads(jm.dumps(data)), data) and list(jm.loads(jm.dumps(data))) == list(data)


@given(DATA, OWNED)
def test_foreign_keys_keep_value_and_order(data: dict[str, Any], owned: dict[str, Any]) -> None:
    merged = jm.merge(data, owned)
    foreign = [key for key in data if key not in owned]
    assert [key for key in merged if key in foreign] == foreign
    assert all(jm.same(merged[key], data[key]) for key in foreign)


@given(DATA, OWNED)
def test_merge_is_idempotent_and_pure(data: dict[str, Any], owned: dict[str, Any]) -> None:
    before = json.dumps(data)
    once = jm.merge(data, owned)
    assert jm.same(jm.merge(once, owned), once) and json.dumps(data) == before


@given(DATA, OWNED)
def test_revert_undoes_merge(data: dict[str, Any], owned: dict[str, Any]) -> None:
    back = jm.revert(jm.merge(data, owned), owned, data)
    assert jm.same(_pruned(back), _pruned(data))


def _pruned(data: Any) -> Any:
    """Without empty objects: whether one was there before cannot matter to Docker."""
    if not isinstance(data, dict):
        return data
    inner = {key: _pruned(value) for key, value in data.items()}
    return {key: value for key, value in inner.items() if value != {}}


@given(DATA, OWNED, st.integers())
def test_revert_spares_what_others_added(data: dict[str, Any], owned: dict[str, Any], mine: int) -> None:
    back = jm.revert({**jm.merge(data, owned), "mine": mine}, owned, data)
    assert back["mine"] == mine


@given(OWNED, OWNED)
def test_subtract_and_combine(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert jm.subtract(one, one) == {} and jm.same(jm.subtract(one, {}), one)
    assert set(jm.combine(one, two)) == set(one) | set(two)


def test_merge_rules() -> None:
    before = {"l": [1, 2], "d": {"x": 1, "y": 2}, "gone": 1}
    assert jm.merge(before, {"l": [3], "d": {"y": None, "z": 3}, "gone": None, "new": {"a": None, "b": 1}}) == {
        "l": [3],
        "d": {"x": 1, "z": 3},
        "new": {"b": 1},
    }
    assert jm.merge({"a": 1}, {"a": True})["a"] is True and jm.merge({"a": "x"}, {"a": {"b": 1}}) == {"a": {"b": 1}}


def test_foreign_keys_are_named() -> None:
    original, owned = {"a": 1}, {"a": 2, "b": {"c": 3}, "e": 5}
    assert jm.foreign_keys({"a": 9, "b": {"c": 4}}, owned, original) == ["a", "b"]
    assert jm.foreign_keys({"a": 2, "b": {"c": 3, "d": 1}, "e": 5}, owned, original) == []


def test_changed_keys() -> None:
    assert jm.changed_keys({"a": 1, "b": [1]}, {"b": [True], "c": 0}) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("raw", "line", "column"),
    [
        (b'{"a": 1,\n "b" 2}', 2, 6),
        (b'{"a": {"k": 1},\n  "b": [{"k": 1, "\\u006b": 2}]}', 2, 18),
        (b'{"a": "\xff"}', 1, 8),
        (b"[1]", 1, 1),
        (b'{"a": Infinity}', 1, 1),
        (b"\xef\xbb\xbf{}", 1, 1),
    ],
)
def test_refused_with_line_and_column(raw: bytes, line: int, column: int) -> None:
    with pytest.raises(jm.JsonError) as error:
        jm.loads(raw)
    assert (error.value.line, error.value.column) == (line, column)


def test_a_key_may_stand_in_two_objects_and_in_texts() -> None:
    assert jm.loads(b'{"a": {"k": 1}, "b": [{"k": ":"}, {"k": "{\\"k\\":"}], "k": "k"}')["k"] == "k"
    assert jm.loads(b" \n") == {}


@given(st.binary(max_size=40))
def test_rubbish_never_raises_anything_else(raw: bytes) -> None:
    for text in (raw, b'{"a":' + raw + b"}"):
        try:
            jm.loads(text)
        except jm.JsonError as error:
            assert error.line >= 1


def test_lone_surrogate_and_canonical_form() -> None:
    assert jm.loads(jm.dumps({"a": "\ud800"})) == {"a": "\ud800"}
    assert jm.dumps({"b": "é", "a": []}) == '{\n    "b": "é",\n    "a": []\n}\n'.encode()


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ('{"x": "1e999",\n "a": 1e999}', 2, 7, "1e999 is too large"),
        ('{"a": [-1e400]}', 1, 8, "-1e400 is too large"),
        ('{"a": ' * 2000 + "1" + "}" * 2000, 1, 601, "nested"),
        ("[" * 200000, 1, 101, "nested"),
    ],
)
def test_what_python_could_read_and_not_write_is_refused(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(jm.JsonError, match=words) as caught:
        jm.loads(text.encode())
    assert (caught.value.line, caught.value.column) == (line, column)


def test_large_numbers_and_deep_objects_that_can_be_written_again_are_taken() -> None:
    text = '{"a": ' * 99 + '{"b": 1e300}' + "}" * 99
    assert jm.same(jm.loads(jm.dumps(jm.loads(text.encode()))), jm.loads(text.encode()))
