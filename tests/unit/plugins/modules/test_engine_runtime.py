# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules import engine_runtime
from ansible_collections.gpuready.bootstrap.plugins.modules.engine_runtime import main, process_start

RunModule = Callable[..., dict[str, Any]]
MAIN = """version = 2
# words
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = true
"""
CONFIG, DROP_IN = "etc/containerd/config.toml", "etc/containerd/conf.d/99-nvidia.toml"


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "etc/containerd").mkdir(parents=True)
    (folder / CONFIG).write_text(MAIN)
    return folder


def test_containerd_there_and_back(root: Path, run_module: RunModule) -> None:
    before = tree(root)
    args = {"engine": "containerd", "root": str(root)}
    predicted = run_module(main, check=True, **args)
    assert tree(root) == before
    result = run_module(main, **args)
    assert predicted["diff"] == result["diff"] and predicted["pending"] and result["pending"]
    assert result["service"] == "containerd.service"
    assert (root / CONFIG).read_text() == MAIN.replace("2\n", '2\nimports = ["/etc/containerd/conf.d/*.toml"]\n', 1)
    assert "SystemdCgroup = true" in (root / DROP_IN).read_text()
    assert not run_module(main, **args)["changed"]
    run_module(main, **args, state="absent")
    assert tree(root) == before and not (root / DROP_IN).parent.exists()
    assert not run_module(main, **args, state="absent")["changed"]


def test_a_changed_section_is_repeated_anew(root: Path, run_module: RunModule) -> None:
    args = {"engine": "containerd", "root": str(root)}
    run_module(main, **args)
    path = root / CONFIG
    path.write_text(path.read_text().replace("SystemdCgroup = true", "SystemdCgroup = false"))
    result = run_module(main, **args)
    assert result["files"] == [f"/{DROP_IN}"] and "SystemdCgroup = false" in (root / DROP_IN).read_text()
    run_module(main, **args, state="absent")
    assert path.read_text() == MAIN.replace("true", "false") and not (root / DROP_IN).exists()


def test_a_drop_in_of_somebody_else_comes_back(root: Path, run_module: RunModule) -> None:
    (root / DROP_IN).parent.mkdir()
    (root / DROP_IN).write_text("version = 2\n# of nvidia-ctk\n")
    before = tree(root)
    run_module(main, engine="containerd", root=str(root))
    run_module(main, engine="containerd", root=str(root), state="absent")
    assert tree(root) == before


def test_no_file_at_all(tmp_path: Path, run_module: RunModule) -> None:
    (tmp_path / "r").mkdir()
    run_module(main, engine="containerd", root=str(tmp_path / "r"))
    assert (tmp_path / "r" / CONFIG).read_text().startswith("version = 2\nimports")
    run_module(main, engine="containerd", root=str(tmp_path / "r"), state="absent")
    assert tree(tmp_path / "r") == {}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('disabled_plugins = ["cri"]\n', "disabled_plugins"),
        ("root = 1\n", "format 1"),
        ("a = \n", "line 1"),
        ("\udcff", "not UTF-8"),
        ("version = 2\nimports = 1\n", "list of texts"),
    ],
)
def test_what_cannot_work_is_refused(root: Path, run_module: RunModule, text: str, word: str) -> None:
    (root / CONFIG).write_bytes(text.encode("utf-8", "surrogateescape"))
    before = tree(root)
    result = run_module(main, engine="containerd", root=str(root))
    assert result["failed"] and word in result["msg"] and result["msg"].endswith("Nothing was changed.")
    assert tree(root) == before


def test_a_section_that_would_hide_ours(root: Path, run_module: RunModule) -> None:
    run_module(main, engine="containerd", root=str(root))
    (root / DROP_IN).with_name("99-zz.toml").write_text('version = 2\n[plugins."io.containerd.grpc.v1.cri"]\na = 1\n')
    result = run_module(main, engine="containerd", root=str(root))
    assert result["failed"] and "99-zz.toml is read after" in result["msg"]


def test_crio_there_and_back(tmp_path: Path, run_module: RunModule) -> None:
    folder = tmp_path / "etc/crio/crio.conf.d"
    folder.mkdir(parents=True)
    (folder / "10-crun.conf").write_text('[crio.runtime.runtimes.crun]\nmonitor_path = "/usr/libexec/crio/conmon"\n')
    before = tree(tmp_path / "etc")
    result = run_module(main, engine="crio", root=str(tmp_path))
    assert result["files"] == ["/etc/crio/crio.conf.d/99-nvidia.toml"] and result["service"] == "crio.service"
    assert "monitor_path" in (folder / "99-nvidia.toml").read_text()
    assert not run_module(main, engine="crio", root=str(tmp_path))["changed"]
    run_module(main, engine="crio", root=str(tmp_path), state="absent")
    assert tree(tmp_path / "etc") == before


@pytest.mark.parametrize("args", [{"name": "a b"}, {"path": "nvidia-container-runtime"}])
def test_bad_inputs(root: Path, run_module: RunModule, args: dict[str, str]) -> None:
    assert run_module(main, engine="containerd", root=str(root), **args)["failed"]


def test_when_a_process_started() -> None:
    started = process_start(str(os.getpid()))
    assert started is not None and -3 < time.time() - started < 24 * 3600
    assert process_start("0") is None and process_start("x") is None


@pytest.mark.usefixtures("store")
def test_a_killed_run_is_still_pending(
    tmp_path: Path, run_module: RunModule, programs: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service runs, and has not read the file since."""
    programs(systemctl=f"echo {os.getpid()}")
    drop_in = tmp_path / "99-nvidia.toml"
    monkeypatch.setitem(engine_runtime.DROP_INS, "crio", str(drop_in))
    assert run_module(main, engine="crio")["pending"]
    assert run_module(main, engine="crio")["pending"], "the run was killed before the restart"
    os.utime(drop_in, (1, 1))
    assert not run_module(main, engine="crio")["pending"]
