# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What make would do, by its own account (-n): the user's own hosts touch nothing local but the virtual environment."""

from __future__ import annotations

import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def plan(*arguments: str) -> str:
    done = subprocess.run(["make", "-n", *arguments], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_sandbox_is_set_up_and_used() -> None:
    steps = plan("site")
    order = ["tools/bootstrap.py", "sandbox/engine.sh", "sandbox/build.sh", "sandbox/up.yml", "site.yml"]
    assert sorted(order, key=steps.index) == order
    assert "-i inventories/sandbox" in steps


def test_an_own_inventory_needs_no_sandbox_and_no_engine() -> None:
    steps = plan("site", "INVENTORY=inventories/sample", "ARGS=--check")
    assert "ansible-playbook site.yml -i inventories/sample --check" in steps
    assert "sandbox" not in steps and "docker" not in steps


def test_ci_runs_make_test() -> None:
    assert "exec make test" in (PROJECT / ".ci" / "run").read_text()
    assert all(step in plan("test") for step in ("lint", "unit", "contract", "sanity", "molecule", "site-test"))


def test_the_reference_is_read_anew_each_time() -> None:
    """Sphinx reads a page that it kept of a failed run no second time: its warnings would be gone."""
    assert "sphinx-build --quiet --fresh-env --fail-on-warning" in plan("docs")
