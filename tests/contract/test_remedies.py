# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A remedy that names a role, a variable or a tag that does not exist is worse than none."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import commands
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say
from helpers import ROLES, ROOT, load_yaml, role_files

READINESS = sorted((ROOT / "plugins" / "plugin_utils" / "readiness").rglob("*.py"))
INPUTS = {option for name in ROLES for option in role_files(name).options}
# the specification of the environment, and its keys one by one
for name, option in load("dev_spec")["options"].items():
    INPUTS |= {f"dev_{name}", *(f"dev_{name}_{key}" for key in option.get("options") or {})}


def plays() -> Iterator[tuple[str, str, list[str]]]:
    """(where, role, variables) of each `run.play("<role>", …, <variable>=…)`."""
    for path in READINESS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "play":
                continue
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant):
                where = f"{path.name}:{node.lineno}"
                yield where, str(first.value), [word.arg for word in node.keywords if word.arg]


PLAYS = list(plays())


def test_there_are_remedies_to_look_at() -> None:
    assert len(PLAYS) >= 12


@pytest.mark.parametrize(("where", "role", "variables"), PLAYS, ids=[f"{play[0]}-{play[1]}" for play in PLAYS])
def test_a_remedy_names_a_role_and_its_inputs(where: str, role: str, variables: list[str]) -> None:
    assert role in ROLES, where
    connection = {"ansible_become"}  # Ansible's own
    assert set(variables) - INPUTS - connection == set(), where


def test_the_playbook_that_replaces_a_driver_exists_beside_the_road() -> None:
    assert (ROOT / "playbooks" / commands.UPGRADE).is_file()
    remedy = commands.Commands("h", playbook="playbooks/site.yml").upgrade_driver(say("x"), nvidia_driver_branch="580")
    assert remedy.command.startswith(f"ansible-playbook playbooks/{commands.UPGRADE} -i ")


def test_the_playbook_that_heals_exists_beside_the_road() -> None:
    assert (ROOT / "playbooks" / commands.HEAL).is_file()
    for playbook in ("site.yml", "playbooks/site.yml"):
        remedy = commands.Commands("h", playbook=playbook).heal(say("x"))
        assert remedy.command.startswith(f"ansible-playbook playbooks/{commands.HEAL} -i ")
        assert (remedy.role, remedy.action) == (None, "run_role")


def test_a_rented_machine_is_sent_to_its_own_playbook() -> None:
    """site.yml refuses it."""
    tasks = load_yaml(ROOT / "playbooks" / commands.RENTED)[0]["tasks"]
    tags = {tag for task in tasks for tag in task.get("tags", [])}
    assert {*commands.RENTED_TAGS.values(), "readiness"} <= tags
    run = commands.Commands("box", rented=True)
    start = f"ansible-playbook playbooks/{commands.RENTED} -i <inventory> -l box --tags"
    assert run.play_line(["dev_container"], {}) == f"{start} dev_inplace,readiness"
    assert run.play_line(["nvidia_driver", "preflight"], {}) == f"{start} readiness"
    snapshot = json.loads((ROOT / "tests/fixtures/snapshots/rented_container.json").read_text(encoding="utf-8"))
    report = judge(snapshot, host="box", policy={"expected_gpus": 64})
    remedies = [one["remedy"] for one in report["results"] if one["remedy"]]
    lines = [report["next"]["command"], *(remedy["command"] for remedy in remedies)]
    assert len(lines) > 3 and not [line for line in lines if not line or "site.yml" in line]
    assert all(line.startswith(start.replace(" -l box --tags", "")) for line in lines)


def test_the_roles_in_order_of_the_road_all_exist() -> None:
    assert set(commands.ROLES) <= set(ROLES)


@pytest.mark.parametrize("role", ["preflight", "readiness"])
def test_the_judging_roles_take_a_policy(role: str) -> None:
    assert f"{role}_policy" in role_files(role).options


def names_in_messages(path: Path) -> Iterator[str]:
    """Words in texts of a file that look like an input of a role."""
    pattern = re.compile(rf"\b(?:{'|'.join(ROLES)})_\w+\b(?!\.\w)")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from pattern.findall(node.value)


@pytest.mark.parametrize("path", READINESS, ids=lambda path: path.stem)
def test_inputs_named_in_messages_exist(path: Path) -> None:
    assert set(names_in_messages(path)) <= INPUTS


def tags(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = node.get("tags") or []
        found = set(own if isinstance(own, list) else [own])
        return found.union(*(tags(value) for value in node.values()))
    return set().union(*(tags(item) for item in node)) if isinstance(node, list) else set()


def test_remedies_can_select_their_role_by_tag() -> None:
    site = load_yaml(ROOT / "playbooks" / "site.yml")
    # preflight always runs, whatever is selected
    assert set(commands.ROLES) - {"preflight"} <= tags(site)
