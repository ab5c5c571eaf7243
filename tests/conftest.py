# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the collection importable as `ansible_collections.gpuready.bootstrap` (`make dev-setup` makes the tree)."""

from __future__ import annotations

import sys
from pathlib import Path

COLLECTIONS = Path(__file__).resolve().parent.parent / ".collections"

if not (COLLECTIONS / "ansible_collections" / "gpuready" / "bootstrap").exists():
    raise RuntimeError(f"{COLLECTIONS} is missing: run `make dev-setup` first")
sys.path.insert(0, str(COLLECTIONS))
