# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole set: what each target adds, scripts and Dockerfiles in the eyes of their linters."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# The linters of requirements-dev.txt stand beside this Python
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def test_each_target_adds_its_files(render: Any) -> None:
    parts = [set(render(target)) for target in ("devcontainer", "cnb", "client")]
    assert set.union(*parts) == set(render("devcontainer", "cnb", "client"))
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert {path.partition("/")[0] for path in set.union(*parts)} == {
        ".cnb.yml",
        ".devcontainer",
        ".ide",
        ".vscode",
        "client",
    }
    assert render() == {}


def test_paths_and_texts_are_plain(render: Any) -> None:
    for path, text in render("devcontainer", "cnb", "client").items():
        assert not path.startswith("/") and ".." not in path
        assert text.endswith("\n") or text == "", path


@pytest.mark.parametrize("target", ["cnb", "devcontainer"])
def test_hadolint_has_nothing_to_say(render: Any, target: str, tmp_path: Path) -> None:
    hadolint = shutil.which("hadolint", path=PATH)
    assert hadolint, "hadolint is not there: it comes with requirements-dev.txt"
    texts = [text for path, text in render(target).items() if path.endswith("/Dockerfile")]
    assert len(texts) == 1
    (tmp_path / "Dockerfile").write_text(texts[0])
    done = subprocess.run([hadolint, str(tmp_path / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
