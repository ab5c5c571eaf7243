# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strict JSON objects, and a merge that touches owned keys only.

`merge` rules: a dict is merged key by key, a list or scalar is replaced, None removes the key.
`revert` undoes a merge key by key, with the original data as the goal.
"""

from __future__ import annotations

import copy
import json
import math
import re
from functools import partial
from typing import Any

Data = dict[str, Any]
_STRING = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(_STRING + r"|[{}\[\]:,]")
_DEEPEST = 100
_MISSING = object()


class JsonError(Exception):
    """The text is no strict JSON object; `line` and `column` count from 1."""

    def __init__(self, line: int, column: int, reason: str) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.line, self.column = line, column


def loads(raw: bytes) -> Data:
    """Read a JSON object. Empty input is an empty object; duplicate keys, NaN and a BOM are refused."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise JsonError(line, column, "this byte is not UTF-8") from error
    if not text.strip():
        return {}
    _refuse_depth(text)
    try:
        data = json.loads(text, parse_constant=_refuse_constant, parse_float=partial(_float, text))
    except json.JSONDecodeError as error:
        hint = "" if "comma" in error.msg else _hint(text, error.pos)
        raise JsonError(error.lineno, error.colno, error.msg + hint) from error
    except (ValueError, RecursionError) as error:
        raise JsonError(1, 1, str(error)) from error
    _refuse_duplicates(text)
    if not isinstance(data, dict):
        raise JsonError(1, 1, f"expected an object, found {type(data).__name__}")
    return data


def _hint(text: str, position: int) -> str:
    """What a person may have meant where JSON ends."""
    if re.match(r"\s*(//|/\*|#)", text[position:]):
        return "; JSON knows no comments"
    if re.match(r"\s*[}\]]", text[position:]) or re.search(r",\s*$", text[:position]):
        return "; there is a comma too many before it"
    return ""


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _at(text: str, position: int, reason: str) -> JsonError:
    return JsonError(text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position), reason)


def _float(text: str, literal: str) -> float:
    """A number that can be written again: Python reads 1e999 as infinity, for which JSON has no word."""
    number = float(literal)
    if math.isinf(number):
        found = (match for match in re.finditer(rf"{_STRING}|{re.escape(literal)}", text) if match[0] == literal)
        raise _at(text, next(found).start(), f"the number {literal[:20]} is too large")
    return number


def _refuse_depth(text: str) -> None:
    """What is nested deeper than any setting would end in Python's limit of recursion, here or in a merge."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token.group() in "{[") - (token.group() in "}]")
        if depth > _DEEPEST:
            raise _at(text, token.start(), f"objects and arrays are nested more than {_DEEPEST} deep")


def _refuse_duplicates(text: str) -> None:
    """Find a key that stands twice in one object. The text is already known to be valid JSON."""
    seen: list[set[str] | None] = []  # one entry per open object (its keys) or array (None)
    tokens = list(_TOKEN.finditer(text))
    for token, following in zip(tokens, [*tokens[1:], None]):
        mark = token.group()
        if mark in "{[":
            seen.append(set() if mark == "{" else None)
        elif mark in "}]":
            seen.pop()
        elif mark[0] == '"' and following is not None and following.group() == ":":
            key, keys = json.loads(mark), seen[-1]
            if keys is not None and key in keys:
                raise _at(text, token.start(), f"the key {mark} stands twice")
            if keys is not None:
                keys.add(key)


def dumps(data: Data) -> bytes:
    """Canonical text: indent 4, keys in their order, one newline at the end."""
    try:
        return (json.dumps(data, indent=4, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can express
        return (json.dumps(data, indent=4, allow_nan=False) + "\n").encode("ascii")


def same(left: Any, right: Any) -> bool:
    """Equality as JSON sees it: true is not 1, the order of keys does not matter."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def merge(current: Data, owned: Data) -> Data:
    """A new object: `current` with the owned keys set; keys of others keep value and place."""
    result = copy.deepcopy(current)
    for key, value in owned.items():
        old = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merge(old if isinstance(old, dict) else {}, value)
        elif not same(old, value) or key not in result:
            result[key] = copy.deepcopy(value)
    return result


def clashes(current: Data, owned: Data, prefix: str = "") -> list[str]:
    """Dotted names of keys that must be objects for `owned`, and are something else in `current`; null is empty."""
    found: list[str] = []
    for key, value in owned.items():
        old = current.get(key)
        if isinstance(value, dict) and old is not None:
            found += clashes(old, value, f"{prefix}{key}.") if isinstance(old, dict) else [prefix + key]
    return found


def combine(owned: Data, more: Data) -> Data:
    """The owned keys of two merges one after the other (None stays: a removal is owned too)."""
    result = copy.deepcopy(owned)
    for key, value in more.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = combine(old, value) if both and isinstance(old, dict) else copy.deepcopy(value)
    return result


def subtract(owned: Data, taken: Data) -> Data:
    """The owned keys without those in `taken`; emptied objects vanish."""
    result: Data = {}
    for key, value in owned.items():
        if key not in taken:
            result[key] = copy.deepcopy(value)
        elif isinstance(value, dict) and isinstance(taken[key], dict):
            rest = subtract(value, taken[key])
            if rest:
                result[key] = rest
    return result


def revert(current: Data, owned: Data, original: Data) -> Data:
    """A new object: owned keys that still hold our value go back to `original`; what others changed stays."""
    result = copy.deepcopy(current)
    for key, value in owned.items():
        now, before = result.get(key, _MISSING), original.get(key, _MISSING)
        if isinstance(value, dict) and isinstance(now, dict):
            inner = revert(now, value, before if isinstance(before, dict) else {})
            if inner or isinstance(before, dict):
                result[key] = inner
            elif before is _MISSING:
                del result[key]
            else:
                result[key] = copy.deepcopy(before)
        elif (value is None and now is _MISSING) or (now is not _MISSING and value is not None and same(now, value)):
            result.pop(key, None)
            if before is not _MISSING:
                result[key] = copy.deepcopy(before)
    return result


def foreign_keys(current: Data, owned: Data, original: Data) -> list[str]:
    """Top level owned keys that somebody else changed: they hold neither our value nor the original one."""
    ours = revert(current, owned, original)
    # after a revert an owned key shows the original value; where it does not, somebody else's value stayed
    return [key for key in owned if key in ours and not _within(ours[key], owned[key], original.get(key, _MISSING))]


def _within(now: Any, owned: Any, before: Any) -> bool:
    if isinstance(owned, dict) and isinstance(now, dict):
        inner = before if isinstance(before, dict) else {}
        return all(_within(now[key], owned[key], inner.get(key, _MISSING)) for key in owned if key in now)
    return before is not _MISSING and same(now, before)


def changed_keys(before: Data, after: Data) -> list[str]:
    """Top level keys whose value differs."""
    keys = [*before, *(key for key in after if key not in before)]
    return [k for k in keys if (k in before) != (k in after) or not same(before.get(k), after.get(k))]
