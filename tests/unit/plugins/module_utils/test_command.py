# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner says how a command ended, and never raises."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner, first_line, text
from hypothesis import given
from hypothesis import strategies as st


def real(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
    done = subprocess.run(argv, env={**os.environ, **options["environ_update"]}, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_output_and_locale() -> None:
    result = Runner(real, 5).run(["sh", "-c", "echo $LC_ALL $EXTRA; echo bad >&2"], env={"EXTRA": "more"})
    assert (result.status, result.rc, result.stdout, result.stderr) == ("ok", 0, "C more\n", "bad\n")
    assert result.error is None


def test_a_failing_command_gives_its_code_and_first_line() -> None:
    result = Runner(real, 5).run(["sh", "-c", "echo; echo 'what went wrong' >&2; exit 9"])
    assert (result.status, result.rc, result.error) == ("failed", 9, "what went wrong")


def test_a_command_that_hangs_is_stopped_even_if_it_ignores_term() -> None:
    result = Runner(real, 1).run(["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"])
    assert (result.status, result.rc) == ("timeout", None)
    assert "within 1 s" in (result.error or "")
    assert result.ms < 4000


def test_a_missing_program() -> None:
    result = Runner(real, 5).run(["no-such-program-here", "-x"])
    assert (result.status, result.rc) == ("missing", None)
    assert "no-such-program-here" in (result.error or "")


def test_without_coreutils_timeout_the_command_still_runs(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\necho here\n")
    program.chmod(0o755)
    seen: list[list[str]] = []

    def record(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
        seen.append(argv)
        return real(argv, **options)

    assert Runner(record, 5, search=[str(tmp_path)]).run(["tool"]).stdout == "here\n"
    assert seen == [[str(program)]]


@pytest.mark.parametrize(
    ("error", "status"), [(PermissionError(13, "Permission denied"), "denied"), (OSError(12, "no memory"), "failed")]
)
def test_what_run_command_raises_becomes_a_status(error: OSError, status: str) -> None:
    def broken(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
        raise error

    result = Runner(broken, 5).run(["sh"])
    assert (result.status, result.rc) == (status, None)


def test_output_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.gpuready.bootstrap.plugins.module_utils._command.OUTPUT_CAP", 10)
    assert Runner(real, 5).run(["sh", "-c", "echo 0123456789abcdef"]).stdout == "0123456789"


@given(st.binary())
def test_any_output_becomes_text_that_json_can_carry(output: bytes) -> None:
    text(output).encode("utf-8")


@given(st.text(st.characters()))
def test_surrogates_do_not_survive(output: str) -> None:
    text(output).encode("utf-8")


def test_first_line() -> None:
    assert first_line("\n  \n word \nnext") == "word"
    assert first_line("") is None
    assert first_line("x" * 500, 10) == "x" * 10
