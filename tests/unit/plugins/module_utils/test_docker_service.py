# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _docker_service as service
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult
from hypothesis import given
from hypothesis import strategies as st

# as dockerd 20.10.24 and 26.1.5 wrote them, shortened
OLD = """time="T" level=info msg="Starting up"
time="T" level=error msg="Failed to GetDriver graph" driver=nonsense home-dir=/var/lib/docker
failed to start daemon: error initializing graphdriver: driver not supported
time="T" level=info msg="Starting up"
time="T" level=error msg="Failed to GetDriver graph" driver=nonsense home-dir=/var/lib/docker
failed to start daemon: error initializing graphdriver: driver not supported
"""
FLAGS = (
    "unable to configure the Docker daemon with file /etc/docker/daemon.json: directives are specified both as a flag\n"
)


def test_the_daemons_words_each_once_and_the_last_one_last() -> None:
    assert service.errors(OLD) == [
        "Failed to GetDriver graph (driver=nonsense home-dir=/var/lib/docker)",
        "failed to start daemon: error initializing graphdriver: driver not supported",
    ]
    assert service.errors(FLAGS) == [FLAGS.strip()]
    assert service.errors('level=fatal msg="a \\"b\\" c"\nlevel=warning msg="no error=x"\n') == ['a "b" c']
    assert service.errors("") == [] and service.errors("level=error msg=short") == ["short"]


@given(st.text(max_size=200))
def test_no_log_is_too_strange(text: str) -> None:
    assert len(service.errors(text)) <= 3


class Runner:
    """Notes what is run; `answers` by verb."""

    def __init__(self, **answers: CommandResult) -> None:
        self.answers, self.calls = answers, list[list[str]]()

    def run(self, argv: list[str], **_options: object) -> CommandResult:
        self.calls.append(argv)
        return self.answers.get(argv[1], CommandResult("ok", 0, "", "", 1, None))


@pytest.fixture
def no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    monkeypatch.setattr(service, "SOCKET", str(tmp_path / "no.sock"))
    return lambda: None


@pytest.mark.usefixtures("no_socket")
def test_the_count_of_failed_starts_is_cleared_first() -> None:
    runner = Runner()
    assert service.Service(runner, 5).go("restart", read_units=True) == ""  # type: ignore[arg-type]  # a stand-in
    assert [call[1] for call in runner.calls] == ["daemon-reload", "reset-failed", "restart"]


@pytest.mark.usefixtures("no_socket")
def test_a_daemon_that_hangs_is_said() -> None:
    runner = Runner(restart=CommandResult("timeout", None, "", "", 1, "x"))
    assert "did not answer within 5 s" in service.Service(runner, 5).go("restart")  # type: ignore[arg-type]  # a stand-in


@pytest.mark.usefixtures("no_socket")
def test_without_a_journal_systemd_has_the_word() -> None:
    runner = Runner(start=CommandResult("failed", 1, "", "Job for docker.service failed\nmore", 1, "x"))
    assert service.Service(runner, 5).go("start") == "Job for docker.service failed"  # type: ignore[arg-type]  # a stand-in


def test_a_socket_that_nobody_serves_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = tmp_path / "dead.sock"
    dead.touch()
    monkeypatch.setattr(service, "SOCKET", str(dead))
    assert "did not answer" in service.Service(Runner(), 0).go("start")  # type: ignore[arg-type]  # a stand-in
