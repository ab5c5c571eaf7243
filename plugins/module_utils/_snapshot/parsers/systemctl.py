# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of `systemctl show`: blocks of NAME=VALUE lines, one block a unit."""

from __future__ import annotations

import calendar
import re
import time
from typing import Any

Block = dict[str, list[str]]


def show(text: str) -> list[Block]:
    """Parse the blocks. A property may come more than once (DeviceAllow has one line an entry)."""
    blocks: list[Block] = []
    for part in re.split(r"\n\s*\n", text):
        block: Block = {}
        for line in part.splitlines():
            name, equals, value = line.partition("=")
            if equals and name:
                block.setdefault(name, []).append(value)
        if block:
            blocks.append(block)
    return blocks


def first(block: Block, name: str) -> str | None:
    """Return the one value of a property, None if it is missing or empty."""
    values = block.get(name)
    return values[0] if values and values[0] else None


def by_name(blocks: list[Block]) -> dict[str, Block]:
    """Return the blocks by unit name, aliases included."""
    found: dict[str, Block] = {}
    for block in blocks:
        names = f"{first(block, 'Id') or ''} {first(block, 'Names') or ''}".split()
        for name in names:
            found.setdefault(name, block)
    return found


def unit(block: Block | None) -> dict[str, Any]:
    """Return what the snapshot says of a unit."""
    if block is None:
        return {"load": None, "active": None, "sub": None, "enabled": None}
    return {
        "load": first(block, "LoadState"),
        "active": first(block, "ActiveState"),
        "sub": first(block, "SubState"),
        "enabled": first(block, "UnitFileState"),
    }


def timestamp(value: str | None) -> str | None:
    """Turn "Sat 2026-11-21 23:55:00 UTC" (systemctl under TZ=UTC) or "@1795305300" into ISO 8601."""
    match = re.search(r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.\d+)? UTC", value or "")
    if match:
        return f"{match.group(1)}T{match.group(2)}Z"
    match = re.fullmatch(r"@(\d{1,11})(?:\.\d+)?", (value or "").strip())
    return iso(int(match.group(1))) if match else None


def iso(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def seconds(value: str | None) -> int | None:
    """Turn the ISO 8601 form of `timestamp` and of Docker back into seconds since 1970."""
    match = re.match(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)", value or "")
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    return calendar.timegm((year, month, day, hour, minute, second))
