# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import pwd
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules import docker_rootless
from ansible_collections.gpuready.bootstrap.plugins.modules.docker_rootless import main, subordinate_ids, unit
from hypothesis import given
from hypothesis import strategies as st

RunModule = Callable[..., dict[str, Any]]
Programs = Callable[..., None]
# The stand-in systemd: a folder with a file for each account whose engine runs. eve's never does.
SYSTEMCTL = """
case "$*" in
  "--user --machine "*)
    who=${3%%@*}
    case "$4" in
      is-active) [ -e STATE/$who ] && echo active || echo inactive; [ -e STATE/$who ] ;;
      is-enabled) [ -e STATE/$who ] && echo enabled || echo disabled; [ -e STATE/$who ] ;;
      enable) [ $who != eve ] || exit 1; touch STATE/$who ;;
      disable) rm -f STATE/$who ;;
      reset-failed|daemon-reload) ;;
      *) exit 9 ;;
    esac ;;
  "start user@"*) ;;
  *) exit 9 ;;
esac
"""


class Box:
    """The stand-in machine: what runs, who lingers, the unit."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.state, self.linger, self.unit = base / "running", base / "linger", base / "etc" / "docker.service"
        for folder in (self.state, self.linger, self.unit.parent):
            folder.mkdir(parents=True)

    def running(self) -> list[str]:
        return sorted(path.name for path in self.state.iterdir())

    def lingering(self) -> list[str]:
        return sorted(path.name for path in self.linger.iterdir())


@pytest.fixture
def box(tmp_path: Path, programs: Programs, store: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    found = Box(tmp_path / "box")
    linger = f'case "$1" in enable-linger) touch {found.linger}/$2;; disable-linger) rm {found.linger}/$2;; esac'
    programs(
        systemctl=SYSTEMCTL.replace("STATE", str(found.state)),
        loginctl=linger,
        journalctl='echo "[rootlesskit:parent] error: failed to setup UID/GID map"',
    )
    program = tmp_path / "dockerd-rootless.sh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "tun").touch()
    monkeypatch.setattr(docker_rootless, "PROGRAMS", (str(program),))
    monkeypatch.setattr(docker_rootless, "TUN", str(tmp_path / "tun"))
    monkeypatch.setattr(docker_rootless, "UNIT", str(found.unit))
    monkeypatch.setattr(docker_rootless, "LINGER", str(found.linger))
    monkeypatch.setattr(docker_rootless, "subordinate_ids", lambda text, user, uid: 0 if user == "bare" else 65536)

    def account(name: str) -> SimpleNamespace:
        if name == "adda":
            raise KeyError(name)
        return SimpleNamespace(pw_name=name, pw_uid=0 if name == "root" else 1000, pw_dir=str(tmp_path / "home" / name))

    monkeypatch.setattr(pwd, "getpwnam", account)
    return found


def test_given_kept_and_taken_away(box: Box, run_module: RunModule, store: Path) -> None:
    (box.linger / "grace").touch()
    predicted = run_module(main, check=True, users=["ada", "grace"])
    assert predicted["added"] == ["ada", "grace"] and box.running() == [] and not box.unit.exists()
    result = run_module(main, users=["ada", "grace"])
    assert result["added"] == ["ada", "grace"] and result["diff"] == predicted["diff"]
    assert box.running() == box.lingering() == ["ada", "grace"]
    assert box.unit.read_text() == unit(docker_rootless.PROGRAMS[0])
    assert not run_module(main, users=["ada", "grace"])["changed"]

    assert run_module(main, check=True, users=["grace"])["removed"] == ["ada"] and box.running() == ["ada", "grace"]
    assert run_module(main, users=["grace"])["removed"] == ["ada"]
    assert box.running() == box.lingering() == ["grace"] and box.unit.exists()
    assert run_module(main, state="absent")["removed"] == ["grace"]
    # grace lingered before
    assert (box.running(), box.lingering(), box.unit.exists()) == ([], ["grace"], False)
    assert not (store.parent / "docker-rootless.json").exists() and not store.exists()
    assert not run_module(main, state="absent")["changed"]


def test_an_engine_that_an_account_has_set_up_itself_is_nobodys_business(
    box: Box, run_module: RunModule, tmp_path: Path
) -> None:
    own = tmp_path / "home" / "ada" / ".config" / "systemd" / "user" / "docker.service"
    own.parent.mkdir(parents=True)
    own.touch()
    (box.state / "ada").touch()
    (box.linger / "ada").touch()
    assert run_module(main, users=["ada"])["added"] == []
    assert run_module(main, state="absent")["removed"] == [] and box.running() == ["ada"]


@pytest.mark.parametrize(
    ("users", "words"),
    [
        (["adda"], "no account adda"),
        (["root"], "root is root"),
        (["ada", "bare"], "bare has 0 ids in /etc/subuid"),
    ],
    ids=["misspelt", "root", "no ids"],
)
def test_what_cannot_be_is_told_before_anything_changes(
    box: Box, run_module: RunModule, users: list[str], words: str
) -> None:
    result = run_module(main, users=users)
    assert result["failed"] and words in result["msg"]
    assert (box.running(), box.lingering(), box.unit.exists()) == ([], [], False)


def test_a_machine_without_tunnels(box: Box, run_module: RunModule, tmp_path: Path) -> None:
    (tmp_path / "tun").unlink()
    result = run_module(main, users=["ada"])
    assert result["failed"] and "load module tun" in result["msg"] and box.lingering() == []
    assert not run_module(main, users=[])["changed"]


def test_an_engine_that_does_not_start_is_told_in_its_own_words_and_taken_back_later(
    box: Box, run_module: RunModule, store: Path
) -> None:
    result = run_module(main, users=["eve"])
    assert result["failed"] and "the engine of eve does not start" in result["msg"] and "UID/GID map" in result["msg"]
    assert json.loads((store.parent / "docker-rootless.json").read_text()) == {"eve": {"lingered": True}}
    assert run_module(main, state="absent")["removed"] == ["eve"] and box.lingering() == []


def test_an_account_that_is_gone_meanwhile(box: Box, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    run_module(main, users=["ada"])

    def nobody(name: str) -> SimpleNamespace:
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", nobody)
    assert run_module(main, state="absent")["removed"] == ["ada"] and not box.unit.exists()


def test_a_record_that_cannot_be_read(box: Box, run_module: RunModule, store: Path) -> None:
    store.parent.mkdir(parents=True, exist_ok=True)
    (store.parent / "docker-rootless.json").write_text("[1]")
    result = run_module(main, users=["ada"])
    assert result["failed"] and "unreadable" in result["msg"] and box.running() == []


@given(st.lists(st.tuples(st.sampled_from(["ada", "grace", "1000"]), st.integers(0, 2**31), st.integers(0, 2**31))))
def test_subordinate_ids_are_those_of_the_account(entries: list[tuple[str, int, int]]) -> None:
    text = "# theirs\n\n" + "".join(f"{who}:{first}:{count}\n" for who, first, count in entries) + "ada:broken\n"
    assert subordinate_ids(text, "ada", 1000) == sum(count for who, _first, count in entries if who != "grace")
