# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _ssh_session, _sshd_service
from ansible_collections.gpuready.bootstrap.plugins.module_utils._ssh_session import NOBODY, Account, Session
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_ask import SettingsError, lists
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_service import Daemon, Guard
from ansible_collections.gpuready.bootstrap.plugins.modules import sshd_settings
from ansible_collections.gpuready.bootstrap.plugins.modules.sshd_settings import main

RunModule = Callable[..., dict[str, Any]]
# A stand-in sshd: the first value of each keyword wins, `Bad` is no keyword
SSHD = r"""
flag=$1; shift
while [ "$1" != -f ]; do shift; done
main=$2
read_all() { while read -r k v; do case $k in Include) for f in $v; do [ -e "$f" ] && read_all < "$f"; done;;
  Bad) echo "$main: Bad configuration option: Bad" >&2; exit 255;; '#'*|'') ;; *) echo "$k $v";; esac; done; }
read_all < "$main" > "$main.flat.$$" || exit 255
[ "$flag" = -t ] || awk '{ k = tolower($1) } !(k in seen) { seen[k] = 1; $1 = k; print }' "$main.flat.$$"
rm -f "$main.flat.$$"
"""


class Host:
    """Settings of sshd below a folder, and a session as ada by key."""

    def __init__(self, root: Path) -> None:
        self.main, self.folder = root / "sshd_config", root / "sshd_config.d"
        self.folder.mkdir()
        self.path = self.folder / "00-gpuready.conf"
        self.theirs = self.folder / "50-cloud-init.conf"
        self.theirs.write_text("PasswordAuthentication yes\n")
        self.main.write_text(f"Include {self.folder}/*.conf\nPubkeyAuthentication yes\nPort 22\n")
        self.reloads = root / "reloads"

    @property
    def args(self) -> dict[str, Any]:
        return {"path": str(self.path), "config": str(self.main), "guard_seconds": 600}


@pytest.fixture
def ssh(tmp_path: Path, store: Path, programs: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path)
    home = tmp_path / "ada"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n"
    (home / ".ssh" / "authorized_keys").write_text(key)
    (home / ".ssh" / "authorized_keys").chmod(0o600)
    programs(
        sshd=SSHD, ssh='echo "OpenSSH_9.2p1" >&2', systemctl=f'echo "$@" >> {found.reloads}', **{"systemd-run": ":"}
    )
    daemon = Daemon(True, "ssh.service", "", [], str(found.main), 1)
    monkeypatch.setattr(_sshd_service, "look", lambda _runner, _main: daemon)
    monkeypatch.setattr(_sshd_service, "wait_for", lambda _ports: [])
    monkeypatch.setattr(_sshd_service, "listening", lambda _ports: [])
    monkeypatch.setattr(sshd_settings, "Guard", lambda runner: Guard(runner, str(tmp_path / "guard")))
    session = Session("ada", "192.0.2.7", "5000", "192.0.2.1", "22", "publickey", "")
    monkeypatch.setattr(_ssh_session, "find", lambda _runner, _given: session)
    ada = Account("ada", 1000, str(home), ["ada"], False)
    monkeypatch.setattr(_ssh_session, "account", lambda name: ada if name == "ada" else None)
    monkeypatch.setattr("ansible_collections.gpuready.bootstrap.plugins.module_utils._ssh_keys.unsafe", lambda *_: "")
    return found


def test_written_checked_reloaded_confirmed_and_back(ssh: Host, run_module: RunModule, store: Path) -> None:
    wish = {**ssh.args, "settings": {"PasswordAuthentication": False}}
    predicted = run_module(main, check=True, **wish)
    assert predicted["changed"] and not ssh.path.exists() and not predicted["guard"]
    result = run_module(main, **wish)
    assert result["diff"] == predicted["diff"] and result["guard"]
    assert ssh.path.read_text().splitlines()[1:] == ["PasswordAuthentication no"]
    assert "reload ssh.service" in ssh.reloads.read_text() and "restart" not in ssh.reloads.read_text()
    assert result["effective"] == {"passwordauthentication": ["no"]}
    assert run_module(main, **ssh.args, state="confirmed")["changed"]
    assert not run_module(main, **ssh.args, state="confirmed")["changed"]
    assert not run_module(main, **wish)["changed"]
    assert run_module(main, **ssh.args, state="absent")["changed"] and not ssh.path.exists()
    run_module(main, **ssh.args, state="confirmed")
    assert not run_module(main, **ssh.args, state="absent")["changed"] and not store.exists()


def test_a_run_that_was_stopped_is_put_back_first(ssh: Host, run_module: RunModule) -> None:
    run_module(main, **ssh.args, settings={"MaxAuthTries": 3})
    result = run_module(main, **ssh.args, settings={"MaxAuthTries": 4})
    assert "were put back first" in result["notes"][0] and "MaxAuthTries 4" in ssh.path.read_text()


def test_the_guard_that_was_faster_is_said(ssh: Host, run_module: RunModule, tmp_path: Path) -> None:
    run_module(main, **ssh.args, settings={"MaxAuthTries": 3})
    (tmp_path / "guard" / "armed").rename(tmp_path / "guard" / "restored")
    assert "already, because it took too long" in run_module(main, **ssh.args, state="confirmed")["msg"]


@pytest.mark.parametrize(
    ("main_file", "theirs", "settings", "said"),
    [
        ("", "Bad x", {"MaxAuthTries": 3}, "broken already, before any change"),
        ("", "", {"Bad": "x"}, "sshd does not take this"),
        ("PasswordAuthentication yes\nInclude {}/*.conf\n", "", {"PasswordAuthentication": "no"}, "sshd_config:1"),
        ("Port 22\n", "", {"MaxAuthTries": 3}, "reads no drop-ins"),
        ("", "", {"AllowUsers": "bob"}, "would lock out the account"),
        ("", "", {"Port": [2222]}, "this session came through port 22"),
        ("", "", {"Match": "User x"}, "is not a keyword"),
        ("", "", {"MaxAuthTries": [3, 4]}, "takes only the first"),
    ],
)
def test_what_is_refused_changes_nothing(
    ssh: Host, run_module: RunModule, main_file: str, theirs: str, settings: dict[str, Any], said: str
) -> None:
    if main_file:
        ssh.main.write_text(main_file.format(ssh.folder))
    if theirs:
        ssh.theirs.write_text(theirs + "\n")
    result = run_module(main, **ssh.args, settings=settings)
    assert result["failed"] and said in result["msg"], result["msg"]
    assert not ssh.path.exists() and not ssh.reloads.exists()


def test_an_include_line_is_added_and_given_back(ssh: Host, run_module: RunModule) -> None:
    ssh.main.write_text("Port 22\n")
    run_module(main, **ssh.args, settings={"MaxAuthTries": 3}, include="add")
    assert ssh.main.read_text() == f"Include {ssh.folder}/*.conf\nPort 22\n"
    run_module(main, **ssh.args, state="confirmed")
    run_module(main, **ssh.args, state="absent")
    assert ssh.main.read_text() == "Port 22\n" and not ssh.path.exists()


def test_a_reload_that_fails_is_undone(ssh: Host, run_module: RunModule, programs: Any, tmp_path: Path) -> None:
    (tmp_path / "bin" / "systemctl").write_text('#!/bin/sh\n[ "$1" != reload ] || { echo no such unit >&2; exit 5; }\n')
    result = run_module(main, **ssh.args, settings={"MaxAuthTries": 3})
    assert "no such unit" in result["msg"] and "the former settings are back" in result["msg"]
    assert not ssh.path.exists() and not (tmp_path / "guard").exists()


def test_without_a_session_nobody_is_locked_out(
    ssh: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ssh_session, "find", lambda _runner, _given: NOBODY)
    assert run_module(main, **ssh.args, settings={"AllowUsers": "bob"}, accounts=["ada"])["changed"]


def test_values_as_sshd_writes_them() -> None:
    assert lists({"X11Forwarding": True, "Port": [22], "AllowUsers": []}) == {"X11Forwarding": ["yes"], "Port": ["22"]}
    with pytest.raises(SettingsError):
        lists({"Banner": "a\nPermitRootLogin yes"})


def test_the_command_line_of_sshd_is_read(tmp_path: Path) -> None:
    (tmp_path / "77").mkdir()
    title = "sshd: /usr/sbin/sshd -D -p 2222 -oUsePAM=no -f /etc/own [listener] 0 of 10-100 startups\0\0"
    (tmp_path / "77" / "cmdline").write_text(title)
    pid, arguments = _sshd_service.listener(str(tmp_path))
    assert (pid, _sshd_service.options_of(arguments)) == (77, (["-p", "2222", "-o", "UsePAM=no"], "/etc/own"))
