# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import checks
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import ROLES
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.evaluate import ordered
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Check, Severity, Stage, ok
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS, CHECKS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say

PREFIXES = {"PRE": Stage.PREFLIGHT, "DRV": Stage.DRIVER, "CTR": Stage.CONTAINER, "DEV": Stage.DEV}
CHECK_FOLDER = Path(str(checks.__file__)).parent
PROJECT = Path(__file__).resolve().parents[5]


def check_modules() -> list[Any]:
    """The modules below checks/, by the files that are there."""
    names = [
        ".".join(path.relative_to(CHECK_FOLDER).with_suffix("").parts)
        for path in sorted(CHECK_FOLDER.rglob("*.py"))
        if path.stem not in ("__init__", "registry")
    ]
    return [importlib.import_module(f"{checks.__name__}.{name}") for name in names]


def test_every_check_function_is_registered_once() -> None:
    written = {
        function
        for module in check_modules()
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and inspect.signature(function).return_annotation == "list[Finding]"
        and list(inspect.signature(function).parameters) == ["ctx"]
    }
    registered = [check.function for check in CHECKS]
    assert written - set(registered) == set()
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
        return Check(name, Stage.DEV, Severity.MINOR, say(name), lambda _ctx: [ok(say("fine"))], (after,))

    with pytest.raises(ValueError, match="wait for each other"):
        ordered([circle("DEV-A", "DEV-B"), circle("DEV-B", "DEV-A")])


def test_the_roles_of_remedies_exist() -> None:
    assert [role for role in ROLES if not (PROJECT / "roles" / role / "tasks" / "main.yml").is_file()] == []
