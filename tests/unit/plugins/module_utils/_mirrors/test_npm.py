# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import npm
from hypothesis import given
from hypothesis import strategies as st

URL = "https://near.example.org/npm/"
USER = """; the lab
registry = https://far.example.org/npm/ ; old
//far.example.org/:_authToken=${TOKEN}
@corp:registry=https://corp.example.org/
ca[] = "a"

[section]
registry=https://not.example.org/
"""


def test_sets_the_key_in_its_line_and_spares_the_rest() -> None:
    changed = npm.update(USER, {"registry": URL, "proxy": "http://p.example.org:3128"})
    assert changed == USER.replace("registry = https://far.example.org/npm/ ; old", f"registry={URL}").replace(
        "[section]", "proxy=http://p.example.org:3128\n[section]"
    )
    assert npm.get(changed, "registry") == URL


def test_the_last_of_two_counts() -> None:
    text = "registry=https://a.example.org/\nregistry=https://b.example.org/"
    assert npm.get(text, "registry") == "https://b.example.org/"
    assert npm.update(text, {"registry": URL}) == f"registry=https://a.example.org/\nregistry={URL}"


def test_an_edit_by_somebody_else_survives() -> None:
    wish = {"registry": URL, "noproxy": "a.example.org,b.example.org"}
    changed = npm.update(USER, wish).replace("noproxy=a.example.org,b.example.org", "noproxy=mine") + "late=1\n"
    undone = npm.undo(changed, wish, USER)
    assert npm.get(undone, "registry") == "https://far.example.org/npm/" and npm.get(undone, "noproxy") == "mine"
    assert undone.endswith("late=1\n")


def test_values_with_signs_of_comments_are_quoted() -> None:
    changed = npm.update("", {"cafile": "/etc/my ca;#1.pem"})
    assert changed == 'cafile="/etc/my ca;#1.pem"\n' and npm.get(changed, "cafile") == "/etc/my ca;#1.pem"


@pytest.mark.parametrize(
    ("text", "wish", "word"),
    [
        ("a=1\nb=\0\n", {"registry": URL}, "line 2"),
        ("", {"registry": "a\nb"}, "line feed"),
        ("", {"registry": "https://${HOST}/"}, "environment"),
        ("", {"prefix": "/x"}, "prefix is no key"),
    ],
)
def test_refusals(text: str, wish: dict[str, str], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        npm.update(text, wish)


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ([], ["/etc/npmrc"]),
        (["/usr/share/nodejs/npm"], ["/etc/npmrc"]),
        (["/usr/lib/node_modules/npm"], ["/usr/etc/npmrc"]),
        (["/usr/share/nodejs/npm", "/usr/local/lib/node_modules/npm"], ["/etc/npmrc", "/usr/local/etc/npmrc"]),
    ],
)
def test_the_file_of_each_npm(there: list[str], found: list[str]) -> None:
    assert npm.paths(lambda path: path in there) == found


LINES = st.lists(
    st.sampled_from(
        ["registry=a", " registry = 'b' ", "proxy=c", "; registry=d", "# x", "", "[s]", "flag", "k[]=1", "noproxy=\r"]
    ),
    max_size=7,
)
WISHES = st.dictionaries(st.sampled_from(npm.KEYS), st.sampled_from(["", URL, "a", "x;y", "b c"]), max_size=3)


@given(LINES, st.booleans(), WISHES, WISHES, st.booleans())
def test_set_another_and_undo(
    lines: list[str], newline: bool, first: dict[str, str], second: dict[str, str], edited: bool
) -> None:
    original = "\n".join(lines) + ("\n" if newline and lines else "")
    text = npm.update(original, first)
    assert npm.update(text, first) == text
    assert all(npm.get(text, key) == value for key, value in first.items() if value)
    untouched = [key for key in npm.KEYS if not first.get(key)]
    assert all(npm.get(text, key) == npm.get(original, key) for key in untouched)
    if edited:
        undone = npm.undo("; late\n" + text, first, original)
        assert undone.startswith("; late\n")
        assert all(npm.get(undone, key) == npm.get(original, key) for key in npm.KEYS)
        return
    text = npm.update(npm.undo(text, first, original), second)
    assert npm.undo(text, second, original) == original
