# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _engine_runtime
from ansible_collections.gpuready.bootstrap.plugins.modules import containerd_root, engine_runtime
from ansible_collections.gpuready.bootstrap.plugins.modules.containerd_root import main

RunModule = Callable[..., dict[str, Any]]
Programs = Callable[..., None]
# as containerd.io brings it, shortened
PACKAGED = (
    'disabled_plugins = ["cri"]\n\n#root = "/var/lib/containerd"\n#state = "/run/containerd"\n\n#[grpc]\n#  uid = 0\n'
)


@pytest.fixture
def path(tmp_path: Path, programs: Programs, store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(containerd_root, "DEFAULT", str(tmp_path / "old"))
    monkeypatch.setattr(containerd_root, "SOCKET", str(tmp_path / "containerd.sock"))
    monkeypatch.setattr(containerd_root, "TASKS", str(tmp_path / "tasks"))
    # a look is no act
    programs(systemctl=f'if [ "$1" = show ]; then cat {tmp_path}/units; else echo "$@" >> {tmp_path}/calls; fi')
    folder = tmp_path / "etc"
    folder.mkdir()
    return folder / "config.toml"


def test_one_line_changes_and_comes_back(path: Path, run_module: RunModule, store: Path) -> None:
    path.write_text(PACKAGED)
    predicted = run_module(main, check=True, path=str(path), root="/srv/c")
    assert path.read_text() == PACKAGED
    assert run_module(main, path=str(path), root="/srv/c")["diff"] == predicted["diff"]
    assert path.read_text() == PACKAGED.replace('#root = "/var/lib/containerd"', 'root = "/srv/c"')
    assert not run_module(main, path=str(path), root="/srv/c")["changed"]
    assert run_module(main, path=str(path), state="absent")["changed"]
    assert path.read_text() == PACKAGED and not store.exists()


def test_a_missing_file_is_made_and_goes_away(path: Path, run_module: RunModule) -> None:
    run_module(main, path=str(path), root="/srv/c")
    assert path.read_text() == 'root = "/srv/c"\n'
    run_module(main, path=str(path), state="absent")
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "root", "word"),
    [('root = "/mine"\n', "/srv/c", "not ours"), ("root = \n", "/srv/c", "not valid TOML"), ("", "srv", "absolute")],
)
def test_what_is_refused(path: Path, run_module: RunModule, text: str, root: str, word: str) -> None:
    path.write_text(text)
    result = run_module(main, path=str(path), root=root)
    assert result["failed"] and word in result["msg"] and path.read_text() == text


def test_images_are_not_left_behind(path: Path, run_module: RunModule, tmp_path: Path) -> None:
    (tmp_path / "old" / "io.containerd.content.v1.content/blobs/sha256/abc").mkdir(parents=True)
    result = run_module(main, path=str(path), root=str(tmp_path / "new"))
    assert result["failed"] and "1 parts of images" in result["msg"] and "rsync" in result["msg"] and not path.exists()
    (tmp_path / "new" / "io.containerd.content.v1.content/blobs/sha256/abc").mkdir(parents=True)
    assert run_module(main, path=str(path), root=str(tmp_path / "new"))["changed"]


def test_containerd_is_restarted_by_state(path: Path, run_module: RunModule, tmp_path: Path) -> None:
    socket = tmp_path / "containerd.sock"
    socket.touch()
    os.utime(socket, (1, 1))
    assert run_module(main, path=str(path), root="/srv/c")["restarted"]
    assert (tmp_path / "calls").read_text() == "restart containerd.service\n"
    # a run that was killed before the restart
    assert run_module(main, path=str(path), root="/srv/c")["changed"]
    os.utime(path, (1, 1))
    socket.touch()
    assert not run_module(main, path=str(path), root="/srv/c")["changed"]


@pytest.fixture
def busy(path: Path, tmp_path: Path, programs: Programs) -> Path:
    """containerd runs, with two containers of Docker and a pod."""
    (tmp_path / "containerd.sock").touch()
    os.utime(tmp_path / "containerd.sock", (1, 1))
    for name in ("moby/" + "a" * 64, "moby/" + "b" * 64, "k8s.io/" + "c" * 64):
        (tmp_path / "tasks" / name).mkdir(parents=True)
    programs(docker=f"echo {'a' * 64} job")
    return path


NAMES = ["bbbbbbbbbbbb", "job", "k8s.io/cccccccccccc"]


@pytest.mark.parametrize("check", [True, False])
def test_running_containers_keep_it_where_it_is(busy: Path, run_module: RunModule, tmp_path: Path, check: bool) -> None:
    busy.write_text(PACKAGED)
    result = run_module(main, check=check, path=str(busy), root="/srv/c")
    assert result["failed"] and f"3 running containers ({', '.join(NAMES)})" in result["msg"], result["msg"]
    assert "on_running_containers" in result["msg"] and "Nothing was changed" in result["msg"]
    assert busy.read_text() == PACKAGED and not (tmp_path / "calls").exists()


@pytest.mark.parametrize(("service", "asked"), [("inactive", False), ("failed", False), ("active", True)])
def test_a_docker_that_would_be_started_by_the_question_is_not_asked(
    busy: Path, run_module: RunModule, programs: Programs, tmp_path: Path, service: str, asked: bool
) -> None:
    programs(docker=f"touch {tmp_path}/asked; echo {'a' * 64} job")
    units = f"Id=docker.service\nActiveState={service}\n\nId=docker.socket\nActiveState=active\n"
    (tmp_path / "units").write_text(units)
    result = run_module(main, path=str(busy), root="/srv/c")
    assert result["failed"] and ("job" if asked else "a" * 12) in result["msg"], result["msg"]
    assert (tmp_path / "asked").exists() is asked


def test_the_policy_and_what_comes_back(busy: Path, run_module: RunModule, tmp_path: Path) -> None:
    busy.write_text(PACKAGED)
    agreed = run_module(main, path=str(busy), root="/srv/c", on_running_containers="proceed")
    assert agreed["restarted"] and agreed["running_containers"] == NAMES
    (tmp_path / "containerd.sock").touch()
    assert not run_module(main, path=str(busy), root="/srv/c").get("failed"), "nothing is due"
    refused = run_module(main, path=str(busy), state="absent")
    assert refused["failed"] and 'root = "/srv/c"' in busy.read_text()


def test_an_edited_file_loses_our_key_only(path: Path, run_module: RunModule, store: Path) -> None:
    path.write_text(PACKAGED)
    run_module(main, path=str(path), root="/srv/c")
    path.write_text(path.read_text() + '[debug]\n  level = "info"\n')
    result = run_module(main, path=str(path), state="absent")
    # warnings of other tests in this process are in it, too
    assert result["changed"] and f"{path}: root was left" not in str(result.get("warnings"))
    assert path.read_text() == PACKAGED + '[debug]\n  level = "info"\n' and not store.exists()
    assert not run_module(main, path=str(path), state="absent")["changed"]


def test_a_root_that_somebody_has_changed_is_left_and_said(path: Path, run_module: RunModule, store: Path) -> None:
    run_module(main, path=str(path), root="/srv/c")
    path.write_text('root = "/mine"\n')
    result = run_module(main, path=str(path), state="absent")
    assert not result["changed"] and f"{path}: root was left as somebody else" in str(result["warnings"])
    assert path.read_text() == 'root = "/mine"\n' and not store.exists()


def test_an_edited_file_in_which_nothing_is_left_goes_away(path: Path, run_module: RunModule) -> None:
    run_module(main, path=str(path), root="/srv/c")
    path.write_text('root = "/srv/c"\n\n')
    assert run_module(main, path=str(path), state="absent")["changed"] and not path.exists()


@pytest.mark.parametrize("first", ["root", "runtime"])
def test_two_modules_take_their_keys_out_of_one_file(
    path: Path, run_module: RunModule, store: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr(_engine_runtime, "CONTAINERD", str(path))
    drop_in = str(path.parent / "conf.d" / "99-nvidia.toml")
    monkeypatch.setattr(_engine_runtime, "CONTAINERD_DROP_IN", drop_in)
    # bound at its import: without this the module would write into this machine's /etc
    monkeypatch.setitem(engine_runtime.DROP_INS, "containerd", drop_in)
    monkeypatch.setattr(_engine_runtime, "_IMPORT", f"{path.parent}/conf.d/*.toml")
    path.write_text("version = 2\n")
    backs: dict[str, Callable[[], Any]] = {
        "root": lambda: run_module(main, path=str(path), state="absent"),
        "runtime": lambda: run_module(engine_runtime.main, engine="containerd", state="absent"),
    }
    run_module(engine_runtime.main, engine="containerd")
    run_module(main, path=str(path), root="/srv/c")
    assert "imports" in path.read_text() and 'root = "/srv/c"' in path.read_text()
    assert backs.pop(first)()["changed"]
    assert ('root = "/srv/c"' in path.read_text(), "imports" in path.read_text()) == (first != "root", first == "root")
    assert next(iter(backs.values()))()["changed"]
    assert path.read_text() == "version = 2\n" and not store.exists()
