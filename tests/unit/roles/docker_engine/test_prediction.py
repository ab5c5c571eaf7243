# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode of the way back: containers that would be gone by then do not count, those of others do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.insert(0, str(Path(__file__).parents[1]))

from role_variables import Case, evaluate

NAME = "__docker_engine_on_running_containers"
UP = {"docker.service": {"active": "active"}}


def case(came: bool, *names: str, reachable: bool = True) -> Case:
    running = [{"name": name, "state": "running"} for name in names]
    docker = {"present": True, "reachable": reachable, "containers": running if reachable else None}
    found = [] if not came else [{"content": "eyJhZGRlZCI6IFsiZG9ja2VyLmlvIl19"}]  # {"added": ["docker.io"]}
    inputs = {
        "docker_engine_state": "absent",
        "docker_engine_on_running_containers": "refuse",
        "docker_engine_disregard": ["gpuready-dev"],
        "__docker_engine_recorded": {"results": found},
    }
    return {"docker": docker, "services": UP}, inputs, [NAME]


CASES = {
    "ours_goes_with_what_runs": (case(True, "web"), "proceed"),
    "adopted_and_idle": (case(False), "proceed"),
    "adopted_and_ours_runs": (case(False, "gpuready-dev"), "proceed"),
    "adopted_and_others_run": (case(False, "gpuready-dev", "web"), "refuse"),
    "adopted_and_silent": (case(False, reachable=False), "refuse"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, Any]]]:
    base = tmp_path_factory.mktemp("prediction")
    cases = {name: one[0] for name, one in CASES.items()}
    return {
        "real": evaluate(base, "docker_engine", cases),
        "check": evaluate(base, "docker_engine", cases, "--check"),
    }


@pytest.mark.parametrize("name", CASES)
def test_check_mode_says_what_the_run_will_find(found: dict[str, dict[str, dict[str, Any]]], name: str) -> None:
    assert found["real"][name][NAME] == "refuse"
    assert found["check"][name][NAME] == CASES[name][1]
