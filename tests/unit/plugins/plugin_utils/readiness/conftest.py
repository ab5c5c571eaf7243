# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots, and a way to change one thing in them and judge again."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.insert(0, str(Path(__file__).parent))

from saved import change, load


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
