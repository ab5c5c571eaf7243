# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball that `ansible-galaxy collection build` makes holds the collection, nothing else, and works by itself."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from helpers import ROLES, ROOT, tool

ALLOWED = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "README.zh-CN.md",
    "changelogs",
    "docs",
    "meta",
    "playbooks",
    "plugins",
    "roles",
}
NEEDED = {
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "meta/runtime.yml",
    "playbooks/site.yml",
    "plugins/modules/gpu_facts.py",
}


def run(argv: list[str], cwd: Path, home: Path) -> str:
    """A command of Ansible in a bare directory: no configuration, no collections but those installed there."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(home / "collections"),
    }
    result = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{argv}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare home that has the two dependencies, as Galaxy would have brought them."""
    home = tmp_path_factory.mktemp("home")
    tree = home / "collections" / "ansible_collections"
    tree.mkdir(parents=True)
    for namespace in ("ansible", "community"):
        (tree / namespace).symlink_to(ROOT / ".collections" / "ansible_collections" / namespace)
    (home / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def tarball(home: Path) -> Path:
    run([tool("ansible-galaxy"), "collection", "build", "--output-path", str(home / "dist")], ROOT, home)
    (path,) = (home / "dist").iterdir()
    return path


@pytest.fixture(scope="module")
def names(tarball: Path) -> set[str]:
    with tarfile.open(tarball) as archive:
        return {member.name for member in archive.getmembers() if not member.isdir()}


@pytest.fixture(scope="module")
def installed(home: Path, tarball: Path) -> Path:
    argv = [tool("ansible-galaxy"), "collection", "install", str(tarball), "--offline", "-p", str(home / "collections")]
    run(argv, home, home)
    return home


def test_it_holds_only_content(names: set[str]) -> None:
    assert {name.split("/")[0] for name in names} <= ALLOWED
    assert [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".orig", ".log"))] == []


def test_it_holds_what_users_need(names: set[str]) -> None:
    assert names >= NEEDED
    assert names >= {f"roles/{role}/{part}" for role in ROLES for part in ("tasks/main.yml", "README.md")}


def test_it_holds_every_file_of_plugins_roles_and_playbooks(names: set[str], known_files: list[Path]) -> None:
    content = {str(path.relative_to(ROOT)) for path in known_files}
    assert {name for name in content if name.startswith(("plugins/", "roles/", "playbooks/", "meta/"))} <= names


def test_its_modules_are_documented_after_the_installation(installed: Path) -> None:
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__")
    text = run(
        [tool("ansible-doc"), "-t", "module", *(f"gpuready.bootstrap.{name}" for name in modules)], installed, installed
    )
    assert all(f"gpuready.bootstrap.{name}" in text for name in modules)


def test_its_roles_are_documented_after_the_installation(installed: Path) -> None:
    text = run([tool("ansible-doc"), "-t", "role", "-l"], installed, installed)
    assert [role for role in ROLES if f"gpuready.bootstrap.{role}" not in text] == []


def test_its_site_playbook_runs_by_its_name_alone(installed: Path) -> None:
    argv = [tool("ansible-playbook"), "--syntax-check", "-i", "localhost,", "gpuready.bootstrap.site"]
    assert "playbook: " in run(argv, installed, installed)
