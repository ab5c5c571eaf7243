# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of roles beside the road: wrong inputs of any host are told before one is contacted; a run is short."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
ROLES = ("ssh_access", "storage_mounts")
SHORT = 40  # lines: what a person reads


def play(role: str, *options: str) -> subprocess.CompletedProcess[str]:
    """In check mode: also a version that does not refuse changes nothing here."""
    settings = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1", "COLUMNS": "160"}
    return subprocess.run(
        ["ansible-playbook", f"playbooks/{role}.yml", "-e", "ansible_become=false", "--check", *options],
        cwd=PROJECT,
        env={**os.environ, **settings, "ANSIBLE_RETRY_FILES_ENABLED": "false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("role", ROLES)
def test_wrong_inputs_of_the_last_host_are_told_before_the_first_one_is_changed(tmp_path: Path, role: str) -> None:
    """The second host is of a later batch, and nobody answers there."""
    inventory = tmp_path / "hosts.yml"
    hosts = f"first: {{ansible_connection: local}}, later: {{ansible_host: 192.0.2.1, {role}_statte: present}}"
    inventory.write_text(f"all: {{hosts: {{{hosts}}}}}\n", encoding="utf-8")
    run = play(role, "-i", str(inventory), "-e", "gpuready_serial=1", "-e", "gpuready_max_fail_percentage=0")
    assert run.returncode == 2, run.stdout + run.stderr
    assert f"did you mean {role}_state?" in run.stderr + run.stdout
    assert "UNREACHABLE" not in run.stdout and "Go to the wanted state" not in run.stdout, run.stdout


def test_a_run_is_short() -> None:
    run = play("storage_mounts", "-i", "localhost,", "-c", "local")
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(run.stdout.splitlines()) < SHORT, run.stdout
