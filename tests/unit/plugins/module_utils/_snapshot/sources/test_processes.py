# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holders of the GPU, stuck processes, owners of sockets."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import processes
from hypothesis import given
from hypothesis import strategies as st

ID = "0123456789abcdef" * 4


def process(
    root: Path,
    pid: int,
    comm: str,
    links: tuple[str, ...] = (),
    state: str = "S",
    parent: int = 1,
    flags: int = 0x400000,
    cgroup: str = "0::/\n",
) -> None:
    """Put a process below `root`/proc."""
    folder = root / "proc" / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "stat").write_text(f"{pid} ({comm}) {state} {parent} 1 1 0 -1 {flags} 0 0 0\n")
    (folder / "cgroup").write_text(cgroup)
    for number, target in enumerate(links):
        (folder / "fd" / str(number)).symlink_to(target)


@pytest.fixture
def tree(tmp_path: Path, runner: Runner) -> Callable[[], Host]:
    (tmp_path / "proc").mkdir()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(f"me:x:{os.getuid()}:0::/:/bin/sh\n")
    return lambda: Host(str(tmp_path), runner)


def test_who_holds_the_gpu(tmp_path: Path, tree: Callable[[], Host]) -> None:
    process(tmp_path, 10, "bash", ("/dev/null", "/dev/nvidiactl.txt/x"[:9], "socket:[77]"))
    process(
        tmp_path,
        20,
        "python3 (x) y",
        ("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia0"),
        cgroup=f"0::/docker-{ID}.scope\n",
    )
    process(tmp_path, 30, "nvidia-persiste", ("/dev/nvidiactl",))
    # what we started ourselves
    process(tmp_path, os.getpid(), "python3", ("/dev/nvidia-uvm",))
    process(tmp_path, 41, "timeout", parent=os.getpid())
    process(tmp_path, 42, "nvidia-smi", ("/dev/nvidiactl",), parent=41, state="D")
    (tmp_path / "proc/99").mkdir()
    host = tree()
    found = processes.section(host)
    assert found["gpu"] == [
        {
            "pid": 20,
            "comm": "python3 (x) y",
            "user": "me",
            "devices": ["/dev/nvidia0", "/dev/nvidiactl"],
            "container": ID,
            "container_name": None,
        },
        {
            "pid": 30,
            "comm": "nvidia-persiste",
            "user": "me",
            "devices": ["/dev/nvidiactl"],
            "container": None,
            "container_name": None,
        },
    ]
    assert found["stuck"] == []
    assert processes.scan(host).owners == {77: 10}
    assert host.probes.status("processes") == "ok"


def test_who_hangs(tmp_path: Path, tree: Callable[[], Host]) -> None:
    process(tmp_path, 10, "nvidia-smi", state="D")
    process(tmp_path, 20, "python3", ("/dev/nvidia0",), state="D")
    process(tmp_path, 30, "rsync", state="D")
    process(tmp_path, 40, "nvidia-smi", state="R")
    # a thread of the kernel: nobody looks at its files
    process(tmp_path, 50, "nvidia-modeset/", ("/dev/nvidia0",), state="D", flags=0x208040)
    found = processes.section(tree())
    assert found["stuck"] == [
        {"pid": 10, "comm": "nvidia-smi"},
        {"pid": 20, "comm": "python3"},
        {"pid": 50, "comm": "nvidia-modeset/"},
    ]
    assert [entry["pid"] for entry in found["gpu"]] == [20]


def test_a_moment_in_the_kernel_is_not_stuck(
    tmp_path: Path, tree: Callable[[], Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    process(tmp_path, 10, "nvidia-smi", state="D")
    process(tmp_path, 20, "nvidia-smi", state="D")
    host = tree()

    def go_on(seconds: float) -> None:
        (tmp_path / "proc/10/stat").write_text("10 (nvidia-smi) S 1 1 1 0 -1 1 0\n")

    monkeypatch.setattr(host, "live", True)
    monkeypatch.setattr(host, "path", lambda path: str(tmp_path) + path)
    monkeypatch.setattr(time, "sleep", go_on)
    assert [entry["pid"] for entry in processes.section(host)["stuck"]] == [20]


def test_a_refusal_is_told(tmp_path: Path, tree: Callable[[], Host], monkeypatch: pytest.MonkeyPatch) -> None:
    process(tmp_path, 10, "x")
    listdir = os.listdir

    def refuse(path: Any) -> list[str]:
        if str(path).endswith("/fd"):
            raise PermissionError("no")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    host = tree()
    assert processes.section(host) == processes.EMPTY
    assert host.probes.status("processes") == "denied"


def test_too_much_to_look_at_is_told(tmp_path: Path, tree: Callable[[], Host], monkeypatch: pytest.MonkeyPatch) -> None:
    process(tmp_path, 10, "a", ("/dev/nvidia0",))
    process(tmp_path, 20, "b", ("/dev/nvidia0", "/dev/null"))
    monkeypatch.setattr(processes, "_MAX_FDS", 2)
    host = tree()
    assert [entry["pid"] for entry in processes.section(host)["gpu"]] == [10]
    assert host.probes.status("processes") == "timeout"


@pytest.mark.parametrize(("limit_s", "status"), [(1.5, "ok"), (0.02, "timeout")])
def test_a_machine_whose_processors_are_taken_is_waited_for_a_while(
    tmp_path: Path, tree: Callable[[], Host], monkeypatch: pytest.MonkeyPatch, limit_s: float, status: str
) -> None:
    """Two processes, each of which takes longer than the whole budget of the processor, because others have it."""
    process(tmp_path, 10, "a", ("/dev/nvidia0",))
    process(tmp_path, 20, "b", ("/dev/nvidia0",))
    process(tmp_path, 30, "c", ("/dev/nvidia0",))
    look = processes._stat

    def slowly(proc: str, pid: int) -> Any:
        time.sleep(0.2)
        return look(proc, pid)

    monkeypatch.setattr(processes, "_stat", slowly)
    monkeypatch.setattr(processes, "_WALL_S", limit_s)
    host = tree()
    seen = [entry["pid"] for entry in processes.section(host)["gpu"]]
    assert host.probes.status("processes") == status
    assert seen == ([10, 20, 30] if status == "ok" else [])


def test_one_walk_for_everybody(tmp_path: Path, tree: Callable[[], Host]) -> None:
    host = tree()
    assert processes.scan(host) is processes.scan(host)
    assert processes.scan(tree()) is not processes.scan(host)


def test_no_proc_at_all(tmp_path: Path, runner: Runner) -> None:
    assert processes.section(Host(str(tmp_path / "none"), runner)) == processes.EMPTY


def test_this_machine(live: Host) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = processes.scan(live)
        child.communicate(b"\n")
    mine = {entry.pid: entry for entry in found.processes}
    assert mine[child.pid].parent == os.getpid()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"0::/system.slice/docker-{ID}.scope\n", ID),
        (f"12:devices:/docker/{ID}\n0::/\n", ID),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope\n", ID),
        (f"0::/machine.slice/libpod-{ID}.scope/container\n", ID),
        ("0::/user.slice/session-1.scope\n", None),
        (f"0::/x/{ID}0\n", None),
    ],
)
def test_container(text: str, wanted: str | None) -> None:
    assert processes.container(text) == wanted


@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    processes.container(text)


def test_containers_have_names() -> None:
    holders: list[dict[str, Any]] = [{"container": one, "container_name": None} for one in (ID, ID[::-1], None)]
    processes.name_containers(holders, [{"id": ID, "name": "dev-alice"}, {"id": None, "name": "None"}])
    # the second belongs to another engine
    assert [holder["container_name"] for holder in holders] == ["dev-alice", None, None]
