# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role hands to its tasks and to the playbook, as Ansible evaluates it."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.insert(0, str(Path(__file__).parents[1]))

import role_variables

SNAPSHOTS = Path(__file__).resolve().parents[3] / "fixtures" / "snapshots"
NAMES = ["nvml_stability_at_risk", "__nvml_stability_looks", "__nvml_stability_rules_state"]


def snapshot(**gpu: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((SNAPSHOTS / "sandbox_ready.json").read_text(encoding="utf-8"))
    data = copy.deepcopy(data)
    data["docker"]["containers"][0]["gpu"] |= gpu
    return data


LOSES = {"via": "hook", "rules_ok": False, "missing": ["/dev/nvidia0"]}
PODMAN = {**snapshot(), "processes": {"gpu": [{"container": "b" * 64, "container_name": None}], "stuck": []}}
# snapshot, inputs, whether a reload may break something, whether device_rules is run, what it does
TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], bool, bool, str]] = {
    "right": (snapshot(), {}, False, False, "protected"),
    "protect": (snapshot(**LOSES), {}, True, True, "protected"),
    "report": (snapshot(**LOSES), {"nvml_stability_on_vulnerable": "report"}, True, False, "reported"),
    "fail": (snapshot(**LOSES), {"nvml_stability_on_vulnerable": "fail"}, True, False, "reported"),
    "recreate": (snapshot(**LOSES), {"nvml_stability_on_vulnerable": "recreate"}, True, True, "protected"),
    "podman": (PODMAN, {}, True, True, "protected"),
    "podman-report": (PODMAN, {"nvml_stability_on_vulnerable": "report"}, True, True, "reported"),
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    cases = {name: (row[0], row[1], NAMES) for name, row in TABLE.items()}
    return role_variables.evaluate(tmp_path_factory.mktemp("role"), "nvml_stability", cases)


@pytest.mark.parametrize("name", TABLE)
def test_the_policy_decides_what_is_run(printed: dict[str, dict[str, Any]], name: str) -> None:
    assert tuple(printed[name].values()) == TABLE[name][2:]
