# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles beside the road write device rules before the first thing that may have systemd reload.

In check mode on this machine, with facts of another one and a systemctl that knows a unit that is off.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[3]
SNAPSHOT = PROJECT / "tests" / "fixtures" / "snapshots" / "sandbox_ready.json"
# what the roles compute themselves, too: facts and parameters go before a role's variables and results
PLAY = """
- hosts: all
  gather_facts: false
  environment: {PATH: "{{ folder }}/bin:{{ lookup('env', 'PATH') }}"}
  tasks:
    - ansible.builtin.set_fact: {gpu_host: "{{ snapshot }}", cacheable: true}
    - ansible.builtin.set_fact: {"{{ item.key }}": "{{ item.value }}"}
      loop: "{{ private | dict2items }}"
    - ansible.builtin.include_role: {name: "{{ role }}"}
      vars:
        __ansible_pull_units: {changed: false}
        __storage_mounts_first: {needs: "{{ needs }}", notes: []}
"""
SYSTEMCTL = """#!/bin/sh
case "$*" in
  *ActiveState*--value*) echo inactive ;;
  *show*) printf 'LoadState=loaded\\nActiveState=inactive\\nUnitFileState=disabled\\n' ;;
  *is-enabled*) echo disabled; exit 1 ;;
  *is-active*) echo inactive; exit 3 ;;
esac
"""
TASK = re.compile(r"^TASK \[(?:\w+ : )?(?:\w+ \| )?(.*?)\] \*+$")
GUARD = "Keep the GPUs in running containers, which a reload of systemd would take"
TIMER = "Have the timer run, or not"

# role, its inputs, and the first task of it that may have systemd reload
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "pull_goes": ("ansible_pull", {"ansible_pull_state": "absent"}, "End the timer"),
    # its units are there as they are wanted, and the timer is off: a run was killed between
    "pull_comes": ("ansible_pull", {}, TIMER),
    "pull_rests": ("ansible_pull", {"ansible_pull_enabled": False}, TIMER),
    # a port of a socket that systemd listens on
    "sshd_comes": ("ssh_access", {}, "Set up sshd"),
    "sshd_goes": ("ssh_access", {"ssh_access_state": "absent"}, "Give sshd's settings back"),
    # packages with units; one that is here already has the same tasks
    "mounts": ("storage_mounts", {"needs": ["coreutils"]}, "Install what they need"),
    "copies": ("storage_mounts", {"storage_mounts_sync": True}, "Install what the helper needs"),
}
VARIANTS = ("at_risk", "left", "safe")


def pull(folder: Path) -> dict[str, Any]:
    """Everything of ansible_pull lies in a folder of the test."""
    who = ["-c", "user.name=lab", "-c", "user.email=lab@example.org"]
    subprocess.run(["git", "init", "-q", "-b", "main", folder / "git"], check=True)
    subprocess.run(["git", "-C", folder / "git", *who, "commit", "-q", "--allow-empty", "-m", "lab"], check=True)
    (folder / "gpuready-pull.timer").touch()
    units = {f"__ansible_pull_{name}": str(folder / f"gpuready-pull.{name}") for name in ("service", "timer")}
    return {**units, "__ansible_pull_record": str(folder / "record"), "__ansible_pull_packages": []}


def host(name: str, variant: str, folder: Path, private: Mapping[str, Any]) -> dict[str, Any]:
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    if variant != "safe":
        snapshot["docker"]["containers"][0]["gpu"] |= {"via": "hook", "rules_ok": False, "missing": ["/dev/nvidia0"]}
    role, inputs, _reloads = CASES[name]
    source = {"ansible_pull_repository": f"file://{folder}/git", "ansible_pull_version": "main"}
    common = {"role": role, "needs": [], "snapshot": snapshot, "private": private, "folder": str(folder), **source}
    return {**common, "ansible_pull_root": f"{folder}/pull", f"{role}_keep_gpus": variant != "left", **inputs}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The tasks that were executed for each case and variant: hosts of one run."""
    base = tmp_path_factory.mktemp("keep")
    (base / "bin").mkdir()
    (base / "bin" / "systemctl").write_text(SYSTEMCTL, encoding="utf-8")
    (base / "bin" / "systemctl").chmod(0o755)
    (base / "play.yml").write_text(PLAY, encoding="utf-8")
    private = pull(base)
    hosts = {f"{name}-{one}": host(name, one, base, private) for name in CASES for one in VARIANTS}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (base / "hosts.json").write_text(json.dumps({"all": {"vars": local, "hosts": hosts}}), encoding="utf-8")
    env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_HOME": str(base / "home"), "ANSIBLE_ROLES_PATH": str(PROJECT / "roles"), "ANSIBLE_NOCOLOR": "1"}
    env["ANSIBLE_COLLECTIONS_PATH"] = str(PROJECT / ".collections")
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.json", "--check", "play.yml"]
    run = subprocess.run(command, cwd=base, env=env, capture_output=True, text=True, check=False)
    # an sshd that is not here fails, after what is looked for
    assert run.returncode in (0, 2), run.stdout + run.stderr
    return executed(run.stdout)


def executed(output: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    task = ""
    for line in output.splitlines():
        if began := TASK.match(line):
            task = began.group(1)
        elif ended := re.match(r"(?:ok|changed|fatal): \[(.*?)\]", line):
            found.setdefault(ended.group(1), []).append(task)
    return found


@pytest.mark.parametrize("name", CASES)
def test_containers_are_protected_before_systemd_is_touched(walked: dict[str, list[str]], name: str) -> None:
    found, reloads = walked[f"{name}-at_risk"], CASES[name][2]
    assert reloads in found and GUARD in found, found
    assert found.index(GUARD) < found.index(reloads), found


@pytest.mark.parametrize("variant", ["left", "safe"])
@pytest.mark.parametrize("name", CASES)
def test_nobody_looks_where_none_is_at_risk_or_that_is_not_wanted(
    walked: dict[str, list[str]], name: str, variant: str
) -> None:
    found = walked[f"{name}-{variant}"]
    assert CASES[name][2] in found and GUARD not in found, found
