# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package sources of apt and dnf."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import apt_sources as parse
from hypothesis import given
from hypothesis import strategies as st

WORD = st.from_regex(r"[a-z][a-z0-9./-]{0,10}", fullmatch=True)
WORDS = st.lists(WORD, min_size=1, max_size=3)


@given(WORDS, WORDS, WORDS, st.booleans())
def test_deb822_gives_back_what_was_written(uris: list[str], suites: list[str], parts: list[str], on: bool) -> None:
    text = (
        f"# first\nTypes: deb deb-src\nURIs: {' '.join(uris)}\nSuites:\n" + "".join(f" {suite}\n" for suite in suites)
    ) + f"components: {' '.join(parts)}\nEnabled: {'yes' if on else 'no'}\n"
    (source,) = parse.deb822(text, "/etc/apt/sources.list.d/a.sources")
    assert (source["uris"], source["suites"], source["components"]) == (uris, suites, parts)
    assert (source["enabled"], source["types"], source["signed_by"]) == (on, ["deb", "deb-src"], None)


@given(WORD, WORD, st.lists(WORD, max_size=3), st.booleans())
def test_one_line_gives_back_what_was_written(uri: str, suite: str, parts: list[str], options: bool) -> None:
    head = "deb [ arch=amd64 signed-by=/k.asc ]" if options else "deb"
    (source,) = parse.one_line(f"{head} {uri} {suite} {' '.join(parts)} # note\n", "/etc/apt/sources.list")
    assert (source["uris"], source["suites"], source["components"]) == ([uri], [suite], parts)
    assert source["signed_by"] == ("/k.asc" if options else None)


@given(st.text())
def test_no_text_makes_the_apt_parsers_raise(text: str) -> None:
    parse.deb822(text, "/a")
    parse.one_line(text, "/a")


@given(st.text())
def test_yum_raises_only_value_errors(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse.yum_repos(text, "/a")


def test_an_embedded_key_is_not_copied() -> None:
    text = "Types: deb\nURIs: https://a\nSuites: ./\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINB\n"
    assert parse.deb822(text, "/a")[0]["signed_by"] == "(embedded key)"


def test_comments_and_paragraphs() -> None:
    first, second = (f"Types: deb\n# between\nURIs: https://{name}\nSuites: s\n" for name in "ab")
    text = f"{first}\n\n# only a comment\n\n{second}"
    assert [source["uris"] for source in parse.deb822(text, "/a")] == [["https://a"], ["https://b"]]
    assert parse.one_line("# deb https://a s main\n#deb https://a s\n", "/a") == []


def test_credentials_are_masked_in_every_format() -> None:
    url = "https://me:hunter2@mirror.example.org/x"
    found = (
        parse.one_line(f"deb {url} s main", "/a")
        + parse.deb822(f"Types: deb\nURIs: {url}\nSuites: s\n", "/a")
        + parse.yum_repos(f"[a]\nbaseurl={url}\ngpgkey={url}/key\n", "/a")
    )
    assert len(found) == 3
    assert "hunter2" not in str(found)


def test_a_broken_repo_file_names_itself() -> None:
    with pytest.raises(ValueError, match=r"/etc/yum.repos.d/x.repo"):
        parse.yum_repos("no section = here\n", "/etc/yum.repos.d/x.repo")


@given(st.text())
def test_no_text_makes_trusted_raise(text: str) -> None:
    parse.trusted(text, "/a.list")
    parse.trusted(text, "/a.sources")
