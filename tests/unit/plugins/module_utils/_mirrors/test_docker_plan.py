# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import docker, proxies
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.docker_plan import DockerPlan
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.plan import MirrorGate, Plan
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.tools import Options

MIRROR = {"docker": {"registry_mirrors": ["https://near.example.org"]}}
PROXY = proxies.read({"http": "http://proxy.example.org:1"})
SECRET = proxies.read({"http": "http://me:hush@proxy.example.org:1"})


class Programs:
    """`run_command` and `get_bin_path` of a module, with a dockerd of some version, or none."""

    def __init__(self, version: str, active: bool) -> None:
        self.version, self.active = version, active

    def run(self, args: list[str], **_rest: Any) -> tuple[int, str, str]:
        line = " ".join(args)
        if "dockerd --version" in line:
            return 0, f"Docker version {self.version}, build 0\n", ""
        if "systemctl show" in line:
            state = "active\nSubState=running" if self.active else "inactive"
            return 0, f"ActiveState={state}\nLoadState=loaded\n", ""
        return 0, "", ""


def run(root: Path, options: Options, version: str = "", active: bool = False) -> DockerPlan:
    """One run as on a host with this dockerd; "" for none, and for a tree that is no host."""
    scratch = root.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    programs = Programs(version, active)
    module: Any = SimpleNamespace(
        check_mode=False, tmpdir=str(scratch), atomic_move=os.replace, warn=print, run_command=programs.run
    )
    plan = Plan(MirrorGate(module, str(root)))
    made = DockerPlan(plan, module)
    if version:
        made.runner = Runner(programs.run)
        made.runner.which = lambda name: f"/usr/bin/{name}"  # type: ignore[method-assign]  # a stand-in
    made.add(options)
    plan.apply()
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc/docker").mkdir(parents=True)
    return tmp_path / "root"


def data(root: Path) -> dict[str, Any]:
    path = root / docker.PATH[1:]
    return json.loads(path.read_text()) if path.exists() else {}


def drop_in(root: Path) -> bool:
    return (root / docker.DROP_IN_PATH[1:]).exists() and (root / docker.VARIABLES_PATH[1:]).exists()


@pytest.mark.parametrize(
    ("version", "proxy", "in_service"),
    [
        ("", PROXY, True),
        ("20.10.24", PROXY, True),
        ("23.0.1", PROXY, False),
        ("29.4.0", PROXY, False),
        ("29.4.0", SECRET, True),
    ],
)
def test_where_the_proxy_stands(root: Path, version: str, proxy: proxies.Proxies, in_service: bool) -> None:
    made = run(root, Options(MIRROR, proxy), version)
    assert drop_in(root) == in_service and ("proxies" in data(root)) != in_service
    assert data(root)["registry-mirrors"] == ["https://near.example.org"]
    assert "hush" not in str(made.gate.diffs) and "hush" not in str(data(root))
    assert not run(root, Options(MIRROR, proxy), version).gate.changed
    run(root, Options({}), version)
    assert data(root) == {} and not drop_in(root)
    assert list((root / "etc/docker").iterdir()) == [] and not (root / "etc/systemd").exists()


def test_an_engine_that_comes_later_changes_nothing(root: Path) -> None:
    run(root, Options(MIRROR, PROXY))
    assert not run(root, Options(MIRROR, PROXY), "29.4.0").gate.changed and drop_in(root)


@pytest.mark.parametrize(("version", "active", "needed"), [("20.10.24", True, True), ("20.10.24", False, False)])
def test_a_running_daemon_needs_a_restart_for_its_service(root: Path, version: str, active: bool, needed: bool) -> None:
    assert run(root, Options({}, PROXY), version, active).restart_needed == needed
    assert not run(root, Options({}, PROXY), version, active).restart_needed


def test_a_mirror_is_taken_over_without_a_restart_and_its_end_is_not(root: Path) -> None:
    assert not run(root, Options(MIRROR), "29.4.0", True).restart_needed
    assert run(root, Options({}), "29.4.0", True).restart_needed
