# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set single keys in the [global] section of a pip.conf; all other lines stay byte for byte.

pip reads the file with configparser, and takes index_url and Index-Url for index-url.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass

SECTION = "global"
_HEADER = re.compile(r"\[(?P<name>.+)\]")
_KEY = re.compile(r"(?P<name>.*?)\s*(?P<mark>[=:])\s*(?P<value>.*)$")


class PipConfError(Exception):
    """pip could not read the file either; the text says why."""


@dataclass
class Option:
    """A key of [global]: its lines, comments between continuation lines included."""

    name: str
    value: list[str]
    start: int
    end: int
    indent: int


def check(text: str) -> None:
    """Refuse what pip refuses, with the line."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text, source="pip.conf")
    except configparser.MissingSectionHeaderError as error:  # a ParsingError, too
        raise PipConfError(f"line {error.lineno} stands before any [section]") from error
    except configparser.ParsingError as error:
        raise PipConfError(f"line {error.errors[0][0]} is neither a section, a key nor a comment") from error
    except (configparser.DuplicateSectionError, configparser.DuplicateOptionError) as error:
        raise PipConfError(f"line {error.lineno} repeats a section or key") from error


def get(text: str, key: str) -> str | None:
    """The value of a key of [global]; None when it is not set."""
    found = [option for option in _options(_lines(text)) if option.name == key]
    return "\n".join(found[-1].value).strip() if found else None


def update(text: str, values: Mapping[str, str | None]) -> str:
    """The text with keys of [global] set, or removed where the value is None."""
    check(text)
    for key, value in values.items():
        text = _set(text, key, value)
    return text


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def _is_comment(line: str) -> bool:
    return line.lstrip()[:1] in ("#", ";")


def _options(lines: list[str]) -> list[Option]:
    """The keys of [global], cut into lines by the rules of configparser."""
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
            name = pair.group("name").lower().replace("_", "-")
            current = Option(name, [pair.group("value")], number, number + 1, indent)
            if section == SECTION:
                found.append(current)
    return found


def _section(lines: list[str]) -> tuple[int, int] | None:
    """First and last+1 line of [global], header not included."""
    options = _options(lines)
    header = [n for n, line in enumerate(lines) if line.strip().startswith(f"[{SECTION}]") and not _inside(options, n)]
    if not header:
        return None
    start = end = header[0] + 1
    return start, max([end, *(option.end for option in options)])


def _inside(options: list[Option], number: int) -> bool:
    return any(option.start < number < option.end for option in options)


def _set(text: str, key: str, value: str | None) -> str:
    """The first line of the key changes, its other lines go, comments between them stay."""
    if get(text, key) == value:
        return text
    lines = _lines(text)
    found = [option for option in _options(lines) if option.name == key]
    line = None if value is None else f"{key} = {value}\n"
    for option in reversed(found):
        own = lines[option.start : option.end]
        new = [line] if line is not None and option is found[0] else []
        indented = " " * option.indent
        lines[option.start : option.end] = [*(indented + n for n in new), *(n for n in own if _is_comment(n))]
    if line is not None and not found:
        _insert(lines, line)
    out = "".join(lines)
    return out if text.endswith("\n") or not found else out.rstrip("\n")


def _insert(lines: list[str], line: str) -> None:
    section = _section(lines)
    if section is None:
        gap = ("" if not lines or lines[-1].endswith("\n") else "\n") + ("\n" if "".join(lines).strip() else "")
        lines.append(f"{gap}[{SECTION}]\n{line}")
        return
    # as deep as its neighbours: a deeper line would continue the value above, a shallower one ends nothing
    options = [option for option in _options(lines) if option.start >= section[0]]
    indent = " " * (options[-1].indent if options else 0)
    lines[section[1] - 1] = lines[section[1] - 1].rstrip("\n") + "\n"
    lines.insert(section[1], indent + line)
