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


EVIDENCE = [
    (["deb http://lab.example.org/pub/ubuntu noble main restricted"], True),
    (["deb http://lab.example.org/pub/ubuntu noble-updates main"], True),
    (["deb http://lab.example.org/pub/ubuntu noble-security main"], True),
    (["deb http://robots.example.org/ros/ubuntu noble main"], False),
    (["deb http://10.0.0.1/x noble main", "deb http://10.0.0.1/x noble-updates main"], True),
    (["deb http://10.0.0.1/x noble main universe"], False),
    (["deb http://10.0.0.1/x noble-updates main"], False),
    (
        ["deb http://ppa.example.org/a/ubuntu noble main", "deb http://ppa.example.org/a/ubuntu noble-updates main"],
        False,
    ),
    (["deb http://lab.example.org/apps/ubuntu noble-apps-security main"], False),
    (["deb [signed-by=/tool.gpg] http://lab.example.org/pub/ubuntu noble main universe"], False),
]


@pytest.mark.parametrize(("lines", "known"), EVIDENCE)
def test_a_mirror_below_a_folder_is_known_by_what_it_serves(lines: list[str], known: bool) -> None:
    text = "\n".join(lines) + "\n"
    found = apt.evident(apt.entries(text, False), NOBLE)
    changed = apt.rewrite(text, False, apt.Archive("noble", found), BOTH)
    assert (changed != text) == known and ("near" in changed) == known


def test_other_names_of_the_suite() -> None:
    line = "deb-src http://far.example.org/debian stable main\n"
    assert apt.rewrite(line, False, TRIXIE, NEW) == line
    named = apt.Archive("trixie", frozenset(), frozenset({"stable"}))
    assert apt.rewrite(line, False, named, NEW) == line, "many others call their one suite so"
    beside = apt.Entry(("http://far.example.org/debian/",), ("trixie",), ("main",))
    named = apt.Archive("trixie", apt.evident([beside], named), frozenset({"stable"}))
    assert apt.rewrite(line, False, named, NEW) == f"deb-src {NEW[apt.MAIN]} stable main\n"


def test_entries_of_a_list_that_is_changed_itself_stay() -> None:
    text = "deb mirror+file:/etc/apt/mirrors/debian.list trixie main\ndeb http://far.example.org/debian trixie main\n"
    leave = frozenset({"mirror+file:/etc/apt/mirrors/debian.list"})
    changed = apt.rewrite(text, False, TRIXIE, NEW, leave)
    assert changed == text.replace("http://far.example.org/debian", NEW[apt.MAIN])


def test_undo_and_addresses() -> None:
    before = apt.addresses(SOURCES, True, TRIXIE)
    assert before == {
        apt.MAIN: ["http://far.example.org/debian"],
        apt.SECURITY: ["http://sec.example.org/debian-security"],
    }
    there = apt.rewrite(SOURCES, True, TRIXIE, BOTH)
    assert apt.undo(there, True, BOTH, SOURCES, TRIXIE) == SOURCES
    more = there + f"\nTypes: deb-src\nURIs: {BOTH[apt.MAIN]}\nSuites: trixie\nComponents: main\n"
    assert "near" not in apt.undo(more, True, BOTH, SOURCES, TRIXIE)


def test_undo_goes_by_suite_where_the_original_had_several_addresses() -> None:
    before = (
        "deb http://a.example.org/debian trixie main\ndeb http://b.example.org/debian trixie-updates main\n"
        "deb http://b.example.org/debian trixie-updates contrib\n"
    )
    there = apt.rewrite(before, False, TRIXIE, BOTH)
    assert apt.undo(there + "# by hand\n", False, BOTH, before, TRIXIE) == before + "# by hand\n"
    both = before + "deb http://c.example.org/debian trixie main\n"
    stays = apt.undo(apt.rewrite(both, False, TRIXIE, BOTH), False, BOTH, both, TRIXIE)
    assert stays.count(BOTH[apt.MAIN]) == 2, "nobody can say which of the two was where"


def test_undo_leaves_an_address_that_is_not_ours() -> None:
    text = "deb http://human.example.org/debian trixie main\n"
    assert apt.undo(text, False, BOTH, SOURCES, TRIXIE) == text


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
