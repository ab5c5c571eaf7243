# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where locks of packages lie: beside the inventory, wherever the host's name comes from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.insert(0, str(Path(__file__).parent))

from role_variables import PROJECT, evaluate

ROLES = ("dev_container", "dev_inplace", "workspace_files")
PLAY = """
- hosts: all
  gather_facts: false
  roles: [{roles}]
  tasks:
    - ansible.builtin.copy:
        content: "{{{{ {{{values}}} | to_json }}}}"
        dest: "{{{{ playbook_dir }}}}/printed.json"
        mode: "0600"
"""


@pytest.fixture
def play(tmp_path: Path) -> Path:
    """A playbook that prints the folders, with the defaults of the roles and nothing else of them."""
    for role in ROLES:
        shutil.copytree(PROJECT / "roles" / role / "defaults", tmp_path / "play" / "roles" / role / "defaults")
    values = ", ".join(f"'{role}': {role}_lock_dir" for role in ROLES)
    path = tmp_path / "play" / "play.yml"
    path.write_text(PLAY.format(roles=", ".join(ROLES), values=values), encoding="utf-8")
    return path


def folders(play: Path, *inventories: str) -> set[str]:
    options = [word for one in inventories for word in ("--inventory", one)]
    local = ["-e", "ansible_connection=local", "-e", f"ansible_python_interpreter={sys.executable}", "--limit", "box"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_HOME": str(play.parent / "home"), "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections")}
    command = [sys.executable, "-m", "ansible", "playbook", *options, *local, str(play)]
    run = subprocess.run(command, cwd=play.parents[1], env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return set(json.loads((play.parent / "printed.json").read_text()).values())


def test_they_lie_beside_the_file_of_the_inventory(tmp_path: Path, play: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "hosts.yml").write_text("all: {hosts: {box: }}\n", encoding="utf-8")
    assert folders(play, str(tmp_path / "lab" / "hosts.yml")) == {f"{tmp_path}/lab/dev-locks"}


def test_they_lie_beside_the_playbook_where_the_host_is_named_on_the_command_line(play: Path) -> None:
    """ansible-core then says that inventory_dir is None, as a word."""
    assert folders(play, "box,") == {f"{play.parent}/dev-locks"}


def test_a_host_in_pull_mode_has_them_in_its_own_inventory(tmp_path: Path, play: Path) -> None:
    """As its unit calls it: a folder with values, and the name of the host beside it."""
    names = ["__ansible_pull_hosts", "__ansible_pull_values"]
    inputs = {"ansible_pull_root": str(tmp_path / "pull")}
    told = evaluate(tmp_path, "ansible_pull", {"box": ({}, inputs, names)})["box"]
    inventory = tmp_path / "pull" / "inventory"
    (inventory / "group_vars").mkdir(parents=True)
    (inventory / "hosts.yml").write_text(json.dumps(told["__ansible_pull_hosts"]), encoding="utf-8")
    (inventory / "group_vars" / "all.yml").write_text(json.dumps(told["__ansible_pull_values"]), encoding="utf-8")
    assert folders(play, str(inventory), "box,") == {f"{inventory}/dev-locks"}
