# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting what is sent to the target, in Ansible's own -vvv output."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

# What `ansible-playbook -vvv` of ansible-core 2.21 prints with skipped hosts displayed, shortened: a task outside of
# roles; a role's task that sends two modules (copy asks stat first); one that is skipped; a module of ours in a role
# of another collection; a handler; and a word of the searched kind inside a result.
OUTPUT = """\
PLAY [Bring GPU hosts to a verified development environment] *******************

TASK [Look once at everything that the decisions need] *************************
task path: /srv/gpuready/playbooks/site.yml:24
<gpu01> ESTABLISH SSH CONNECTION FOR USER: None
Using module file /srv/ansible_collections/gpuready/bootstrap/plugins/modules/gpu_facts.py
Pipelining is enabled.
ok: [gpu01] => {
    "changed": false
}

TASK [gpuready.bootstrap.mirrors : Write the list] *****************************
task path: /srv/gpuready/roles/mirrors/tasks/main.yml:3
Using module file /venv/lib/python3.13/site-packages/ansible/modules/stat.py
Using module file /venv/lib/python3.13/site-packages/ansible/modules/copy.py
changed: [gpu01] => {
    "msg": "TASK [gpuready.bootstrap.readiness : not a task] and Using module file x"
}

TASK [gpuready.bootstrap.docker_engine : Present | Install the engine] *********
task path: /srv/gpuready/roles/docker_engine/tasks/present.yml:9
skipping: [gpu01] => {
    "false_condition": "not __docker_engine_packages_right"
}

TASK [other : Ping] ************************************************************
Using module file /venv/lib/python3.13/site-packages/ansible/modules/ping.py
ok: [gpu01] => {
    "changed": false
}

RUNNING HANDLER [gpuready.bootstrap.docker_engine : Restart] *******************
Using module file /venv/lib/python3.13/site-packages/ansible/modules/systemd_service.py
changed: [gpu01] => {
    "changed": true
}

PLAY RECAP *********************************************************************
gpu01                      : ok=4    changed=2    unreachable=0    failed=0    skipped=1    rescued=0    ignored=0
gpu02                      : ok=4    changed=1    unreachable=0    failed=0    skipped=1    rescued=0    ignored=0
"""
PLAYBOOK = """\
- name: One module outside of roles, two in a role at the end
  hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  pre_tasks:
    - name: Ping
      ansible.builtin.ping:

    - name: Skip
      ansible.builtin.ping:
      when: false
  roles:
    - sample
"""


@pytest.fixture(scope="module")
def bench(load_program: Callable[[str], ModuleType]) -> ModuleType:
    return load_program("tests/bench/bench.py")


def test_modules_are_counted_for_the_role_that_sends_them(bench: ModuleType) -> None:
    assert bench.executions(OUTPUT) == {"play": 1, "mirrors": 2, "other": 1, "docker_engine": 1}


def test_changes_of_all_hosts_are_summed(bench: ModuleType) -> None:
    assert bench.changed(OUTPUT) == 3


def test_output_of_another_kind_counts_nothing(bench: ModuleType) -> None:
    assert bench.executions("") == {}
    assert bench.executions("ERROR! the playbook could not be found") == {}


def test_the_recorded_form_is_still_what_ansible_prints(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = tmp_path / "roles" / "sample" / "tasks"
    role.mkdir(parents=True)
    (role / "main.yml").write_text("- name: Ping\n  ansible.builtin.ping:\n" * 2, encoding="utf-8")
    (tmp_path / "play.yml").write_text(PLAYBOOK, encoding="utf-8")
    monkeypatch.setenv("ANSIBLE_DISPLAY_SKIPPED_HOSTS", "0")  # as in ansible.cfg
    program = str(Path(sys.executable).parent / "ansible-playbook")
    output = bench.count([program, "-i", "localhost,", "-c", "local", str(tmp_path / "play.yml")])
    assert bench.executions(output) == {"play": 1, "sample": 2}


def test_a_failing_command_is_named_with_what_it_printed(bench: ModuleType) -> None:
    with pytest.raises(bench.BenchError, match=r"^sh -c echo why; exit 3 ended with 3:\nwhy"):
        bench.run(["sh", "-c", "echo why; exit 3"])


@pytest.mark.parametrize(("wall", "sent", "rc"), [(1.0, 25, 0), (1.0, 26, 1), (9.0, 1, 1)])
def test_a_missed_goal_is_an_error_only_where_it_is_enforced(
    bench: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wall: float,
    sent: int,
    rc: int,
) -> None:
    def run(argv: list[str], **variables: str) -> tuple[float, str]:
        return (wall if argv[0] == "ansible-playbook" else 2.0), "Using module file x\n" * sent

    monkeypatch.setattr(bench, "run", run)
    for options, expected in (([], 0), (["--enforce"], rc)):
        monkeypatch.setattr("sys.argv", ["bench.py", *options])
        assert bench.main() == expected
    lines = capsys.readouterr().out.splitlines()
    assert all(re.fullmatch(r"bench \w+ [0-9.]+ (s|ratio|calls)", line) for line in lines if line.startswith("bench"))
    assert f"bench site_rerun_executions {sent} calls" in lines
    assert any(line.startswith("goal missed") for line in lines) == bool(rc)


def test_a_host_that_was_not_converged_is_counted_again(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["h : ok=1 changed=2\nUsing module file x\n" * 30, "Using module file x\n", *[""] * 6])
    calls: list[list[str]] = []

    def run(argv: list[str], **variables: str) -> tuple[float, str]:
        calls.append(argv)
        return 1.0, next(answers)

    monkeypatch.setattr(bench, "run", run)
    monkeypatch.setattr("sys.argv", ["bench.py"])
    assert bench.main() == 0
    assert "bench site_rerun_executions 1 calls" in capsys.readouterr().out
    assert len([argv for argv in calls if "-vvv" in argv]) == 2


def test_the_program_tells_its_options() -> None:
    path = Path(__file__).resolve().parents[4] / "tests" / "bench" / "bench.py"
    done = subprocess.run([sys.executable, str(path), "--help"], capture_output=True, text=True, check=True)
    assert "--enforce" in done.stdout
