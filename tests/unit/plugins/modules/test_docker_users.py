# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules import docker_users
from ansible_collections.gpuready.bootstrap.plugins.modules.docker_users import main

RunModule = Callable[..., dict[str, Any]]
Programs = Callable[..., None]


class Group:
    """The stand-in group: gpasswd writes a file of members."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text("grace\n")

    def members(self, _group: str) -> list[str] | None:
        return self.path.read_text().split() if self.path.exists() else None


@pytest.fixture
def group(tmp_path: Path, programs: Programs, store: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    found = Group(tmp_path / "members")
    change = f'case "$1" in -a) echo "$2" >> {found.path};; -d) sed -i "/^$2$/d" {found.path};; esac'
    programs(gpasswd=f'{change}\n[ "$2" != eve ]')
    monkeypatch.setattr(docker_users, "members", found.members)
    monkeypatch.setattr(docker_users, "unknown", lambda users: [name for name in users if name == "adda"])
    return found


def test_only_whom_we_put_there_is_taken_out(group: Group, run_module: RunModule, store: Path) -> None:
    predicted = run_module(main, check=True, users=["ada", "grace"])
    assert predicted["added"] == ["ada"] and group.members("") == ["grace"]
    result = run_module(main, users=["ada", "grace"])
    assert result["changed"] and result["diff"] == predicted["diff"] and group.members("") == ["grace", "ada"]
    assert not run_module(main, users=["ada", "grace"])["changed"]
    assert run_module(main, users=["bob"])["removed"] == ["ada"]
    assert group.members("") == ["grace", "bob"]
    assert run_module(main, state="absent")["removed"] == ["bob"] and group.members("") == ["grace"]
    assert not run_module(main, state="absent")["changed"]
    assert not (store.parent / "docker-users.json").exists() and not store.exists()


def test_a_misspelt_account_is_refused(group: Group, run_module: RunModule) -> None:
    result = run_module(main, users=["ada", "adda"])
    assert result["failed"] and "adda" in result["msg"] and group.members("") == ["grace"]


def test_a_group_that_is_not_there_is_said_and_predicted(group: Group, run_module: RunModule) -> None:
    group.path.unlink()
    assert run_module(main, users=["ada"])["failed"]
    assert run_module(main, check=True, users=["ada"])["added"] == ["ada"]
    assert not run_module(main, state="absent")["changed"]


def test_whom_a_killed_run_put_there_is_known(group: Group, run_module: RunModule, store: Path) -> None:
    result = run_module(main, users=["eve"])
    assert result["failed"] and "gpasswd -a eve docker failed" in result["msg"]
    assert json.loads((store.parent / "docker-users.json").read_text()) == {"docker": ["eve"]}
    assert run_module(main, users=["eve"])["changed"] is False


def test_a_record_that_cannot_be_read_is_said(group: Group, run_module: RunModule, store: Path) -> None:
    (store.parent / "docker-users.json").write_text("[")
    assert "unreadable" in run_module(main, users=["ada"])["msg"]


def test_the_real_databases() -> None:
    assert docker_users.members("no-such-group") is None and docker_users.members("root") is not None
    assert docker_users.unknown(["root", "no-such-account"]) == ["no-such-account"]


def test_each_group_has_its_own_accounts(
    run_module: RunModule, programs: Programs, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: dict[str, list[str]] = {"docker": [], "podman": []}
    monkeypatch.setattr(docker_users, "members", lambda name: there[name])
    monkeypatch.setattr(docker_users, "unknown", lambda users: [])
    programs(gpasswd="exit 0")
    record = store.parent / "docker-users.json"
    run_module(main, users=["ada"], group="docker")
    run_module(main, users=["bob"], group="podman")
    assert json.loads(record.read_text()) == {"docker": ["ada"], "podman": ["bob"]}
    there.update(docker=["ada"], podman=["bob"])
    assert run_module(main, state="absent", group="docker")["removed"] == ["ada"]
    assert json.loads(record.read_text()) == {"podman": ["bob"]}
    assert run_module(main, state="absent", group="podman")["removed"] == ["bob"] and not record.exists()
