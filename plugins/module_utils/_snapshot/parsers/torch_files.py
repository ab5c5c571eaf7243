# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What torch and Python environments say of themselves in files: nothing is imported or run. Part of the probe that
runs inside containers (inside/bundle.py): nothing newer than Python 3.6, and names that no other part has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any


def torch_version_file(text: str) -> dict[str, Any]:
    """Parse torch/version.py: `__version__ = '2.9.0+cu130'`, `cuda: Optional[str] = '13.0'` (None for a CPU build)."""

    def value(name: str) -> Any:
        match = re.search("^" + name + r"(?:\s*:[^=\n]*)?\s*=\s*['\"]([^'\"]+)['\"]", text, re.MULTILINE)
        return match.group(1) if match else None

    return {"version": value("__version__"), "cuda": value("cuda")}


def dist_info_version(names: Sequence[str], package: str) -> Any:
    """Return a package's version by the names in a site-packages folder (PEP 376: name-version.dist-info)."""
    for name in names:
        match = re.match(r"([A-Za-z0-9_.]+)-([^-]+)(?:-[^-]+)*\.(?:dist|egg)-info$", name)
        if match and match.group(1).lower().replace("_", "-").replace(".", "-") == package:
            return match.group(2)
    return None


def conda_record(names: Sequence[str], package: str) -> Any:
    """Return (version, build string) of a package by the names in conda-meta: name-version-build.json."""
    for name in names:
        match = re.match(r"(.+)-([^-]+)-([^-]+)\.json$", name)
        if match and match.group(1) == package:
            return match.group(2), match.group(3)
    return None


def pyvenv_config(text: str) -> dict[str, str]:
    """Parse pyvenv.cfg; uv adds the key "uv", virtualenv the key "version_info"."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name.strip().lower()] = value.strip()
    return found
