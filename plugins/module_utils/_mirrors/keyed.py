# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the editors of key = value files have in common: which keys are set, and the way back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Callable, Optional

Values = Mapping[str, Optional[str]]
_CONTROL = re.compile(r"[\0-\x1f\x7f]")


class ValueRefusedError(ValueError):
    """A value cannot stand in the file; the text says which and why."""


def filled(wish: Mapping[str, object]) -> dict[str, str]:
    """The keys that have a value. ValueRefusedError for one that spans lines: it would be read as more than a value."""
    found = {key: str(value) for key, value in wish.items() if value not in (None, "", [], {})}
    for key, value in found.items():
        if _CONTROL.search(value):
            raise ValueRefusedError(f"the value of {key} holds a line feed or another control character")
    return found


def undo(
    text: str,
    written: Mapping[str, object],
    original: str,
    edit: Callable[[str, Values], str],
    get: Callable[[str, str], str | None],
) -> str:
    """The text without what was written: the original byte for byte, if nobody else edited the file since.

    edit: sets keys, or removes them where the value is None. get: the value of a key, None where it is not set.
    """
    ours = filled(written)
    if edit(original, ours) == text:
        return original
    return edit(text, {key: get(original, key) for key, value in ours.items() if get(text, key) == value})


def put(lines: list[str], own: list[int], line: str | None, place: int) -> str:
    """The text of the lines with one line (without its end) for a key.

    own: numbers of the lines that set the key, of which the last one counts and is replaced; without a line all go.
    place: the number of the line before which a new one is set.
    """
    if line is None:
        return "".join(found for number, found in enumerate(lines) if number not in own)
    if own:
        old = lines[own[-1]]
        return "".join([*lines[: own[-1]], line + old[len(old.rstrip("\r\n")) :], *lines[own[-1] + 1 :]])
    before = lines[:place]
    if before and not before[-1].endswith("\n"):
        before[-1] += "\n"
    return "".join([*before, line + "\n", *lines[place:]])
