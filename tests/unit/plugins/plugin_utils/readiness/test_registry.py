# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks import (
    container,
    dev,
    driver,
    preflight,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.evaluate import ordered
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    ROLES,
    Check,
    Severity,
    Stage,
    ok,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS, CHECKS

PREFIXES = {"PRE": Stage.PREFLIGHT, "DRV": Stage.DRIVER, "CTR": Stage.CONTAINER, "DEV": Stage.DEV}
PROJECT = Path(__file__).resolve().parents[5]


def test_every_check_function_is_registered_once() -> None:
    written = {
        function
        for module in (preflight, driver, container, dev)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and inspect.signature(function).return_annotation == "list[Finding]"
    }
    registered = [check.function for check in CHECKS]
    assert written == set(registered)
    assert len(registered) == len(set(registered))


def test_ids_are_unique_and_tell_their_stage() -> None:
    assert len(set(CHECK_IDS)) == len(CHECK_IDS) >= 12
    for check in CHECKS:
        assert PREFIXES[check.id.split("-")[0]] is check.stage


def test_prerequisites_exist_and_come_first() -> None:
    order = [check.id for check in ordered(CHECKS)]
    for check in CHECKS:
        for name in check.after:
            assert order.index(name) < order.index(check.id)


def test_checks_that_wait_for_each_other_are_refused() -> None:
    def circle(name: str, after: str) -> Check:
        return Check(name, Stage.DEV, Severity.MINOR, name, lambda _ctx: [ok("fine")], (after,))

    with pytest.raises(ValueError, match="wait for each other"):
        ordered([circle("DEV-A", "DEV-B"), circle("DEV-B", "DEV-A")])


def test_the_roles_of_remedies_exist() -> None:
    assert [role for role in ROLES if not (PROJECT / "roles" / role / "tasks" / "main.yml").is_file()] == []


@pytest.mark.parametrize("stage", ["preflight", "driver", "container", "dev"])
def test_every_check_is_tested_for_good_for_bad_and_for_silence(stage: str) -> None:
    path = Path(__file__).parent / "checks" / f"test_{stage}.py"
    spec = importlib.util.spec_from_file_location(f"cases_{stage}", path)
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    seen: dict[str, set[str]] = {}
    for check, status, *_rest in module.CASES:
        seen.setdefault(check, set()).add(status)
    for check in [check.id for check in CHECKS if check.stage == stage]:
        assert "pass" in seen[check], check
        assert seen[check] & {"fail", "warn"}, check
        assert "unknown" in seen[check], check
