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

SECTION = "global"
_HEADER = re.compile(r"\[(?P<name>[^\]]+)\]")
_KEY = re.compile(r"(?P<name>[^\s#;=:\[][^=:]*?)\s*(?P<mark>[=:])\s*(?P<value>.*?)\s*$")


class PipConfError(Exception):
    """pip could not read the file either; the text says why."""


def check(text: str) -> None:
    """Refuse what pip refuses, with the line."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text, source="pip.conf")
    except configparser.ParsingError as error:
        raise PipConfError(f"line {error.errors[0][0]} is neither a section, a key nor a comment") from error
    except configparser.MissingSectionHeaderError as error:
        raise PipConfError(f"line {error.lineno} stands before any [section]") from error
    except (configparser.DuplicateSectionError, configparser.DuplicateOptionError) as error:
        raise PipConfError(f"line {error.lineno} repeats a section or key") from error


def get(text: str, key: str) -> str | None:
    """The value of a key of [global]; None when it is not set."""
    lines = _lines(text)
    span = _find(lines, key)
    if span is None:
        return None
    match = _KEY.match(lines[span[0]])
    rest = [line.strip() for line in lines[span[0] + 1 : span[1]] if line.strip()]
    return "\n".join([match.group("value") if match else "", *rest]).strip()


def update(text: str, values: Mapping[str, str | None]) -> str:
    """The text with keys of [global] set, or removed where the value is None."""
    check(text)
    for key, value in values.items():
        text = _remove(text, key) if value is None else _set(text, key, value)
    return text


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def _section(lines: list[str]) -> tuple[int, int] | None:
    """First and last+1 line of [global], header not included."""
    start = None
    for number, line in enumerate(lines):
        header = _HEADER.match(line)
        if header and start is not None:
            return start, number
        if header and header.group("name") == SECTION:
            start = number + 1
    return None if start is None else (start, len(lines))


def _find(lines: list[str], key: str) -> tuple[int, int] | None:
    """Lines of a key with its continuation lines."""
    section = _section(lines)
    if section is None:
        return None
    for number in range(*section):
        match = _KEY.match(lines[number])
        if match and match.group("name").strip().lower().replace("_", "-") == key:
            end = number + 1
            while end < section[1] and lines[end][:1] in (" ", "\t") and lines[end].strip():
                end += 1
            return number, end
    return None


def _set(text: str, key: str, value: str) -> str:
    if get(text, key) == value:
        return text
    lines = _lines(text)
    span, section = _find(lines, key), _section(lines)
    line = f"{key} = {value}\n"
    if span is not None:
        end = "" if not lines[span[1] - 1].endswith("\n") else "\n"
        lines[span[0] : span[1]] = [line.rstrip("\n") + end]
    elif section is not None:
        place = _behind_last(lines, *section)
        lines[place - 1] = lines[place - 1].rstrip("\n") + "\n"
        lines.insert(place, line)
    else:
        gap = ("" if not lines or lines[-1].endswith("\n") else "\n") + ("\n" if text.strip() else "")
        lines.append(f"{gap}[{SECTION}]\n{line}")
    return "".join(lines)


def _behind_last(lines: list[str], start: int, end: int) -> int:
    """Behind the last line of the section that is no blank and no comment."""
    while end > start and (not lines[end - 1].strip() or lines[end - 1].lstrip()[0] in "#;"):
        end -= 1
    return end


def _remove(text: str, key: str) -> str:
    lines = _lines(text)
    span = _find(lines, key)
    if span is not None:
        del lines[span[0] : span[1]]
    return "".join(lines)
