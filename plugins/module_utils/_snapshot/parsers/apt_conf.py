# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of APT (apt.conf(5)): named values, lists in braces, and what unattended-upgrades reads of it."""

from __future__ import annotations

import re

# a text in quotes, a brace or semicolon, or a bare word
_TOKEN = re.compile(r'"((?:[^"\\\n]|\\.)*)"|([{};])|([^\s{};"]+)')
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|#(?!clear|include)[^\n]*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_DEPTH = 50

Settings = dict[str, list[str]]


def parse(text: str, settings: Settings | None = None) -> Settings:
    """Add the settings of one file: values by name in lower case; a list's name ends with "::".

    A later value replaces an earlier one, a list grows, and "#clear" empties both.
    """
    found: Settings = {} if settings is None else settings
    scope: list[str] = []
    words: list[str] = []
    for quoted, mark, bare in _TOKEN.findall(_without_comments(text)):
        if mark == "{":
            if len(scope) < _DEPTH:
                scope.append("::".join(words[:1]))
            words = []
        elif mark == "}":
            _note(found, scope, words)
            words = []
            scope = scope[:-1]
        elif mark == ";":
            _note(found, scope, words)
            words = []
        else:
            # the bare word keeps a mark, so that a name in quotes is known as a value
            words.append(bare or f'"{quoted}')
    return found


def _without_comments(text: str) -> str:
    """Blank comments, but not the "//" of an address in quotes."""
    parts, position = [], 0
    for match in re.finditer(f"{_STRING.pattern}|{_COMMENT.pattern}", text, re.DOTALL):
        parts.append(text[position : match.start()])
        parts.append(match.group(0) if match.group(0).startswith('"') else " ")
        position = match.end()
    return "".join([*parts, text[position:]])


def _note(found: Settings, scope: list[str], words: list[str]) -> None:
    if not words:
        return
    prefix = "::".join(part for part in scope if part)
    first = words[0]
    if first == "#clear":
        for name in words[1:]:
            _clear(found, name.lower().rstrip(":"))
    elif first.startswith('"'):
        found.setdefault(f"{prefix}::".lower(), []).append(first[1:])
    elif len(words) > 1 and not first.startswith("#"):
        name = "::".join(part for part in (prefix, first) if part).lower()
        value = words[1][1:] if words[1].startswith('"') else words[1]
        if name.endswith("::"):
            found.setdefault(name, []).append(value)
        else:
            found[name] = [value]


def _clear(found: Settings, name: str) -> None:
    for key in [key for key in found if key == name or key.startswith(f"{name}::")]:
        del found[key]


def value(settings: Settings, name: str) -> str | None:
    """Return the last value of a name."""
    found = settings.get(name.lower())
    return found[-1] if found else None


def entries(settings: Settings, name: str) -> list[str]:
    """Return the entries of a list."""
    return list(settings.get(f"{name}::".lower(), []))
