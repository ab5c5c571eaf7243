# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bodies in an nvidia-smi document mean, and how a reading is looked up.

Three things look alike and are not: "N/A" (the board has no such reading), an error body such as "GPU is lost" (the
reading failed), and "None" (a good value of gpu_recovery_action and virtualization_mode). Only the first two give null,
and only the second is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# path of a leaf below one GPU -> its body; the first one wins where elements repeat
Leaves = dict[str, str]

_ABSENT = ("n/a", "not available", "not supported", "requested functionality has been deprecated", "")
# error texts of NVML that a leaf can hold in a value's place; the first three mean that the GPU does not answer
_HARD = ("gpu is lost", "gpu requires reset", "reset required", "unknown error", "err!")
_SOFT = ("insufficient permissions", "insufficient size", "function not found", "timeout", "no data", "in use by")
# more digits than any reading has would not fit a number
_NUMBER = re.compile(r"[-+]?\d{1,20}(?:\.\d{1,20})?(?![\d.])")


def bare(body: str) -> str:
    """Return a body without blanks and the brackets of `--query-gpu`."""
    text = body.strip()
    return text[1:-1].strip() if text.startswith("[") and text.endswith("]") else text


def absent(body: str) -> bool:
    """Say whether the board has no such reading."""
    return bare(body).lower() in _ABSENT


def error(body: str) -> str | None:
    """Return the error that stands in a value's place, or None."""
    text = bare(body)
    return text if text.lower().startswith(_HARD + _SOFT) else None


def lost(body: str) -> bool:
    """Say whether a body reports a GPU that fell off the bus."""
    return bare(body).lower().startswith("gpu is lost")


def broken(body: str) -> bool:
    """Say whether a body reports a GPU that does not answer; a missing permission is not that."""
    return bare(body).lower().startswith(_HARD)


def text(leaves: Leaves, *paths: str) -> str | None:
    """Return the first body that is a value."""
    for path in paths:
        body = leaves.get(path)
        if body is not None and not absent(body) and error(body) is None:
            return bare(body)
    return None


def number(leaves: Leaves, *paths: str) -> float | None:
    """Return the first body that begins with a number, without its unit."""
    for path in paths:
        match = _NUMBER.match(bare(leaves.get(path, "")))
        if match:
            return float(match.group(0))
    return None


def integer(leaves: Leaves, *paths: str) -> int | None:
    """Return the first body that begins with a number, as an integer: "16x", "192 bank(s)", "39595 us"."""
    value = number(leaves, *paths)
    return None if value is None else int(value)


def switch(leaves: Leaves, *paths: str) -> bool | None:
    """Return a body that says Enabled or Disabled, Yes or No."""
    value = (text(leaves, *paths) or "").lower()
    return {"enabled": True, "yes": True, "active": True, "disabled": False, "no": False, "not active": False}.get(
        value
    )


def below(leaves: Leaves, *sections: str) -> Leaves:
    """Return the leaves of the named sections, a section that is one body included."""
    heads = tuple(f"{section}/" for section in sections)
    return {path: body for path, body in leaves.items() if path in sections or path.startswith(heads)}


def applicable(bodies: Iterable[str]) -> bool:
    """Say whether a board has any of these readings; one that failed counts, for it may exist."""
    return any(not absent(body) for body in bodies)
