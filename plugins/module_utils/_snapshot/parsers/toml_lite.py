# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read single values from the toolkit's config.toml; a Python 3.9 target has no TOML library."""

from __future__ import annotations

import json
import re
from typing import Any

_TABLE = re.compile(r"\[\s*([A-Za-z0-9_.\" -]+?)\s*\]")
_PAIR = re.compile(r"([A-Za-z0-9_-]+|\"[^\"]*\"|[A-Za-z0-9_-]+(?:\s*\.\s*[A-Za-z0-9_-]+)+)\s*=\s*(.+)")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'")


def parse(text: str) -> dict[str, Any]:
    """Return the values by dotted key. Values other than strings, booleans and integers stay as their text.

    A line that is neither a table, a pair nor a comment is a ValueError, which names it.
    """
    values: dict[str, Any] = {}
    table, pending = "", ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = _uncomment(raw).strip()
        if pending:
            # an array over several lines ends with its bracket
            pending = "" if line.endswith("]") else pending
            continue
        if not line:
            continue
        heading = _TABLE.fullmatch(line)
        pair = _PAIR.fullmatch(line)
        if heading:
            table = _bare(heading.group(1))
        elif pair:
            key = _bare(pair.group(1))
            full = f"{table}.{key}" if table else key
            if full in values:
                raise ValueError(f"line {number}: the key {full} stands twice")
            values[full] = _value(pair.group(2).strip(), number)
            pending = "[" if pair.group(2).startswith("[") and not line.endswith("]") else ""
        else:
            raise ValueError(f"line {number}: neither a table, a key = value nor a comment: {line[:60]!r}")
    return values


def _bare(name: str) -> str:
    return re.sub(r"\s*\.\s*", ".", name.replace('"', "").strip())


def _uncomment(line: str) -> str:
    rest = _STRING.sub(lambda match: "_" * len(match.group(0)), line)
    position = rest.find("#")
    return line if position < 0 else line[:position]


def _value(text: str, number: int) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    if text.startswith('"') and _STRING.fullmatch(text):
        try:
            return json.loads(text)
        except ValueError as exc:
            raise ValueError(f"line {number}: an escape that is not understood: {text[:60]}") from exc
    if text.startswith("'") and _STRING.fullmatch(text):
        return text[1:-1]
    if text[0] in "\"'":
        raise ValueError(f"line {number}: a quoted text that does not end")
    return text
