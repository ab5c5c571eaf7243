# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots, and a way to change one thing in them and judge again."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge

SNAPSHOTS = Path(__file__).resolve().parents[4] / "fixtures" / "snapshots"
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


@pytest.fixture
def snapshot() -> Callable[..., dict[str, Any]]:
    def make(base: str = "ready_host", changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = load(base)
        for path, value in (changes or {}).items():
            change(data, path, copy.deepcopy(value))
        return data

    return make


@pytest.fixture
def results_of(snapshot: Callable[..., dict[str, Any]]) -> Callable[..., list[dict[str, Any]]]:
    """All results of one check after some changes."""

    def run(
        check: str, base: str = "ready_host", changes: Mapping[str, Any] | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        report = judge(snapshot(base, changes), host="gpu01", inventory=["hosts"], **options)
        return [result for result in report["results"] if result["id"] == check]

    return run


@pytest.fixture
def expect(results_of: Callable[..., list[dict[str, Any]]]) -> Callable[..., None]:
    """The worst result of the check has this status, and says this."""

    def run(check: str, status: str, says: str, changes: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        options = dict(options)
        found = results_of(check, options.pop("base", "ready_host"), changes, **options)
        order = ["fail", "unknown", "warn", "skip", "pass"]
        worst = min(found, key=lambda result: order.index(result["status"]))
        assert (worst["status"], says in worst["message"]) == (status, True), worst
        assert (worst["remedy"] is not None) == (status in ("fail", "warn", "unknown"))

    return run
