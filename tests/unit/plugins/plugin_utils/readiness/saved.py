# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved snapshots, a way to change one thing in them, and the broken machines of tests/fixtures/cases."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Commands
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Context, DevWish, Stage
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy import make_policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

SNAPSHOTS = Path(__file__).resolve().parents[4] / "fixtures" / "snapshots"
CASES = SNAPSHOTS.parent / "cases"
DROP = "<dropped>"


def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8"))
    return data


def change(data: dict[str, Any], path: str, value: Any) -> None:
    """Set `a.b.0.c`, or remove it. Keys with dots are not needed here."""
    *parents, last = path.split(".")
    node: Any = data
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node[key]
    if value == DROP:
        del node[int(last) if isinstance(node, list) else last]
    elif isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value


@dataclass(frozen=True)
class Case:
    name: str
    stage: str
    data: Mapping[str, Any]


@cache
def cases() -> tuple[Case, ...]:
    found = []
    for path in sorted(CASES.glob("*.yml")):
        stage = path.stem.split("_")[0]
        for name, data in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
            found.append(Case(f"{path.stem}:{name}", stage, data))
    return tuple(found)


def case_snapshot(case: Case) -> dict[str, Any]:
    data = load(case.data.get("base", "ready_host"))
    for path, value in (case.data.get("changes") or {}).items():
        change(data, path, copy.deepcopy(value))
    return data


def case_context(case: Case, data: Any) -> Context:
    """The context in which a case is judged: its policy, stages and dev containers, over `data`."""
    stages = tuple(Stage(stage) for stage in case.data.get("stages") or [case.stage])
    wishes = case.data.get("dev")
    policy = make_policy(case.data.get("policy"), CHECK_IDS)
    asked = None if wishes is None else tuple(DevWish(**wish) for wish in wishes)
    return Context(View(data), policy, Commands("gpu01", ("hosts",)), stages, asked)
