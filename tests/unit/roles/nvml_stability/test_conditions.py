# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role hands to its tasks and to the playbook, as Ansible evaluates it."""

from __future__ import annotations

import copy
import json
import shutil
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
# as Docker's listing alone tells of a container
UNDESCRIBED = snapshot(requested=None, via=None, devices=[], rules_ok=None, missing=[])
# snapshot, inputs, whether a reload may break something, whether device_rules is run, what it does
TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], bool, bool, str]] = {
    "right": (snapshot(), {}, False, False, "protected"),
    "protect": (snapshot(**LOSES), {}, True, True, "protected"),
    "report": (snapshot(**LOSES), {"nvml_stability_on_vulnerable": "report"}, True, False, "reported"),
    "fail": (snapshot(**LOSES), {"nvml_stability_on_vulnerable": "fail"}, True, False, "reported"),
    "recreate": (snapshot(**LOSES), {"nvml_stability_on_vulnerable": "recreate"}, True, True, "protected"),
    "podman": (PODMAN, {}, True, True, "protected"),
    "undescribed": (UNDESCRIBED, {}, True, True, "protected"),
    "undescribed-fail": (UNDESCRIBED, {"nvml_stability_on_vulnerable": "fail"}, True, True, "reported"),
    "podman-report": (PODMAN, {"nvml_stability_on_vulnerable": "report"}, True, True, "reported"),
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    cases = {name: (row[0], row[1], NAMES) for name, row in TABLE.items()}
    return role_variables.evaluate(tmp_path_factory.mktemp("role"), "nvml_stability", cases)


@pytest.mark.parametrize("name", TABLE)
def test_the_policy_decides_what_is_run(printed: dict[str, dict[str, Any]], name: str) -> None:
    assert tuple(printed[name].values()) == TABLE[name][2:]


# device_rules answers as the host says; then protect.yml, and what it has said
GUARD = """
- ansible.builtin.set_fact: {__nvml_stability_looked: "{{ looked }}"}
"""
PROTECT = """
- block: [{ansible.builtin.include_tasks: protect.yml}]
  rescue: [{ansible.builtin.set_fact: {said: "{{ ansible_failed_result.msg }}"}}]
- ansible.builtin.set_fact: {printed: {said: "{{ said | default('') }}"}}
"""


def verdict(said: str) -> dict[str, Any]:
    one = UNDESCRIBED["docker"]["containers"][0]
    told = {"id": one["id"], "name": one["name"], "scope": f"docker-{one['id']}.scope", "reason": "it lacks a rule"}
    return {"containers": [{**told, "verdict": said}], "protected": []}


def test_a_run_that_may_protect_nothing_stops_before_a_container_loses_its_gpu(tmp_path: Path) -> None:
    """Also one of which only device_rules can tell that it would."""
    role = tmp_path / "roles" / "nvml_stability"
    shutil.copytree(role_variables.PROJECT / "roles" / role.name, role)
    (role / "tasks" / "guard.yml").write_text(GUARD)
    (role / "tasks" / "probe.yml").write_text(PROTECT)
    (tmp_path / "play.yml").write_text(role_variables.PLAY.format(role=role.name))
    fail = {"nvml_stability_on_vulnerable": "fail"}
    cases: dict[str, role_variables.Case] = {
        "known": (snapshot(**LOSES), fail, []),
        "loses": (UNDESCRIBED, {**fail, "looked": verdict("loses")}, []),
        "keeps": (UNDESCRIBED, {**fail, "looked": verdict("keeps")}, []),
        "report": (UNDESCRIBED, {"nvml_stability_on_vulnerable": "report", "looked": verdict("loses")}, []),
    }
    said = {name: found["said"] for name, found in role_variables.evaluate(tmp_path, role.name, cases).items()}
    assert said["keeps"] == said["report"] == ""
    for name in ("known", "loses"):
        assert "lose their GPUs" in said[name] and "Nothing that reloads systemd was done" in said[name], said
