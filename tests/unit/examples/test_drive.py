# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock, the files that are kept, and when a run is to stop; runs themselves are in tests/runner."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import _drive
import pytest
from _drive import Job, Stop, drive
from _outcome import Host, Outcome


@pytest.fixture(scope="module")
def scheduled(load_program: Callable[[str], ModuleType]) -> ModuleType:
    return load_program("examples/scheduled.py")


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200)])
def test_times(scheduled: ModuleType, text: str, expected: float) -> None:
    assert scheduled.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "2d", "h", "1 h"])
def test_what_is_no_time(scheduled: ModuleType, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        scheduled.seconds(text)


def test_results_are_kept_up_to_a_number(scheduled: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "notes.txt").write_text("mine", encoding="utf-8")
    outcome = Outcome(status="successful", hosts={"a": Host()})
    paths = [scheduled.store(tmp_path, outcome, keep=2, reports=False) for _number in range(2)]
    assert len(set(paths)) == 2, "two runs in one second"
    former = tmp_path / "results" / "20200101T000000Z.json"
    former.write_text("{}", encoding="utf-8")
    scheduled.store(tmp_path, Outcome(status="successful"), keep=2, reports=False)
    assert not former.exists() and (tmp_path / "results" / "notes.txt").exists()


def test_a_lock_is_given_back_however_its_holder_ends(scheduled: ModuleType, tmp_path: Path) -> None:
    code = "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(scheduled.LockedError), scheduled.lock(tmp_path / "lock", 0.0):
            pass
        holder.kill()
        with scheduled.lock(tmp_path / "lock", 10.0):
            assert "process " in (tmp_path / "lock").read_text(encoding="utf-8")
    with scheduled.lock(tmp_path / "lock", 0.0):
        pass


def test_a_deadline_passes_once_and_a_signal_goes_above_it() -> None:
    stop = Stop(0.0)
    assert stop.wanted() and stop.status == "timeout"
    assert not Stop(60.0).wanted() and not Stop().wanted()
    with Stop().at_signals() as other:
        signal.raise_signal(signal.SIGTERM)
        assert other.wanted() and (other.status, other.signal) == ("canceled", 15)
    assert signal.getsignal(signal.SIGTERM) is not other._note


def test_what_outlives_a_stopped_run_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hears no SIGTERM, and one below it in a session of its own."""
    monkeypatch.setattr("_drive.GRACE_S", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    child = f"{deaf}; print(flush=True); import time; time.sleep(60)"
    code = (
        f"{deaf}; import subprocess, sys; "
        f"p = subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True); "
        "print(p.pid, flush=True); p.wait()"
    )
    stop = Stop(0.0)
    stop.begin()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = sorted(process.stdout.readline().strip() for _number in range(2))
        assert not stop(), "first it asks"
        time.sleep(0.3)
        assert stop(), "then ansible-runner is to kill"
        stop.end()
        assert process.wait(timeout=10) == -signal.SIGKILL
        state = Path(f"/proc/{lines[1]}/stat")
        assert not state.exists() or state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


def test_nothing_is_killed_while_nobody_asks() -> None:
    stop = Stop()
    stop.begin()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert not stop()
        stop.end()
        assert process.poll() is None
        process.kill()


@pytest.mark.parametrize(
    ("value", "attempts"),
    [(True, 1), ("true", 1), ("Yes", 1), (False, 2), ("no", 2), (None, 2)],
)
def test_a_refused_canary_ends_the_attempts(monkeypatch: pytest.MonkeyPatch, value: Any, attempts: int) -> None:
    def attempt(job: Job, only: list[str], outcome: Outcome, *_others: object) -> str:
        outcome.host("gpu01").refused, outcome.host("gpu01").error = True, {"task": "Check", "msg": "no"}
        return "failed"

    monkeypatch.setattr(_drive, "hosts_of", lambda job, stop: ["gpu01", "gpu02"])
    monkeypatch.setattr(_drive, "_attempt", attempt)
    given = {} if value is None else {"gpuready_canary": value}
    assert drive(Job("hosts.yml", extra_vars=given, retries=1, wait_s=0)).attempts == attempts
