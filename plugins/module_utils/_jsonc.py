# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON with comments and trailing commas, as editors keep their settings: read it, and add to it.

`merge` never changes or removes what stands there: keys that are missing are added, lists get the items that they lack,
and a value of the other's own is a conflict that is named. Comments, order and indentation stay.
"""

from __future__ import annotations

import json
import re
from typing import Any

INDENT = "  "
_SCALAR = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


class JsoncError(Exception):
    """The text is no JSON, even with comments and trailing commas allowed; the text names line and reason."""


class Node:
    """A value and where it stands: text[start:end]. Children are (key or None, node)."""

    def __init__(self, start: int, end: int, value: Any, children: list[tuple[str | None, Node]]) -> None:
        self.start, self.end, self.value, self.children = start, end, value, children


def loads(text: str) -> Any:
    """The value of a text. Raises JsoncError."""
    return _Reader(text).document().value


def dumps(value: Any) -> str:
    """The text of a value as this collection writes it."""
    return json.dumps(value, indent=len(INDENT), ensure_ascii=False) + "\n"


def merge(text: str, wanted: dict[str, Any]) -> tuple[str, list[str]]:
    """The text with what it lacks of `wanted`, and the keys (a.b) whose own value stays. Raises JsoncError."""
    if not text.strip():
        return dumps(wanted), []
    reader = _Reader(text)
    document = reader.document()
    if not isinstance(document.value, dict):
        raise JsoncError(f"line 1: expected an object, found {_kind(document.value)}")
    adding = _Adding(text, reader.blank)
    adding.object(document, wanted, "")
    return adding.text(), adding.conflicts


class _Reader:
    """Recursive descent over the text with its comments blanked out, so that places stay the same."""

    def __init__(self, text: str) -> None:
        self.blank = _COMMENT.sub(_blanked, text)
        if self.blank.startswith("\ufeff"):
            self.blank = " " + self.blank[1:]
        self.place = 0

    def document(self) -> Node:
        try:
            node = self._value()
        except RecursionError as error:
            raise JsoncError("line 1: nested too deeply") from error
        self._space()
        if self.place < len(self.blank):
            raise self._error("something stands behind the end")
        return node

    def _value(self) -> Node:
        self._space()
        start = self.place
        if self.blank[start : start + 1] in ("{", "["):
            return self._container("}" if self.blank[start] == "{" else "]")
        found = _STRING.match(self.blank, start) or _SCALAR.match(self.blank, start)
        if not found:
            raise self._error("expected a value")
        try:
            value = json.loads(found[0])
        except ValueError as error:
            raise self._error("this is no string of JSON") from error
        self.place = found.end()
        return Node(start, self.place, value, [])

    def _container(self, close: str) -> Node:
        start = self.place
        self.place += 1
        children: list[tuple[str | None, Node]] = []
        while not self._takes(close):
            if children and not self._takes(","):
                raise self._error(f"expected a comma or {close}")
            if children and self._takes(close):
                break
            children.append((self._key() if close == "}" else None, self._value()))
        pairs = [(key or "", node.value) for key, node in children]
        value: Any = dict(pairs) if close == "}" else [item for _none, item in pairs]
        return Node(start, self.place, value, children)

    def _key(self) -> str:
        self._space()
        found = _STRING.match(self.blank, self.place)
        if not found:
            raise self._error("expected a key in double quotes")
        self.place = found.end()
        if not self._takes(":"):
            raise self._error("expected a colon")
        try:
            return str(json.loads(found[0]))
        except ValueError as error:
            raise self._error("this is no string of JSON") from error

    def _takes(self, letter: str) -> bool:
        self._space()
        if self.blank[self.place : self.place + 1] != letter:
            return False
        self.place += 1
        return True

    def _space(self) -> None:
        while self.blank[self.place : self.place + 1] in (" ", "\t", "\r", "\n"):
            self.place += 1

    def _error(self, reason: str) -> JsoncError:
        return JsoncError(f"line {self.blank.count(chr(10), 0, self.place) + 1}: {reason}")


class _Adding:
    """Collects insertions into a text."""

    def __init__(self, text: str, blank: str) -> None:
        self.original, self.blank = text, blank
        self.insertions: list[tuple[int, str]] = []
        self.conflicts: list[str] = []

    def text(self) -> str:
        parts: list[str] = []
        last = 0
        for place, added in sorted(self.insertions, key=lambda insertion: insertion[0]):
            parts += [self.original[last:place], added]
            last = place
        return "".join(parts) + self.original[last:]

    def object(self, node: Node, wanted: dict[str, Any], path: str) -> None:
        # of a key that stands there twice, the last one counts for every reader
        known = dict(node.children)
        missing: list[str] = []
        for key, value in wanted.items():
            where = f"{path}.{key}" if path else key
            if key not in known:
                missing.append(json.dumps(key, ensure_ascii=False) + ": " + _inline(value))
            elif isinstance(value, dict) and isinstance(known[key].value, dict):
                self.object(known[key], value, where)
            elif isinstance(value, list) and isinstance(known[key].value, list):
                self._list(known[key], value)
            elif not _same(value, known[key].value):
                self.conflicts.append(where)
        self._insert(node, missing)

    def _list(self, node: Node, wanted: list[Any]) -> None:
        missing: list[Any] = []
        for item in wanted:
            if not any(_same(item, known) for known in [*node.value, *missing]):
                missing.append(item)
        self._insert(node, [_inline(item) for item in missing])

    def _insert(self, node: Node, items: list[str]) -> None:
        if not items:
            return
        close = node.end - 1
        tail = len(self.original[:close].rstrip())
        if node.children:
            last = node.children[-1][1].end
            if "," not in self.blank[last:close]:
                self.insertions.append((last, ","))
        if node.children and "\n" not in self.original[node.start : close]:
            self.insertions.append((tail, " " + ", ".join(items)))
            return
        outer = _indent(self.original, node.start)
        inner = _indent(self.original, node.children[0][1].start) if node.children else outer + INDENT
        line = "\n" + inner
        end = "" if "\n" in self.original[tail:close] else "\n" + outer
        self.insertions.append((tail, line + ("," + line).join(items) + end))


def _blanked(found: re.Match[str]) -> str:
    return found[0] if found[1] else re.sub(r"[^\n]", " ", found[0])


def _inline(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _same(one: Any, other: Any) -> bool:
    """Equality as JSON knows it: true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _indent(text: str, place: int) -> str:
    """The blanks at the start of the line that a place is in."""
    start = text.rfind("\n", 0, place) + 1
    found = re.match(r"[ \t]*", text[start:place])
    return found[0] if found else ""


def _kind(value: Any) -> str:
    return {list: "a list", str: "a string", bool: "true or false", type(None): "null"}.get(type(value), "a number")
