# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The joined script: it must run on a container's old Python, and its parts must not hide each other's names."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside import bundle, look


def test_nothing_is_newer_than_python_3_6() -> None:
    tree = ast.parse(bundle.script(), feature_version=(3, 6))
    imports = {
        str(node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert imports <= set(sys.stdlib_module_names) - {"typing", "__future__"}
    annotated = [node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)]
    arguments = [node for node in ast.walk(tree) if isinstance(node, ast.arg) and node.annotation is not None]
    assert annotated == [] and arguments == []
    # subprocess: capture_output and text came with 3.7
    keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    assert not keywords & {"capture_output", "text", "dirs_exist_ok", "missing_ok"}


def test_no_two_parts_have_one_name() -> None:
    seen: dict[str, str] = {}
    for part in bundle.PARTS:
        for node in ast.parse(inspect.getsource(part)).body:
            names: list[Any] = []
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names = [node.name]
            elif isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            for name in names:
                assert name not in seen, f"{name}: {seen.get(name)} and {part.__name__}"
                seen[name] = part.__name__


def test_a_part_needs_only_parts_before_it() -> None:
    known: set[str] = set()
    for part in bundle.PARTS:
        for node in ast.parse(inspect.getsource(part)).body:
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ansible_collections"):
                assert str(node.module) in known
                assert all(name.asname is None for name in node.names)
        known.add(part.__name__)


def test_it_fits_into_an_argument() -> None:
    assert len(bundle.script().encode()) < 100_000


@pytest.mark.parametrize("options", [[], ["-I", "-S"]])
def test_it_runs(options: list[str]) -> None:
    wish = json.dumps({"parts": ["user"], "created": None, "first": False})
    argv = [sys.executable, *options, "-c", bundle.script(), wish]
    env = {"PATH": "/usr/bin:/bin", "HF_TOKEN": "hunter2", "NVIDIA_DRIVER_CAPABILITIES": "compute"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert (found["capabilities"], found["python"]["version"]) == ("compute", sys.version.split()[0])
    assert found["shm_mib"] is not None and found["ulimits"]["nofile"] != 0
    assert "known_passwords" not in found
    assert "hunter2" not in done.stdout + done.stderr


def test_what_sshd_sets_in_sessions_stays_in_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    view = {"asked": True, "login": {"setenv": ["TOKEN=hunter2"], "pam": False}}
    monkeypatch.setattr(look, "sshd_view", lambda *_arguments: view)
    assert look.look({"parts": []})["sshd"] == {"asked": True}


def test_an_error_in_one_part_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any) -> Any:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(look, "libcuda", broken)
    found = look.look({"parts": ["user"]})
    assert found["libcuda"] is None
    assert found["errors"]["libcuda"] == ["failed", "RuntimeError"]
    assert found["ulimits"] is not None


def test_containers_that_are_looked_into_at_once_read_the_sources_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """inspect.getsource fails in one of two threads at times: "could not get source code"."""
    real, inside, most, calls = inspect.getsource, [0], [0], [0]

    def slow(part: Any) -> str:
        inside[0], calls[0] = inside[0] + 1, calls[0] + 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        inside[0] -= 1
        return real(part)

    bundle._joined.cache_clear()
    monkeypatch.setattr(inspect, "getsource", slow)
    with ThreadPoolExecutor(4) as pool:
        made = {job.result() for job in [pool.submit(bundle.script) for _number in range(4)]}
    assert (len(made), most[0], calls[0]) == (1, 1, len(bundle.PARTS))
