# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _deb822 as deb822
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import apt
from hypothesis import given
from hypothesis import strategies as st

NEW = {apt.MAIN: "https://near.example.org/debian", apt.SECURITY: ""}
BOTH = {apt.MAIN: "https://near.example.org/debian", apt.SECURITY: "https://near.example.org/debian-security"}
TRIXIE, NOBLE = apt.Archive("trixie"), apt.Archive("noble")
SOURCES = """# the archive
Types: deb deb-src
URIs: http://far.example.org/debian
# all of it
Suites: trixie trixie-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp

Types: deb
URIs: http://sec.example.org/debian-security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp
"""
LIST = """# a comment
deb http://far.example.org/debian/ trixie main contrib # far
deb-src [arch=amd64] http://far.example.org/debian trixie-updates main
deb http://sec.example.org/debian-security trixie-security main
#deb http://far.example.org/debian trixie-backports main
deb cdrom:[Debian]/ trixie main
"""


def test_deb822() -> None:
    once = apt.rewrite(SOURCES, True, TRIXIE, NEW)
    assert once == SOURCES.replace("http://far.example.org/debian", NEW[apt.MAIN])
    assert apt.rewrite(once, True, TRIXIE, NEW) == once
    both = apt.rewrite(SOURCES, True, TRIXIE, BOTH)
    assert both == once.replace("http://sec.example.org/debian-security", BOTH[apt.SECURITY])


def test_one_line() -> None:
    once = apt.rewrite(LIST, False, TRIXIE, NEW)
    assert once == LIST.replace("http://far.example.org/debian/ trixie", NEW[apt.MAIN] + " trixie").replace(
        "amd64] http://far.example.org/debian", "amd64] " + NEW[apt.MAIN]
    )
    assert apt.rewrite(once, False, TRIXIE, NEW) == once


def test_cloud_images_with_mirror_lists() -> None:
    text = SOURCES.replace("http://far.example.org/debian", "mirror+file:///etc/apt/mirrors/debian.list")
    assert NEW[apt.MAIN] in apt.rewrite(text, True, TRIXIE, NEW)
    bare = "deb mirror+file:/etc/apt/mirrors/debian.list trixie main\n"
    assert apt.rewrite(bare, False, TRIXIE, NEW) == f"deb {NEW[apt.MAIN]} trixie main\n"


def test_one_stanza_for_both_pockets_is_split_only_where_they_part() -> None:
    text = "Types: deb\nURIs: http://far.example.org/ubuntu\nSuites: noble noble-security\nComponents: main\n"
    split = apt.rewrite(text, True, NOBLE, NEW)
    assert split == (
        f"Types: deb\nURIs: {NEW[apt.MAIN]}\nSuites: noble\nComponents: main\n\n"
        "Types: deb\nURIs: http://far.example.org/ubuntu\nSuites: noble-security\nComponents: main\n"
    )
    assert apt.rewrite(split, True, NOBLE, NEW) == split
    one = {apt.MAIN: "https://near.example.org/ubuntu", apt.SECURITY: "https://near.example.org/ubuntu/"}
    assert apt.rewrite(text, True, NOBLE, one) == text.replace("http://far", "https://near")


@pytest.mark.parametrize(
    "line",
    [
        "deb https://packages.example.org/linux/ubuntu noble stable",
        "deb https://ppa.example.org/someone/tool/ubuntu noble main",
        "deb [signed-by=/etc/apt/keyrings/tool.gpg] https://packages.example.org/ubuntu noble main",
        "deb https://packages.example.org/tool noble main",
        "deb https://far.example.org/ubuntu jammy main",
        "deb https://far.example.org/ubuntu noble main extras",
        "deb https://far.example.org/flat/debian /",
        "# deb https://far.example.org/ubuntu noble main",
        "deb file:/srv/ubuntu noble main",
    ],
)
def test_entries_of_others_are_left_alone(line: str) -> None:
    assert apt.rewrite(line, False, NOBLE, BOTH) == line


@pytest.mark.parametrize("change", ["Enabled: no\n", "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n"])
def test_disabled_and_otherwise_signed_stanzas_are_left_alone(change: str) -> None:
    text = f"Types: deb\nURIs: http://far.example.org/debian\nSuites: trixie\nComponents: main\n{change}"
    assert apt.rewrite(text, True, TRIXIE, BOTH) == text


def test_an_odd_address_of_ours_is_known_again() -> None:
    line = "deb http://10.0.0.1:8080/x trixie main\n"
    assert apt.rewrite(line, False, TRIXIE, NEW) == line
    ours = apt.Archive("trixie", frozenset({"http://10.0.0.1:8080/x"}))
    assert NEW[apt.MAIN] in apt.rewrite(line, False, ours, NEW)


def test_undo_and_addresses() -> None:
    before = apt.addresses(SOURCES, True, TRIXIE)
    assert before == {
        apt.MAIN: {"http://far.example.org/debian"},
        apt.SECURITY: {"http://sec.example.org/debian-security"},
    }
    there = apt.rewrite(SOURCES, True, TRIXIE, BOTH)
    assert apt.undo(there, True, BOTH, {place: next(iter(uris)) for place, uris in before.items()}) == SOURCES


def test_broken_files_raise() -> None:
    with pytest.raises(deb822.Deb822Error, match="line 2"):
        apt.rewrite("Types: deb\nnonsense\n", True, TRIXIE, NEW)


WORD = st.sampled_from(["trixie", "main", "https://far.example.org/debian", "https://x.example.org/tool", "[a=b]", "#"])


@given(st.lists(st.lists(WORD, max_size=5).map(lambda words: " ".join(["deb", *words])), max_size=5))
def test_any_lines_rewrite_idempotently_and_keep_all_but_addresses(lines: list[str]) -> None:
    text = "\n".join(lines)
    once = apt.rewrite(text, False, TRIXIE, NEW)
    assert apt.rewrite(once, False, TRIXIE, NEW) == once
    assert once.replace(NEW[apt.MAIN], "https://far.example.org/debian") == text
