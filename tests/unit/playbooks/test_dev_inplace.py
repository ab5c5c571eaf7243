# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/dev_inplace.yml on this machine, in check mode: what it refuses, it has not touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


def predict(*options: str) -> subprocess.CompletedProcess[str]:
    """--check: also a version that does not refuse changes nothing here."""
    settings = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1", "COLUMNS": "160"}
    arguments = ["-i", "localhost,", "-c", "local", "-e", "ansible_become=false", "--check", *options]
    return subprocess.run(
        ["ansible-playbook", "playbooks/dev_inplace.yml", *arguments],
        cwd=PROJECT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_machine_that_is_refused_still_has_its_own_package_sources() -> None:
    # A folder that every machine refuses; one that is no rented container says that first
    run = predict("-e", "dev_inplace_dir=/", "-e", "mirrors_apt_url=https://mirror.example/debian")
    assert run.returncode == 2 and "Nothing was changed." in run.stdout, run.stdout + run.stderr
    assert "Mirrors" not in run.stdout and "mirrors : " not in run.stdout
    assert "changed=0" in run.stdout, run.stdout


def test_a_machine_is_refused_in_the_wished_language() -> None:
    run = predict("-e", "dev_inplace_dir=/", "-e", "gpuready_language=zh")
    assert run.returncode == 2 and "。未作任何更改。" in run.stdout, run.stdout + run.stderr
    assert "Nothing was changed" not in run.stdout and "changed=0" in run.stdout, run.stdout
