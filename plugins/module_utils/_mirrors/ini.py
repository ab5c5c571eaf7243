# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single keys of one section of an ini file, as configparser and libdnf read it; all other lines stay byte for byte."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable

_HEADER = re.compile(r"\[(?P<name>[^\]]+)\]")
_KEY = re.compile(r"(?P<name>.*?)\s*(?P<mark>[=:])\s*(?P<value>.*)$")


@dataclass
class Option:
    """A key of the section: its lines, comments between continuation lines included."""

    name: str
    value: list[str]
    start: int
    end: int
    indent: int


class Editor:
    """Edits one section.

    same: brings two spellings of a key to one. form: how a new line looks, with {key} and {value}.
    strict: whether a key that stands twice is an error of the reader.
    """

    def __init__(
        self, section: str, error: type[ValueError], same: Callable[[str], str], form: str, strict: bool
    ) -> None:
        self.section, self.error, self.same, self.form, self.strict = section, error, same, form, strict

    def check(self, text: str) -> None:
        """Refuse what the reader refuses, with the line."""
        parser = configparser.RawConfigParser(strict=self.strict)
        try:
            parser.read_string(text, source="ini")
        except configparser.MissingSectionHeaderError as error:  # a ParsingError, too
            raise self.error(f"line {error.lineno} stands before any [section]") from error
        except configparser.ParsingError as error:
            raise self.error(f"line {error.errors[0][0]} is neither a section, a key nor a comment") from error
        except (configparser.DuplicateSectionError, configparser.DuplicateOptionError) as error:
            raise self.error(f"line {error.lineno} repeats a section or key") from error

    def get(self, text: str, key: str) -> str | None:
        """The value of a key; None when it is not set."""
        found = [option for option in self._options(_lines(text)) if option.name == self.same(key)]
        return "\n".join(found[-1].value).strip() if found else None

    def set(self, text: str, key: str, value: str | None) -> str:
        """The first line of the key changes, its other lines go, comments between them stay; None removes it."""
        if self.get(text, key) == value:
            return text
        lines = _lines(text)
        found = [option for option in self._options(lines) if option.name == self.same(key)]
        for option in reversed(found):
            own = lines[option.start : option.end]
            new = [self._line(key, value, option.indent)] if value is not None and option is found[0] else []
            lines[option.start : option.end] = [*new, *(n for n in own if _is_comment(n))]
        if value is not None and not found:
            self._insert(lines, key, value)
        out = "".join(lines)
        return out if text.endswith("\n") or not found else out.rstrip("\n")

    def _options(self, lines: list[str]) -> list[Option]:
        """The keys of the section, cut into lines by the rules of configparser."""
        section, current = "", None
        found: list[Option] = []
        for number, line in enumerate(lines):
            words = line.strip()
            if not words or _is_comment(line):
                continue
            indent = len(line) - len(line.lstrip())
            if current is not None and indent > current.indent:
                current.value.append(words)
                current.end = number + 1
                continue
            header, pair = _HEADER.match(words), _KEY.match(words)
            if header:
                section, current = header.group("name"), None
            elif pair:
                current = Option(self.same(pair.group("name")), [pair.group("value")], number, number + 1, indent)
                if section == self.section:
                    found.append(current)
        return found

    def _line(self, key: str, value: str, indent: int) -> str:
        """A key with its value. Each further line of a value that somebody else gave stands deeper than the key."""
        blanks = " " * indent
        below = value.replace("\n", f"\n{blanks}    ")
        return f"{blanks}{self.form.format(key=key, value=below)}\n"

    def _insert(self, lines: list[str], key: str, value: str) -> None:
        options = self._options(lines)
        start = _first(n for n, found in enumerate(lines) if self._is_header(found) and not _inside(options, n))
        if start is None:
            gap = ("" if not lines or lines[-1].endswith("\n") else "\n") + ("\n" if "".join(lines).strip() else "")
            lines.append(f"{gap}[{self.section}]\n{self._line(key, value, 0)}")
            return
        options = [option for option in options if option.start > start]
        end = max([start + 1, *(option.end for option in options)])
        # as deep as its neighbours: a deeper line would continue the value above, a shallower one ends nothing
        lines[end - 1] = lines[end - 1].rstrip("\n") + "\n"
        lines.insert(end, self._line(key, value, options[-1].indent if options else 0))

    def _is_header(self, line: str) -> bool:
        match = _HEADER.match(line.strip())
        return match is not None and match.group("name") == self.section


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def _first(numbers: Iterable[int]) -> int | None:
    return next(iter(numbers), None)


def _is_comment(line: str) -> bool:
    return line.lstrip()[:1] in ("#", ";")


def _inside(options: list[Option], number: int) -> bool:
    return any(option.start < number < option.end for option in options)
