# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the contract tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# For every way that pytest can import test files: the tests share helpers.py, and look at tools/.
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from helpers import ROLES, ROOT, RoleFiles, role_files


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest) -> RoleFiles:
    return role_files(request.param)


@pytest.fixture(scope="session")
def known_files() -> list[Path]:
    """The files that git has or would take. A tree without git holds nothing else."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
