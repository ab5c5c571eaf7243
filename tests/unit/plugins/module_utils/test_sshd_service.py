# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _sshd_service
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_service import Daemon, Guard

HOST = Daemon(True, "ssh.service", "", [], "/etc/ssh/sshd_config", 77)


def run_command(argv: list[str], **_options: Any) -> tuple[int, bytes, bytes]:
    done = subprocess.run(argv, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(Runner(run_command), str(tmp_path / "guard"))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes | None]:
    """One file that stands there with a mode of its own, and one that does not."""
    (tmp_path / "old").write_text("former")
    (tmp_path / "old").chmod(0o640)
    return {str(tmp_path / "old"): b"former", str(tmp_path / "new file"): None}


def change(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("changed")
    (tmp_path / "new file").write_text("made")


def former(tmp_path: Path) -> bool:
    old = tmp_path / "old"
    return old.read_text() == "former" and old.stat().st_mode & 0o777 == 0o640 and not (tmp_path / "new file").exists()


def wait(condition: Any) -> bool:
    deadline = time.monotonic() + 15
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(condition())


def test_without_systemd_a_sleeper_puts_back(guard: Guard, files: dict[str, bytes | None], tmp_path: Path) -> None:
    then = [["touch", str(tmp_path / "reloaded")]]
    guard.arm(files, then, 1, systemd=False)
    change(tmp_path)
    assert guard.state() == "armed"
    assert wait((tmp_path / "reloaded").exists) and former(tmp_path) and guard.state() == "restored"
    assert not guard.confirm()


def test_a_confirmed_change_stays(guard: Guard, files: dict[str, bytes | None], tmp_path: Path) -> None:
    guard.arm(files, [], 1, systemd=False)
    change(tmp_path)
    assert guard.confirm() and guard.state() == ""
    # the sleeper of the first change must not judge the second
    guard.arm({str(tmp_path / "old"): b"changed"}, [], 60, systemd=False)
    time.sleep(1.6)
    assert guard.state() == "armed" and (tmp_path / "old").read_text() == "changed"
    guard.clear()


def test_what_is_put_back_now(guard: Guard, files: dict[str, bytes | None], tmp_path: Path) -> None:
    guard.arm(files, [], 600, systemd=False)
    change(tmp_path)
    guard.restore_now()
    assert former(tmp_path) and not (tmp_path / "guard").exists()


def test_a_reload_keeps_sessions_and_a_socket_needs_more() -> None:
    assert _sshd_service.commands(HOST, False, True) == [["systemctl", "reload", "ssh.service"]]
    assert _sshd_service.commands(HOST, False, False) == []
    assert _sshd_service.commands(HOST._replace(systemd=False), False, True) == [["kill", "-HUP", "77"]]
    socket = HOST._replace(socket="ssh.socket")
    assert _sshd_service.commands(socket, True, True) == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "stop", "ssh.service"],
        ["systemctl", "restart", "ssh.socket"],
    ]
    assert "ListenStream=\nListenStream=22\nListenStream=2222\n" in _sshd_service.socket_drop_in(["22", "2222"])


def test_who_listens(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    head = "  sl  local_address rem_address   st\n"
    (tmp_path / "net" / "tcp").write_text(f"{head}   0: 00000000:0016 00000000:0000 0A\n   1: 0100007F:08AE 0:0 01\n")
    assert _sshd_service.listening(["22", "2222"], str(tmp_path)) == ["22"]


def test_what_a_socket_listens_on() -> None:
    shown = b"Listen=0.0.0.0:22 (Stream)\nListen=[::]:22 (Stream)\nListen=[::]:2222 (Stream)\n"
    runner = Runner(lambda _argv, **_options: (0, shown, b""))
    runner.which = lambda name: f"/bin/{name}"  # type: ignore[method-assign]
    assert _sshd_service.socket_ports(runner, "ssh.socket") == ["22", "2222"]
