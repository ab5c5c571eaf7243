# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine as the machine shows it."""

from __future__ import annotations

import json

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
    assert host.check_output("docker compose version --short").lstrip("v").split(".")[0] >= "2"
    assert host.run("docker buildx version").rc == 0


def test_a_container_runs(host: Host) -> None:
    host.check_output("docker load --quiet --input /srv/images/base-trixie.tar")
    assert host.check_output("docker run --rm gpuready-sandbox/base:trixie echo hello") == "hello"


def test_keys_of_others_survive_and_hand_edits_of_ours_are_seen(host: Host) -> None:
    written = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert set(written) >= {"live-restore", "log-driver", "log-opts"}
