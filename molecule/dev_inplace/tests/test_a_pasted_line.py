# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole road of somebody who has a line from the provider's page, and nothing else: docs/guides/rented.md.

The container is the scenario's, with the environment in place; the line leads to it as to a stranger's machine.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from machine import PROJECT, Machine, Run, environment
from testinfra.host import Host

STATE = PROJECT / ".sandbox"
SAME = PROJECT / "molecule/inventory/group_vars/dev_inplace.yml"


@pytest.fixture
def boxes(host: Host, tmp_path: Path) -> Path:
    """An inventory as the guide has it: a pasted line, and the wishes of the scenario."""
    settings = dict(line.split(None, 1) for line in (STATE / f"ssh/{Machine(host).name}.conf").read_text().splitlines())
    folder = tmp_path / "boxes"
    (folder / "group_vars").mkdir(parents=True)
    paste = f"ssh -p {settings['Port']} -i {STATE}/id_ed25519 root@{settings['HostName']} # box-a"
    pasted = {
        "plugin": "gpuready.bootstrap.ssh_commands",
        "lines": f"{paste}\n",
        "provider": "autodl",
        "known_hosts": f"{tmp_path}/known",
    }
    (folder / "boxes.ssh_commands.yml").write_text(yaml.safe_dump(pasted))
    wishes = yaml.safe_load(SAME.read_text())
    wishes["dev_inplace_pip_index_url"] = json.loads((STATE / "machine.json").read_text())["pip_index_url"]
    wishes["gpuready_report_dir"] = str(tmp_path / "reports")
    (folder / "group_vars/all.yml").write_text(yaml.safe_dump(wishes))
    return folder


def ansible(program: str, boxes: Path, *words: str) -> Run:
    """With the settings of the project, as in its folder; Molecule brings its own."""
    env = {**environment(), "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
    argv = [program, "-i", str(boxes), *words]
    done = subprocess.run(argv, cwd=PROJECT, env=env, capture_output=True, text=True, check=False, timeout=300)
    return Run(done.returncode, done.stdout + done.stderr)


def test_a_pasted_line_is_all_that_it_takes(boxes: Path) -> None:
    graph = ansible("ansible-inventory", boxes, "--graph")
    assert graph.rc == 0 and "box-a" in graph.output and "rented_autodl" in graph.output, graph.output
    tried = ansible("ansible-playbook", boxes, "playbooks/dev_inplace.yml", "--check")
    assert (tried.rc, tried.changed) == (0, []), tried.output[-3000:]
    run = ansible("ansible-playbook", boxes, "playbooks/dev_inplace.yml")
    # The container has the engine's own /dev/shm, as many a rented one: the road is done, and this alone is said
    assert (run.rc, run.changed) == (2, []), run.output[-3000:]
    assert "box-a: NOT READY — 1 other failure, " in run.output, run.output[-3000:]
    assert "/dev/shm of this machine has 64 MiB" in run.output
    assert (boxes.parent / "reports/readiness.html").exists()


def test_a_bad_line_is_named_and_nothing_runs(boxes: Path) -> None:
    inventory = boxes / "boxes.ssh_commands.yml"
    pasted = yaml.safe_load(inventory.read_text())
    pasted["lines"] += "ssh -p many root@127.0.0.1 # box-b\n"
    inventory.write_text(yaml.safe_dump(pasted))
    run = ansible("ansible-playbook", boxes, "playbooks/dev_inplace.yml")
    assert run.rc != 0 and "boxes.ssh_commands.yml:2 (" in run.output and "no whole number" in run.output, run.output
    assert "PLAY [" not in run.output
