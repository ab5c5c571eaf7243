# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of plans on the controller: saved snapshots in, one JSON file for each plan out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import readiness_files, whole_file


def load_folder(folder: Path) -> dict[str, dict[str, Any]]:
    """All saved snapshots of a folder by the name of their host. Raises ValueError that names every bad file."""
    return readiness_files.load_folder(folder)


def check_target(folder: Path, target: Path) -> None:
    """Plans have the names of their snapshots: in the same folder they would overwrite them. Raises ValueError."""
    if target.resolve() == folder.resolve():
        raise ValueError(
            f"report_dir {target} is the folder of the snapshots: the plans would overwrite them;"
            " choose another folder (plan_report_dir)"
        )


def write(target: Path, plans: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Write NAME.json for each plan, each whole or not at all; returns the files by host. Raises OSError."""
    files: dict[str, str] = {}
    for plan in plans:
        host = str(plan["host"])
        path = target / f"{readiness_files.file_stem(host)}.json"
        whole_file.write(path, readiness_files.as_json(plan))
        files[host] = str(path)
    return files


def load_plan(path: Path) -> dict[str, Any]:
    """A plan that write() has written. Raises OSError, and ValueError for anything else."""
    plan = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(plan, dict):
        raise ValueError(f"{path} holds no plan")
    return plan
