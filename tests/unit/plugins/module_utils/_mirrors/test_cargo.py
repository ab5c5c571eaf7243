# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _toml_edit as toml
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import cargo
from hypothesis import given
from hypothesis import strategies as st

URL = "sparse+https://near.example.org/crates.io-index/"
USER = """# mine
[build]
jobs = 4 # few

[source.crates-io]
replace-with = "old" # far away

[source.old]
registry = "sparse+https://far.example.org/index/"
"""


def test_empty_file() -> None:
    assert cargo.update("", {"registry": URL}) == (
        '[source.crates-io]\nreplace-with = "gpuready"\n\n'
        f'[source.gpuready]\nregistry = "{URL}"\n\n[registries.gpuready]\nindex = "{URL}"\n'
    )
    assert cargo.update(USER, {}) == USER


def test_an_edit_by_somebody_else_survives() -> None:
    wish = {"registry": URL, "proxy": "http://p.example.org:3128", "cainfo": "/etc/ca.pem"}
    changed = cargo.update(USER, wish)
    assert 'replace-with = "gpuready" # far away' in changed
    edited = changed.replace("jobs = 4", "jobs = 8")
    undone = cargo.undo(edited, wish, USER)
    assert "jobs = 8 # few\n" in undone and 'replace-with = "old" # far away' in undone
    assert "gpuready" not in undone and "example.org:3128" not in undone
    theirs = changed.replace('replace-with = "gpuready"', 'replace-with = "third"')
    assert 'replace-with = "third"' in cargo.undo(theirs, wish, USER)


@pytest.mark.parametrize(
    ("text", "url", "word"),
    [
        ("[a\n", URL, "line 1"),
        ("[source]\ngpuready = 1\n", URL, "line 2"),
        ("", "https://near.example.org/index/", "sparse"),
        ("", URL.rstrip("/"), "slash"),
        ("", URL + "\n/", "line feed"),
    ],
)
def test_refusals(text: str, url: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        cargo.update(text, {"registry": url})


def test_cargo_reads_the_file_without_ending_first() -> None:
    assert cargo.path("/home/u", lambda path: False) == "/home/u/.cargo/config.toml"
    assert cargo.path("/home/u", lambda path: path == "/home/u/.cargo/config") == "/home/u/.cargo/config"


PARTS = st.lists(
    st.sampled_from(
        [
            "[build]\njobs = 1\n",
            '[source.crates-io]\nreplace-with = "x" # x\n',
            "[http]\n# none\n",
            '[registries.corp]\nindex = "https://c.example.org"\n',
            "\n# c\n",
            "[source.gpuready]\n",
        ]
    ),
    max_size=5,
    unique=True,
)
WISHES = st.fixed_dictionaries(
    {
        "registry": st.sampled_from(["", URL, "sparse+https://b.example.org/"]),
        "proxy": st.sampled_from(["", "http://p"]),
    }
)


@given(PARTS, st.booleans(), WISHES, WISHES, st.booleans())
def test_set_another_and_undo(
    parts: list[str], newline: bool, first: dict[str, str], second: dict[str, str], edited: bool
) -> None:
    original = "".join(parts) if newline else "".join(parts).rstrip("\n")
    text = cargo.update(original, first)
    assert cargo.update(text, first) == text
    if edited:
        undone = cargo.undo(text + "\n# late\n", first, original)
        assert undone.endswith("# late\n")
        assert {i.path: i.value for i in toml.loads(undone).items} == {
            i.path: i.value for i in toml.loads(original).items
        }
        return
    text = cargo.update(cargo.undo(text, first, original), second)
    assert cargo.undo(text, second, original) == original
