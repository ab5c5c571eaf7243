# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import configparser

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import pip
from hypothesis import example, given
from hypothesis import strategies as st

URL = "https://near.example.org/simple"
CONF = """# mine
[global]
timeout = 30
; old one
Index_URL: https://far.example.org/simple
extra-index-url =
    https://a.example.org/simple
    https://b.example.org/simple

# about install
[install]
index-url = https://install.example.org/simple
"""


def test_sets_the_key_in_its_own_section_only() -> None:
    changed = pip.update(CONF, {"index-url": URL})
    assert changed == CONF.replace("Index_URL: https://far.example.org/simple", f"index-url = {URL}")
    assert pip.update(changed, {"index-url": URL}) == changed and pip.get(changed, "index-url") == URL


def test_multi_line_values() -> None:
    assert pip.get(CONF, "extra-index-url") == "https://a.example.org/simple\nhttps://b.example.org/simple"
    assert "https://b" not in pip.update(CONF, {"extra-index-url": URL})
    assert "https://a" not in pip.update(CONF, {"extra-index-url": None})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"[global]\nindex-url = {URL}\n"),
        ("# only a comment", f"# only a comment\n\n[global]\nindex-url = {URL}\n"),
        ("[install]\nuser = no\n", f"[install]\nuser = no\n\n[global]\nindex-url = {URL}\n"),
        ("[global]\na = 1\n\n# about x\n[x]\n", f"[global]\na = 1\nindex-url = {URL}\n\n# about x\n[x]\n"),
        ("[global]", f"[global]\nindex-url = {URL}\n"),
        ("[global]\nindex-url = x", f"[global]\nindex-url = {URL}"),
    ],
)
def test_places(before: str, after: str) -> None:
    assert pip.update(before, {"index-url": URL}) == after


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("index-url = x\n", "line 1"),
        ("[global]\nnonsense\n", "line 2"),
        ("[global]\na = 1\n[global]\n", "line 3"),
        ("[global]\na = 1\na = 2\n", "line 3"),
    ],
)
def test_what_pip_refuses_is_refused(text: str, word: str) -> None:
    with pytest.raises(pip.PipConfError, match=word):
        pip.update(text, {"index-url": URL})


LINES = st.lists(
    st.sampled_from(
        ["[global]", "[x]", "a = 1", "index-url = y", "  index_url : z", "  more", " a= 2", "# c", "; d", "", "b:2"]
    ),
    max_size=8,
)


def read(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


@given(LINES, st.booleans())
def test_other_keys_survive_and_configparser_sees_the_value(lines: list[str], newline: bool) -> None:
    text = "\n".join(lines) + ("\n" if newline else "")
    try:
        before = read(text)
    except configparser.Error:
        return
    names = ("index-url", "index_url")
    if all(name in before.get("global", {}) for name in names):
        return
    changed = pip.update(text, {"index-url": URL})
    after = read(changed)
    assert after["global"].pop("index-url") == URL
    before.setdefault("global", {})
    for name in names:
        before["global"].pop(name, None)
    assert after == before
    assert pip.update(changed, {"index-url": URL}) == changed
    assert [line for line in lines if line[:1] in "#;" and line] == [
        ln for ln in changed.split("\n") if ln[:1] in "#;" and ln
    ]
    removed = read(pip.update(changed, {"index-url": None}))
    assert removed == before


def test_values_that_end_the_line_are_refused() -> None:
    with pytest.raises(ValueError, match="line feed"):
        pip.update("", {"index-url": "a\nb"})


WISHES = st.dictionaries(st.sampled_from(["index-url", "a", "cert", "timeout"]), st.sampled_from(["", URL, "30"]))


@example(["[global]", "a = 1", "  index_url : z"], False, {"a": URL}, {}, True)
@given(LINES, st.booleans(), WISHES, WISHES, st.booleans())
def test_set_another_and_undo(
    lines: list[str], newline: bool, first: dict[str, str], second: dict[str, str], edited: bool
) -> None:
    original = "\n".join(lines) + ("\n" if newline and lines else "")
    try:
        text = pip.update(original, first)
    except pip.PipConfError as error:
        assert "line" in str(error)
        return
    assert pip.update(text, first) == text
    if edited:
        undone = pip.undo("# late\n" + text, first, original)
        assert undone.startswith("# late\n")
        assert all(pip.get(undone, key) == pip.get(original, key) for key in ("index-url", "a", "b", "cert", "timeout"))
        return
    text = pip.update(pip.undo(text, first, original), second)
    assert pip.undo(text, second, original) == original
