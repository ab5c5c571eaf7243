# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the tools that make pages of data: write what is stale, or with `--check` only say so."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def keep(
    pages: Callable[[], Mapping[Path, str]], root: Path, description: str | None, argv: Sequence[str] | None
) -> int:
    """Keep pages as they are wanted; the exit status: 1 where --check found a stale one.

    pages: asked only once the command line is known to be good; root: what names of pages are printed relative to;
    description: the documentation of the tool, of which the first line is shown by --help.
    """
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a page is stale")
    check = parser.parse_args(argv).check
    stale = {
        path: text for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    }
    if not check:
        for path, text in stale.items():
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"{'stale' if check else 'written'}: {', '.join(str(path.relative_to(root)) for path in stale)}")
    return int(check and bool(stale))
