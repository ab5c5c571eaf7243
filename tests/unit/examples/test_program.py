# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs share: variables of the command line, result files, and exit statuses that are no verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from _drive import reworded
from _program import Parser, extra_vars, main, origins, write_json


def test_variables_are_read_as_ansible_reads_them(tmp_path: Path) -> None:
    (tmp_path / "vars.yml").write_text("a: [1]\nb: x\n", encoding="utf-8")
    assert extra_vars(["k=a=b", "y=1", '{"t": true}', f"@{tmp_path}/vars.yml"]) == {
        "k": "a=b",
        "y": "1",
        "t": True,
        "a": [1],
        "b": "x",
    }


def test_a_message_names_what_the_user_has_written(tmp_path: Path) -> None:
    lab = tmp_path / "lab.yml"
    lab.write_text("dev_ssh: {port: x}\nplan_torch: y\n", encoding="utf-8")
    given = origins([f"@{lab}", "plan_torch=z", '{"gpuready_tier": 1}'])
    assert given == {"dev_ssh": f"-e @{lab}", "plan_torch": "-e", "gpuready_tier": "-e"}
    file = "runner-1/env/extravars"
    said = f"2 inputs:\n  - dev_ssh.port: no [/tmp/{file}:3]\n  - plan_torch: no [/tmp/{file}]\nsee /tmp/{file}:1:2"
    expected = f"2 inputs:\n  - dev_ssh.port: no [-e @{lab}]\n  - plan_torch: no [-e]\nsee extra_vars"
    assert reworded(said, file, given) == expected


@pytest.mark.parametrize("word", ["x", "=x", "@missing", "[1]", ""])
def test_variables_that_cannot_be_meant_are_refused(word: str) -> None:
    with pytest.raises((OSError, ValueError)):
        extra_vars([word])


def test_a_wrong_argument_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Parser(prog="x").parse_args(["--wrong"])
    assert ended.value.code == 64 and "--wrong" in capsys.readouterr().err


def test_a_fault_of_the_program_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> int:
        raise OSError("disk full")

    with pytest.raises(SystemExit) as ended:
        main(broken)
    assert ended.value.code == 70 and "disk full" in capsys.readouterr().err


def test_results_are_written_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "last.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.json"]


def test_without_the_environment_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "ansible_runner.py").write_text("raise ModuleNotFoundError('x', name='ansible_runner')\n")
    program = Path(__file__).resolve().parents[3] / "examples" / "fleet.py"
    done = subprocess.run(
        [sys.executable, str(program), "-i", "hosts"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr == (
        f"ERROR: ansible_runner is not installed for {sys.executable}; run `make setup`, then "
        f".venv/bin/python {program} -i hosts\n"
    )
