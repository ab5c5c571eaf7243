# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine as the machine shows it."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host


def test_the_engine_runs_and_starts_at_boot(host: Host) -> None:
    service = host.service("docker")
    assert service.is_running and service.is_enabled
    assert host.socket("unix:///run/docker.sock").is_listening


def test_it_does_not_listen_on_the_network(host: Host) -> None:
    assert not host.socket("tcp://2375").is_listening
    assert not host.socket("tcp://2376").is_listening


def test_the_daemon_lives_by_its_file(host: Host) -> None:
    info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert info["LiveRestoreEnabled"] is True
    assert info["LoggingDriver"] == "json-file"
    written = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert written["log-opts"] == {"max-size": "20m", "max-file": "3"}
    assert host.file("/etc/docker/daemon.json").mode == 0o644


def test_compose_and_buildx_answer(host: Host) -> None:
    if host.check_output("docker version --format '{{.Server.Version}}'").startswith("20.10"):
        pytest.skip("Debian 12 carries its engine without them")
    assert host.check_output("docker compose version --short").lstrip("v").split(".")[0] >= "2"
    assert host.run("docker buildx version").rc == 0


def test_a_container_runs(host: Host) -> None:
    suite = host.system_info.codename
    host.check_output(f"docker load --quiet --input /srv/images/base-{suite}.tar")
    assert host.check_output(f"docker run --rm gpuready-sandbox/base:{suite} echo hello") == "hello"


def test_the_engine_is_held_at_its_version(host: Host) -> None:
    installed = host.package("docker.io").version
    policy = host.check_output("apt-cache policy docker.io").splitlines()
    marked = next(line.split() for line in policy if line.lstrip().startswith("***"))
    assert marked == ["***", installed, "1001"]
    assert '"docker.io$";' in host.check_output("apt-config dump Unattended-Upgrade::Package-Blacklist")


def test_ours_are_in_the_file(host: Host) -> None:
    written = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert set(written) >= {"live-restore", "log-driver", "log-opts"}
