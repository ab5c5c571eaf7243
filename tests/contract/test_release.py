# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release needs, and the workflows that a fork would run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import ROOT, tool

from tools import release_check

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
HISTORY: dict[str, Any] = {"ancestor": None, "releases": {"1.2.0": {"changes": {}}}}


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A checkout that can be released."""
    (tmp_path / "changelogs" / "fragments").mkdir(parents=True)
    (tmp_path / "galaxy.yml").write_text("version: 1.2.0\n", encoding="utf-8")
    (tmp_path / "changelogs" / "changelog.yaml").write_text(yaml.safe_dump(HISTORY), encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text("# Notes\n\n## v1\\.2\\.0\n", encoding="utf-8")
    return tmp_path


def test_a_release_with_its_changes_is_let_through(ready: Path) -> None:
    assert release_check.problems(ready) == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("galaxy.yml", "version: 1.3.0\n", "no release 1.3.0"),
        ("galaxy.yml", "version: 1.2.0-dev0\n", "no version for a release"),
        ("changelogs/fragments/new.yml", "minor_changes: [x]\n", "in no release: new.yml"),
        ("CHANGELOG.md", "# Notes\n", "no section for 1.2.0"),
        ("changelogs/changelog.yaml", "", "no release 1.2.0"),
    ],
)
def test_what_is_missing_is_named(ready: Path, name: str, text: str, said: str) -> None:
    (ready / name).write_text(text, encoding="utf-8")
    assert [problem for problem in release_check.problems(ready) if said in problem]


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_one(path: Path) -> None:
    argv = [tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_with_the_version_beside(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    assert [use for use in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_do_little(path: Path) -> None:
    """Nobody writes but the job that makes the release; no step puts what others wrote into a shell's text."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    writers = [name for name, job in workflow["jobs"].items() if "write" in (job.get("permissions") or {}).values()]
    assert writers == (["attach"] if path.name == "release.yml" else [])
    assert [job for job in workflow["jobs"].values() if "timeout-minutes" not in job] == []
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_call_targets_that_exist(path: Path) -> None:
    makefiles = (ROOT / "Makefile").read_text() + (ROOT / "tools" / "test.mk").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefiles, re.MULTILINE))
    called = [words.split() for step in steps(path) for words in re.findall(r"^make (.*)$", step.get("run", ""), re.M)]
    assert {name for words in called for name in words} - targets == set()


def test_ci_runs_every_step_of_make_test() -> None:
    ci = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    steps_of_make = re.findall(r"^(?:FAST|SLOW)_STEPS := (.*)$", (ROOT / "tools" / "test.mk").read_text(), re.MULTILINE)
    named = {name for line in steps_of_make for name in re.split(r"[\s,]+", line)}
    assert len(named) >= 7
    assert {name for name in named if not re.search(rf"run: make .*\b{name}\b", ci)} == set()
