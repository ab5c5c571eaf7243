# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One restart for all changes, and the way back: a stand-in daemon that does not start with a file that says "bad"."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules import docker_daemon, docker_restart

RunModule = Callable[..., dict[str, Any]]
Programs = Callable[..., None]
UTILS = "ansible_collections.gpuready.bootstrap.plugins.module_utils"
SYSTEMCTL = """
case "$1" in
show) echo "ActiveState=$(cat state)"; echo LoadState=loaded; echo "NeedDaemonReload=$(cat stale 2>/dev/null)";;
start|restart)
  echo "$1" >> calls
  if [ -e crash ] || grep -qs bad etc/daemon.json; then
    echo failed > state
    echo 'time="x" level=info msg="Starting up"' >> journal
    echo 'failed to start daemon: the word "bad" is bad' >> journal
    echo "Job for docker.service failed" >&2; exit 1
  fi
  echo active > state; touch docker.pid;;
stop) echo stop >> calls; echo inactive > state;;
*) echo "$1" >> calls;;
esac
"""
DOCKER = 'case "$*" in *info*) cat live;; *ps*) cat running;; esac'


class World:
    """The stand-in machine."""

    def __init__(self, folder: Path, run: RunModule) -> None:
        self.folder, self._run = folder, run
        self.file = folder / "etc" / "daemon.json"
        self.file.parent.mkdir()
        for name, text in {"state": "active\n", "live": "true\n", "running": ""}.items():
            self.put(name, text)
        self.put("docker.pid", "1")
        os.utime(folder / "docker.pid", (time.time() - 60,) * 2)

    def put(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().split() if path.exists() else []

    def jobs(self, live: str = "true") -> None:
        """Two containers run."""
        self.put("running", "job\nweb\n")
        self.put("live", f"{live}\n")

    def set(self, **args: Any) -> dict[str, Any]:
        return self._run(docker_daemon.main, **{**args, "path": str(args.get("path", self.file))})

    def restart(self, check: bool = False, **args: Any) -> dict[str, Any]:
        return self._run(docker_restart.main, check=check, **{**args, "path": str(args.get("path", self.file))})


@pytest.fixture
def world(
    tmp_path: Path, run_module: RunModule, programs: Programs, store: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    folder = tmp_path / "world"
    folder.mkdir()
    programs(
        systemctl=f"cd {folder}\n{SYSTEMCTL}",
        docker=f"cd {folder}; {DOCKER}",
        journalctl=f"cat {folder}/journal 2>/dev/null",
    )
    monkeypatch.setattr(f"{UTILS}._docker_daemon.PID_FILE", str(folder / "docker.pid"))
    monkeypatch.setattr(f"{UTILS}._docker_daemon.CONFIG_FILE", str(folder / "etc" / "daemon.json"))
    monkeypatch.setattr(f"{UTILS}._docker_service.SOCKET", str(folder / "no.sock"))
    monkeypatch.setattr(f"{UTILS}._docker_data.DATA_ROOT", str(folder / "data"))
    monkeypatch.setattr(f"{UTILS}._snapshot.sources.docker_orphans.DATA_ROOT", str(folder / "data"))
    monkeypatch.setattr(f"{UTILS}._snapshot.sources.docker_orphans.TASKS", (str(folder / "tasks"),))
    return World(folder, run_module)


def test_nothing_is_done_when_nothing_is_due(world: World) -> None:
    result = world.restart()
    assert not result["changed"] and result["action"] == "none" and world.calls() == []


def test_one_restart_for_several_changes(world: World) -> None:
    for owner, settings in {"a": {"mtu": 1400}, "b": {"features": {"cdi": True}}, "c": {"debug": True}}.items():
        world.set(owner=owner, settings=settings)
    assert world.restart(check=True)["action"] == "restart" and "restart" not in world.calls()
    assert world.restart(reason="tests")["action"] == "restart"
    assert world.calls().count("restart") == 1
    assert world.calls().index("reset-failed") < world.calls().index("restart")
    assert world.restart()["action"] == "none" and world.calls().count("restart") == 1


def test_a_run_that_was_killed_between_write_and_restart_is_mended_by_the_next(world: World) -> None:
    world.set(settings={"mtu": 1400})
    assert not world.set(settings={"mtu": 1400})["changed"]
    assert world.restart()["action"] == "restart"


def test_somebody_else_has_restarted_it(world: World) -> None:
    world.set(settings={"mtu": 1400})
    (world.folder / "docker.pid").touch()
    assert world.restart()["action"] == "none" and "restart" not in world.calls()


def orphan(world: World, pid: int, name: str | None = "job") -> None:
    """A container of a daemon that was killed, as containerd and Docker 26.1 leave it."""
    identity = "5" * 64
    for path, text in {
        f"tasks/{identity}/init.pid": str(pid),
        f"data/containers/{identity}/config.v2.json": json.dumps({"Name": f"/{name}"}) if name else "{",
    }.items():
        (world.folder / path).parent.mkdir(parents=True, exist_ok=True)
        world.put(path, text)
    world.put("state", "failed\n")


@pytest.mark.parametrize("name", ["job", None])
def test_a_start_that_would_stop_who_outlived_the_daemon_is_refused(world: World, name: str | None) -> None:
    orphan(world, os.getpid(), name)
    result = world.restart(start=True, reason="its settings")
    assert result["failed"] and f"1 container that outlived the daemon ({name or '5' * 12})" in result["msg"], result[
        "msg"
    ]
    assert world.calls() == []
    agreed = world.restart(start=True, on_running_containers="proceed")
    assert (agreed["action"], agreed["running_containers"]) == ("start", [name or "5" * 12])


def test_who_outlived_the_daemon_lives_on_by_live_restore(world: World) -> None:
    orphan(world, os.getpid())
    world.file.write_text('{"live-restore": true}')
    assert world.restart(start=True)["action"] == "start"


@pytest.mark.parametrize("pid", [0, 4194305])
def test_what_died_with_the_daemon_is_no_obstacle(world: World, pid: int) -> None:
    orphan(world, pid)
    assert world.restart(start=True)["action"] == "start"


def test_the_former_file_comes_back_and_the_daemon_runs_with_it(world: World) -> None:
    original = '{"debug":   true}'
    world.file.write_text(original)
    world.set(owner="a", settings={"labels": ["x"]})
    world.restart()
    good = world.file.read_text()
    (world.folder / "calls").unlink(missing_ok=True)
    world.set(owner="a", settings={"labels": ["x"], "mtu": 1})
    world.set(owner="b", settings={"storage-driver": "bad"})
    result = world.restart(reason="the new settings")
    assert result["failed"] and result["restored"]
    assert 'the word "bad" is bad' in result["msg"] and "the new settings" in result["msg"]
    assert world.file.read_text() == good
    assert (world.folder / "state").read_text() == "active\n"
    assert [call for call in world.calls() if call != "reload"] == [
        "reset-failed",
        "restart",
        "stop",
        "reset-failed",
        "start",
    ]
    kept = world.folder.parent / "docker-daemon-failed.json"
    assert "bad" in kept.read_text() and kept.stat().st_mode & 0o777 == 0o600
    # the record is as true as before: nothing is due, and the original comes back byte for byte
    assert world.restart()["action"] == "none"
    world.set(owner="a", state="absent")
    world.restart()
    assert world.file.read_text() == original


@pytest.mark.parametrize("original", [None, '{"debug":   true}'])
def test_the_way_back_does_not_end_containers(world: World, original: str | None) -> None:
    """They live by the live-restore of the file that failed; the former one has none."""
    if original is not None:
        world.file.write_text(original)
    world.jobs()
    world.set(owner="a", settings={"live-restore": True, "storage-driver": "bad"})
    result = world.restart()
    assert result["failed"] and result["restored"] and "live-restore added" in result["msg"]
    former = {} if original is None else json.loads(original)
    assert json.loads(world.file.read_text()) == {**former, "live-restore": True}
    assert (world.folder / "state").read_text() == "active\n" and world.restart()["action"] == "none"
    world.jobs(live="true")
    assert world.set(state="absent")["failed"], "taking it back would end them"
    world.put("running", "")
    assert world.set(state="absent")["changed"]
    assert (world.file.read_text() if world.file.exists() else None) == original


def test_a_file_that_was_not_there_goes_away_again(world: World) -> None:
    world.set(settings={"storage-driver": "bad"})
    result = world.restart()
    assert result["failed"] and "away again" in result["msg"] and not world.file.exists()


def test_a_failure_that_is_not_ours_changes_nothing(world: World) -> None:
    world.file.write_text('{"x": 1}')
    world.put("crash", "")
    world.put("state", "failed\n")
    result = world.restart(start=True)
    assert result["failed"] and not result["restored"] and "was not changed by us" in result["msg"]
    assert world.file.read_text() == '{"x": 1}'


def test_a_daemon_that_starts_with_neither_file_is_said(world: World) -> None:
    world.file.write_text('{"x": 1}')
    world.set(settings={"mtu": 1})
    world.put("crash", "")
    result = world.restart()
    assert result["failed"] and result["restored"] and "with that one either" in result["msg"]
    assert world.file.read_text() == '{"x": 1}'


def test_running_containers_are_counted_and_the_policy_decides(world: World) -> None:
    world.set(settings={"mtu": 1})
    world.jobs(live="false")
    result = world.restart()
    assert result["failed"] and "2 running containers (job, web)" in result["msg"] and "restart" not in world.calls()
    assert world.restart(on_running_containers="proceed")["running_containers"] == ["job", "web"]


def test_live_restore_is_taken_over_before_the_restart(world: World) -> None:
    world.set(settings={"mtu": 1})
    world.jobs(live="false")
    world.file.write_text('{"mtu": 1, "live-restore": true}')
    assert world.restart(check=True)["running_containers"] == [] and "restart" not in world.calls()
    world.jobs(live="true")
    assert world.restart()["running_containers"] == [] and "restart" in world.calls()


def test_live_restore_that_is_taken_back_does_not_save_the_containers(world: World) -> None:
    """The daemon that starts without it shuts down what it finds alive."""
    world.set(owner="docker_engine", settings={"live-restore": True})
    world.restart()
    world.jobs()
    (world.folder / "calls").unlink(missing_ok=True)
    refused = world.set(owner="docker_engine", state="absent")
    assert refused["failed"] and "2 running containers (job, web)" in refused["msg"] and world.file.exists()
    assert world.set(owner="docker_engine", state="absent", on_running_containers="proceed")["action"] == "restart"
    result = world.restart()
    assert result["failed"] and "2 running containers (job, web)" in result["msg"] and "restart" not in world.calls()


@pytest.mark.parametrize("check", [True, False])
def test_the_file_counts_that_the_next_start_reads(world: World, check: bool) -> None:
    world.jobs()
    drop_in = world.folder / "proxy.conf"
    drop_in.touch()
    world.file.write_text('{"live-restore": false}')
    result = world.restart(check=check, watched=[str(drop_in)])
    assert result["failed"] and "job, web" in result["msg"] and "restart" not in world.calls()
    world.file.write_text('{"live-restore": true}')
    assert world.restart(check=check, watched=[str(drop_in)])["action"] == "restart"


def test_another_file_than_the_daemons_says_nothing_of_live_restore(world: World) -> None:
    world.jobs()
    world.file.write_text('{"live-restore": true}')
    other = world.folder / "other.json"
    assert world.set(path=other, settings={"labels": ["a=b"]}, reload=False)["changed"]
    assert world.set(path=other, state="absent", reload=False)["action"] == "restart"
    assert world.restart(path=other)["action"] == "restart"


@pytest.mark.parametrize(("state", "verb"), [("active", "restarted"), ("inactive", "started")])
@pytest.mark.parametrize("check", [True, False])
def test_a_file_that_cannot_be_read_is_nothing_to_restart_with(
    world: World, state: str, verb: str, check: bool
) -> None:
    world.put("state", f"{state}\n")
    world.file.write_text('{"debug": true,\n "mtu": 1400,,}')
    drop_in = world.folder / "proxy.conf"
    drop_in.touch()
    result = world.restart(check=check, watched=[str(drop_in)], start=True, on_running_containers="proceed")
    assert result["failed"] and "line 2, column 1" in result["msg"] and f"was not {verb}" in result["msg"]
    assert str(world.file) in result["msg"] and world.calls() == []


def test_a_service_that_is_down_is_started_on_request(world: World) -> None:
    world.put("state", "inactive\n")
    assert world.restart()["action"] == "none"
    assert world.restart(start=True, check=True)["action"] == "start"
    assert world.restart(start=True)["action"] == "start" and (world.folder / "state").read_text() == "active\n"


def test_a_change_for_a_daemon_that_is_down_can_go_back_too(world: World) -> None:
    world.put("state", "inactive\n")
    world.set(settings={"storage-driver": "bad"})
    result = world.restart()
    assert result["failed"] and result["restored"] and not world.file.exists()
    assert (world.folder / "state").read_text() == "active\n"


def test_a_drop_in_that_is_younger_than_the_daemon(world: World) -> None:
    drop_in = world.folder / "proxy.conf"
    assert world.restart(watched=[str(drop_in)])["action"] == "none"
    drop_in.touch()
    world.put("stale", "yes")
    assert world.restart(watched=[str(drop_in)])["action"] == "restart"
    assert "daemon-reload" in world.calls()


def test_absent_keeps_the_record_until_the_daemon_has_read_the_original(world: World, store: Path) -> None:
    world.file.write_text("{ }")
    world.set(settings={"mtu": 1})
    world.restart()
    world.set(state="absent")
    assert world.file.read_text() == "{ }" and '"restart_due": null' not in (store / "index.json").read_text()
    assert world.restart()["action"] == "restart" and not store.exists()


def test_passwords_in_the_daemons_words_are_not_printed(world: World) -> None:
    world.set(settings={"proxies": {"http-proxy": "http://me:sesame@h"}, "storage-driver": "bad"})
    world.put("journal", 'level=error msg="proxy http://me:sesame@h is bad"\n')
    result = world.restart()
    assert result["failed"] and "sesame" not in json.dumps(result)
