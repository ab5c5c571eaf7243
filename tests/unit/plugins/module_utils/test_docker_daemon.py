# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_daemon import (
    Daemon,
    DaemonError,
    needed_action,
)


class Runner:
    """Answers by the first two words of a command."""

    def __init__(self, **answers: tuple[str, str]) -> None:
        self.answers = answers

    def which(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.answers else None

    def run(self, argv: list[str], **_options: Any) -> CommandResult:
        for word in argv[::-1]:
            if word in self.answers:
                status, out = self.answers[word]
                return CommandResult(status, 0 if status == "ok" else 1, out, "", 1, None if status == "ok" else out)
        return CommandResult("missing", None, "", "", 0, f"{argv[0]}: no such program")


def daemon(**answers: tuple[str, str]) -> Daemon:
    return Daemon(Runner(**answers), socket="/nonexistent.sock")  # type: ignore[arg-type]


def unit(line: str, more: str = "") -> Daemon:
    exec_start = f"ExecStart={{ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd {line} ; ignore_errors=no }}\n"
    return daemon(systemctl=("ok", "ActiveState=active\n" + exec_start + more))


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("-H fd:// --containerd=/run/containerd/containerd.sock", {"hosts", "containerd"}),
        ("--host=fd:// --label a=b --exec-opt native.cgroupdriver=systemd", {"hosts", "labels", "exec-opts"}),
        ("-D -l warn -s overlay2", {"debug", "log-level", "storage-driver"}),
        ("--feature cdi=true --http-proxy http://x.example.org:1", {"features", "proxies"}),
        ("", set()),
        ("--log-opt 'unbalanced", {"log-opts"}),
    ],
)
def test_flags(line: str, keys: set[str]) -> None:
    assert set(unit(line).flags()) == keys


def test_flags_in_variables_of_the_unit() -> None:
    with_environment = unit("$OPTS ${MORE}", 'Environment="OPTS=--mtu 1400 -D" MORE=--live-restore\n')
    assert set(with_environment.flags()) == {"mtu", "debug", "live-restore"}
    assert unit("$OPTS", "EnvironmentFiles=/nonexistent (ignore_errors=yes)\n").flags() == {}


@pytest.mark.parametrize(
    ("state", "running"), [("active", True), ("reloading", True), ("inactive", False), ("failed", False)]
)
def test_running(state: str, running: bool) -> None:
    assert daemon(systemctl=("ok", f"ActiveState={state}\n")).running is running


def test_without_systemd_nothing_is_claimed() -> None:
    assert daemon().running is False and daemon().flags() == {} and daemon().flag_source() == "docker.service"


def test_containers_that_a_restart_stops() -> None:
    on = {"live-restore": True}
    assert daemon(info=("ok", "true\n"), ps=("ok", "a\n")).stopped_by_restart(on) == []
    assert daemon(info=("ok", "false\n"), ps=("ok", "b\na\n")).stopped_by_restart(on) == ["a", "b"]
    assert daemon(info=("failed", "x"), ps=("ok", "")).stopped_by_restart(on) == []
    with pytest.raises(DaemonError, match="cannot be asked"):
        daemon(info=("ok", "false"), ps=("failed", "no daemon")).stopped_by_restart(on)


@pytest.mark.parametrize(
    ("before", "after", "keys", "action"),
    [
        ({}, {}, [], "none"),
        ({}, {"debug": True}, ["debug"], "reload"),
        ({"debug": True}, {}, ["debug"], "restart"),
        ({}, {"mtu": 1}, ["mtu"], "restart"),
        ({"features": {"cdi": True}}, {"features": {"cdi": True, "x": True}}, ["features"], "reload"),
        ({"features": {"x": True}}, {"features": {"x": True, "cdi": False}}, ["features"], "restart"),
    ],
)
def test_needed_action(before: Any, after: Any, keys: list[str], action: str) -> None:
    assert needed_action(before, after, keys) == action


@pytest.mark.parametrize(
    ("live", "after", "reload", "stopped"),
    [
        ("true", {"live-restore": True}, False, []),
        ("false", {"live-restore": True}, True, []),
        ("false", {"live-restore": True}, False, ["job"]),
        ("true", {"live-restore": False}, False, ["job"]),
        ("true", {"live-restore": False}, True, ["job"]),
        # a reload leaves it on where the key is gone, and the next start has it off
        ("true", {}, False, ["job"]),
        ("true", {}, True, ["job"]),
        ("false", {}, False, ["job"]),
    ],
)
def test_both_daemons_must_have_live_restore(live: str, after: Any, reload: bool, stopped: list[str]) -> None:
    assert daemon(info=("ok", live), ps=("ok", "job")).stopped_by_restart(after, reload) == stopped


@pytest.mark.parametrize(
    ("line", "more", "known"),
    [
        ("--live-restore", "", True),
        ("--live-restore=true", "", True),
        ("--live-restore=false", "", False),
        ("--live-restore", "NeedDaemonReload=yes\n", False),
        ("-D", "", False),
    ],
)
def test_live_restore_as_a_flag(line: str, more: str, known: bool) -> None:
    assert unit(line, more).starts_with_live_restore({}) is known


def test_the_file_that_the_next_start_reads() -> None:
    assert unit("-D").reads() == "/etc/docker/daemon.json"
    assert unit("--config-file /srv/daemon.json").reads() == "/srv/daemon.json"
