# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change single keys of a TOML file and leave everything else, comments included, byte for byte.

A key is named by its dotted path. A commented-out default ("#no-cgroups = false") gives its place to the real line.
Reads all of TOML 1.0; dates and times are kept as their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._toml_reader import (
    BARE,
    BLANK,
    ESCAPES,
    DateText,
    Path,
    Reader,
    TomlError,
)


@dataclass(frozen=True)
class Item:
    """A "key = value" line: full path, table it stands in, its whole span, and the span of the value."""

    path: Path
    table: Path
    value: Any
    start: int
    end: int
    value_start: int
    value_end: int


@dataclass(frozen=True)
class Header:
    """A [table] line."""

    path: Path
    start: int
    end: int
    array: bool


@dataclass(frozen=True)
class Entry:
    """One [[table]]: its span from the header to the last key, sub-tables included, and its values."""

    start: int
    end: int
    values: dict[str, Any]


class Document:
    """A parsed file. `set`, `unset`, `with_entry` and `replaced` return a new document."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.items: list[Item] = []
        self.array_items: list[Item] = []  # below a [[table]]
        self.headers: list[Header] = []
        self._parse()

    # -- reading ---------------------------------------------------------------------------------------------
    def _parse(self) -> None:
        reader = Reader(self.text)
        table: Path = ()
        in_array = False
        while reader.at < len(self.text):
            start = reader.at
            reader.skip(BLANK)
            if reader.peek() == "[":
                header = self._header(reader, start)
                self._refuse_header_twice(header, reader)
                self.headers.append(header)
                table = header.path
                in_array = any(h.array and table[: len(h.path)] == h.path for h in self.headers)
            elif reader.peek() in ("#", "\n", "\r", ""):
                reader.end_of_line()
            else:
                item = self._item(reader, start, table)
                if in_array:  # the same key stands in every [[table]]
                    self.array_items.append(item)
                else:
                    self._refuse_twice(item, reader)
                    self.items.append(item)

    def _header(self, reader: Reader, start: int) -> Header:
        array = reader.peek(2) == "[["
        reader.expect("[[" if array else "[")
        path = reader.key()
        reader.expect("]]" if array else "]")
        reader.end_of_line()
        return Header(path, start, reader.at, array)

    def _item(self, reader: Reader, start: int, table: Path) -> Item:
        key = reader.key()
        reader.expect("=")
        reader.skip(BLANK)
        value_start = reader.at
        value = reader.value()
        value_end = reader.at
        reader.end_of_line()
        return Item(table + key, table, value, start, reader.at, value_start, value_end)

    def _refuse_header_twice(self, header: Header, reader: Reader) -> None:
        twice = any(h.path == header.path and not (h.array and header.array) for h in self.headers)
        inside_array = any(h.array and header.path[: len(h.path)] == h.path for h in self.headers)
        taken = any(header.path[: len(i.path)] == i.path for i in self.items)
        # "a.b = 1" under [x] makes the table x.a, which no [x.a] may open again
        dotted = any(len(i.table) < len(header.path) and _starts(i.path[:-1], header.path) for i in self.items)
        if (twice and not inside_array) or taken or dotted:
            raise reader.fail(f"the table [{'.'.join(header.path)}] is defined twice", header.start)

    def _refuse_twice(self, item: Item, reader: Reader) -> None:
        for other in self.items:
            if _starts(item.path, other.path) or _starts(other.path, item.path):
                raise reader.fail(f"the key {'.'.join(item.path)} stands twice", item.start)
        for header in self.headers:
            if _starts(header.path, item.path) or (
                len(header.path) > len(item.table) and _starts(item.path[:-1], header.path)
            ):
                raise reader.fail(f"{'.'.join(item.path)} is already a table", item.start)

    def find(self, path: Path) -> Item | None:
        return next((item for item in self.items if item.path == path), None)

    def get(self, path: Path, default: Any = None) -> Any:
        """The value at a path; tables come as dicts."""
        item = self.find(path)
        if item is not None:
            return item.value
        for outer in self.items:
            if _starts(path, outer.path) and isinstance(outer.value, dict):
                return _dig(outer.value, path[len(outer.path) :], default)
        found: dict[str, Any] = {}
        for inner in self.items:
            if _starts(inner.path, path):
                _nest(found, inner.path[len(path) :], inner.value)
        return found or default

    def commented(self, path: Path) -> tuple[int, int] | None:
        """Span of a commented-out "#key = value" line in the path's own section."""
        start, end = self._section_span(path[:-1])
        if start is None or end is None:
            return None
        taken = [(i.start, i.end) for i in self.items]
        for match in re.finditer(r"^[ \t]*#+[ \t]*([^\n]*)(?:\n|\Z)", self.text[start:end], re.MULTILINE):
            if any(a <= start + match.start() < b for a, b in taken):
                continue
            try:
                lone = Document(match.group(1)).items
            except TomlError:
                continue
            if len(lone) == 1 and lone[0].path == path[-1:]:
                return start + match.start(), start + match.end()
        return None

    def _section_span(self, table: Path) -> tuple[int | None, int | None]:
        """From behind the [table] line to the next header; the top level begins with the file."""
        starts = [0] if not table else [h.end for h in self.headers if h.path == table and not h.array]
        if not starts:
            return None, None
        return starts[0], next((h.start for h in self.headers if h.start >= starts[0]), len(self.text))

    def entries(self, path: Path) -> list[Entry]:
        """The [[tables]] of that name, in order."""
        found = []
        for number, header in enumerate(self.headers):
            if not header.array or header.path != path:
                continue
            later = self.headers[number + 1 :]
            limit = next((h.start for h in later if h.path == path or not _starts(h.path, path)), len(self.text))
            items = [item for item in self.array_items if header.start < item.start < limit]
            heads = [h.end for h in later if h.start < limit]
            values: dict[str, Any] = {}
            for item in items:
                try:
                    _nest(values, item.path[len(path) :], item.value)
                except (TypeError, AttributeError) as error:
                    line = self.text.count("\n", 0, item.start) + 1
                    raise TomlError(line, f"{'.'.join(item.path)} is a value and a table") from error
            found.append(Entry(header.start, max([header.end, *heads, *(item.end for item in items)]), values))
        return found

    # -- changing --------------------------------------------------------------------------------------------
    def with_entry(self, path: Path, values: Mapping[str, Any], comment: str = "") -> Document:
        """The document with one more [[table]] at its end. comment: stands behind the table's name."""
        for item in self.items:
            if _starts(path, item.path) or _starts(item.path, path):
                line = self.text.count("\n", 0, item.start) + 1
                raise TomlError(line, f"{'.'.join(path)} is no array of [[tables]] here, so none can be added")
        gap = self._line_break(len(self.text)) + ("\n" if self.text.strip() else "")
        lines = [f"[[{render_key(path)}]]" + (f"  # {comment}" if comment else "")]
        lines += [f"{render_key((key,))} = {render_value(value)}" for key, value in values.items()]
        return self._spliced(len(self.text), len(self.text), gap + "\n".join(lines) + "\n")

    def replaced(self, entry: Entry, text: str) -> Document:
        """The document with other text, such as none, in the place of a [[table]]."""
        return self._spliced(entry.start, entry.end, text)

    def set(self, path: Path, value: Any) -> Document:
        """The document with `value` at `path`."""
        item = self.find(path)
        if item is not None:
            if _same(item.value, value):
                return self
            return self._spliced(item.value_start, item.value_end, render_value(value))
        self._refuse_place(path)
        spot = self.commented(path)
        line = f"{render_key(path[-1:])} = {render_value(value)}\n"
        if spot is not None:
            indent = re.match(r"[ \t]*", self.text[spot[0] :])
            return self._spliced(*spot, (indent.group() if indent else "") + line)
        return self._inserted(path, value, line)

    def unset(self, path: Path, comment: str | None = None) -> Document:
        """The document without the key; its line gives way to `comment` (a line), if given."""
        item = self.find(path)
        return self if item is None else self._spliced(item.start, item.end, comment or "")

    def _refuse_place(self, path: Path) -> None:
        for item in self.items:
            if _starts(path, item.path):
                line = self.text.count("\n", 0, item.start) + 1
                raise TomlError(line, f"{'.'.join(item.path)} is no table, so {'.'.join(path)} cannot be set in it")
        for header in self.headers:
            if _starts(header.path, path) or (header.array and _starts(path, header.path)):
                line = self.text.count("\n", 0, header.start) + 1
                raise TomlError(line, f"{'.'.join(header.path)} is a table, so {'.'.join(path)} cannot be set")

    def _inserted(self, path: Path, value: Any, line: str) -> Document:
        table = path[:-1]
        start, end = self._section_span(table)
        if start is not None and end is not None:
            return self._appended(table, start, line)
        for item in reversed(self.items):  # the table exists by dotted keys only, and may have no header then
            if len(item.table) < len(table) and _starts(item.path[:-1], table):
                dotted = f"{render_key(path[len(item.table) :])} = {render_value(value)}\n"
                return self._spliced(item.end, item.end, self._line_break(item.end) + dotted)
        gap = self._line_break(len(self.text)) + ("\n" if self.text.strip() else "")
        return self._spliced(len(self.text), len(self.text), f"{gap}[{render_key(table)}]\n{line}")

    def _appended(self, table: Path, start: int, line: str) -> Document:
        """Behind the section's last key, or right behind its header."""
        ends = [item.end for item in self.items if item.table == table]
        position = max([start, *ends])
        if not ends and not table:
            position = self._behind_head_comment()
        return self._spliced(position, position, self._line_break(position) + line)

    def _behind_head_comment(self) -> int:
        """End of the top level without the comment lines that belong to the first header."""
        end = self.headers[0].start if self.headers else len(self.text)
        head = self.text[:end]
        match = re.search(r"(?:^[ \t]*#[^\n]*\n)+\Z", head, re.MULTILINE)
        return match.start() if match and self.headers else end

    def _line_break(self, position: int) -> str:
        return "" if position == 0 or self.text[position - 1] == "\n" else "\n"

    def _spliced(self, start: int, end: int, text: str) -> Document:
        return Document(self.text[:start] + text + self.text[end:])


def _starts(path: Path, prefix: Path) -> bool:
    return path[: len(prefix)] == prefix


def _dig(value: Any, path: Path, default: Any) -> Any:
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return default
        value = value[part]
    return value


def _nest(table: dict[str, Any], path: Path, value: Any) -> None:
    for part in path[:-1]:
        table = table.setdefault(part, {})
    table[path[-1]] = value


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right))
    return type(left) is type(right) and bool(left == right)


def loads(text: str) -> Document:
    """Parse; raises TomlError with the line."""
    return Document(text)


def split_key(dotted: str) -> Path:
    """'a.b."c.d"' -> ('a', 'b', 'c.d')."""
    reader = Reader(dotted)
    path = reader.key()
    if reader.at != len(dotted):
        raise TomlError(1, f"{dotted!r} is no dotted key")
    return path


def render_key(path: Path) -> str:
    return ".".join(part if BARE.fullmatch(part) else _quoted(part) for part in path)


def render_value(value: Any) -> str:
    """A value on one line, as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return str(value) if isinstance(value, DateText) else _quoted(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(render_value(entry) for entry in value) + "]"
    if isinstance(value, Mapping):
        pairs = (f"{render_key((str(name),))} = {render_value(entry)}" for name, entry in value.items())
        return "{" + ", ".join(pairs) + "}"
    raise ValueError(f"TOML cannot hold {value!r}")


def _quoted(text: str) -> str:
    return '"' + "".join(_escaped(text)) + '"'


def _escaped(text: str) -> Iterator[str]:
    names = {value: f"\\{name}" for name, value in ESCAPES.items()}
    for char in text:
        if char in names:
            yield names[char]
        elif char < " " or char == "\x7f":
            yield f"\\u{ord(char):04X}"
        else:
            yield char
