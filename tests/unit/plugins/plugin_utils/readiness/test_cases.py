# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every broken machine of tests/fixtures/cases: exactly the expected lines, and every check seen in every state."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import evaluate as engine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Result,
    Severity,
    Status,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECKS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text
from saved import case_context, case_snapshot, cases

SOURCES = Path(engine.__file__).parent / "checks"
KEYS = {
    "base", "changes", "policy", "stages", "dev", "expect", "skipped", "skipped_any", "passed", "says", "remedy", "why",
}  # fmt: skip
WORST = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.SKIP, Status.PASS)


@cache
def judged(name: str) -> tuple[Result, ...]:
    case = next(item for item in cases() if item.name == name)
    return tuple(engine.evaluate(case_context(case, case_snapshot(case)), CHECKS))


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


class Module:
    """One file of checks: which templates each `fail(...)` and `warn(...)` in it can say."""

    def __init__(self, path: Path) -> None:
        self.where = f"{path.parent.name}/{path.name}"
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.functions = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}

    def complaints(self) -> Iterator[tuple[str, str]]:
        for function in self.functions.values():
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and node.args and self.complains(node.func, function):
                    for text in self.texts(node.args[0], function):
                        yield f"{self.where}:{node.lineno}", text

    def complains(self, called: ast.expr, function: ast.FunctionDef) -> bool:
        """`fail`, `warn`, a choice between them, or a name for such a choice."""
        if isinstance(called, ast.IfExp):
            return self.complains(called.body, function) or self.complains(called.orelse, function)
        if not isinstance(called, ast.Name):
            return False
        chosen = [value for value in assigned(called.id, function) if isinstance(value, ast.IfExp)]
        return called.id in ("fail", "warn") or any(self.complains(value, function) for value in chosen)

    def texts(self, value: ast.expr, function: ast.FunctionDef) -> Iterator[str]:
        """The templates that an expression can become; not those of texts that are put into it."""
        if isinstance(value, ast.IfExp):
            parts: list[ast.expr] = [value.body, value.orelse]
        elif isinstance(value, (ast.BoolOp, ast.Tuple)):
            parts = value.values if isinstance(value, ast.BoolOp) else value.elts
        elif isinstance(value, ast.Name):
            ends = [node.end_lineno or 0 for node in ast.walk(function) if says(node, value.id)]
            said = [line for line in ends if line < value.lineno]
            before = [item for item in assigned(value.id, function) if item.lineno < value.lineno]
            # a text that was used before is not this one: between them is a return
            parts = [item for item in before if not any(item.lineno <= line for line in said)]
        else:
            parts = []
        for part in parts:
            yield from self.texts(part, function)
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            first = value.args[0] if value.args else None
            if value.func.id == "say" and isinstance(first, ast.Constant):
                yield str(first.value)
            elif value.func.id in self.functions:
                helper = self.functions[value.func.id]
                for node in ast.walk(helper):
                    if isinstance(node, ast.Return) and node.value is not None:
                        yield from self.texts(node.value, helper)


def says(node: ast.AST, name: str) -> TypeGuard[ast.Call]:
    """A call that makes a finding of the text `name`: fail(message, ...), unknown(message)."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, (ast.Name, ast.IfExp)) or not node.args:
        return False
    return isinstance(node.args[0], ast.Name) and node.args[0].id == name


def assigned(name: str, function: ast.FunctionDef) -> list[ast.expr]:
    """What a name is set to in a function: by itself, or with others from one tuple."""
    found = []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                if any(isinstance(item, ast.Name) and item.id == name for item in names):
                    found.append(node.value)
    return found


def complaints() -> Iterator[tuple[str, str]]:
    """(where, template) of each text that the checks give to `fail` and `warn`."""
    seen = set()
    for path in sorted(SOURCES.rglob("*.py")):
        for where, template in Module(path).complaints():
            if (path, template) not in seen:
                seen.add((path, template))
                yield where, template


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
    assert len(COMPLAINTS) > 240


@pytest.mark.parametrize(("where", "template"), COMPLAINTS, ids=[where for where, _template in COMPLAINTS])
def test_every_failure_message_is_seen_in_a_case(where: str, template: str) -> None:
    assert template in all_templates(), where
