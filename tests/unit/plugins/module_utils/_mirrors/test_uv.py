# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toml_edit as toml
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import uv
from hypothesis import given
from hypothesis import strategies as st

URL = "https://near.example.org/simple"
PYTHONS = "https://near.example.org/python-build-standalone/"
TORCH = {"name": "pytorch-cu128", "url": "https://near.example.org/whl/cu128"}
WISH = {"index_url": URL, "python_mirror": PYTHONS, "indexes": [TORCH]}
USER = """# ours at the lab
link-mode = "copy"

[[index]]
name = "corp"
url = "https://corp.example.org/simple" # theirs
default = true
authenticate = "always"

[[index]]
name = "extra"
url = "https://extra.example.org/simple"

[pip]
index-url = "https://old.example.org/simple"
"""


def indexes(text: str) -> list[dict[str, Any]]:
    return [entry.values for entry in toml.loads(text).entries(uv.INDEX)]


def test_empty_file() -> None:
    assert uv.update("", WISH) == (
        f'python-install-mirror = "{PYTHONS}"\n\n'
        f'[[index]]  # gpuready\nurl = "{URL}"\ndefault = true\n\n'
        f'[[index]]  # gpuready\nname = "pytorch-cu128"\nurl = "{TORCH["url"]}"\nexplicit = true\n'
    )
    assert uv.update("", {}) == "" and uv.update("", {"index_url": "", "indexes": []}) == ""


def test_the_users_default_index_becomes_a_comment_and_comes_back() -> None:
    changed = uv.update(USER, {"index_url": URL})
    assert indexes(changed) == [
        {"name": "extra", "url": "https://extra.example.org/simple"},
        {"url": URL, "default": True},
    ]
    assert '# gpuready: url = "https://corp.example.org/simple" # theirs\n' in changed
    edited = changed.replace("copy", "symlink") + "# more\n"
    assert uv.undo(edited, {"index_url": URL}, USER) == USER.replace("copy", "symlink") + "# more\n"


def test_credentials_of_a_named_index_never_reach_ours() -> None:
    """uv takes UV_INDEX_CORP_PASSWORD for the index named corp."""
    for entry in indexes(uv.update(USER, WISH)):
        assert entry.get("name") != "corp"


def test_a_name_of_ours_puts_the_users_index_of_that_name_aside() -> None:
    wish = {"indexes": [{"name": "extra", "url": "https://near.example.org/x", "format": "flat", "explicit": False}]}
    changed = uv.update(USER, wish)
    assert [i["url"] for i in indexes(changed) if i.get("name") == "extra"] == ["https://near.example.org/x"]
    assert indexes(changed)[-1] == {"name": "extra", "url": "https://near.example.org/x", "format": "flat"}


def test_an_index_of_ours_that_somebody_changed_stays_and_keeps_the_old_one_aside() -> None:
    changed = uv.update(USER, WISH).replace(URL, "https://mine.example.org/simple")
    undone = uv.undo(changed, WISH, USER)
    assert [i["url"] for i in indexes(undone) if i.get("default")] == ["https://mine.example.org/simple"]
    assert "pytorch-cu128" not in undone and "python-install-mirror" not in undone


def test_a_part_of_the_wish_can_go() -> None:
    changed = uv.update(USER, WISH) + "# edited\n"
    undone = uv.undo(changed, {"index_url": URL}, USER)
    assert [i.get("name") for i in indexes(undone)] == ["corp", "extra", "pytorch-cu128"]
    assert uv.update(undone, {k: v for k, v in WISH.items() if k != "index_url"}) == undone


@pytest.mark.parametrize(
    ("text", "wish", "word"),
    [
        ("a = \n", WISH, "line 1"),
        ("\nnonsense\n", WISH, "line 2"),
        ('x = 1\nindex = [{url = "u"}]\n', WISH, "line 2: index is no array"),
        ("", {"indexes": [{"name": "a b", "url": URL}]}, "name"),
        ("", {"indexes": [{"name": "ab"}]}, "url"),
        ("", {"indexes": [{"name": "ab", "url": URL, "format": "json"}]}, "json"),
        ("", {"index_url": "a\nb"}, "line feed"),
        ("[python-install-mirror]\n", {"python_mirror": "x"}, "line 1"),
    ],
)
def test_what_uv_could_not_read_is_refused(text: str, wish: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        uv.update(text, wish)


BLOCKS = st.lists(
    st.sampled_from(
        [
            '[[index]]\nurl = "https://a.example.org"\ndefault = true\n',
            '[[index]]\nname = "pytorch-cu128"\nurl = "https://b.example.org" # b\n',
            '# about c\n[[index]]\n  name = "c"\n\n  url = "https://c.example.org"\n  [index.x]\n  y = 1\n',
            "\n",
            "[pip]\nno-deps = true\n",
            '[[dependency-metadata]]\nname = "x"\n',
        ]
    ),
    max_size=5,
    unique=True,
)
HEADS = st.sampled_from(
    ["", "# head\n", 'python-install-mirror = "https://p.example.org" # p\n', "offline = false\n\n"]
)
WISHES = st.fixed_dictionaries(
    {
        "index_url": st.sampled_from(["", URL, "https://other.example.org/simple"]),
        "python_mirror": st.sampled_from(["", PYTHONS]),
        "indexes": st.sampled_from(
            [[], [TORCH], [TORCH, {"name": "c", "url": "https://f.example.org", "explicit": False}]]
        ),
    }
)


def test_a_key_beside_an_index_that_was_put_aside_stays_a_key_of_the_file() -> None:
    """It was set between the user's index, a comment then, and ours, and fell into the user's when that came back."""
    theirs = '[[index]]\nurl = "https://a.example.org"\ndefault = true\n'
    aside = uv.update(theirs, {"index_url": "https://near.example.org/simple"})
    for wish in ({}, {"index_url": "https://near.example.org/simple"}):
        text = uv.update(aside, {"python_mirror": "https://near.example.org/pythons", **wish})
        assert toml.loads(text).get(("python-install-mirror",)) == "https://near.example.org/pythons"
        text = uv.update(text, {"python_mirror": "https://near.example.org/pythons"})
        assert toml.loads(text).get(("python-install-mirror",)) == "https://near.example.org/pythons"
        assert indexes(text) == [{"url": "https://a.example.org", "default": True}]


@given(HEADS, BLOCKS, st.booleans(), WISHES, WISHES, st.booleans())
def test_set_another_and_undo(
    head: str, blocks: list[str], newline: bool, first: Any, second: Any, edited: bool
) -> None:
    original = head + "".join(blocks)
    original = original if newline else original.rstrip("\n")
    text = uv.update(original, first)
    assert uv.update(text, first) == text
    direct = uv.update(text, second)
    assert [i for i in indexes(direct) if i.get("default")][-1:] == [
        i for i in indexes(uv.update(original, second)) if i.get("default")
    ][-1:]
    if edited:
        text += "\n# a late comment\n"
        undone = uv.undo(text, first, original)
        assert sorted(map(str, indexes(undone))) == sorted(map(str, indexes(original)))
        assert undone.endswith("# a late comment\n")
        assert [ln for ln in original.split("\n") if ln.strip()] == [
            ln for ln in undone.split("\n") if ln.strip() and ln != "# a late comment"
        ]
        return
    undone = uv.undo(text, first, original)
    assert undone == original
    text = uv.update(undone, second)
    names = [i.get("name") for i in indexes(text) if i.get("name")]
    assert len(names) == len(set(names)) and len([i for i in indexes(text) if i.get("default")]) <= 1
    assert uv.undo(text, second, original) == original
