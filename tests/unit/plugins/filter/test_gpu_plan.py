# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gpuready.bootstrap.plugins.filter import gpu_plan as plugin

SNAPSHOTS = Path(__file__).resolve().parents[3] / "fixtures" / "snapshots"
gpu_plan = plugin.FilterModule().filters()["gpu_plan"]


def snapshot(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8"))
    return data


def test_facts_become_a_plan() -> None:
    plan = gpu_plan(snapshot("bare_host"), {"driver_branch": "580"}, "gpu01")
    assert (plan["host"], plan["refusal"], plan["driver"]["branch"]) == ("gpu01", None, "580")
    assert gpu_plan(snapshot("bare_host"))["schema"] == "gpuready.plan/1"
    assert gpu_plan(snapshot("bare_host"), None)["host"] == ""


def test_facts_with_holes_are_a_refusal_and_no_error() -> None:
    assert gpu_plan({}, {})["refusal"]["rung"] == "gpus"


@pytest.mark.parametrize(
    ("facts", "wishes", "says"),
    [
        (
            {},
            {"torch": "latest"},
            "gpu_plan cannot plan: the wish torch is 'latest'; it must be a release such as 2.11",
        ),
        ({}, {"driver": "580"}, "gpu_plan cannot plan: unknown wish 'driver'"),
        ({}, ["580"], "gpu_plan needs the wishes as a mapping, not list"),
        (None, {}, "gpu_plan needs the facts of a machine (a mapping), not NoneType"),
        ("text", {}, "gpu_plan needs the facts of a machine (a mapping), not str"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(facts: Any, wishes: Any, says: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        gpu_plan(facts, wishes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_documentation_names_what_there_is(documentation: Callable[[ModuleType], dict[str, Any]]) -> None:
    described = documentation(plugin)
    assert described["name"] == "gpu_plan"
    assert set(described["options"]) == {"_input", "wishes", "host"}
    assert described["positional"] == "_input, wishes, host"
