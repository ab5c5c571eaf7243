# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def tool(load_program: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [*sys.path])  # the tool puts the collection's folder there
    return load_program("tools/dev_locks.py")


@pytest.fixture
def ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for `ansible` that keeps the module's arguments and answers like a run of it."""
    program = tmp_path / "ansible"
    answer = json.dumps({"changed": True, "packages": 2, "torch_cuda": "13.2", "moved": {"a": "1 -> 2"}})
    program.write_text(
        f"#!/bin/sh\nfor last; do :; done\necho \"$last\" > {tmp_path}/given\necho 'localhost | CHANGED => {answer}'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_a_set_of_groups_is_locked_with_the_inputs_that_the_plugins_look_for(tool: ModuleType, ansible: Path) -> None:
    result = tool.lock(["notebook"], ansible / "lock.txt", True)
    given = json.loads((ansible / "given").read_text())
    assert given["requirements"] == ["ipykernel", "jupyterlab"] and given["refresh"] is True
    assert given["dest"] == str(ansible / "lock.txt") and given["torch_backend"] == "auto"
    assert result["packages"] == 2


def test_what_changed_is_told_and_a_failure_too(
    tool: ModuleType, ansible: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.tell(["notebook", "core"], tool.lock(["notebook"], ansible / "lock.txt", False))
    assert capsys.readouterr().out == "notebook+core: changed, 2 packages, torch for CUDA 13.2\n    a 1 -> 2\n"
    assert not tool.tell(["vision"], {"failed": True, "msg": "uv could not resolve the requirements: …"})
    assert capsys.readouterr().out.startswith("vision: FAILED: uv could not resolve")


def test_without_an_answer_its_words_are_the_failure(tool: ModuleType, ansible: Path) -> None:
    (ansible / "ansible").write_text("#!/bin/sh\necho no such module >&2\nexit 2\n")
    assert tool.lock(["notebook"], ansible / "lock.txt", False) == {"failed": True, "msg": "no such module"}
