# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._cmdline import (
    Wish,
    Word,
    added,
    append,
    cut,
    edit,
    for_kernel,
    grub_render,
    grub_words,
    kernel_words,
    render,
    undo,
    unmet,
    values,
)
from hypothesis import assume, given
from hypothesis import strategies as st

NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)
# what the module lets through: printable ASCII without quotes and backslash
VALUES = st.none() | st.text(
    st.characters(min_codepoint=32, max_codepoint=126, blacklist_characters="\"'\\"), max_size=12
)
PARAMETERS = st.lists(st.tuples(NAMES, VALUES), max_size=6)
ANY = st.text(st.sampled_from("ab=\" \t\n-.$\\'x1"), max_size=30)
PLAIN_LINES = PARAMETERS.map(lambda pairs: " ".join(render(*pair) for pair in pairs))
WISHES = st.lists(st.builds(Wish, NAMES, VALUES, st.booleans()), max_size=4)


def plain(words: list[Word]) -> list[tuple[str, str | None]]:
    return [(word.name, word.value) for word in words]


def wish(text: str) -> Wish:
    """-name, name or name=value."""
    name, equals, value = text.lstrip("-").partition("=")
    return Wish(name, value if equals else None, not text.startswith("-"))


def possible(wishes: list[Wish]) -> bool:
    """What the module would not refuse."""
    present = {(w.name.replace("-", "_"), w.value) for w in wishes if w.present}
    absent = {(w.name.replace("-", "_"), w.value) for w in wishes if not w.present}
    return not present & {pair for pair in absent if pair[1] is not None or pair in present}


# -- reading -----------------------------------------------------------------------------------------------------------
# expected by hand from next_arg() in lib/cmdline.c
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("quiet", [("quiet", None)]),
        ("  a=1\t b \n", [("a", "1"), ("b", None)]),
        ("console=tty0 console=ttyS0,115200", [("console", "tty0"), ("console", "ttyS0,115200")]),
        ('dyndbg="file x.c +p" quiet', [("dyndbg", "file x.c +p"), ("quiet", None)]),
        ('"dyndbg=file x.c +p" quiet', [("dyndbg", "file x.c +p"), ("quiet", None)]),
        ('"one two"', [("one two", None)]),
        ("a= b", [("a", ""), ("b", None)]),
        ("a=b=c", [("a", "b=c")]),
        ("=a=b", [("=a", "b")]),
        ('a=x" y"z', [("a", 'x" y"z')]),
        ('a="never closed b', [("a", "never closed b")]),
        ('a=""', [("a", "")]),
        ("root=UUID=1-2 ro -- single", [("root", "UUID=1-2"), ("ro", None), ("--", None), ("single", None)]),
        ("a='x y'", [("a", "'x"), ("y'", None)]),
        ("", []),
    ],
)
def test_reads_a_line_as_the_kernel_does(line: str, expected: list[tuple[str, str | None]]) -> None:
    assert plain(kernel_words(line)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('dyndbg="file x.c +p"', [("dyndbg", "file x.c +p")]),
        ("dyndbg='file x.c +p' b", [("dyndbg", "file x.c +p"), ("b", None)]),
        (r"memmap=4G\$0x100", [("memmap", "4G$0x100")]),
        ("a=$one b", [("a", "1"), ("b", None)]),
        ("$two b", [("x", "1"), ("y", None), ("b", None)]),
        ('"$two" b', [("x", "1 y"), ("b", None)]),
        ("$nothing b", [("b", None)]),
        ("'$one'", [("$one", None)]),
        ("a=${one}1", [("a", "11")]),
        (r"a=\"x", [("a", r"\"x")]),  # GRUB puts its backslash before the quote, and the kernel knows no backslash
        (r"a=\\x41", [("a", r"\x41")]),
    ],
)
def test_reads_a_line_as_grub_hands_it_on(line: str, expected: list[tuple[str, str | None]]) -> None:
    assert plain(grub_words(line, {"one": "1", "two": "x=1 y"})) == expected


@given(ANY)
def test_words_and_what_is_between_are_the_whole_line(line: str) -> None:
    last = 0
    for word in kernel_words(line):
        assert word.start >= last and word.end > word.start and line[last : word.start].strip() == ""
        last = word.end
    assert line[last:].strip() == ""


@given(ANY)
def test_any_line_of_grub_has_words_in_order(line: str) -> None:
    places = [(word.start, word.end) for word in grub_words(line, {"a": "1 2"})]
    assert places == sorted(places) and all(0 <= start < end <= len(line) for start, end in places)


@given(PARAMETERS)
def test_what_is_written_is_read_again(pairs: list[tuple[str, str | None]]) -> None:
    line = " ".join(render(*pair) for pair in pairs)
    assert plain(kernel_words(line)) == pairs


@given(PARAMETERS)
def test_what_is_written_for_grub_reaches_the_kernel(pairs: list[tuple[str, str | None]]) -> None:
    line = " ".join(grub_render(*pair) for pair in pairs)
    assert plain(grub_words(line, {"a": "wrong", "x": "wrong"})) == pairs


def test_what_is_for_init_is_not_the_kernels() -> None:
    words = kernel_words("a=1 -- a=2")
    assert plain(for_kernel(words)) == [("a", "1")] and values(words, "a") == ["1"]


def test_a_dash_and_an_underscore_are_the_same() -> None:
    assert values(kernel_words("nvidia-drm.modeset=1"), "nvidia_drm.modeset") == ["1"]


# -- wishes ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "wishes", "expected"),
    [
        ("quiet", ["a=1"], "quiet a=1"),
        ("", ["a=1"], "a=1"),
        ("a=1 quiet", ["a=1"], "a=1 quiet"),
        ("a=1 a=2", ["a=1"], "a=1 a=2 a=1"),
        ("console=tty0", ["console=ttyS0", "console=tty1"], "console=tty0 console=ttyS0 console=tty1"),
        ("console=ttyS0 x console=tty1", ["console=ttyS0", "console=tty1"], "console=ttyS0 x console=tty1"),
        ("quiet splash", ["-quiet"], "splash"),
        ("splash quiet", ["-quiet"], "splash"),
        ("console=tty0 x console=ttyS0", ["-console"], "x"),
        ("console=tty0 x console=ttyS0", ["-console=tty0"], "x console=ttyS0"),
        ("console=tty0 x", ["-console", "console=ttyS0"], "x console=ttyS0"),
        ('dyndbg="file quiet +p" quiet', ["-quiet"], 'dyndbg="file quiet +p"'),
        ("a -- b", ["c=1"], "a c=1 -- b"),
        ("-- b", ["c=1"], "c=1 -- b"),
        ("a -- quiet", ["-quiet"], "a -- quiet"),
        ("quiet\n", ["a=x y"], 'quiet a="x y"\n'),
        ("one\ntwo three\n", ["-two"], "one\nthree\n"),
        ("a-b=1", ["-a_b"], ""),
    ],
)
def test_a_line_gets_what_is_wished(line: str, wishes: list[str], expected: str) -> None:
    assert edit(line, [wish(text) for text in wishes]) == expected


def test_says_what_is_not_fulfilled() -> None:
    words = kernel_words("a=1 a=2 b")
    assert unmet(words, [wish("a=2"), wish("b"), wish("-c"), wish("-b=1")]) == []
    assert unmet(words, [wish("a=1")]) == [wish("a=1")]
    assert unmet(words, [wish("-a=1"), wish("-b")]) == [wish("-a=1"), wish("-b")]
    assert unmet(words, [wish("-a"), wish("a=2")]) == [wish("-a")]


@given(PLAIN_LINES | ANY, WISHES)
def test_a_second_time_changes_nothing(line: str, wishes: list[Wish]) -> None:
    once = edit(line, wishes)
    assume(not unmet(kernel_words(once), wishes))  # a quote that is never closed
    assert edit(once, wishes) == once


@given(PLAIN_LINES, WISHES)
def test_wishes_come_true(line: str, wishes: list[Wish]) -> None:
    assume(possible(wishes))
    assert unmet(kernel_words(edit(line, wishes)), wishes) == []


@given(PLAIN_LINES, WISHES)
def test_all_others_stay_in_their_order(line: str, wishes: list[Wish]) -> None:
    named = {w.name.replace("-", "_") for w in wishes}

    def theirs(text: str) -> list[tuple[str, str | None]]:
        return [pair for pair in plain(kernel_words(text)) if pair[0].replace("-", "_") not in named]

    assert theirs(edit(line, wishes)) == theirs(line)


@given(PLAIN_LINES, WISHES)
def test_can_be_taken_back(line: str, wishes: list[Wish]) -> None:
    assert undo(edit(line, wishes), line, edit(line, wishes)) == line


@given(PLAIN_LINES, WISHES, st.tuples(NAMES, VALUES))
def test_what_others_add_later_survives(line: str, wishes: list[Wish], more: tuple[str, str | None]) -> None:
    assume(all(w.name.replace("-", "_") != more[0].replace("-", "_") for w in wishes))
    after = edit(line, wishes)
    back = undo(append(after, [render(*more)]), line, after)
    expected = [*_canonical(line), (more[0].replace("-", "_"), more[1])]
    assert sorted(map(str, _canonical(back))) == sorted(map(str, expected))


def _canonical(line: str) -> list[tuple[str, str | None]]:
    return [(name.replace("-", "_"), value) for name, value in plain(kernel_words(line))]


@given(PLAIN_LINES, st.lists(st.builds(Wish, NAMES, VALUES, st.just(True)), max_size=4), st.tuples(NAMES, VALUES))
def test_what_was_only_added_goes_without_a_trace(line: str, wishes: list[Wish], more: tuple[str, str | None]) -> None:
    assume(all(w.name.replace("-", "_") != more[0].replace("-", "_") for w in wishes))
    after = edit(line, wishes)
    assert undo(append(after, [render(*more)]), line, after) == append(line, [render(*more)])


def test_cutting_takes_one_blank_too() -> None:
    words = kernel_words("a  b c")
    assert cut("a  b c", [words[1]]) == "a c" and cut("a  b c", [words[0]]) == "b c"


def test_tells_what_was_added() -> None:
    assert added("a=1 b", "b a=1 a=1 c") == [("a", "1"), ("c", None)]


def test_what_stood_there_twice_comes_back_twice() -> None:
    assert edit("a=1 x a=1", [wish("-a"), wish("a=1")]) == "x a=1"
    assert undo("x a=1 c", "a=1 x a=1", "x a=1") == "x a=1 c a=1"
    assert undo("x c", "a=1 a=1 x", "x") == "x c a=1 a=1"
