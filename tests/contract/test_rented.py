# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The providers of rented machines: the shape of their table, its page, and the sample inventory."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.rented import PROVIDERS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load
from helpers import ROOT, tool

TABLE: dict[str, Any] = load("rented")
ROWS: dict[str, dict[str, Any]] = TABLE["providers"]
NEEDED = {"title", "hosts", "disks", "always", "keeps", "source"}
OPTIONAL = {"by_user", "refused", "ports", "shared", "notes"}


def test_the_table_has_a_date_and_what_holds_for_all() -> None:
    assert re.fullmatch(r"20\d\d-\d\d", TABLE["date"])
    assert set(TABLE) == {"date", "platform", "elsewhere", "folder", "providers"}
    assert TABLE["platform"] == {"systemd": False, "docker": False, "driver": "given"}
    assert TABLE["elsewhere"].startswith("/") and "/" not in TABLE["folder"]


@pytest.mark.parametrize("name", sorted(ROWS))
def test_rows(name: str) -> None:
    row = ROWS[name]
    assert set(row) >= NEEDED and set(row) <= NEEDED | OPTIONAL
    assert re.fullmatch(r"[a-z][a-z0-9.]*", name)
    assert len(row["source"]) > 20, "where the facts come from"
    assert row["disks"] and all(re.fullmatch(r"(/[a-z0-9_-]+)+", disk) for disk in row["disks"])
    assert isinstance(row["always"], bool) and isinstance(row.get("by_user", False), bool)
    patterns = [*row["hosts"], *row.get("refused", {})]
    assert all(pattern == pattern.lower() and re.fullmatch(r"[a-z0-9*.-]+\.[a-z]+", pattern) for pattern in patterns)
    assert set(row.get("refused", {})) <= set(row["hosts"])
    assert all(1 <= port <= 65535 for port in row.get("ports", []))
    texts = [row["title"], row["keeps"], row["source"], *row.get("refused", {}).values()]
    assert all(isinstance(text, str) and text == text.strip() and not text.endswith(".") for text in texts)


def test_one_address_has_one_provider() -> None:
    patterns = [pattern for row in ROWS.values() for pattern in row["hosts"]]
    assert len(patterns) == len(set(patterns))


def test_names_are_those_of_the_facts() -> None:
    # the facts cannot know Luchen: its containers carry no sign but their folder
    assert set(ROWS) - {provider.name for provider in PROVIDERS} == {"luchen"}


def test_the_page_has_the_table() -> None:
    page = (ROOT / "docs" / "rented.md").read_text(encoding="utf-8")
    for name, row in ROWS.items():
        addresses = ", ".join(f"`{pattern}`" for pattern in row["hosts"]) or "numbers only"
        disks = ", ".join(f"`{disk}`" for disk in row["disks"])
        assert f"| `{name}` | {row['title']} | {addresses} | {disks} | {row['keeps']} |" in page, name


def test_the_sample_is_an_inventory_of_rented_machines() -> None:
    argv = [tool("ansible-inventory"), "-i", str(ROOT / "inventories" / "rented"), "--list"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rented"]["hosts"] == list(found["_meta"]["hostvars"]) != []


def test_what_the_inventory_says_of_hosts_is_no_misspelt_input(tmp_path: Path) -> None:
    patterns = {pattern for row in ROWS.values() for pattern in row["hosts"] if pattern not in row.get("refused", {})}
    addresses = {pattern.replace("*", "a") for pattern in patterns}
    lines = [f"  ssh -p 910 root@{address}" for address in sorted(addresses)]
    (tmp_path / "box.ssh_commands.yml").write_text(
        "\n".join(["plugin: gpuready.bootstrap.ssh_commands", "lines: |", *lines, ""]), encoding="utf-8"
    )
    judges = {"gpuready.bootstrap.validate_inputs": {"roles": ["mirrors", "dev_inplace", "readiness"]}}
    play = [{"hosts": "all", "gather_facts": False, "tasks": [judges]}]
    (tmp_path / "judge.yml").write_text(json.dumps(play), encoding="utf-8")
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "GPUREADY_PROGRESS": "off"}
    argv = [tool("ansible-playbook"), "-i", str(tmp_path / "box.ssh_commands.yml"), str(tmp_path / "judge.yml")]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok=1") == len(addresses) > 3


def test_the_playbook_for_rented_machines_takes_it_and_the_road_names_that_playbook() -> None:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "GPUREADY_PROGRESS": "off"}

    def play(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [tool("ansible-playbook"), "-i", "inventories/rented", *words]
        return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    listed = play("playbooks/dev_inplace.yml", "--list-hosts")
    assert listed.returncode == 0 and "train-1" in listed.stdout
    road = play("site.yml")
    assert road.returncode == 2
    assert "playbooks/dev_inplace.yml (gpuready.bootstrap.dev_inplace)" in road.stdout + road.stderr
