# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project folder after the role: files that their tools accept, and the owner's own as they were."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
PLAYBOOK = PROJECT / "molecule" / "shared" / "converge.yml"
FOLDER = PROJECT / ".cache" / "workspace" / "project"
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def role(*extra: str) -> subprocess.CompletedProcess[str]:
    """Run the role as the scenario does."""
    argv = ["ansible-playbook", "-i", str(PROJECT / "molecule" / "inventory"), str(PLAYBOOK), "-l", "mol-workspace"]
    environment = {**os.environ, "MOLECULE_SCENARIO_NAME": "workspace_files"}
    return subprocess.run([*argv, *extra], cwd=PROJECT, capture_output=True, text=True, check=False, env=environment)


def files() -> dict[str, bytes]:
    return {str(path.relative_to(FOLDER)): path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()}


def test_all_targets_are_there() -> None:
    found = files()
    assert {".cnb.yml", ".ide/Dockerfile", ".devcontainer/devcontainer.json", ".devcontainer/compose.yaml"} <= set(
        found
    )
    assert {"client/CLIENT.md", "client/CLIENT.zh.md", "client/ssh_config", ".vscode/sftp.json"} <= set(found)
    assert [path for path, text in found.items() if b"hf_this_is_a_secret" in text] == []


def test_own_settings_were_added_to() -> None:
    path = FOLDER / ".vscode/extensions.json"
    assert "// what I like" in path.read_text() and '"me.mine", "ms-vscode-remote' in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640


def test_ssh_takes_the_snippet() -> None:
    argv = ["ssh", "-G", "-F", str(FOLDER / "client/ssh_config"), "mol-workspace-gpuready-dev"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {"hostname 127.0.0.1", "port 40022", "user dev", "proxyjump mol-workspace"} <= set(shown)


@pytest.mark.parametrize("folder", [".ide", ".devcontainer"])
def test_hadolint_has_nothing_to_say(folder: str) -> None:
    hadolint = shutil.which("hadolint", path=PATH)
    assert hadolint, "hadolint is not there: it comes with requirements-dev.txt"
    done = subprocess.run([hadolint, str(FOLDER / folder / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_takes_the_project() -> None:
    assert json.loads((FOLDER / ".devcontainer/devcontainer.json").read_text())["service"] == "dev"
    project = yaml.safe_load((FOLDER / ".devcontainer/compose.yaml").read_text())
    assert project["services"]["dev"]["devices"] == ["nvidia.com/gpu=all"]


def test_bad_lines_are_named_and_nothing_changes() -> None:
    before = files()
    done = role("-e", '{"workspace_files_pasted": ["ssh -p 910 root@192.0.2.1", "ssh -p x root@192.0.2.2"]}')
    assert done.returncode == 2 and files() == before
    assert "Line 2 (ssh ... root@192.0.2.2): its port is no whole number" in done.stdout + done.stderr


def test_a_file_that_was_changed_is_refused_and_named() -> None:
    path = FOLDER / ".cnb.yml"
    written = path.read_text()
    path.write_text("mine: {}\n")
    try:
        before = files()
        done = role("-e", "workspace_files_devcontainer_form=image")
        assert done.returncode == 2 and files() == before
        assert ".cnb.yml" in done.stderr and "was changed since" in done.stderr
    finally:
        path.write_text(written)


def test_absent_gives_the_folder_back() -> None:
    before = files()
    assert role("-e", "workspace_files_state=absent").returncode == 0
    try:
        assert list(files()) == [".vscode/extensions.json"]
        assert (FOLDER / ".vscode/extensions.json").read_text().count("\n") == 4
        again = role("-e", "workspace_files_state=absent")
        assert "changed=0" in again.stdout
    finally:
        assert role().returncode == 0
    assert {path: text for path, text in files().items() if not path.startswith(".gpuready")} == {
        path: text for path, text in before.items() if not path.startswith(".gpuready")
    }
