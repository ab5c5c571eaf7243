# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's own variables as Ansible evaluates them: on a copy of the role with one more task file that prints them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[3]
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact: {{gpu_host: "{{{{ snapshot }}}}", cacheable: true}}
    - ansible.builtin.include_role: {{name: {role}, tasks_from: probe}}
    - ansible.builtin.copy:
        content: "{{{{ dict(all | zip(all | map('extract', hostvars, 'printed'))) | to_json }}}}"
        dest: "{{{{ playbook_dir }}}}/printed.json"
        mode: "0600"
      vars: {{all: "{{{{ ansible_play_hosts }}}}"}}
      run_once: true
      check_mode: false
"""
PROBE = """
- ansible.builtin.set_fact:
    printed: "{{ dict(names | zip(query('ansible.builtin.vars', *names))) }}"
"""
# snapshot, inputs, names of the variables to look at
Case = tuple[dict[str, Any], Mapping[str, Any], list[str]]


def evaluate(base: Path, role: str, cases: Mapping[str, Case], *options: str) -> dict[str, dict[str, Any]]:
    """Return the variables asked for, by case. Every case is a host of one run; options: of ansible-playbook."""
    copy = base / "roles" / role
    if not copy.exists():
        shutil.copytree(PROJECT / "roles" / role, copy)
        (copy / "tasks" / "probe.yml").write_text(PROBE)
        (base / "play.yml").write_text(PLAY.format(role=role))
    hosts = {
        name: {**inputs, "snapshot": snapshot, "names": names} for name, (snapshot, inputs, names) in cases.items()
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (base / "hosts.json").write_text(json.dumps({"all": {"vars": local, "hosts": hosts}}))
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_HOME": str(base / "home"), "ANSIBLE_LOCALHOST_WARNING": "false"}
    env["ANSIBLE_COLLECTIONS_PATH"] = str(PROJECT / ".collections")
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.json", "play.yml", *options]
    result = subprocess.run(command, cwd=base, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    printed: dict[str, dict[str, Any]] = json.loads((base / "printed.json").read_text())
    return printed
