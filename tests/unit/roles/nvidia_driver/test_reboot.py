# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Over a local connection the role never reboots the machine that runs the play; it says what to run next.

Ansible runs the role's own task file here, on facts of a host that nouveau holds. Were the guard gone, Ansible's reboot
would refuse by itself, in other words.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[4]
SNAPSHOT = PROJECT / "tests" / "fixtures" / "snapshots" / "bare_host.json"
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact: {gpu_host: "{{ snapshot }}", cacheable: true}
    - ansible.builtin.include_role: {name: gpuready.bootstrap.nvidia_driver, tasks_from: reboot}
"""


def facts() -> dict[str, Any]:
    """A host on which all is installed but nouveau still has the card: the packages' names are those of the plan."""
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import steps

    data: dict[str, Any] = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    done = copy.deepcopy(data)
    wanted = steps.steps(data, {"wishes": {}})
    done["packages"]["installed"] = dict.fromkeys(wanted["packages"], "580.159.03-1")
    return done


def run(base: Path, **inputs: Any) -> tuple[int, str]:
    (base / "play.yml").write_text(PLAY)
    host = {"snapshot": facts(), "ansible_connection": "local", "ansible_python_interpreter": sys.executable, **inputs}
    (base / "hosts.json").write_text(json.dumps({"all": {"hosts": {"here": host}}}))
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_HOME": str(base / "home"), "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections")}
    env |= {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false"}
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.json", "play.yml"]
    done = subprocess.run(command, cwd=base, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("policy", "rc"), [("when_needed", 2), ("never", 0)])
def test_the_command_to_run_next_is_said(tmp_path: Path, policy: str, rc: int) -> None:
    ended, said = run(tmp_path, nvidia_driver_reboot=policy)
    assert ended == rc, said
    assert "A reboot is due: the free driver nouveau is loaded and holds the GPUs. Run: sudo reboot" in said, said
    assert "the same play again" in said
    assert "Once, for all causes" not in said, "the reboot itself was tried"
