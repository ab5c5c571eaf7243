# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _fstab
from ansible_collections.gpuready.bootstrap.plugins.module_utils._fstab import Entry
from hypothesis import given
from hypothesis import strategies as st

OTHERS = "# /etc/fstab: static\nUUID=1 / ext4 errors=remount-ro 0 1\n/swap none swap sw 0 0\n"
NFS = Entry("nas:/models", "/data/models", "nfs", ("rw", "_netdev", "nofail"))
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=80).filter(
    lambda text: _fstab.MARK not in text
)
tables = st.lists(texts, max_size=6).map("\n".join)
names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
fields = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=12).map(
    lambda text: "/" + text
)
spaced = st.builds(lambda one, other: f"{one} {other}\\x", fields, fields)
entries = st.builds(lambda spec, path: Entry(spec, path, "nfs", ("rw", "nofail")), fields | spaced, fields | spaced)


@given(tables, st.dictionaries(names, entries, max_size=4))
def test_every_byte_of_others_stays(text: str, wanted: dict[str, Entry]) -> None:
    made = _fstab.with_entries(text, wanted)
    assert made.startswith(text)
    assert _fstab.with_entries(made, wanted) == made
    back = _fstab.without(made)
    assert back == text or (wanted and back == text + "\n" and not text.endswith("\n"))
    assert set(_fstab.ours(made)) == set(wanted)


@given(tables, st.dictionaries(names, entries, min_size=1, max_size=4), st.data())
def test_one_changes_and_the_rest_does_not(text: str, wanted: dict[str, Entry], data: st.DataObject) -> None:
    made = _fstab.with_entries(text, wanted)
    name = data.draw(st.sampled_from(sorted(wanted)))
    changed = _fstab.with_entries(made, {**wanted, name: NFS})
    assert [line for line in changed.split("\n") if line != NFS.line] == [
        line for number, line in enumerate(made.split("\n")) if not _is_line_of(made, number, name)
    ]
    fewer = {key: entry for key, entry in wanted.items() if key != name}
    assert _fstab.ours(_fstab.with_entries(made, fewer)).keys() == fewer.keys()


def _is_line_of(text: str, number: int, name: str) -> bool:
    lines = text.split("\n")
    return number > 0 and lines[number - 1] == _fstab.MARK + name


@given(entries)
def test_a_line_is_read_as_it_was_written(entry: Entry) -> None:
    assert _fstab.parse(entry.line) == entry


def test_blanks_are_escaped() -> None:
    line = Entry("//nas/a b", "/data/a\tb", "cifs", ()).line
    assert line == "//nas/a\\040b /data/a\\011b cifs defaults 0 0"


def test_lines_of_others_for_the_same_path_are_found() -> None:
    text = _fstab.with_entries(OTHERS + "tmpfs /data/models/ tmpfs defaults 0 0\n", {"models": NFS})
    assert _fstab.others_at(text, "/data/models") == [(4, "tmpfs /data/models/ tmpfs defaults 0 0")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["ro"], ("hard", "nofail", "timeo=600", "ro")),
        (["timeo=10", "soft"], ("rw", "nofail", "timeo=10", "soft")),
        (["fail"], ("rw", "hard", "timeo=600")),
        ([], ("rw", "hard", "nofail", "timeo=600")),
    ],
)
def test_a_given_option_takes_the_place_of_a_default(options: list[str], expected: tuple[str, ...]) -> None:
    assert _fstab.merged(["rw", "hard", "nofail", "timeo=600"], options) == expected
