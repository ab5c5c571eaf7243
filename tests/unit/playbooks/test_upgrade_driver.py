# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/upgrade_driver.yml on saved snapshots: what it refuses, and with which reason."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[3]
SNAPSHOTS = PROJECT / "tests" / "fixtures" / "snapshots"
LOOK = "gpuready.bootstrap.gpu_facts:\n"
SAVED = 'ansible.builtin.set_fact: {gpu_host: "{{ snapshot }}", cacheable: true}\n'


def upgrade(folder: Path, snapshot: str, **wishes: Any) -> str:
    """The playbook's last word, in check mode; each look at the host gives the saved snapshot."""
    shutil.copytree(PROJECT / "playbooks", folder / "playbooks")
    playbook = folder / "playbooks" / "upgrade_driver.yml"
    text = playbook.read_text(encoding="utf-8")
    assert LOOK in text
    playbook.write_text(text.replace(LOOK, SAVED), encoding="utf-8")
    saved = json.loads((SNAPSHOTS / f"{snapshot}.json").read_text(encoding="utf-8"))
    inputs = folder / "inputs.json"
    inputs.write_text(json.dumps({"snapshot": saved, "ansible_become": False, **wishes}), encoding="utf-8")
    run = subprocess.run(
        ["ansible-playbook", str(playbook), "-i", "localhost,", "-c", "local", "--check", "-e", f"@{inputs}"],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 2, run.stdout + run.stderr
    return run.stdout + run.stderr


@pytest.mark.parametrize("snapshot", ["ready_host", "bare_host"])
def test_a_wish_that_the_plan_refuses_is_the_reason(tmp_path: Path, snapshot: str) -> None:
    said = upgrade(tmp_path, snapshot, nvidia_driver_branch="111")
    assert "nothing to upgrade" not in said
    assert "is not planned: " in said and "branch 111" in said and "Nothing was changed." in said


def test_a_refusal_of_the_plan_is_in_the_wished_language(tmp_path: Path) -> None:
    said = upgrade(tmp_path, "ready_host", nvidia_driver_branch="111", gpuready_language="zh")
    assert "未能规划" in said and "未作任何更改" in said and "Nothing was changed" not in said


def test_a_machine_without_a_driver_has_nothing_to_upgrade(tmp_path: Path) -> None:
    said = upgrade(tmp_path, "bare_host")
    assert "No driver of this role is installed here, so there is nothing to upgrade." in said


@pytest.mark.parametrize(
    "wish",
    [
        {"upgrade_driver_stop_containers": "train-2"},  # "train" and "ai" would be stopped, too
        {"upgrade_driver_stop_containers": {"train": True}},
        {"upgrade_driver_wait_minutes": "soon"},
        {"upgrade_driver_wait_minutes": -5},
    ],
    ids=str,
)
def test_how_to_upgrade_must_be_understood(tmp_path: Path, wish: dict[str, Any]) -> None:
    said = upgrade(tmp_path, "ready_host", **wish)
    (value,) = wish.values()
    assert f"({value})" in said and "must be a list of names" in said and "Nothing was changed." in said


@pytest.mark.parametrize("wish", [{"upgrade_driver_stop_containers": ["train"]}, {"upgrade_driver_wait_minutes": "60"}])
def test_what_the_guide_shows_is_understood(tmp_path: Path, wish: dict[str, Any]) -> None:
    assert "must be a list of names" not in upgrade(tmp_path, "bare_host", **wish)
