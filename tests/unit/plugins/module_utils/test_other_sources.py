# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _other_sources as other
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import apt_sources
from hypothesis import given
from hypothesis import strategies as st

HIT, MISS = "https://old.example.org/tool", "https://old.example.org/toolbox"
ADDRESS = ["old.example.org/tool"]


@pytest.mark.parametrize(
    ("uri", "hit"),
    [
        (HIT, True),
        (HIT + "/", True),
        ("http://OLD.example.org/tool/a/b", True),
        ("https://me@old.example.org/tool", True),
        ("mirror+https://old.example.org/tool", True),
        (MISS, False),
        ("https://new.example.org/old.example.org/tool", False),
        ("file:/old.example.org/tool", False),
    ],
)
def test_addresses(uri: str, hit: bool) -> None:
    assert other.matches(uri, ADDRESS) is hit


LINES = st.lists(
    st.sampled_from(
        [
            f"deb {HIT} /",
            f"deb [signed-by=/a] {HIT}/x trixie main # why",
            f"deb-src\t{HIT} ./",
            f"deb {MISS} /",
            f"#deb {HIT} /",
            "",
            "# words",
            "deb [broken",
        ]
    ),
    max_size=6,
)


@given(LINES, st.booleans())
def test_only_the_entries_in_question_change_in_a_list(lines: list[str], last: bool) -> None:
    text = "\n".join(lines) + ("\n" if last else "")
    new, found = other.switched_off(text, "/x.list", ADDRESS)
    assert new.replace(other.MARK, "") == text
    before, after = apt_sources.one_line(text, "/x.list"), apt_sources.one_line(new, "/x.list")
    assert after == [entry for entry in before if entry["uris"][0] == MISS]
    assert len(found) == len(before) - len(after)
    assert other.switched_off(new, "/x.list", ADDRESS) == (new, [])


STANZAS = st.lists(
    st.tuples(st.sampled_from([HIT, f"{HIT} {HIT}/b", MISS]), st.sampled_from(["", "Enabled: yes\n", "Enabled: no\n"])),
    max_size=4,
)


@given(STANZAS)
def test_only_the_stanzas_in_question_change(stanzas: list[tuple[str, str]]) -> None:
    text = "\n".join(f"# c\nTypes: deb\nURIs: {uri}\n{enabled}Suites: /\n" for uri, enabled in stanzas)
    new, found = other.switched_off(text, "/x.sources", ADDRESS)
    pairs = zip(apt_sources.deb822(text, "/x.sources"), apt_sources.deb822(new, "/x.sources"))
    for before, after in pairs:
        ours = before["uris"] != [MISS]
        assert after == {**before, "enabled": before["enabled"] and not ours}
    assert bool(found) == (new != text)
    assert other.switched_off(new, "/x.sources", ADDRESS) == (new, [])


SECTIONS = st.lists(
    st.tuples(
        st.sampled_from([HIT, HIT + "/$basearch", MISS]),
        st.sampled_from(["", "enabled=1\n", "Enabled = 0\n", "enabled: yes\n"]),
    ),
    max_size=4,
)


@given(SECTIONS, st.booleans())
def test_only_the_repositories_in_question_change(sections: list[tuple[str, str]], last: bool) -> None:
    parts = [
        f"[r{number}]\nname=x\nbaseurl={url}\n{enabled}gpgcheck=0\n" for number, (url, enabled) in enumerate(sections)
    ]
    text = "# head\n" + "".join(parts)
    text = text if last else text.rstrip("\n")
    new, found = other.switched_off(text, "/x.repo", ADDRESS)
    pairs = zip(apt_sources.yum_repos(text, "/x.repo"), apt_sources.yum_repos(new, "/x.repo"))
    for before, after in pairs:
        ours = before["uris"] != [MISS]
        assert after == {**before, "enabled": before["enabled"] and not ours}
    assert bool(found) == (new != text)
    assert other.switched_off(new, "/x.repo", ADDRESS) == (new, [])


def test_an_entry_that_names_other_addresses_too() -> None:
    with pytest.raises(other.MixedError, match="line 1"):
        other.switched_off(f"Types: deb\nURIs: {HIT} {MISS}\nSuites: /\n", "/x.sources", ADDRESS)


@given(LINES, st.booleans(), STANZAS, SECTIONS)
def test_what_was_switched_off_comes_back_and_edits_stay(
    lines: list[str], last: bool, stanzas: list[tuple[str, str]], sections: list[tuple[str, str]]
) -> None:
    texts = {
        "/x.list": "\n".join(lines) + ("\n" if last else ""),
        "/x.sources": "\n".join(f"# c\nTypes: deb\nURIs: {uri}\n{enabled}Suites: /\n" for uri, enabled in stanzas),
        "/x.repo": "# head\n" + "".join(f"[r{at}]\nbaseurl={url}\n{on}" for at, (url, on) in enumerate(sections)),
    }
    for path, text in texts.items():
        off, _found = other.switched_off(text, path, ADDRESS)
        assert other.switched_on(off, path, ADDRESS, text) == text
        assert other.switched_on(off, path, ["else.example.org"], text) == off
        assert other.switched_on(f"# mine\n{off}", path, ADDRESS, text) == f"# mine\n{text}"
