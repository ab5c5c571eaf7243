# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines of the kernel: read as the kernel reads them, and changed so that all else stays byte for byte.

The kernel (lib/cmdline.c, next_arg) splits at blanks outside of double quotes, knows no backslash, drops a quote around
a whole parameter or around its value, and takes - and _ in names for the same. What follows a bare -- is for init.
GRUB reads the same text as a script first (quotes, backslash, variables), and puts double quotes around an argument
that has a blank (grub-core/lib/cmdline.c).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Callable, NamedTuple, Optional

# isspace() of the kernel, in ASCII
BLANKS = " \t\n\v\f\r"
INIT = "--"
# what needs no quotes, neither for the kernel nor in a script of GRUB; * and ? are GRUB's wildcards
_PLAIN = re.compile(r"[A-Za-z0-9_.,:/@%+=!^~-]+")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*|\d+|[?@*#]))")
_HEX = re.compile(r"\\x[0-9A-Fa-f]{2}")

Parameter = tuple[str, Optional[str]]


class Word(NamedTuple):
    """A parameter, and where it stands in its line. value: None for a bare flag."""

    start: int
    end: int
    name: str
    value: str | None


class Wish(NamedTuple):
    """What shall be there, or not. An absent one without a value means all of its name."""

    name: str
    value: str | None
    present: bool


Lexer = Callable[[str], list[Word]]
Render = Callable[[str, Optional[str]], str]


def canonical(name: str) -> str:
    """Names that the kernel and systemd take for the same become equal."""
    return name.replace("-", "_") if name != INIT else name


# -- reading ---------------------------------------------------------------------------------------------------------
def kernel_words(text: str) -> list[Word]:
    """The words of a line that the kernel gets as it is. Never fails: the kernel takes any line."""
    words, position = [], 0
    while position < len(text):
        if text[position] in BLANKS:
            position += 1
            continue
        start, in_quotes = position, False
        while position < len(text) and (in_quotes or text[position] not in BLANKS):
            in_quotes ^= text[position] == '"'
            position += 1
        words.append(Word(start, position, *parameter(text[start:position])))
    return words


def parameter(raw: str) -> Parameter:
    """Name and value of one word."""
    quoted = raw.startswith('"')
    body = raw[1:] if quoted else raw
    equals = body.find("=", 1)  # one at the very beginning belongs to the name
    if equals < 0:
        return (body[:-1] if quoted and body.endswith('"') else body), None
    name, value = body[:equals], body[equals + 1 :]
    closes = quoted or value.startswith('"')
    if value.startswith('"'):
        value = value[1:]
    return name, (value[:-1] if closes and value.endswith('"') else value)


def grub_words(text: str, variables: Mapping[str, str] | None = None) -> list[Word]:
    """The words of a line in grub.cfg, or of an entry that GRUB reads, as the kernel will get them."""
    words, position = [], 0
    while position < len(text):
        if text[position] in BLANKS:
            position += 1
            continue
        end, arguments = _grub_word(text, position, variables or {})
        words += [Word(position, end, *parameter(_handed_on(argument))) for argument in arguments]
        position = end
    return words


def _grub_word(text: str, position: int, variables: Mapping[str, str]) -> tuple[int, list[str]]:
    """Where the word ends, and the arguments that it becomes: none or several where a variable stands alone."""
    done: list[str] = []
    current: str | None = None
    quote = ""
    while position < len(text):
        char, following = text[position], text[position + 1 : position + 2]
        step = 1
        if not quote and char in BLANKS:
            break
        match = _VARIABLE.match(text, position) if quote != "'" else None
        if char in "'\"" and quote in ("", char):
            quote, current = ("" if quote else char), current or ""
        elif match is not None:
            step = match.end() - position
            value = variables.get(match.group(1) or match.group(2), "")
            for number, piece in enumerate([value] if quote else value.split()):
                if number and current is not None:
                    done.append(current)
                    current = ""
                current = (current or "") + piece
        elif char == "\\" and following and quote != "'" and (not quote or following in '$"\\'):
            current, step = (current or "") + following, 2
        else:
            current = (current or "") + char
        position += step
    return position, [*done, *([] if current is None else [current])]


def _handed_on(argument: str) -> str:
    """What GRUB makes of an argument before it gives it to the kernel."""
    text = "".join(
        part if _HEX.fullmatch(part) else re.sub(r"([\\'\"])", r"\\\1", part)
        for part in re.split(r"(\\x[0-9A-Fa-f]{2})", argument)
    )
    return f'"{text}"' if " " in argument else text


# -- writing ---------------------------------------------------------------------------------------------------------
def render(name: str, value: str | None) -> str:
    """One word for the kernel, quoted where it must be. The value has no double quote."""
    word = name if value is None else f"{name}={value}"
    return word if value is None or _PLAIN.fullmatch(word) else f'{name}="{value}"'


def grub_render(name: str, value: str | None) -> str:
    """The same for a script of GRUB. The value has no quotes and no backslash, which GRUB cannot hand on."""
    return render(name, value).replace("$", "\\$")


def for_kernel(words: Sequence[Word]) -> list[Word]:
    """The words before a bare --: the others are for init."""
    place = next((n for n, word in enumerate(words) if (word.name, word.value) == (INIT, None)), len(words))
    return list(words[:place])


def values(words: Sequence[Word], name: str) -> list[str | None]:
    """All values that a name has, in order."""
    return [word.value for word in for_kernel(words) if canonical(word.name) == canonical(name)]


def groups(wishes: Sequence[Wish]) -> dict[str, list[Wish]]:
    """The wishes for presence by name, in their order: a name may come several times, as console= does."""
    found: dict[str, list[Wish]] = {}
    for wish in wishes:
        if wish.present:
            found.setdefault(canonical(wish.name), []).append(wish)
    return found


def unmet(words: Sequence[Word], wishes: Sequence[Wish]) -> list[Wish]:
    """The wishes that a line does not fulfil. Later words win, so ours must be the last ones of their name."""
    wanted = groups(wishes)
    missing: list[Wish] = []
    for name, group in wanted.items():
        if values(words, name)[-len(group) :] != [wish.value for wish in group]:
            missing += group
    for wish in wishes:
        if not wish.present and any(_means(wish, word) for word in _others(words, wanted)):
            missing.append(wish)
    return missing


def _others(words: Sequence[Word], wanted: Mapping[str, list[Wish]]) -> list[Word]:
    """The words besides those that fulfil a wish for presence."""
    left = {name: [wish.value for wish in group] for name, group in wanted.items()}
    others = []
    for word in reversed(for_kernel(words)):
        rest = left.get(canonical(word.name))
        if rest and rest[-1] == word.value:
            rest.pop()
        else:
            others.append(word)
    return others


def _means(wish: Wish, word: Word) -> bool:
    return canonical(wish.name) == canonical(word.name) and wish.value in (None, word.value)


def edit(text: str, wishes: Sequence[Wish], lex: Lexer = kernel_words, write: Render = render) -> str:
    """The line with the wishes fulfilled. A line that fulfils them stays as it is; nobody else's words move."""
    if not unmet(lex(text), wishes):
        return text
    text = cut(text, unwanted(lex(text), wishes))
    words = lex(text)
    for name, group in groups(wishes).items():
        if values(words, name)[-len(group) :] != [wish.value for wish in group]:
            text = append(text, [write(wish.name, wish.value) for wish in group], lex)
    return text


def unwanted(words: Sequence[Word], wishes: Sequence[Wish]) -> list[Word]:
    """The words that shall not be there."""
    absent = [wish for wish in wishes if not wish.present]
    return [word for word in for_kernel(words) if any(_means(wish, word) for wish in absent)]


def cut(text: str, words: Sequence[Word]) -> str:
    """The line without some words, and without the blanks before each of them."""
    for start, end in sorted({(word.start, word.end) for word in words}, reverse=True):
        head, tail = text[:start], text[end:]
        kept = head.rstrip(" \t")
        # at the start of a line the blanks behind it go instead
        text = kept + tail if kept and not kept.endswith("\n") else head + tail.lstrip(" \t")
    return text


def append(text: str, tokens: Sequence[str], lex: Lexer = kernel_words) -> str:
    """The line with words behind all that the kernel reads."""
    words = lex(text)
    init = words[len(for_kernel(words)) :]
    place = init[0].start if init else len(text.rstrip(BLANKS))
    head, tail = text[:place], text[place:]
    joined = " ".join(tokens)
    if init:
        return f"{head}{joined} {tail}"
    return f"{head} {joined}{tail}" if head else joined + tail


def undo(current: str, before: str, after: str, lex: Lexer = kernel_words, write: Render = render) -> str:
    """Take back what made `after` of `before`. What others have changed since stays."""
    if current == after:
        return before
    former, made = _plain(lex(before)), _plain(lex(after))
    for name, value in _minus(made, former):
        found = [word for word in lex(current) if (canonical(word.name), word.value) == (name, value)]
        current = cut(current, found[-1:])
    names = {canonical(word.name): word.name for word in lex(before)}
    again = _minus(_plain(lex(current)), made)  # what others have set since
    for name, value in _minus(_minus(former, made), again):
        current = append(current, [write(names[name], value)], lex)
    return current


def added(before: str, after: str, lex: Lexer = kernel_words) -> list[Parameter]:
    """The parameters that a line has got."""
    return _minus(_plain(lex(after)), _plain(lex(before)))


def _plain(words: Sequence[Word]) -> list[Parameter]:
    return [(canonical(word.name), word.value) for word in words]


def _minus(some: Sequence[Parameter], others: Sequence[Parameter]) -> list[Parameter]:
    """What is left of some without the others, each counted."""
    rest = list(others)
    left = []
    for one in some:
        if one in rest:
            rest.remove(one)
        else:
            left.append(one)
    return left
