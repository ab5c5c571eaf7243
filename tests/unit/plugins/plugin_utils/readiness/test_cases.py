# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every broken machine of tests/fixtures/cases: exactly the expected lines, and every check seen in every state."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import evaluate as engine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Commands
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    DevWish,
    Result,
    Severity,
    Stage,
    Status,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy import make_policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS, CHECKS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View
from saved import change, load

FOLDER = Path(__file__).resolve().parents[4] / "fixtures" / "cases"
SOURCES = Path(engine.__file__).parent / "checks"
KEYS = {
    "base", "changes", "policy", "stages", "dev", "expect", "skipped", "skipped_any", "passed", "says", "remedy", "why",
}  # fmt: skip
WORST = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.SKIP, Status.PASS)


@dataclass(frozen=True)
class Case:
    name: str
    stage: str
    data: Mapping[str, Any]


@cache
def cases() -> tuple[Case, ...]:
    found = []
    for path in sorted(FOLDER.glob("*.yml")):
        stage = path.stem.split("_")[0]
        for name, data in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
            found.append(Case(f"{path.stem}:{name}", stage, data))
    return tuple(found)


@cache
def judged(name: str) -> tuple[Result, ...]:
    case = next(item for item in cases() if item.name == name)
    data = load(case.data.get("base", "ready_host"))
    for path, value in (case.data.get("changes") or {}).items():
        change(data, path, copy.deepcopy(value))
    stages = tuple(Stage(stage) for stage in case.data.get("stages") or [case.stage])
    wishes = case.data.get("dev")
    context = Context(
        View(data),
        make_policy(case.data.get("policy"), CHECK_IDS),
        Commands("gpu01", ("hosts",)),
        stages,
        None if wishes is None else tuple(DevWish(**wish) for wish in wishes),
    )
    return tuple(engine.evaluate(context, CHECKS))


def worst(results: tuple[Result, ...]) -> dict[str, Result]:
    found: dict[str, Result] = {}
    for result in results:
        if result.id not in found or WORST.index(result.status) < WORST.index(found[result.id].status):
            found[result.id] = result
    return found


NAMES = [case.name for case in cases()]


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_machine_gives_exactly_its_lines(name: str) -> None:
    case = next(item for item in cases() if item.name == name)
    assert set(case.data) <= KEYS
    found = worst(judged(name))
    said = {
        result.id: str(result.status)
        for result in found.values()
        if result.status in (Status.FAIL, Status.WARN, Status.UNKNOWN)
    }
    assert said == dict(case.data.get("expect") or {}), {i: str(found[i].message) for i in said}
    for wanted in case.data.get("skipped") or []:
        assert (found[wanted].status, bool(found[wanted].caused_by)) == (Status.SKIP, True), wanted
    for wanted in case.data.get("skipped_any") or []:
        assert found[wanted].status is Status.SKIP, wanted
    for wanted in case.data.get("passed") or []:
        assert found[wanted].status is Status.PASS, wanted
    for wanted, text in (case.data.get("says") or {}).items():
        assert text in str(found[wanted].message), wanted
    for wanted, remedy in (case.data.get("remedy") or {}).items():
        given = found[wanted].remedy
        assert given is not None, wanted
        assert {key: getattr(given, key) for key in remedy} == remedy, wanted


@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrong_has_a_remedy_and_evidence(name: str) -> None:
    for result in judged(name):
        if result.status in (Status.FAIL, Status.WARN):
            assert result.remedy is not None, result.id
            assert result.remedy.command.startswith(("ansible-playbook ", "ansible ")), result.id
            assert str(result.remedy.text), result.id
            assert result.evidence, result.id


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_is_seen_in_every_state(check: Any) -> None:
    seen = {result.status for name in NAMES for result in judged(name) if result.id == check.id}
    wrong = {Status.FAIL, Status.WARN} if check.severity in (Severity.MINOR, Severity.INFO) else {Status.FAIL}
    assert seen & wrong, "no case in which it fails"
    assert {Status.PASS, Status.SKIP, Status.UNKNOWN} <= seen


def templates(message: Any) -> Iterator[str]:
    """The template of a text and of the texts in it: the engine wraps messages."""
    if isinstance(message, Text):
        yield message.template
        for value in message.args.values():
            yield from templates(value)


def complaints() -> Iterator[tuple[str, str]]:
    """(where, template) of each `fail(say("..."), ...)` and `warn(say("..."), ...)` in the checks."""
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            first = node.args[0]
            if node.func.id in ("fail", "warn") and isinstance(first, ast.Call) and first.args:
                text = first.args[0]
                if isinstance(first.func, ast.Name) and first.func.id == "say" and isinstance(text, ast.Constant):
                    yield f"{path.parent.name}/{path.name}:{node.lineno}", str(text.value)


COMPLAINTS = list(complaints())


@cache
def all_templates() -> frozenset[str]:
    return frozenset(
        template
        for name in NAMES
        for result in judged(name)
        if result.status in (Status.FAIL, Status.WARN)
        for template in templates(result.message)
    )


def test_there_are_complaints_to_look_at() -> None:
    assert len(COMPLAINTS) > 80


@pytest.mark.parametrize(("where", "template"), COMPLAINTS, ids=[where for where, _template in COMPLAINTS])
def test_every_failure_message_is_seen_in_a_case(where: str, template: str) -> None:
    assert template in all_templates(), where
