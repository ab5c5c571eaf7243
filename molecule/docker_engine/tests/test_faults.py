# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What breaks a daemon's configuration, on a real engine under which a container runs all the time."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from machine import Machine
from testinfra.host import Host

FILE = "/etc/docker/daemon.json"


class Engine(Machine):
    """A host with an engine, and a job in a container."""

    def job(self) -> str:
        """The container's process and start: both change if it was ever stopped."""
        return self.sh("docker inspect --format '{{.State.Pid}} {{.State.StartedAt}} {{.State.Running}}' job")

    def daemon(self) -> str:
        return self.sh("systemctl show docker.service -p MainPID --value")

    def text(self) -> str:
        return str(self.host.file(FILE).content_string)


@pytest.fixture
def engine(host: Host) -> Iterator[Engine]:
    """Whatever a test does: the job goes on, the daemon answers, and the file is as it was."""
    found = Engine(host)
    image = f"gpuready-sandbox/base:{host.system_info.codename}"
    if found.rc("docker inspect job >/dev/null 2>&1"):
        found.sh(f"docker run -d --name job {image} sleep infinity")
    job, text = found.job(), found.text()
    yield found
    assert (found.job(), found.text()) == (job, text)
    found.sh("docker info >/dev/null")
    assert found.sh("systemctl is-active docker.service") == "active"


def test_a_daemon_that_does_not_start_gets_its_former_file_back(engine: Engine) -> None:
    # no engine's --validate looks into this one, and 20.10 has none
    run = engine.converge(docker_engine_daemon_settings={"storage-driver": "nonsense"})
    assert run.rc != 0 and "nonsense" in run.sentence and "driver" in run.sentence, run.output[-3000:]
    assert "the former /etc/docker/daemon.json is back" in run.sentence.lower() and "runs with it" in run.sentence
    assert "nonsense" in engine.sh("cat /var/lib/gpuready/docker-daemon-failed.json")
    again = engine.converge()
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]
    engine.sh("rm /var/lib/gpuready/docker-daemon-failed.json")


def test_a_run_that_was_killed_before_the_restart_is_mended_by_the_next(engine: Engine) -> None:
    before = engine.daemon()
    # the setting that the daemon reads at its start only is written, and then the run ends
    assert engine.module("docker_daemon", owner="test", settings={"shutdown-timeout": 20, "max-dl": None})["changed"]
    assert engine.module("docker_daemon", owner="test", settings={"default-shm-size": "96M"})["action"] == "restart"
    assert engine.daemon() == before
    run = engine.converge()
    assert run.rc == 0 and run.changed == ["Present | Start or restart the daemon for what it has not read yet"]
    assert engine.daemon() != before
    assert engine.module("docker_restart", reason="the test")["action"] == "none"
    assert engine.module("docker_daemon", owner="test", state="absent")["action"] == "restart"
    assert engine.module("docker_restart", reason="the test")["action"] == "restart"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n  // mine\n  "debug": true\n}\n', ["line 2, column 3", "comments"]),
        ('{"debug": true,\n "debug": false}\n', ["line 2, column 2", "twice"]),
        ('{"log-opts": "max-size=1m"}\n', ["log-opts", "no object"]),
    ],
    ids=["comments", "duplicate", "wrong type"],
)
def test_a_file_that_cannot_be_merged_is_left_alone(engine: Engine, text: str, words: list[str]) -> None:
    engine.sh(f"cp -p {FILE} /root/kept.json; cat > {FILE} <<'END'\n{text}END")
    try:
        result = engine.module("docker_daemon", settings={"log-opts": {"max-size": "1m"}})
        written = engine.text()
    finally:
        engine.sh(f"mv /root/kept.json {FILE}")
    assert result["failed"] and all(word in result["msg"] for word in [FILE, *words]), result["msg"]
    assert written == text


def test_a_value_that_the_daemon_refuses_is_not_written(engine: Engine) -> None:
    if engine.sh("docker version --format '{{.Server.Version}}'").startswith("20.10"):
        pytest.skip("dockerd 20.10 has no --validate")
    result = engine.module("docker_daemon", settings={"debug": "loud"})
    assert result["failed"] and "dockerd refuses" in result["msg"] and "debug" in result["msg"]


def test_zero_bytes_come_back(engine: Engine) -> None:
    engine.sh("mkdir -p /srv/t; : > /srv/t/daemon.json")
    path = "/srv/t/daemon.json"
    assert engine.module("docker_daemon", path=path, settings={"labels": ["a=b"]}, reload=False)["changed"]
    assert json.loads(engine.sh(f"cat {path}")) == {"labels": ["a=b"]}
    assert engine.module("docker_daemon", path=path, state="absent", reload=False)["changed"]
    assert engine.sh(f"wc -c < {path}") == "0"
    # what the record says of it ends with the next start
    assert engine.module("docker_restart", path=path)["action"] == "restart"
    engine.sh("rm -r /srv/t")


@pytest.mark.parametrize(
    ("options", "words"),
    [("size=64k,ro", "read-only file system"), ("size=8k", "no space left on the device")],
    ids=["read-only", "full"],
)
def test_a_disk_that_takes_nothing_leaves_the_old_file_whole(engine: Engine, options: str, words: str) -> None:
    size = options.partition(",")[0]
    # dd is to fill the small disk: that it ends for want of room is the purpose
    engine.sh(
        f"mkdir -p /srv/disk && mount -t tmpfs -o {size} tmpfs /srv/disk && cp {FILE} /srv/disk/daemon.json"
        " && (dd if=/dev/zero of=/srv/disk/filler bs=1k count=4 2>/dev/null || true)"
        f" && mount -o remount,{options} /srv/disk"
    )
    try:
        before = engine.sh("sha256sum /srv/disk/daemon.json; ls -A /srv/disk")
        settings = {"labels": ["filler=" + "x" * 8000]}
        result = engine.module("docker_daemon", path="/srv/disk/daemon.json", settings=settings)
        after = engine.sh("sha256sum /srv/disk/daemon.json; ls -A /srv/disk")
    finally:
        engine.sh("umount /srv/disk && rmdir /srv/disk")
    assert result["failed"] and words in result["msg"] and "Nothing was changed" in result["msg"], result["msg"]
    assert after == before
    assert "/srv/disk" not in engine.sh("cat /var/lib/gpuready/originals/index.json")


def test_containers_and_data_are_not_lost_by_a_setting(engine: Engine) -> None:
    moved = engine.module("docker_daemon", settings={"data-root": "/srv/docker"})
    assert moved["failed"] and "1 container, " in moved["msg"] and "rsync" in moved["msg"]
    off = engine.module("docker_daemon", settings={"live-restore": False, "mtu": 1280})
    assert off["failed"] and "1 running container (job)" in off["msg"], off


@pytest.mark.parametrize("units", ["docker.socket docker.service", "docker.service"], ids=["down", "socket listens"])
def test_a_start_that_would_end_what_outlived_the_daemon_is_refused(engine: Engine, units: str) -> None:
    # by the live-restore of the daemon that ends; the one that starts is to have none
    engine.sh(f"systemctl stop {units} && mv {FILE} /root/kept.json && echo {{}} > {FILE}")
    try:
        # whoever connects to a socket that listens starts the daemon
        seen = engine.module("gpu_facts", subset=["docker"])["ansible_facts"]["gpu_host"]["docker"]
        refused = engine.module("docker_restart", start=True)
        # the package would start the daemon
        other = engine.converge(docker_engine_version="99.9", docker_engine_live_restore=False)
        down = engine.sh("systemctl show docker.service -p ActiveState --value")
    finally:
        engine.sh(f"mv /root/kept.json {FILE}")
        started = engine.module("docker_restart", start=True)
    assert (seen["reachable"], seen["orphans"]) == (False, ["job"])
    assert refused["failed"] and "1 container that outlived the daemon (job)" in refused["msg"], refused
    assert other.rc != 0 and "1 containers that outlived the daemon (job)" in other.sentence, other.output[-3000:]
    assert (down, started.get("action")) == ("inactive", "start")


def test_a_daemon_that_waits_for_its_socket_is_brought_up(engine: Engine) -> None:
    engine.sh("systemctl disable docker.service && systemctl stop docker.service")
    run = engine.converge()
    assert run.rc == 0 and "Present | Start or restart the daemon for what it has not read yet" in run.changed
    assert engine.sh("systemctl is-enabled docker.service") == "enabled"
    again = engine.converge()
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]


def test_only_accounts_that_are_named_may_use_it(engine: Engine) -> None:
    engine.sh("id ada >/dev/null 2>&1 || useradd ada; id grace >/dev/null 2>&1 || useradd -G docker grace")
    assert engine.module("docker_users", users=["ada"])["added"] == ["ada"]
    assert not engine.module("docker_users", users=["ada"])["changed"]
    missing = engine.module("docker_users", users=["adda"])
    assert missing["failed"] and "adda" in missing["msg"] and "docker" in engine.sh("id -nG ada").split()
    assert engine.module("docker_users", state="absent")["removed"] == ["ada"]
    assert "docker" not in engine.sh("id -nG ada").split() and "docker" in engine.sh("id -nG grace").split()
