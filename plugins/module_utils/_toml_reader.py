# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read TOML 1.0 keys and values from a text, with the line of every fault; dates and times are kept as their text."""

from __future__ import annotations

import re
from typing import Any

Path = tuple[str, ...]

BARE = re.compile(r"[A-Za-z0-9_-]+")
BLANK = re.compile(r"[ \t]*")
_FILLER = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_END = re.compile(r"[ \t]*(#[^\n]*)?(\r?\n|$)")
_INT = re.compile(r"[+-]?(?:0|[1-9](?:_?\d)*)|0x[0-9A-Fa-f](?:_?[0-9A-Fa-f])*|0o[0-7](?:_?[0-7])*|0b[01](?:_?[01])*")
_FLOAT = re.compile(
    r"[+-]?(?:inf|nan)|[+-]?(?:0|[1-9](?:_?\d)*)(?:\.\d(?:_?\d)*(?:[eE][+-]?\d(?:_?\d)*)?|[eE][+-]?\d(?:_?\d)*)"
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)?)?|\d\d:\d\d:\d\d(?:\.\d+)?")
_WORD = re.compile(r"[0-9A-Za-z_+.:-]+(?: \d\d:[0-9:.Zz+-]+)?")
ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class TomlError(Exception):
    """The text is no TOML, or cannot be edited that way; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


class DateText(str):
    """A date or time, as its text."""


class Reader:
    """A recursive descent over the text; every method leaves `at` behind what it read."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def fail(self, reason: str, at: int | None = None) -> TomlError:
        return TomlError(self.text.count("\n", 0, self.at if at is None else at) + 1, reason)

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def expect(self, mark: str) -> None:
        if not self.text.startswith(mark, self.at):
            raise self.fail(f"expected {mark!r}, found {self.peek(12).splitlines()[:1] or ['the end of the file']}")
        self.at += len(mark)

    def end_of_line(self) -> None:
        match = _END.match(self.text, self.at)
        if match is None:
            found = self.text[self.at :].split("\n", 1)[0].strip()
            raise self.fail(f"unexpected {found[:40]!r} after the value")
        self.at = match.end()

    def key(self) -> Path:
        parts: list[str] = []
        while True:
            self.skip(BLANK)
            if self.peek() in ("'", '"') and self.peek():
                parts.append(self.string(multiline=False))
            else:
                match = BARE.match(self.text, self.at)
                if match is None:
                    line = self.text[self.at :].split("\n", 1)[0]
                    raise self.fail(f"expected a key, found {line.strip()[:40]!r}")
                parts.append(match.group())
                self.at = match.end()
            self.skip(BLANK)
            if self.peek() != ".":
                return tuple(parts)
            self.at += 1

    def value(self, depth: int = 0) -> Any:
        if depth > 64:
            raise self.fail("values are nested too deep")
        first = self.peek()
        if first in ("'", '"') and first:
            return self.string(multiline=True)
        if first == "[":
            return self.array(depth)
        if first == "{":
            return self.inline_table(depth)
        match = _WORD.match(self.text, self.at)
        if match is None:
            raise self.fail("the value is missing")
        self.at = match.end()
        return self._scalar(match.group())

    def _scalar(self, word: str) -> Any:
        if word in ("true", "false"):
            return word == "true"
        if _INT.fullmatch(word):
            return int(word.replace("_", ""), 10 if word[1:2] not in ("x", "o", "b") else 0)
        if _FLOAT.fullmatch(word):
            return float(word.replace("_", ""))
        if _DATE.fullmatch(word):
            return DateText(word)
        raise self.fail(f"{word!r} is no value; a text needs quotes")

    def array(self, depth: int) -> list[Any]:
        self.expect("[")
        values: list[Any] = []
        while True:
            self.skip(_FILLER)
            if self.peek() == "]":
                break
            values.append(self.value(depth + 1))
            self.skip(_FILLER)
            if self.peek() != ",":
                break
            self.at += 1
        self.expect("]")
        return values

    def inline_table(self, depth: int) -> dict[str, Any]:
        self.expect("{")
        table: dict[str, Any] = {}
        self.skip(BLANK)
        while self.peek() != "}":
            path = self.key()
            self.expect("=")
            self.skip(BLANK)
            _put(table, path, self.value(depth + 1), self)
            self.skip(BLANK)
            if self.peek() != ",":
                break
            self.at += 1
            self.skip(BLANK)
            if self.peek() == "}":
                raise self.fail("an inline table does not end with a comma")
        self.expect("}")
        return table

    def string(self, multiline: bool) -> str:
        quote = self.peek()
        if multiline and self.peek(3) == quote * 3:
            return self._long_string(quote)
        start = self.at
        self.at += 1
        while self.peek() not in (quote, "", "\n"):
            self.at += 2 if quote == '"' and self.peek() == "\\" else 1
        if self.peek() != quote:
            raise self.fail("the text is not closed on its line", start)
        self.at += 1
        return self._text(self.text[start + 1 : self.at - 1], quote, start)

    def _long_string(self, quote: str) -> str:
        start, self.at = self.at, self.at + 3
        while self.text[self.at : self.at + 3] != quote * 3:
            if self.at >= len(self.text):
                raise self.fail(f"the text that begins with {quote * 3} is not closed", start)
            self.at += 2 if quote == '"' and self.peek() == "\\" else 1
        self.at += 3
        while self.peek() == quote and self.text[self.at - 5 : self.at] != quote * 5:
            self.at += 1  # up to two quotes may stand right before the closing ones
        body = re.sub(r"\A\r?\n", "", self.text[start + 3 : self.at - 3])
        if quote == '"':
            body = re.sub(r"(?<!\\)((?:\\\\)*)\\[ \t]*\r?\n[ \t\r\n]*", r"\1", body)
        return self._text(body, quote, start)

    def _text(self, raw: str, quote: str, start: int) -> str:
        if _CONTROL.search(raw):
            raise self.fail("a text holds a control character", start)
        if quote == "'":
            return raw

        def unescape(match: re.Match[str]) -> str:
            code = match.group(1)
            if code in ESCAPES:
                return ESCAPES[code]
            if code[0] in "uU" and len(code) > 1:
                number = int(code[1:], 16)
                if number < 0x110000 and not 0xD800 <= number < 0xE000:
                    return chr(number)
            raise self.fail(f"\\{code} is no escape that TOML knows", start)

        return re.sub(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.|$)", unescape, raw, flags=re.DOTALL)


def _put(table: dict[str, Any], path: Path, value: Any, reader: Reader) -> None:
    for part in path[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise reader.fail(f"{'.'.join(path)} is set twice")
    if path[-1] in table:
        raise reader.fail(f"the key {'.'.join(path)} stands twice")
    table[path[-1]] = value
