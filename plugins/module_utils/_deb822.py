# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stanzas of "Field: value" lines (deb822(5)), as in apt's *.sources and preferences files.

A parsed document renders back byte for byte; changing a field touches the lines of that field only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_FIELD = re.compile(r"([!-,./-9;-~][!-9;-~]*):[ \t]*(.*?)[ \t]*\n?$")


class Deb822Error(Exception):
    """A line is no deb822; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


@dataclass
class Field:
    """One field with its source lines (comment lines between continuation lines included)."""

    name: str
    lines: list[str]

    @property
    def value(self) -> str:
        """The value; continuation lines joined by newlines, stripped of indent, without comments."""
        match = _FIELD.match(self.lines[0])
        first = match.group(2) if match else ""
        rest = [line.strip() for line in self.lines[1:] if not line.startswith("#")]
        return "\n".join([first, *rest]) if rest else first


@dataclass
class Stanza:
    """Fields and comments between two blank lines."""

    line: int
    parts: list[Field | str] = field(default_factory=list)

    @property
    def fields(self) -> list[Field]:
        return [part for part in self.parts if isinstance(part, Field)]

    def find(self, name: str) -> Field | None:
        """Field names do not depend on case."""
        return next((item for item in self.fields if item.name.lower() == name.lower()), None)

    def get(self, name: str, default: str = "") -> str:
        item = self.find(name)
        return default if item is None else item.value

    def words(self, name: str) -> list[str]:
        return self.get(name).split()

    def set(self, name: str, value: str) -> None:
        item = self.find(name)
        if item is None:
            if self.parts and isinstance(self.parts[-1], Field):
                self.parts[-1].lines[-1] = self.parts[-1].lines[-1].rstrip("\n") + "\n"
            self.parts.append(Field(name, render_field(name, value)))
        elif item.value != value:
            last = item.lines[-1].endswith("\n")
            item.lines = render_field(item.name, value)
            if not last:
                item.lines[-1] = item.lines[-1].rstrip("\n")


@dataclass
class Document:
    """Stanzas and the blank lines and comments between them."""

    parts: list[Stanza | str] = field(default_factory=list)

    @property
    def stanzas(self) -> list[Stanza]:
        return [part for part in self.parts if isinstance(part, Stanza)]

    def render(self) -> str:
        out: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
                continue
            for piece in part.parts:
                out.extend([piece] if isinstance(piece, str) else piece.lines)
        return "".join(out)


def render_field(name: str, value: str) -> list[str]:
    """Source lines of a field; refuses what could not be read back."""
    if not _FIELD.match(f"{name}:") or "\r" in value:
        raise ValueError(f"not a deb822 field: {name!r}: {value!r}")
    first, *rest = value.split("\n")
    if any(not line.strip() for line in rest) or any(line != line.strip() for line in (first, *rest)):
        raise ValueError(f"a deb822 value has no empty or indented lines: {value!r}")
    return [f"{name}: {first}".rstrip(" ") + "\n", *(f" {line}\n" for line in rest)]


def render(stanzas: Iterable[Mapping[str, str]], comment: str = "") -> str:
    """Text of new stanzas; fields with an empty value are left out."""
    blocks = ["".join("".join(render_field(k, v)) for k, v in stanza.items() if v) for stanza in stanzas]
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    return head + "\n".join(block for block in blocks if block)


def parse(text: str) -> Document:
    """Read a document; raises Deb822Error with the line for anything apt would refuse too."""
    document = Document()
    stanza: Stanza | None = None
    pending: list[str] = []  # comments before the first field belong to no stanza yet
    for number, line in enumerate(re.findall(r"[^\n]*\n|[^\n]+$", text), start=1):
        if not line.strip():
            document.parts.extend([*pending, line])
            stanza, pending = None, []
        elif line.startswith("#"):
            (pending if stanza is None else stanza.parts).append(line)
        elif line[0] in " \t":
            _continue(stanza, line, number)
        else:
            if stanza is None:
                document.parts.extend(pending)
                stanza, pending = Stanza(number), []
                document.parts.append(stanza)
            _add_field(stanza, line, number)
    document.parts.extend(pending)
    return document


def _continue(stanza: Stanza | None, line: str, number: int) -> None:
    if stanza is None:
        raise Deb822Error(number, "an indented line without a field above it")
    comments: list[str] = []
    while stanza.parts and isinstance(stanza.parts[-1], str):
        comments.insert(0, str(stanza.parts.pop()))
    last = stanza.parts[-1]
    if isinstance(last, Field):
        last.lines.extend([*comments, line])


def _add_field(stanza: Stanza, line: str, number: int) -> None:
    match = _FIELD.match(line)
    if match is None:
        raise Deb822Error(number, f"expected 'Field: value', found {line.strip()!r}")
    if stanza.find(match.group(1)) is not None:
        raise Deb822Error(number, f"the field {match.group(1)!r} stands twice in one stanza")
    stanza.parts.append(Field(match.group(1), [line]))
