# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module's main() in this process, with a real AnsibleModule, and read the JSON that it prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

RunModule = Callable[..., dict[str, Any]]


@pytest.fixture
def run_module(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunModule:
    # A test of a controller plugin in the same process makes ansible-core send a module's warnings to its display
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    scratch = tmp_path / "ansible-tmp"
    scratch.mkdir()

    def run(main: Callable[[], None], check: bool = False, **args: Any) -> dict[str, Any]:
        internal = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_tmpdir": str(scratch)}
        capsys.readouterr()
        with patch_module_args({**args, **internal}), pytest.raises(SystemExit):
            main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep originals below tmp_path, for modules that have no `root`."""
    folder = tmp_path / "originals"
    monkeypatch.setattr("ansible_collections.gpuready.bootstrap.plugins.module_utils._files.STORE", str(folder))
    return folder


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put small stand-in programs first in PATH: programs(docker="echo hello")."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def write(**scripts: str) -> None:
        for name, body in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{body}\n")
            (folder / name).chmod(0o755)

    return write
