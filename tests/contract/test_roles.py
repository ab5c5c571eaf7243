# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role says what it takes, the same in its specification, its defaults and its README, and has a scenario."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from helpers import ROOT, RoleFiles

# In a process of its own: Ansible's loader of plugins wants to be there before anything of a collection is imported
DEFAULTS = """
import json, sys
from pathlib import Path
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
init_plugin_loader([sys.argv[1] + "/.collections"])
from ansible_collections.gpuready.bootstrap.plugins.action.validate_inputs import NEEDS_FACTS, plain, wrong_value
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import role_inputs
loader, found = DataLoader(), {}
given = {"inventory_hostname": "box", "inventory_dir": "/lab", "playbook_dir": "/lab", "ansible_play_hosts": ["box"]}
# the one thing that nobody but the user can give
given["dev_ssh"] = {"authorized_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43]}
for role in role_inputs.roles(Path(sys.argv[1]), loader).values():
    templar = Templar(loader=loader, variables={**role.defaults, **given})
    for name, raw in role.defaults.items():
        try:
            value = plain(templar.template(raw))
        except AnsibleError as error:
            found[name] = "later" if NEEDS_FACTS.search(str(error)) else str(error)
        else:
            found[name] = "" if value is None else wrong_value(name, role.options[name], value)
print(json.dumps(found))
"""


def is_computed(value: Any) -> bool:
    """Whether a default holds a template anywhere, so that no literal can stand for it."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, dict):
        return any(is_computed(item) for item in value.values())
    return isinstance(value, list) and any(is_computed(item) for item in value)


def test_inputs_carry_the_name_of_the_role(role: RoleFiles) -> None:
    assert [name for name in role.options if not name.startswith(f"{role.name}_")] == []


def test_specification_and_defaults_have_the_same_inputs(role: RoleFiles) -> None:
    defaults = role.load("defaults/main.yml") or {}
    without_default = {name for name, option in role.options.items() if option.get("required")}
    assert set(defaults) == set(role.options) - without_default


def test_literal_defaults_are_the_specified_ones(role: RoleFiles) -> None:
    for name, value in (role.load("defaults/main.yml") or {}).items():
        if is_computed(value):
            assert "default" not in role.options[name], f"{name}: a computed default cannot be specified"
        elif value is not None:
            assert role.options[name].get("default") == value, name
            assert type(role.options[name]["default"]) is type(value), name


@pytest.fixture(scope="session")
def judged_defaults() -> dict[str, str]:
    """What is wrong with each default where the inventory gives nothing; "later" for one that needs facts of a host."""
    run = subprocess.run([sys.executable, "-c", DEFAULTS, str(ROOT)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found: dict[str, str] = json.loads(run.stdout)
    return found


def test_defaults_fit_the_specification(role: RoleFiles, judged_defaults: dict[str, str]) -> None:
    """A run takes it for granted: validate_inputs judges what the inventory reaches, and no default besides."""
    assert {name: judged_defaults[name] for name in role.load("defaults/main.yml") if judged_defaults[name]} == {}


def test_specification_is_described(role: RoleFiles) -> None:
    assert role.main["short_description"].strip()
    assert role.main["description"]
    assert [name for name, option in role.options.items() if not option.get("description")] == []


def test_readme_names_every_input(role: RoleFiles) -> None:
    readme = (role.path / "README.md").read_text(encoding="utf-8")
    assert [name for name in role.options if name not in readme] == []


def test_role_has_a_scenario_of_its_name(role: RoleFiles) -> None:
    assert (ROOT / "molecule" / role.name / "molecule.yml").is_file()


def test_role_has_no_dependencies(role: RoleFiles) -> None:
    assert not (role.load("meta/main.yml") or {}).get("dependencies")
