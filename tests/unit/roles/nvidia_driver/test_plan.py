# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role tells the preflight judge of the driver that it is going to install; Ansible evaluates it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[4]
ROLE = PROJECT / "roles" / "nvidia_driver"
SNAPSHOTS = PROJECT / "tests" / "fixtures" / "snapshots"
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact: {gpu_host: "{{ snapshot }}", cacheable: true}
    - ansible.builtin.include_role: {name: nvidia_driver, tasks_from: probe}
    - ansible.builtin.copy:
        content: "{{ dict(all | zip(all | map('extract', hostvars, 'printed'))) | to_json }}"
        dest: "{{ playbook_dir }}/printed.json"
        mode: "0600"
      vars: {all: "{{ ansible_play_hosts }}"}
      run_once: true
"""
PROBE = """
- ansible.builtin.set_fact:
    printed: "{{ nvidia_driver_plan }}"
"""
NEW = {"driver_branch": "580", "driver_modules": "open", "driver_change_planned": False}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "bare": ("bare_host", {}, NEW),
    "bare-other-branch": ("bare_host", {"nvidia_driver_branch": "595"}, {**NEW, "driver_branch": "595"}),
    # whoever names packages knows which modules they bring
    "bare-own-packages": ("bare_host", {"nvidia_driver_packages": ["x"]}, {**NEW, "driver_modules": None}),
    "somebody-elses": ("bare_host", {"nvidia_driver_source": "none"}, {}),
    "goes-away": ("ready_host", {"nvidia_driver_state": "absent"}, {}),
    "adopted": ("ready_host", {}, {}),
    "changed": (
        "ready_host",
        {"nvidia_driver_branch": "595", "nvidia_driver_allow_change": True},
        {"driver_branch": "595", "driver_modules": "open", "driver_change_planned": True},
    ),
}


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    base = tmp_path_factory.mktemp("plan")
    role = base / "roles" / "nvidia_driver"
    shutil.copytree(ROLE, role)
    (role / "tasks" / "probe.yml").write_text(PROBE)
    (base / "play.yml").write_text(PLAY)
    hosts = {
        name: {**inputs, "snapshot": json.loads((SNAPSHOTS / f"{snapshot}.json").read_text(encoding="utf-8"))}
        for name, (snapshot, inputs, _plan) in CASES.items()
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (base / "hosts.json").write_text(json.dumps({"all": {"vars": local, "hosts": hosts}}))
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_HOME": str(base / "home"), "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections")}
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.json", "play.yml"]
    result = subprocess.run(command, cwd=base, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    printed: dict[str, Any] = json.loads((base / "printed.json").read_text())
    return printed


@pytest.mark.parametrize("name", CASES)
def test_only_a_driver_that_will_be_installed_is_planned(name: str, plans: dict[str, Any]) -> None:
    assert plans[name] == CASES[name][2]
