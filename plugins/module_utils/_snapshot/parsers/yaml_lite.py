# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of YAML that nvidia-ctk and hand-written CDI files use; a Python target has no YAML library of its own.

Understood: block mappings and sequences, plain and quoted scalars, one-line flow sequences and mappings, comments,
one document. Anything else (anchors, tags, block scalars, several documents) is a ValueError, never a guess.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

_NULL = ("", "~", "null", "Null", "NULL")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]+")
_DOUBLE = r'"(?:[^"\\]|\\.)*"'
_SINGLE = r"'(?:[^']|'')*'"
_QUOTED = re.compile(rf"{_DOUBLE}|{_SINGLE}")
# YAML 1.2, ns-plain-first: an indicator opens no plain scalar, but "-", "?" and ":" do before a non-blank
_PLAIN = r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|[-?:](?=\S))"
_KEY = re.compile(rf"({_DOUBLE}|{_SINGLE}|{_PLAIN}.*?)\s*:(?:\s+|$)")
# what stands before a quote that opens a scalar
_OPENING = re.compile(r"(?:^|[\[{,]|[-:]\s)\s*$")
_DEPTH = 50


class _Line(NamedTuple):
    number: int
    indent: int
    content: str


def parse(text: str) -> Any:
    """Parse a document."""
    lines = _lines(text)
    if not lines:
        return None
    value, position = _node(lines, 0, lines[0].indent, 0)
    if position != len(lines):
        raise ValueError(f"line {lines[position].number}: unexpected indentation")
    return value


def _lines(text: str) -> list[_Line]:
    found: list[_Line] = []
    for number, raw in enumerate(text.splitlines(), 1):
        content = _uncomment(raw).rstrip()
        if not content.strip():
            continue
        if content.strip() == "---" and not found:
            continue
        if content.startswith(("---", "...", "%")):
            raise ValueError(f"line {number}: only one YAML document without directives is understood")
        body = content.lstrip(" ")
        if body.startswith("\t"):
            raise ValueError(f"line {number}: a tab as indentation")
        found.append(_Line(number, len(content) - len(body), body))
    return found


def _uncomment(line: str) -> str:
    position = 0
    while position < len(line):
        char = line[position]
        if char in "'\"" and _OPENING.search(line[:position]):
            match = _QUOTED.match(line, position)
            if match:
                position = match.end()
                continue
        elif char == "#" and (position == 0 or line[position - 1] in " \t"):
            return line[:position]
        position += 1
    return line


def _node(lines: list[_Line], position: int, indent: int, depth: int) -> tuple[Any, int]:
    if depth > _DEPTH:
        raise ValueError(f"line {lines[position].number}: nested too deeply")
    content = lines[position].content
    if content == "-" or content.startswith("- "):
        return _sequence(lines, position, indent, depth)
    if _KEY.match(content):
        return _mapping(lines, position, indent, depth)
    return _scalar(content, lines[position].number), position + 1


def _sequence(lines: list[_Line], position: int, indent: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while position < len(lines) and lines[position].indent == indent:
        number, _indent, content = lines[position]
        if content != "-" and not content.startswith("- "):
            break
        rest = content[1:].lstrip(" ")
        if rest:
            # "- key: value" opens a mapping whose column is that of the key
            column = indent + len(content) - len(rest)
            lines[position] = _Line(number, column, rest)
            value, position = _node(lines, position, column, depth + 1)
        elif position + 1 < len(lines) and lines[position + 1].indent > indent:
            value, position = _node(lines, position + 1, lines[position + 1].indent, depth + 1)
        else:
            value, position = None, position + 1
        items.append(value)
    _no_deeper(lines, position, indent)
    return items, position


def _mapping(lines: list[_Line], position: int, indent: int, depth: int) -> tuple[dict[str, Any], int]:
    values: dict[str, Any] = {}
    while position < len(lines) and lines[position].indent == indent:
        number, _indent, content = lines[position]
        match = _KEY.match(content)
        if match is None:
            break
        key, rest = str(_scalar(match.group(1), number, key=True)), content[match.end() :]
        if key in values:
            raise ValueError(f"line {number}: the key {key!r} stands twice")
        if rest:
            value, position = _scalar(rest, number), position + 1
        else:
            value, position = _child(lines, position + 1, indent, depth)
        values[key] = value
    _no_deeper(lines, position, indent)
    return values, position


def _child(lines: list[_Line], position: int, indent: int, depth: int) -> tuple[Any, int]:
    if position < len(lines):
        below = lines[position]
        # a sequence may stand in the column of its key
        dash = below.content == "-" or below.content.startswith("- ")
        if below.indent > indent or (below.indent == indent and dash):
            return _node(lines, position, below.indent, depth + 1)
    return None, position


def _no_deeper(lines: list[_Line], position: int, indent: int) -> None:
    if position < len(lines) and lines[position].indent > indent:
        raise ValueError(f"line {lines[position].number}: unexpected indentation")


def _scalar(text: str, number: int, key: bool = False, depth: int = 0) -> Any:
    """Read a scalar or a flow collection; depth counts the flow collections around it."""
    text = text.strip()
    if text.startswith('"'):
        return _double(text, number)
    if text.startswith("'"):
        if not re.fullmatch(_SINGLE, text):
            raise ValueError(f"line {number}: a quoted text that does not end")
        return text[1:-1].replace("''", "'")
    if key and not re.search(r"\s#", text):
        return text
    if text[:1] in ("[", "{"):
        return _flow(text, number, depth + 1)
    # YAML 1.1 and 1.2 disagree about "?" inside a flow collection
    if text and (not re.match(_PLAIN, text) or (depth and text[0] == "?")):
        raise ValueError(f"line {number}: {text[:1]!r} opens YAML that is not understood here")
    if re.search(r":(\s|$)|\s#", text) or (depth and re.search(r"[\[\]{},]", text)):
        raise ValueError(f"line {number}: a text that must be quoted: {text[:60]}")
    return _plain(text)


def _double(text: str, number: int) -> str:
    if not re.fullmatch(_DOUBLE, text):
        raise ValueError(f"line {number}: a quoted text that does not end")
    try:
        return str(json.loads(text))
    except ValueError as exc:
        raise ValueError(f"line {number}: an escape that is not understood: {text}") from exc


def _plain(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _flow(text: str, number: int, depth: int) -> Any:
    if depth > _DEPTH:
        raise ValueError(f"line {number}: nested too deeply")
    opener, closer = text[0], {"[": "]", "{": "}"}[text[0]]
    if len(text) < 2 or not text.endswith(closer):
        raise ValueError(f"line {number}: a flow collection that does not end on its line")
    parts = _split(text[1:-1], number)
    if opener == "[":
        return [_scalar(part, number, depth=depth) for part in parts]
    values: dict[str, Any] = {}
    for part in parts:
        match = _KEY.match(part)
        if match is None:
            raise ValueError(f"line {number}: expected key: value, found {part!r}")
        key = str(_scalar(match.group(1), number, key=True))
        if key in values:
            raise ValueError(f"line {number}: the key {key!r} stands twice")
        values[key] = _scalar(part[match.end() :], number, depth=depth)
    return values


def _split(text: str, number: int) -> list[str]:
    """Split the inside of a flow collection at its own commas."""
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        char = text[position]
        quoted = _QUOTED.match(text, position) if char in "'\"" and _OPENING.search(text[:position]) else None
        if quoted:
            position = quoted.end()
            continue
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(char, 0)
        if depth < 0:
            break
        if char == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    if depth != 0:
        raise ValueError(f"line {number}: a flow collection with an open bracket")
    # a comma may stand after the last item
    last = text[start:]
    parts += [last] if last.strip() else []
    if any(not part.strip() for part in parts):
        raise ValueError(f"line {number}: a flow collection with an empty item")
    return [part.strip() for part in parts]
