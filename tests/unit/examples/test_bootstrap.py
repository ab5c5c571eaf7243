# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict as an exit status, and what the program makes of ansible-runner's events."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

READY, WARNINGS, NOT_READY, UNKNOWN = 0, 1, 2, 3


@pytest.fixture(scope="module")
def program(load_program: Callable[[str], ModuleType]) -> ModuleType:
    return load_program("examples/bootstrap.py")


def report(exit_code: int) -> dict[str, Any]:
    verdict = {READY: "ready", WARNINGS: "ready_with_warnings", NOT_READY: "not_ready", UNKNOWN: "unknown"}[exit_code]
    return {"schema": "gpuready.report/1", "verdict": verdict, "exit_code": exit_code, "counts": {"pass": 1}}


def event(kind: str, host: str = "gpu01", **data: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": {"host": host, **data}}


@pytest.mark.parametrize(
    ("status", "codes", "errors", "expected"),
    [
        ("successful", [READY], {}, READY),
        ("successful", [READY, READY], {}, READY),
        ("successful", [READY, WARNINGS], {}, WARNINGS),
        ("successful", [WARNINGS, UNKNOWN], {}, UNKNOWN),
        ("successful", [UNKNOWN, NOT_READY], {}, NOT_READY),
        ("failed", [UNKNOWN], {"gpu01": "not known"}, NOT_READY),
        ("successful", [READY], {"gpu02": "no route"}, NOT_READY),
        ("successful", [], {}, NOT_READY),
        ("failed", [READY], {}, NOT_READY),
        ("canceled", [READY], {}, NOT_READY),
        ("timeout", [WARNINGS], {}, NOT_READY),
        ("not started", [], {}, NOT_READY),
    ],
)
def test_the_worst_host_decides(
    program: ModuleType, status: str, codes: list[int], errors: dict[str, str], expected: int
) -> None:
    reports = {f"gpu{number}": report(code) for number, code in enumerate(codes)}
    assert program.Outcome(status, reports, errors).exit_code == expected


@given(codes=st.lists(st.sampled_from([READY, WARNINGS, NOT_READY, UNKNOWN]), min_size=1))
def test_the_order_of_the_hosts_does_not_matter(program: ModuleType, codes: list[int]) -> None:
    def exit_code(order: list[int]) -> int:
        return int(program.Outcome("successful", dict(enumerate(map(report, order)))).exit_code)

    assert exit_code(codes) == exit_code(codes[::-1])
    assert (exit_code(codes) == READY) == (set(codes) == {READY})


def test_each_task_is_a_line_of_progress(program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    stream = program.Stream(program.Outcome())
    assert stream(event("playbook_on_task_start", name="docker_engine : Install the engine")) is True
    assert stream(event("runner_on_ok", res={"changed": True})) is True
    assert stream(event("runner_on_ok", res={"changed": False})) is True
    assert capsys.readouterr().out.splitlines() == ["   docker_engine : Install the engine", "      gpu01: changed"]


def test_the_last_report_of_a_host_stands(program: ModuleType) -> None:
    outcome = program.Outcome()
    stream = program.Stream(outcome)
    stream(event("runner_on_ok", res={"report": report(NOT_READY)}))
    stream(event("runner_on_ok", host="gpu02", res={"report": report(READY)}))
    stream(event("runner_on_ok", res={"report": report(WARNINGS)}))
    assert outcome.reports == {"gpu01": report(WARNINGS), "gpu02": report(READY)}
    assert outcome.errors == {}


def test_a_failing_verdict_is_kept_with_its_report(program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = program.Outcome()
    program.Stream(outcome)(event("runner_on_failed", res={"msg": "NOT READY: DRV-SMI", "report": report(NOT_READY)}))
    assert outcome.reports == {"gpu01": report(NOT_READY)}
    assert outcome.errors == {"gpu01": "NOT READY: DRV-SMI"}
    assert "gpu01: FAILED: NOT READY: DRV-SMI" in capsys.readouterr().out


def test_an_unreachable_host_is_an_error_without_report(program: ModuleType) -> None:
    outcome = program.Outcome()
    program.Stream(outcome)(event("runner_on_unreachable", res={"msg": "Connection timed out"}))
    assert (outcome.reports, outcome.errors) == ({}, {"gpu01": "Connection timed out"})


def test_an_ignored_failure_is_no_error(program: ModuleType) -> None:
    outcome = program.Outcome()
    program.Stream(outcome)(event("runner_on_failed", res={"msg": "x"}, ignore_errors=True))
    assert outcome.errors == {}


@pytest.mark.parametrize("res", [None, {}, {"report": None}, {"report": "text"}, {"report": {"schema": "other"}}])
def test_what_is_no_report_is_passed_over(program: ModuleType, res: Any) -> None:
    outcome = program.Outcome()
    program.Stream(outcome)(event("runner_on_ok", res=res))
    assert outcome.reports == {}


@pytest.mark.parametrize("kind", ["playbook_on_start", "runner_on_skipped", "runner_on_start", "verbose", "error"])
def test_other_events_say_nothing(program: ModuleType, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    outcome = program.Outcome()
    assert program.Stream(outcome)({"event": kind}) is True
    assert (outcome.reports, outcome.errors, capsys.readouterr().out) == ({}, {}, "")


class Runner:
    """In ansible-runner's place: leaves a file as it does, sends events, ends with a status."""

    def __init__(self, status: str, *events: dict[str, Any], error: Exception | None = None) -> None:
        self.status, self.events, self.error = status, events, error
        self.arguments: dict[str, Any] = {}

    def run(self, **arguments: Any) -> SimpleNamespace:
        self.arguments = arguments
        (Path(arguments["private_data_dir"]) / "artifacts").write_text("variables", encoding="utf-8")
        for one in self.events:
            arguments["event_handler"](one)
        if self.error:
            raise self.error
        return SimpleNamespace(status=self.status)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, watched."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # the program changes it
    return folder


def call(program: ModuleType, monkeypatch: pytest.MonkeyPatch, runner: Runner, *options: str) -> int:
    monkeypatch.setattr(program, "ansible_runner", runner)
    monkeypatch.setattr("sys.argv", ["bootstrap.py", *options])
    return int(program.main())


def test_a_run_gives_the_verdict_as_status_json_and_text(
    program: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    temporary: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runner = Runner("successful", event("runner_on_ok", res={"report": report(WARNINGS)}))
    target = tmp_path / "out.json"
    options = ["-i", str(tmp_path), "--json", str(target), "-e", "docker_engine_x=a=b", "-e", "y=1"]
    assert call(program, monkeypatch, runner, *options) == WARNINGS
    assert json.loads(target.read_text(encoding="utf-8")) == {
        "status": "successful",
        "reports": {"gpu01": report(WARNINGS)},
        "errors": {},
    }
    assert "gpu01: ready_with_warnings" in capsys.readouterr().out
    assert runner.arguments["extravars"] == {"docker_engine_x": "a=b", "y": "1"}
    assert list(temporary.iterdir()) == []


def test_a_run_that_breaks_leaves_no_file(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary: Path
) -> None:
    with pytest.raises(OSError, match="disk full"):
        call(program, monkeypatch, Runner("", error=OSError("disk full")), "-i", str(tmp_path))
    assert list(temporary.iterdir()) == []


def test_a_missing_inventory_is_named(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        call(program, monkeypatch, Runner("successful"), "-i", str(tmp_path / "nowhere"))
    assert f"inventory {tmp_path / 'nowhere'} does not exist" in capsys.readouterr().err
