# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs tell: verdicts, attempts, exit statuses, JSON; and what they leave behind when they are stopped."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from program import LAB, PROJECT, Done, Work, processes

STARTED_S, ENDED_S = 100.0, 60.0


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


# -- a fleet ---------------------------------------------------------------------------------------------------


def test_every_host_has_its_verdict(fleet: tuple[Work, Done]) -> None:
    hosts = fleet[1].outcome["hosts"]
    found = {name: (host["verdict"], host["exit_code"], host["attempts"]) for name, host in hosts.items()}
    assert found == {
        "good": ("ready", 0, 1),
        "broken": ("not_ready", 2, 1),  # judged: an answer, and no accident to try again
        "failing": ("failed", 2, 2),
        "flaky": ("ready", 0, 2),
        "rescued": ("ready", 0, 1),
        "dead": ("unreachable", 2, 2),
    }


def test_errors_name_task_and_reason(fleet: tuple[Work, Done]) -> None:
    hosts = fleet[1].outcome["hosts"]
    expected = {"task": "Install something", "msg": "the package [driver] is [red]missing[/red]"}
    assert hosts["failing"]["error"] == expected
    assert hosts["dead"]["unreachable"] and "Connection refused" in hosts["dead"]["error"]["msg"]
    assert hosts["broken"]["error"]["task"] == "Judge" and "DRV-VERSION-MATCH" in hosts["broken"]["error"]["msg"]
    assert [hosts[name]["error"] for name in ("good", "flaky", "rescued")] == [None] * 3
    assert {name: host["changed"] for name, host in hosts.items()} == {
        "good": 1,
        "broken": 1,
        "failing": 2,
        "flaky": 2,
        "rescued": 1,
        "dead": 0,
    }


def test_the_worst_host_is_the_exit_status(fleet: tuple[Work, Done]) -> None:
    work, done = fleet
    assert done.status == done.outcome["exit_code"] == 2, done.err
    assert (done.outcome["status"], done.outcome["attempts"], done.outcome["error"]) == ("failed", 2, None)
    assert work.residue() == []


def test_the_table_shows_all_hosts_the_worst_first_and_their_words_as_they_are(fleet: tuple[Work, Done]) -> None:
    lines = fleet[1].out.splitlines()
    table = lines[next(number for number, line in enumerate(lines) if line.startswith("host ")) + 1 :]
    names = [line.split()[0] for line in table if line and not line.startswith(" ")][:6]
    assert names == ["broken", "dead", "failing", "flaky", "good", "rescued"]
    assert any("the package [driver] is [red]missing[/red]" in line for line in table)
    assert lines[-1] == ("6 host(s): 1 failed, 1 not ready, 3 ready, 1 unreachable; run failed, exit status 2")


def test_the_json_is_the_documented_contract(fleet: tuple[Work, Done], schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    outcome = fleet[1].outcome
    jsonschema.validate(outcome, schema)
    assert outcome["hosts"]["good"]["report"]["schema"] == "gpuready.report/1"
    assert outcome["hosts"]["dead"]["report"] is None
    wrong: list[dict[str, Any]] = [{"status": "fine"}, {"exit_code": 1.5}, {"hosts": {"a": {}}}, {"more": 1}]
    for broken in wrong:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**outcome, **broken}, schema)


def test_hosts_that_a_run_leaves_out_are_named(work: Work, schema: dict[str, Any]) -> None:
    """One host at a time: the second fails, and nobody asks the third. The first is through, and its verdict stands."""
    options = ["-e", '{"gpuready_serial": 1, "gpuready_max_fail_percentage": 0}', "--retries", "0"]
    done = work.run("fleet", *options, "-l", "failing,good,rescued", "--json", str(work.path / "out.json"))
    assert done.status == 2
    verdicts = {name: host["verdict"] for name, host in done.outcome["hosts"].items()}
    assert verdicts == {"good": "ready", "failing": "failed", "rescued": "not_run"}
    jsonschema.validate(done.outcome, schema)


def test_what_was_refused_is_not_tried_again(work: Work, schema: dict[str, Any]) -> None:
    """A misspelt input does not get better by itself; the network may."""
    options = ("--retries", "1", "--wait", "0", "--json", str(work.path / "out.json"))
    done = work.run("fleet", *options, playbook="checked.yml", inventory="inputs.yml")
    hosts = done.outcome["hosts"]
    assert {name: (host["verdict"], host["attempts"]) for name, host in hosts.items()} == {
        "failing": ("failed", 2),
        "refused": ("failed", 1),
    }
    assert "did you mean readiness_enforce?" in hosts["refused"]["error"]["msg"] and done.status == 2
    assert "lab/inputs.yml" in hosts["refused"]["error"]["msg"]
    jsonschema.validate(done.outcome, schema)


def test_a_refusal_names_the_file_and_the_option_that_the_user_gave(work: Work) -> None:
    mine = work.path / "mine.yml"
    mine.write_text("readiness_langage: zh\n", encoding="utf-8")
    options = ("-e", f"@{mine}", "-e", "readiness_enforse=true", "--wait", "0", "--json", str(work.path / "out.json"))
    done = work.run("fleet", *options, "-l", "failing", playbook="checked.yml", inventory="inputs.yml")
    said = done.outcome["hosts"]["failing"]["error"]["msg"]
    assert f"did you mean readiness_language? [-e @{mine}]" in said and "readiness_enforce? [-e]" in said, said
    assert "extravars" not in said + done.out + done.err and done.outcome["attempts"] == 1


# -- one host --------------------------------------------------------------------------------------------------


def test_one_host_with_progress(work: Work, schema: dict[str, Any]) -> None:
    done = work.run("bootstrap", "-l", "rescued", "--json", str(work.path / "out.json"))
    assert done.status == 0, done.out + done.err
    assert done.out.splitlines() == [
        "   Reach the host",
        "   Change something",
        "      rescued: changed",
        "   Lose the network once",
        "   Fail",
        "      rescued: FAILED: this is mended",
        "   Mend",
        "   Install something",
        "   Judge",
        f"rescued: ready {done.outcome['hosts']['rescued']['counts']}",
        "run successful, exit status 0",
    ]
    jsonschema.validate(done.outcome, schema)
    assert done.outcome["hosts"]["rescued"]["report"]["host"] == "rescued"
    assert work.residue() == []


# -- what is refused before anything starts ----------------------------------------------------------------------


@pytest.mark.parametrize("program", ["bootstrap", "fleet", "scheduled"])
def test_a_missing_inventory_is_named(work: Work, program: str) -> None:
    state = ["--state-dir", str(work.path / "state")] if program == "scheduled" else []
    argv = [*work.argv(program), *state]
    argv[argv.index("-i") + 1] = "nowhere"
    done = subprocess.run(argv, cwd=PROJECT, env=work.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (64, "")
    assert "inventory nowhere does not exist" in done.stderr


def test_an_inventory_with_a_mistake_is_not_run(work: Work, schema: dict[str, Any]) -> None:
    bad = work.path / "bad.ssh_commands.yml"
    bad.write_text("plugin: gpuready.bootstrap.ssh_commands\nlines: ssh -p 0 root@12.34.56.78\n", encoding="utf-8")
    argv = work.argv("fleet", "--json", str(work.path / "out.json"))
    argv[argv.index("-i") + 1] = str(bad)
    done = subprocess.run(argv, cwd=PROJECT, env=work.environment, capture_output=True, text=True, check=False)
    outcome = json.loads((work.path / "out.json").read_text(encoding="utf-8"))
    assert done.returncode == outcome["exit_code"] == 64
    assert (outcome["status"], outcome["attempts"], outcome["hosts"]) == ("not started", 0, {})
    assert "its port is no whole number" in outcome["error"] and "its port is no whole number" in done.stderr
    jsonschema.validate(outcome, schema)


def test_a_limit_that_matches_nobody_is_not_run(work: Work) -> None:
    done = work.run("bootstrap", "-l", "good,!good")
    assert done.status == 64, done.out
    assert "leaves us with no hosts to target" in done.err


# -- a scheduler -------------------------------------------------------------------------------------------------


def test_silence_and_files_while_all_is_well(work: Work, schema: dict[str, Any]) -> None:
    state = work.path / "state"
    (state / "results").mkdir(parents=True)
    for number in range(3):
        (state / "results" / f"2020010{number}T000000Z.json").write_text("{}", encoding="utf-8")
    done = work.run("scheduled", "--state-dir", str(state), "--keep", "2", "-l", "good", json_at=state / "last.json")
    assert (done.status, done.out, done.err) == (0, "", "")
    jsonschema.validate(done.outcome, schema)
    kept = sorted(path.name for path in (state / "results").iterdir())
    assert len(kept) == 2 and kept[0] == "20200102T000000Z.json"
    assert json.loads((state / "results" / kept[1]).read_text(encoding="utf-8")) == done.outcome
    assert sorted(path.name for path in state.iterdir()) == ["last.json", "lock", "results"]


def test_a_bad_verdict_is_told(work: Work) -> None:
    state = work.path / "state"
    options = ["--state-dir", str(state), "-l", "broken", "--retries", "0"]
    done = work.run("scheduled", *options, json_at=state / "last.json")
    assert done.status == 2
    assert done.out.startswith("broken: not ready: broken: NOT READY: DRV-VERSION-MATCH")
    assert "run failed, exit status 2" in done.out


def test_two_runs_never_overlap(work: Work) -> None:
    state = work.path / "state"
    state.mkdir()
    with (state / "lock").open("w", encoding="utf-8") as file:
        file.write("process 1, since yesterday\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        done = work.run("scheduled", "--state-dir", str(state))
        assert (done.status, done.out) == (75, "")
        assert "another run holds" in done.err and "process 1, since yesterday" in done.err
        assert not (state / "last.json").exists()


def test_a_deadline_ends_everything(work: Work, schema: dict[str, Any]) -> None:
    """On a slow machine it passes before the task runs, or while the inventory is read: the end is the same."""
    state, mark = work.path / "state", f"mark-{work.path.name}-deadline"
    options = ["-l", "good", "-e", f"mark={mark}", "--state-dir", str(state), "--deadline", "4s"]
    done = work.run("scheduled", *options, playbook="long.yml", json_at=state / "last.json")
    assert done.status == 124, done.err
    assert (done.outcome["status"], done.outcome["exit_code"]) == ("timeout", 124)
    assert "deadline" in done.out and {host["verdict"] for host in done.outcome["hosts"].values()} <= {
        "stopped",
        "not_run",
    }
    jsonschema.validate(done.outcome, schema)
    assert processes(mark) == [] and work.residue() == []


def test_a_signal_ends_everything(work: Work, schema: dict[str, Any]) -> None:
    number = signal.SIGTERM
    state, mark = work.path / "state", f"mark-{work.path.name}-signal"
    options = ["-l", "good", "-e", f"mark={mark}", "--state-dir", str(state)]
    argv = work.argv("scheduled", *options, playbook="long.yml")
    process = subprocess.Popen(argv, cwd=PROJECT, env=work.environment, stdout=subprocess.PIPE, text=True)
    try:
        until(lambda: _sleeper(mark), STARTED_S, "the task did not start")
    finally:
        process.send_signal(number)
    out, _err = process.communicate(timeout=ENDED_S)
    assert process.returncode == 128 + number
    outcome = json.loads((state / "last.json").read_text(encoding="utf-8"))
    assert (outcome["status"], outcome["exit_code"]) == ("canceled", 128 + number)
    assert outcome["hosts"]["good"]["verdict"] == "stopped" and "good: stopped" in out
    jsonschema.validate(outcome, schema)
    assert processes(mark) == [] and work.residue() == []


def _sleeper(mark: str) -> bool:
    """The task's own process runs, not only those that have the mark among their variables."""
    return any(b"time.sleep" in _words(pid) for pid in processes(mark))


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_the_lab_is_this_machine_and_nothing_else() -> None:
    text = (LAB / "hosts.yml").read_text(encoding="utf-8")
    assert "ansible_connection: local" in text and text.count("ansible_host: 127.0.0.1") == 1
