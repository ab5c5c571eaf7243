# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.ini import Editor

LAX = Editor("main", ValueError, str.strip, "{key}={value}", strict=False)
STRICT = Editor("main", ValueError, str.lower, "{key} = {value}", strict=True)


def test_only_the_own_section_counts() -> None:
    text = "[main]\nk: 1\n  2\n[other]\nk=3\n"
    assert LAX.get(text, "k") == "1\n2" and LAX.set(text, "k", "9") == "[main]\nk=9\n[other]\nk=3\n"
    assert LAX.set(text, "k", None) == "[main]\n[other]\nk=3\n"


def test_a_new_key_stands_behind_the_last_one_of_the_section() -> None:
    assert LAX.set("[main]\n  a=1\n\n# about o\n[o]\n", "k", "2") == "[main]\n  a=1\n  k=2\n\n# about o\n[o]\n"
    assert LAX.set("[o]\nk=1", "k", "2") == "[o]\nk=1\n\n[main]\nk=2\n"
    assert STRICT.set("", "K", "2") == "[main]\nK = 2\n" and STRICT.get("[main]\nK = 2\n", "k") == "2"


@pytest.mark.parametrize(
    ("text", "word"), [("a=1\n", "line 1"), ("[main]\n\nnonsense\n", "line 3"), ("[main]\na=1\na=2\n", "line 3")]
)
def test_what_the_reader_refuses(text: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        STRICT.check(text)


def test_a_lax_reader_takes_a_key_that_stands_twice() -> None:
    LAX.check("[main]\na=1\na=2\n[main]\nb=1\n")
