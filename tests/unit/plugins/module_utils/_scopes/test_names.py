# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of containers, from a stand-in of Docker's socket and from podman's file."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes import names
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes.names import Known


class Handler(http.server.BaseHTTPRequestHandler):
    body: bytes = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass


def stub_systemd(service: str, socket: str) -> Runner:
    """Runner of a machine with these states of Docker's two units."""

    def run(argv: list[str], **_options: Any) -> tuple[int, bytes, bytes]:
        assert "docker.socket" in argv
        text = f"Id=docker.service\nActiveState={service}\n\nId=docker.socket\nActiveState={socket}\n"
        return 0, text.encode(), b""

    return Runner(run, 5, search=["/usr/bin"])


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.setattr(Runner, "which", lambda self, name: f"/usr/bin/{name}")
    return stub_systemd("active", "active")


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[Callable[[Any], str]]:
    servers = []

    def serve(answer: Any) -> str:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        path = str(tmp_path / "docker.sock")
        server = socketserver.UnixStreamServer(path, type("Answer", (Handler,), {"body": body}))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return path

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_docker(docker: Callable[[Any], str], runner: Runner) -> None:
    labels = {
        "com.docker.compose.project.working_dir": "/srv/my app",
        "com.docker.compose.service": "dev",
    }
    socket = docker(
        [
            {"Id": "aa", "Names": ["/train"], "Labels": {}},
            {"Id": "bb", "Names": ["/app-dev-1"], "Labels": labels},
            {"Id": "cc", "Names": None},
        ]
    )
    assert names.docker(runner, socket) == {
        "aa": Known("train", "docker restart train"),
        "bb": Known("app-dev-1", "docker compose --project-directory '/srv/my app' up -d --force-recreate dev"),
    }


@pytest.mark.parametrize("answer", [b"{ not json", {"message": "no"}, [], None])
def test_a_docker_that_answers_badly(docker: Callable[[Any], str], runner: Runner, answer: Any) -> None:
    assert names.docker(runner, docker(answer)) == {}


def test_a_docker_that_would_be_started_by_the_question(docker: Callable[[Any], str], runner: Runner) -> None:
    path = docker([{"Id": "aa", "Names": ["/train"], "Labels": {}}])
    assert names.docker(stub_systemd("inactive", "active"), path) == {}
    assert set(names.docker(stub_systemd("inactive", "inactive"), path)) == {"aa"}, "nobody starts it"


def test_no_docker(tmp_path: Path, runner: Runner) -> None:
    assert names.docker(runner, str(tmp_path / "none.sock")) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"id": "aa", "names": ["train"]}]', {"aa": Known("train", "podman restart train")}),
        ('[{"id": "aa", "names": []}, {"names": ["x"]}, 5, {"id": "bb"}]', {}),
        ("{}", {}),
        ("not json", {}),
        (None, {}),
    ],
)
def test_podman(tmp_path: Path, text: str | None, expected: dict[str, Known]) -> None:
    path = tmp_path / "containers.json"
    if text is not None:
        path.write_text(text)
    assert names.podman(str(path)) == expected


def test_only_the_engines_that_have_containers_are_asked(monkeypatch: pytest.MonkeyPatch, runner: Runner) -> None:
    monkeypatch.setattr(names, "docker", lambda runner: {"aa": Known("a", "")})
    monkeypatch.setattr(names, "podman", lambda: {"bb": Known("b", "")})
    assert set(names.of_engines({"docker"}, runner)) == {"aa"}
    assert set(names.of_engines({"podman", "cri-o"}, runner)) == {"bb"}
    assert names.of_engines(set(), runner) == {}
