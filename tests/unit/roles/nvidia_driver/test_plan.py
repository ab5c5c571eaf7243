# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role tells the preflight judge of the driver that it is going to install; Ansible evaluates it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.insert(0, str(Path(__file__).parents[1]))

import role_variables

PROJECT = Path(__file__).parents[4]
SNAPSHOTS = PROJECT / "tests" / "fixtures" / "snapshots"
NEW = {"driver_branch": "580", "driver_modules": "open", "driver_secure_boot": "off", "driver_change_planned": False}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "bare": ("bare_host", {}, NEW),
    "bare-other-branch": ("bare_host", {"nvidia_driver_branch": "595"}, {**NEW, "driver_branch": "595"}),
    # whoever names packages knows which modules they bring
    "bare-own-packages": ("bare_host", {"nvidia_driver_packages": ["x"]}, {**NEW, "driver_modules": None}),
    "somebody-elses": ("bare_host", {"nvidia_driver_source": "none"}, {}),
    "goes-away": ("ready_host", {"nvidia_driver_state": "absent"}, {}),
    "adopted": ("ready_host", {}, {}),
    "changed": (
        "ready_host",
        {"nvidia_driver_branch": "595", "nvidia_driver_allow_change": True},
        {**NEW, "driver_branch": "595", "driver_change_planned": True},
    ),
}


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    cases = {
        name: (json.loads((SNAPSHOTS / f"{snapshot}.json").read_text(encoding="utf-8")), inputs, ["nvidia_driver_plan"])
        for name, (snapshot, inputs, _plan) in CASES.items()
    }
    return role_variables.evaluate(tmp_path_factory.mktemp("plan"), "nvidia_driver", cases)


@pytest.mark.parametrize("name", CASES)
def test_only_a_driver_that_will_be_installed_is_planned(name: str, plans: dict[str, Any]) -> None:
    assert plans[name] == {"nvidia_driver_plan": CASES[name][2]}
