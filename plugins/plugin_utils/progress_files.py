# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of durations of earlier runs. Losing it costs an estimate and nothing else: it never fails a run."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.estimates import Estimates
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.whole_file import write

# More is no file of ours (bytes)
MAX_SIZE = 4_000_000


def default_path() -> Path | None:
    """In the user's cache. None where there is no home."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # the specification of XDG_CACHE_HOME: a relative path is to be ignored
        base = Path(cache) if cache.startswith("/") else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "gpuready" / "progress.json"


def load(path: Path | None) -> Estimates:
    try:
        if path is None or path.stat().st_size > MAX_SIZE:
            return Estimates()
        return Estimates.read(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return Estimates()


def save(path: Path | None, estimates: Estimates) -> None:
    try:
        if path is not None:
            write(path, json.dumps(estimates.learned(), ensure_ascii=True, indent=0) + "\n")
    except OSError:
        # a cache that cannot be written is no matter for a run that went well
        return
