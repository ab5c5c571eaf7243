# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers found in trees of control groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes.cgroups import Group, Hierarchy, Process
from hypothesis import given
from hypothesis import strategies as st

ID = "4c" * 32
OTHER = "7b" * 32
Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Groups with the pids in them, below /sys/fs/cgroup of version 2 (or the devices of version 1)."""

    def make(version: int = 2, **groups: list[int]) -> Path:
        base = tmp_path / "sys/fs/cgroup"
        base.mkdir(parents=True, exist_ok=True)
        if version == 2:
            (base / "cgroup.controllers").write_text("")
        base = base if version == 2 else base / "devices"
        for path, pids in groups.items():
            folder = base / path.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
            for pid in filter(None, pids):
                process = tmp_path / f"proc/{pid}"
                process.mkdir(parents=True, exist_ok=True)
                # the smaller the number, the older: unless a test says otherwise
                (process / "stat").write_text(f"{pid} (a b) c) S " + " ".join(["0"] * 18) + f" {pid} 0\n")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("path", "scope", "engine"),
    [
        (f"/system.slice/docker-{ID}.scope", f"docker-{ID}.scope", "docker"),
        (f"/machine.slice/libpod-{ID}.scope", f"libpod-{ID}.scope", "podman"),
        (f"/machine.slice/machine-libpod_pod_{OTHER}.slice/libpod-{ID}.scope", f"libpod-{ID}.scope", "podman"),
        (f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", f"cri-containerd-{ID}.scope", "containerd"),
        (f"/kubepods.slice/kubepods-pod1.slice/crio-{ID}.scope", f"crio-{ID}.scope", "cri-o"),
        (f"/system.slice/nerdctl-{ID}.scope", f"nerdctl-{ID}.scope", "nerdctl"),
        (f"/docker/{ID}", None, "docker"),
        (f"/libpod_parent/libpod-{ID}", None, "podman"),
        (f"/system.slice/train.service/libpod-payload-{ID}", None, "podman"),
        (f"/kubepods/burstable/pod1/{ID}", None, "containerd"),
        (f"/default/{ID}", None, "containerd"),
    ],
)
def test_names_of_engines(tree: Tree, path: str, scope: str | None, engine: str) -> None:
    root = tree(**{path: [5], "/system.slice/ssh.service": [6]})
    assert Hierarchy(str(root)).containers() == [Group(path, scope, engine, ID)]


@pytest.mark.parametrize(
    "path",
    [
        f"/machine.slice/libpod-conmon-{ID}.scope",
        f"/kubepods.slice/crio-conmon-{ID}.scope",
        "/system.slice/docker-short.scope",
        f"/system.slice/docker-{ID}.slice",
        "/user.slice/user-0.slice/session-1.scope",
        "/system.slice/docker.service",
        f"/system.slice/xdocker-{ID}.scope",
    ],
)
def test_what_is_no_container(tree: Tree, path: str) -> None:
    assert Hierarchy(str(tree(**{path: [5]}))).containers() == []


def test_a_container_in_a_container_belongs_to_that_ones_systemd(tree: Tree) -> None:
    outer = f"/system.slice/docker-{ID}.scope"
    root = tree(**{outer: [], f"{outer}/system.slice/docker-{OTHER}.scope": [9], f"{outer}/init.scope": [7, 8]})
    hierarchy = Hierarchy(str(root))
    (group,) = hierarchy.containers()
    assert group.id == ID
    # its first process stands in a group below it
    assert hierarchy.first(group) == Process(7, f"{outer}/init.scope")


def test_the_oldest_process_is_the_first(tree: Tree) -> None:
    path = f"/system.slice/docker-{ID}.scope"
    # pids have wrapped: 3 came by `docker exec`
    root = tree(**{path: [0, 3, 40000]})
    (root / "proc/3/stat").write_text("3 (sh) S " + " ".join(["0"] * 18) + " 90000 0\n")
    (root / "proc/40000/stat").write_text("40000 (x) y) S " + " ".join(["0"] * 18) + " 500 0\n")
    hierarchy = Hierarchy(str(root))
    assert hierarchy.first(hierarchy.containers()[0]) == Process(40000, path)
    # it ended: its file is gone
    (root / "proc/40000/stat").unlink()
    assert hierarchy.first(hierarchy.containers()[0]) == Process(3, path)


def test_a_group_that_has_ended(tree: Tree) -> None:
    path = f"/system.slice/docker-{ID}.scope"
    hierarchy = Hierarchy(str(tree(**{path: []})))
    (group,) = hierarchy.containers()
    assert hierarchy.first(group) is None
    assert hierarchy.exists(group) is True
    gone = Group("/system.slice/docker-ff.scope", "docker-ff.scope", "docker", "ff")
    assert (hierarchy.exists(gone), hierarchy.first(gone)) == (False, None)


@pytest.mark.parametrize(("path", "of_user"), [("user@1000.service/user.slice", True), ("system.slice", False)])
def test_rootless_engines(tree: Tree, path: str, of_user: bool) -> None:
    (group,) = Hierarchy(str(tree(**{f"/user.slice/{path}/libpod-{ID}.scope": [5]}))).containers()
    assert group.of_user is of_user


def test_version_1_is_told(tree: Tree) -> None:
    hierarchy = Hierarchy(str(tree(1, **{f"/docker/{ID}": [5]})))
    assert hierarchy.version == 1
    assert [group.engine for group in hierarchy.containers()] == ["docker"]


def test_nothing_mounted(tmp_path: Path) -> None:
    hierarchy = Hierarchy(str(tmp_path))
    assert (hierarchy.version, hierarchy.containers()) == (0, [])


@given(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=80))
def test_any_name_is_a_container_or_not(name: str) -> None:
    from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes import cgroups

    group = cgroups._group(f"/x/{name}", name)
    assert group is None or (group.id in name and len(group.id) >= 12)
