# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The road from Python (examples/bootstrap.py): the verdict as exit status and JSON, progress, and no residue."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lab import PROJECT, Host, environment

READY, NOT_READY = 0, 2


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A folder for temporary files of the program's own, so that its residue can be told from that of others."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def program(host: Host, temporary: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program on the sandbox host with the Python that runs this test."""
    argv = [sys.executable, "examples/bootstrap.py", "-i", host.inventory, *options]
    variables = {**environment(), "TMPDIR": str(temporary)}
    return subprocess.run(argv, cwd=PROJECT, env=variables, capture_output=True, text=True, check=False, timeout=900)


def residue(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()]


def test_a_ready_host_gives_status_0_the_report_and_progress(host: Host, temporary: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    done = program(host, temporary, "--json", str(target))
    assert done.returncode == READY, done.stdout[-4000:] + done.stderr[-2000:]
    document: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    assert (document["schema"], document["status"]) == ("gpuready.outcome/1", "successful")
    assert list(document["hosts"]) == [host.name]
    found = document["hosts"][host.name]
    assert (found["verdict"], found["error"], found["changed"]) == ("ready", None, 0)
    report = found["report"]
    assert (report["schema"], report["host"]) == ("gpuready.report/1", host.name)
    assert (report["verdict"], report["exit_code"]) == ("ready", done.returncode)
    assert {"preflight", "driver", "container", "dev"} <= {result["stage"] for result in report["results"]}
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("   ") and "gpu_readiness" not in line]
    assert any("Look once at everything that the decisions need" in line for line in lines)
    assert any(line.startswith(f"{host.name}: ready ") for line in lines)
    assert not [line for line in lines if line.endswith(": changed")], "the host was converged"
    assert residue(temporary) == []


def test_a_bad_value_gives_status_2_one_named_error_and_no_residue(host: Host, temporary: Path, tmp_path: Path) -> None:
    before, target = host.footprint(), tmp_path / "out.json"
    done = program(host, temporary, "--json", str(target), "-e", "docker_engine_source=nonsense")
    assert done.returncode == NOT_READY, done.stdout[-4000:] + done.stderr[-2000:]
    document: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    found = document["hosts"][host.name]
    assert (document["status"], found["verdict"], found["report"]) == ("failed", "failed", None)
    for text in (found["error"]["msg"], done.stdout):
        assert "docker_engine_source" in text and "nonsense" in text and "distribution" in text
    assert host.footprint() == before
    assert residue(temporary) == []
    assert not [name for name in os.listdir(PROJECT) if name in ("env", "artifacts")], "ansible-runner's own folders"
