# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _deb822 as deb822
from hypothesis import given
from hypothesis import strategies as st

SOURCE = """# head comment
Types: deb deb-src
# about the address
URIs: https://mirror.example.org/debian
Suites: trixie
 trixie-updates
# in between
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

# second

Types: deb
"""
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
LINE = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
VALUES = st.one_of(LINE, st.lists(LINE, min_size=2, max_size=3).map("\n".join))
STANZAS = st.lists(
    st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=4, unique_by=lambda pair: pair[0].lower()).map(dict),
    max_size=4,
)


def test_reads_apt_sources() -> None:
    first, second = deb822.parse(SOURCE).stanzas
    assert first.words("suites") == ["trixie", "trixie-updates"] and first.get("URIs").endswith("/debian")
    assert first.get("signed-by").split("\n")[1:] == ["-----BEGIN PGP PUBLIC KEY BLOCK-----", ".", "abc"]
    assert second.get("Types") == "deb" and second.get("nothing", "x") == "x" and second.line == 16


def test_setting_a_field_touches_its_lines_only() -> None:
    document = deb822.parse(SOURCE)
    document.stanzas[0].set("uris", "https://other.example.org/")
    assert document.render() == SOURCE.replace("https://mirror.example.org/debian", "https://other.example.org/")
    document.stanzas[1].set("Enabled", "no")
    assert document.render().endswith("Types: deb\nEnabled: no\n")


def test_last_line_without_newline() -> None:
    document = deb822.parse("A: 1")
    document.stanzas[0].set("A", "2")
    assert document.render() == "A: 2"
    document.stanzas[0].set("B", "3")
    assert document.render() == "A: 2\nB: 3\n"


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [(" indented\n", 1, "indented"), ("A: 1\nnonsense\n", 2, "nonsense"), ("A: 1\na: 2\n", 2, "twice")],
)
def test_faults_are_named_by_line(text: str, line: int, word: str) -> None:
    with pytest.raises(deb822.Deb822Error, match=word) as error:
        deb822.parse(text)
    assert error.value.line == line


@pytest.mark.parametrize("value", ["a\n\nb", "a\n b", " a", "a\r"])
def test_values_that_could_not_be_read_back_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="deb822"):
        deb822.render([{"A": value}])
    with pytest.raises(ValueError, match="deb822"):
        deb822.render_field("A B", "x")


@given(STANZAS)
def test_parse_of_render_is_the_same(stanzas: list[dict[str, str]]) -> None:
    text = deb822.render(stanzas, "comment\nmore")
    assert [{f.name: f.value for f in s.fields} for s in deb822.parse(text).stanzas] == stanzas


@given(st.text(alphabet="Aa:# \t\n1", max_size=60))
def test_what_parses_renders_back_byte_for_byte(text: str) -> None:
    try:
        assert deb822.parse(text).render() == text
    except deb822.Deb822Error:
        return


@given(STANZAS.map(lambda stanzas: stanzas or [{"A": "1"}]), NAMES, LINE)
def test_set_is_idempotent_and_spares_the_rest(stanzas: list[dict[str, str]], name: str, value: str) -> None:
    text = deb822.render(stanzas)
    document = deb822.parse(text)
    document.stanzas[0].set(name, value)
    once = document.render()
    again = deb822.parse(once)
    assert again.stanzas[0].get(name) == value
    again.stanzas[0].set(name, value)
    assert again.render() == once
    others = [{f.name: f.value for f in s.fields if f.name.lower() != name.lower()} for s in again.stanzas[:1]]
    assert others == [{k: v for k, v in stanzas[0].items() if k.lower() != name.lower()}]
    assert re.sub(r"\A.*?(\n\n|\Z)", "", once, flags=re.DOTALL) == re.sub(r"\A.*?(\n\n|\Z)", "", text, flags=re.DOTALL)
