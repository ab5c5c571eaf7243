# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import gitconfig
from hypothesis import given
from hypothesis import strategies as st

PROXY = "http://p.example.org:3128"
WISH = {"proxy": PROXY, "ca_bundle": "/etc/ca.pem", "direct": ["near.example.org"]}
USER = """# of the lab
[user]
\tname = "A ; B" ; who
[http]
\tproxy = http://old.example.org:1
\tpostBuffer = 1 \\
  0
[alias] st = status
"""


def test_sections_of_our_own_at_the_end() -> None:
    assert gitconfig.update(USER, WISH) == USER + (
        f'[http] # gpuready\n\tproxy = "{PROXY}"\n\tsslCAInfo = "/etc/ca.pem"\n'
        '[http "http://near.example.org/"] # gpuready\n\tproxy =\n'
        '[http "https://near.example.org/"] # gpuready\n\tproxy =\n'
    )
    assert gitconfig.update("", {}) == "" and gitconfig.update(USER, {"direct": ["near.example.org"]}) == USER


@pytest.mark.skipif(shutil.which("git") is None, reason="asks git itself")
def test_git_reads_what_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "gitconfig"
    file.write_text(gitconfig.update(USER, WISH), "utf-8")

    def asked(*words: str) -> str:
        environment = {**os.environ, "GIT_CONFIG_SYSTEM": str(file), "GIT_CONFIG_GLOBAL": os.devnull}
        command = ["git", "config", "--system", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=20, check=False
        )
        return done.stdout.rstrip("\n")

    assert asked("--get", "http.proxy") == PROXY and asked("--get", "alias.st") == "status"
    assert asked("--get-urlmatch", "http.proxy", "https://far.example.org/x.git") == PROXY
    assert asked("--get-urlmatch", "http.proxy", "https://near.example.org/x.git") == ""
    assert asked("--get", "user.name") == "A ; B" and asked("--get", "http.sslCAInfo") == "/etc/ca.pem"


def test_what_somebody_else_set_in_our_section_stays() -> None:
    edited = gitconfig.update(USER, WISH).replace(f'"{PROXY}"', '"http://mine:1"') + "\tsslVerify = true\n"
    assert gitconfig.undo(edited, WISH, USER) == USER + (
        '[http] # gpuready\n\tproxy = "http://mine:1"\n'
        '[http "https://near.example.org/"] # gpuready\n\tsslVerify = true\n'
    )


@pytest.mark.parametrize(
    ("text", "wish", "word"),
    [
        ("[a]\nb = 1\n= 2\n", WISH, "line 3"),
        ("x = 1\n", WISH, "line 1"),
        ("[a\n", WISH, "line 1"),
        ('[a]\n b = "x\n', WISH, "line 2 opens a quote"),
        ("[a]\nb = c \\\n", WISH, "line 2 ends with a backslash"),
        ("", {"proxy": "a\nb"}, "line feed"),
        ("", {"proxy": PROXY, "direct": ["10.0.0.0/8"]}, "no host"),
    ],
)
def test_refusals(text: str, wish: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        gitconfig.update(text, wish)


LINES = st.lists(
    st.sampled_from(["[http]", '[a "b\\"c"]', "\tproxy = x", "\tk", "  v = \\", "# [x", "; y", "", "[z] q = 1 # c"]),
    max_size=7,
)
WISHES = st.fixed_dictionaries(
    {"proxy": st.sampled_from(["", PROXY, "http://q"]), "direct": st.lists(st.sampled_from(["a", "b.example.org"]))}
)


@given(LINES, st.booleans(), WISHES, WISHES, st.booleans())
def test_set_another_and_undo(lines: list[str], newline: bool, first: Any, second: Any, edited: bool) -> None:
    original = "\n".join(lines) + ("\n" if newline and lines else "")
    try:
        text = gitconfig.update(original, first)
    except gitconfig.GitConfigError as error:
        assert "line" in str(error)
        return
    assert gitconfig.update(text, first) == text
    if edited:
        undone = gitconfig.undo("# late\n" + text, first, original)
        assert undone.splitlines() == ["# late", *original.splitlines()]
        return
    text = gitconfig.update(gitconfig.undo(text, first, original), second)
    assert gitconfig.undo(text, second, original) == original
