# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether files that a module wrote are still as it wrote them, for the same inputs: its call can be spared then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def as_written_for(files: Mapping[str, Mapping[str, Any]], paths: Sequence[str], stamp: str) -> bool:
    """Return whether each of the paths is as our module wrote it, and the first one bears the stamp.

    files: the facts' files by path. paths: those of the module; the first one is the one that bears the stamp.
    """
    found = [files.get(path) or {} for path in paths]
    untouched = all(one.get("as_written") is True and (one.get("mode"), one.get("uid")) == ("0644", 0) for one in found)
    return untouched and found[0].get("stamp") == stamp
