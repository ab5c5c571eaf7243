# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that fit a terminal. A line is a list of (text, style); its width is counted in cells, not in characters."""

from __future__ import annotations

import functools

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.terminal import cells

try:
    from rich.cells import cell_len

    HAS_RICH = True
except ImportError:
    HAS_RICH = False

Line = list[tuple[str, str]]

CUT = "…"


# the same few names and titles are asked for with every picture
@functools.lru_cache(maxsize=4096)
def width(text: str) -> int:
    # the live display asks for rich; only tools that import every plugin do without
    return cell_len(text) if HAS_RICH else cells(text)


def fit(text: str, room: int) -> str:
    """The text, cut where it is too wide."""
    if room <= 0:
        return ""
    if width(text) <= room:
        return text
    # the longest beginning that leaves a cell for the sign; widths grow with the text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if width(text[:middle]) <= room - 1 else (low, middle - 1)
    return text[:low].rstrip() + CUT


def fit_middle(text: str, room: int) -> str:
    """A name, cut in its middle where it is too wide: names of hosts begin alike and end in what tells them apart."""
    if width(text) <= room or room < 5:
        return fit(text, room)
    head = fit(text, (room - 1) // 3 + 1)
    start = len(head)
    while width(text[start:]) > room - width(head):
        start += 1
    return head + text[start:]


def pad(text: str, room: int) -> str:
    text = fit(text, room)
    return text + " " * max(0, room - width(text))


def line_width(line: Line) -> int:
    return sum(width(text) for text, _style in line)


def fit_line(line: Line, room: int) -> Line:
    """The line, cut where it is too wide; styles stay."""
    kept: Line = []
    for number, (text, style) in enumerate(line):
        more = any(later for later, _style in line[number + 1 :])
        if width(text) > room or (more and width(text) == room):
            cut = fit(text + CUT, room) if room > 0 else ""
            return [*kept, (cut, style)] if cut else kept
        kept.append((text, style))
        room -= width(text)
    return kept


def spread(left: Line, right: Line, room: int, share: int | None = None) -> Line:
    """Left and right with space between them. The left gives way, unless the right takes more than its share: half."""
    if line_width(right) > (room // 2 if share is None else share):
        right = []
    space = room - line_width(right) - (1 if right else 0)
    left = fit_line(left, space)
    gap = room - line_width(left) - line_width(right)
    return [*left, (" " * gap, ""), *right] if right else left
