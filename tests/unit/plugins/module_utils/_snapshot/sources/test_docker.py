# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker over a unix socket, with a stand-in engine that answers what real engines answer."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import docker

SCHEMA = json.loads((Path(__file__).resolve().parents[6] / "docs/snapshot.schema.json").read_text())
MakeHost = Callable[[dict[str, Any]], Host]
ANSWERS: dict[str, Any] = {
    "/version": {"Version": "28.3.0", "ApiVersion": "1.51"},
    "/info": {
        "CgroupDriver": "systemd",
        "CgroupVersion": "2",
        "LiveRestoreEnabled": True,
        "Driver": "overlay2",
        "DockerRootDir": "/var/lib/docker",
        "Runtimes": {"runc": {"path": "runc"}, "nvidia": {"path": "nvidia-container-runtime"}},
        "DefaultRuntime": "runc",
        "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
        "SecurityOptions": ["name=cgroupns"],
    },
    "/images/json": [{"Id": "sha256:1", "RepoTags": ["dev:1"]}],
    "/containers/json?all=1": [{"Id": "aa"}, {"Id": "gone"}],
    "/containers/aa/json": {"Id": "aa", "Name": "/dev", "State": {"Status": "running"}},
}


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    answers: dict[str, Any]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Engine)
        answer = self.server.answers.get(self.path)
        if callable(answer):
            answer = answer()
        body = answer if isinstance(answer, bytes) else json.dumps(answer or {"message": f"no {self.path}"}).encode()
        self.send_response(answer if isinstance(answer, int) else 200 if answer is not None else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    server = Engine(str(tmp_path / "docker.sock"), Handler)
    server.answers = dict(ANSWERS)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_an_engine_that_answers(engine: Engine, live: Host) -> None:
    found = docker.collect(live, str(engine.server_address))
    assert (found["reachable"], found["error"], found["version"]) == (True, None, "28.3.0")
    assert found["runtimes"] == {"nvidia": "nvidia-container-runtime", "runc": "runc"}
    assert (found["cgroup_driver"], found["live_restore"]) == ("systemd", True)
    assert found["images"] == [{"id": "sha256:1", "tags": ["dev:1"]}]
    # "gone" was removed between the list and the look
    assert [container["name"] for container in found["containers"]] == ["dev"]
    assert live.probes.status("docker") == "ok"


LISTED = {
    "Id": "bb" * 32,
    "Names": ["/web/db", "/job"],
    "Image": "dev:1",
    "ImageID": "sha256:1",
    "State": "running",
    "Status": "Up 2 hours (healthy)",
    "Labels": {"io.gpuready.dev": "abc", "mine": "x"},
    "Ports": [{"IP": "127.0.0.1", "PrivatePort": 22, "PublicPort": 2222, "Type": "tcp"}, {"PrivatePort": 80}],
    "Mounts": [{"Type": "bind", "Source": "/srv", "Destination": "/data", "RW": True}],
}


@pytest.mark.parametrize("answer", [500, b"{ not json", "hangs"])
def test_a_container_that_cannot_be_looked_at_is_told_as_listed(engine: Engine, live: Host, answer: Any) -> None:
    live.runner.timeout = 1
    engine.answers["/containers/json?all=1"] = [{"Id": "aa"}, LISTED, {"Id": "gone"}]
    engine.answers[f"/containers/{LISTED['Id']}/json"] = (lambda: time.sleep(3)) if answer == "hangs" else answer
    found = docker.collect(live, str(engine.server_address))
    job = found["containers"][1]
    assert [container["name"] for container in found["containers"]] == ["dev", "job"]
    assert (job["id"], job["state"], job["health"], job["image"]) == (LISTED["Id"], "running", "healthy", "dev:1")
    assert job["labels"] == {"io.gpuready.dev": "abc"} and job["image_id"] == "sha256:1"
    assert job["ports"] == [{"container": "22/tcp", "host_ip": "127.0.0.1", "host_port": 2222}]
    assert job["mounts"] == [{"type": "bind", "source": "/srv", "destination": "/data", "rw": True}]
    assert job["gpu"]["requested"] is None and job["privileged"] is None and job["restart_count"] is None
    jsonschema.validate(found["containers"], SCHEMA["properties"]["docker"]["properties"]["containers"])
    probe = live.probes.as_dict()["docker"]
    assert probe["status"] == "ok" and probe["error"]


@pytest.mark.parametrize(
    ("path", "answer", "status"),
    [("/info", None, "failed"), ("/info", b"{ not json", "unparsable"), ("/version", b"", "unparsable")],
)
def test_an_engine_that_answers_badly(engine: Engine, live: Host, path: str, answer: Any, status: str) -> None:
    engine.answers[path] = answer
    found = docker.collect(live, str(engine.server_address))
    assert found["reachable"] is False
    assert found["error"]
    assert live.probes.status("docker") == status


def test_an_engine_that_hangs(engine: Engine, live: Host) -> None:
    live.runner.timeout = 1
    engine.answers["/images/json"] = lambda: time.sleep(5)
    began = time.monotonic()
    found = docker.collect(live, str(engine.server_address))
    assert time.monotonic() - began < 4
    assert found["reachable"] is False
    assert live.probes.status("docker") == "timeout"


def test_no_socket(live: Host, tmp_path: Path) -> None:
    found = docker.collect(live, str(tmp_path / "none.sock"))
    assert (found["reachable"], found["containers"]) == (False, [])
    assert "does not exist" in found["error"]
    assert live.probes.status("docker") == "missing"


def test_an_engine_that_the_question_would_start_is_not_asked(engine: Engine, live: Host) -> None:
    asked: list[str] = []
    engine.answers = {path: lambda path=path: asked.append(path) for path in ANSWERS}
    found = docker.collect(live, str(engine.server_address), lambda: "docker.socket would start it")
    assert (found["reachable"], found["error"], asked) == (False, "docker.socket would start it", [])
    assert live.probes.status("docker") == "missing"


def test_a_socket_that_nobody_serves(live: Host, tmp_path: Path) -> None:
    import socket

    path = str(tmp_path / "dead.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    assert docker.collect(live, path)["reachable"] is False
    assert live.probes.status("docker") == "failed"


def test_another_root_uses_no_socket(engine: Engine, host_of: MakeHost) -> None:
    host = host_of({"/usr/bin/dockerd": ""})
    found = docker.collect(host, str(engine.server_address))
    assert (found["present"], found["reachable"]) == (True, False)
    assert host.probes.status("docker") == "missing"


@pytest.mark.parametrize(
    ("text", "valid", "status"),
    [
        (None, None, "missing"),
        ("{}", True, "ok"),
        ("", True, "ok"),
        ('{"a": 1,}', False, "unparsable"),
        ("[]", False, "unparsable"),
    ],
)
def test_daemon_json(host_of: MakeHost, text: str | None, valid: bool | None, status: str) -> None:
    host = host_of({"/x": ""} if text is None else {"/etc/docker/daemon.json": text})
    found = docker.daemon_json(host)
    assert (found["present"], found["valid"]) == (text is not None, valid)
    assert host.probes.status("daemon_json") == status
    assert (found["error"] is not None) == (valid is False)


def test_proxy_passwords_stay(host_of: MakeHost) -> None:
    text = '{"proxies": {"https-proxy": "http://me:hunter2@proxy.example.org:3128"}, "live-restore": true}'
    found = docker.daemon_json(host_of({"/etc/docker/daemon.json": text}))
    assert found["data"]["proxies"]["https-proxy"] == "http://***@proxy.example.org:3128"
    assert found["data"]["live-restore"] is True


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("docker-compose-plugin", "5.5.0-1~debian.13~trixie"),
        ("docker-compose-v2", "2.24.6+ds1-0ubuntu1~22.04.1"),
        ("docker-compose", "1:2.26.1-4"),
    ],
)
def test_compose_is_not_asked_where_its_package_tells(host_of: MakeHost, package: str, version: str) -> None:
    host = host_of({"/usr/libexec/docker/cli-plugins/docker-compose": ""})
    found = docker.compose_version(host, {package: version})
    assert found is not None and version.split(":")[-1].startswith(f"{found}-")
    assert host.probes.status("compose") == "ok"


def test_a_package_without_its_plugin_counts_for_nothing(host_of: MakeHost) -> None:
    assert docker.compose_version(host_of({"/x": ""}), {"docker-compose": "2.26.1-4"}) is None


def test_compose_is_asked_only_where_the_plugin_is(host_of: MakeHost, runner: Runner) -> None:
    host = host_of({"/usr/libexec/docker/cli-plugins/docker-compose": ""})
    assert docker.compose_version(host, {}) is None
    probe = host.probes.as_dict()["compose"]
    assert (probe["status"], "no command is run" in probe["error"]) == ("missing", True)


@pytest.mark.parametrize(
    ("record", "pid_file", "expected"),
    [
        ('{"files": {"/etc/docker/daemon.json": {"meta": {"restart_due": 2000.0}}}}', 1000, True),
        ('{"files": {"/etc/docker/daemon.json": {"meta": {"restart_due": 2000.0}}}}', 3000, False),
        ('{"files": {"/etc/docker/daemon.json": {"meta": {"restart_due": 2000.0}}}}', None, False),
        ('{"files": {}}', 1000, False),
        ("nonsense", 1000, False),
        (None, 1000, False),
    ],
)
def test_a_restart_is_pending(host_of: MakeHost, record: str | None, pid_file: int | None, expected: bool) -> None:
    files = {"/x": ""} if record is None else {"/var/lib/gpuready/originals/index.json": record}
    if pid_file is not None:
        files["/run/docker.pid"] = "1\n"
    host = host_of(files)
    if pid_file is not None:
        os.utime(host.path("/run/docker.pid"), (pid_file, pid_file))
    assert docker.restart_pending(host) is expected


@pytest.mark.parametrize(
    ("path", "snap", "desktop"),
    [
        ("/usr/bin/dockerd", False, False),
        ("/snap/docker/current/bin/dockerd", True, False),
        ("/var/lib/snapd/snap/docker/current/bin/dockerd", True, False),
        ("/opt/docker-desktop/bin/docker-desktop", False, True),
    ],
)
def test_other_kinds_of_docker(host_of: MakeHost, path: str, snap: bool, desktop: bool) -> None:
    found = docker.empty(host_of({path: ""}))
    assert (found["snap"], found["desktop"]) == (snap, desktop)


@pytest.mark.parametrize(
    ("info", "snap", "desktop"),
    [
        ({"OperatingSystem": "Docker Desktop"}, False, True),
        ({"DockerRootDir": "/var/snap/docker/common/var-lib-docker"}, True, False),
        ({"OperatingSystem": "Debian GNU/Linux 13 (trixie)"}, False, False),
    ],
)
def test_an_engine_that_says_what_it_is(
    engine: Engine, live: Host, info: dict[str, str], snap: bool, desktop: bool
) -> None:
    engine.answers["/info"] = {**ANSWERS["/info"], **info}
    found = docker.collect(live, str(engine.server_address))
    assert found["reachable"] is True
    assert (found["snap"], found["desktop"]) == (snap, desktop)
