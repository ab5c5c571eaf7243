# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where check mode must not ask the package manager: the former version is still held, and nothing would fit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.insert(0, str(Path(__file__).parents[1]))

import role_variables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import steps

SNAPSHOTS = Path(__file__).parents[4] / "tests" / "fixtures" / "snapshots"
NAME = "__nvidia_driver_other_version"
HERE = "580.159.03"
CASES: dict[str, tuple[bool, dict[str, Any], bool]] = {
    "first installation": (False, {}, False),
    "nothing newer": (True, {"nvidia_driver_upgrade": True}, False),
    "newer of the branch": (True, {"nvidia_driver_upgrade": True, "newest": "580.200.01"}, True),
    "another branch": (True, {"nvidia_driver_branch": "595", "newest": "595.71.05"}, True),
}


def case(there: bool, inputs: dict[str, Any]) -> role_variables.Case:
    """A host on which the role has installed the driver, or a bare one, and a repository that offers `newest`."""
    facts = json.loads((SNAPSHOTS / "bare_host.json").read_text(encoding="utf-8"))
    set_ = steps.steps(facts, {"wishes": {}})["packages"]
    if there:
        facts["packages"]["installed"] |= dict.fromkeys(set_, f"{HERE}-1")
        facts["driver"]["module"] = {"loaded": True, "version": HERE, "flavour": "open"}
    wishes = {"driver_branch": inputs.get("nvidia_driver_branch", ""), "driver_allow_change": True}
    asked = steps.steps(facts, {"wishes": wishes, "upgrade": True})["asked"]
    offered = [f"{inputs.get('newest', HERE)}-1", f"{HERE}-1"]
    candidates = {"versions": dict.fromkeys(asked, offered)}
    given = {**inputs, "nvidia_driver_allow_change": True, "__nvidia_driver_candidates": candidates}
    return facts, given, [NAME]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    cases = {name: case(there, inputs) for name, (there, inputs, _expected) in CASES.items()}
    return role_variables.evaluate(tmp_path_factory.mktemp("prediction"), "nvidia_driver", cases)


@pytest.mark.parametrize("name", CASES)
def test_only_another_version_is_predicted_in_words(name: str, found: dict[str, Any]) -> None:
    assert found[name] == {NAME: CASES[name][2]}
