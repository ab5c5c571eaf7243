# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Through ansible-playbook itself: what is seen, and when."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[4]
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: A quick one
      ansible.builtin.debug:
        msg: quick
    - name: A skipped one (waits for nothing)
      ansible.builtin.pause:
        seconds: 9
      when: false
    - name: A long one (waits for the clock)
      ansible.builtin.command: sleep 2
"""


def test_a_long_task_is_named_while_it_runs_and_no_other(tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    play.write_text(PLAY)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_CALLBACKS_ENABLED": "gpuready.bootstrap.progress",
        "GPUREADY_PROGRESS_FIRST_AFTER": "0.5",
        "GPUREADY_PROGRESS_EVERY": "0.5",
        "ANSIBLE_NOCOLOR": "1",
    }
    argv = ["ansible-playbook", "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", str(play)]
    seen: list[tuple[float, str]] = []
    with subprocess.Popen(argv, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            seen.append((time.monotonic(), line.rstrip()))
    assert process.returncode == 0, seen
    waiting = [when for when, line in seen if line.startswith("   ... A long one (waits for the clock) [")]
    assert len(waiting) >= 2
    ended = next(when for when, line in seen if line.startswith("changed: [localhost]"))
    assert ended - waiting[0] > 1, "named while it runs, not after"
    assert not [line for _when, line in seen if line.startswith("   ...") and "A long one" not in line]
