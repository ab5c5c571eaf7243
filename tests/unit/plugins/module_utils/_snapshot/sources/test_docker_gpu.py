# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""nvidia-smi in running containers and in one made for it, with a stand-in engine."""

from __future__ import annotations

import http.server
import json
import socketserver
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import docker_gpu, engine_api
from hypothesis import given
from hypothesis import strategies as st

LIST = "GPU 0: NVIDIA X (UUID: GPU-0)\nGPU 1: NVIDIA X (UUID: GPU-1)\n"
LOST = "Failed to initialize NVML: Unknown Error\n"


def frame(text: str, stream: int = 1) -> bytes:
    data = text.encode()
    return struct.pack(">BxxxI", stream, len(data)) + data


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    seen: list[tuple[str, str, Any]]
    outputs: dict[str, tuple[int, str]]


class Handler(http.server.BaseHTTPRequestHandler):
    """Containers are called as their image or id; `outputs` says what runs in them."""

    def answer(self) -> None:
        assert isinstance(self.server, Engine)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.seen.append((self.command, self.path, body))
        status, reply = self.reply(self.path.split("?")[0].strip("/").split("/"), body)
        data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def reply(self, path: list[str], body: Any) -> tuple[int, Any]:
        assert isinstance(self.server, Engine)
        name = str(body["Image"]) if path == ["containers", "create"] else unquote(path[1])
        if name not in self.server.outputs:
            return 404, {"message": f"No such image or container: {name}"}
        rc, text = self.server.outputs[name]
        if path[-1] in ("create", "exec"):
            return 201, {"Id": name}
        if path[0] == "containers" and path[-1] == "start":
            return (500, {"message": text}) if rc == 125 else (204, b"")
        replies = {"start": frame(text), "json": {"ExitCode": rc}, "wait": {"StatusCode": rc}, "logs": frame(text, 2)}
        return 200, replies.get(path[-1], b"")

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names that http.server calls

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    server = Engine(str(tmp_path / "docker.sock"), Handler)
    server.seen, server.outputs = [], {}
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def section(*names: str, **changes: Any) -> dict[str, Any]:
    gpu = {"requested": True}
    containers = [{"id": name, "state": "running", "gpu": gpu, "probe": None, **changes} for name in names]
    return {"reachable": True, "version": "28.3.0", "cdi_spec_dirs": [], "runtimes": {}, "containers": containers}


def test_running_gpu_containers_are_asked(engine: Engine, live: Host) -> None:
    engine.outputs = {"good": (0, LIST), "lost": (255, LOST)}
    found = section("good", "lost", "gone")
    docker_gpu.probe_containers(live, found, lambda: True, str(engine.server_address))
    good, lost, gone = (item["probe"] for item in found["containers"])
    assert good == {"rc": 0, "count": 2, "message": None}
    assert lost == {"rc": 255, "count": None, "message": LOST.strip()}
    assert (gone["rc"], gone["count"]) == (None, None) and "No such" in gone["message"]
    assert live.probes.status("docker_exec") == "failed"


@pytest.mark.parametrize("changes", [{"state": "exited"}, {"gpu": {"requested": False}}])
def test_other_containers_are_left_alone(engine: Engine, live: Host, changes: dict[str, Any]) -> None:
    found = section("good", **changes)
    docker_gpu.probe_containers(live, found, lambda: True, str(engine.server_address))
    assert (found["containers"][0]["probe"], engine.seen) == (None, [])
    assert live.probes.status("docker_exec") is None


def test_no_nvidia_call_after_one_that_hung(engine: Engine, live: Host) -> None:
    found = section("good")
    docker_gpu.probe_containers(live, found, lambda: False, str(engine.server_address))
    assert docker_gpu.smoke(live, found, "good", lambda: False, path=str(engine.server_address)) is None
    assert (found["containers"][0]["probe"], engine.seen) == (None, [])
    assert (live.probes.status("docker_exec"), live.probes.status("smoke")) == ("missing", "missing")


def test_at_most_eight(engine: Engine, live: Host) -> None:
    names = [f"c{number}" for number in range(10)]
    engine.outputs = dict.fromkeys(names, (0, LIST))
    found = section(*names)
    docker_gpu.probe_containers(live, found, lambda: True, str(engine.server_address))
    assert [item["probe"] is None for item in found["containers"]] == [False] * 8 + [True] * 2
    assert "2 more" in live.probes.as_dict()["docker_exec"]["error"]


@pytest.mark.parametrize(
    ("changes", "has_cdi", "way"),
    [
        ({"cdi_spec_dirs": ["/etc/cdi"]}, True, "cdi"),
        ({"cdi_spec_dirs": ["/etc/cdi"]}, False, "gpus"),
        ({"cdi_spec_dirs": ["/etc/cdi"], "version": "24.0.7", "runtimes": {"nvidia": "x"}}, True, "runtime"),
        ({"cdi_spec_dirs": [], "runtimes": {"nvidia": "x"}}, True, "runtime"),
        ({"version": None}, True, "gpus"),
    ],
)
def test_the_smoke_test_asks_in_the_best_way_there_is(
    engine: Engine, live: Host, changes: dict[str, Any], has_cdi: bool, way: str
) -> None:
    engine.outputs = {"base:1": (0, LIST)}
    found = docker_gpu.smoke(
        live, {**section(), **changes}, "base:1", lambda: True, has_cdi=has_cdi, path=str(engine.server_address)
    )
    assert found == {"image": "base:1", "request": way, "rc": 0, "count": 2, "message": None}
    created = engine.seen[0][2]
    assert (created["Entrypoint"], created["Cmd"]) == (["nvidia-smi"], ["-L"])
    # what was made is removed, and nothing is pulled
    assert engine.seen[-1][0] == "DELETE"
    assert not any("images" in path for _method, path, _body in engine.seen)


@pytest.mark.parametrize(
    ("output", "rc", "removed", "says"),
    [
        (None, None, False, "No such image"),
        ((125, "could not select device driver"), None, True, "could not select"),
        ((255, LOST), 255, True, "Unknown Error"),
    ],
)
def test_a_smoke_test_that_fails(
    engine: Engine, live: Host, output: Any, rc: int | None, removed: bool, says: str
) -> None:
    engine.outputs = {} if output is None else {"base:1": output}
    found = docker_gpu.smoke(live, section(), "base:1", lambda: True, "gpus", path=str(engine.server_address))
    assert found is not None
    assert (found["rc"], found["count"]) == (rc, None) and says in found["message"]
    assert (engine.seen[-1][0] == "DELETE") is removed
    assert live.probes.status("smoke") == "failed"


def test_a_smoke_test_without_an_engine(live: Host, tmp_path: Path) -> None:
    assert docker_gpu.smoke(live, {**section(), "reachable": False}, "base:1", lambda: True) is None
    found = docker_gpu.smoke(live, section(), "base:1", lambda: True, path=str(tmp_path / "none"))
    assert found is not None and found["rc"] is None
    assert live.probes.status("smoke") == "missing"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_frames_are_joined(parts: list[str]) -> None:
    assert engine_api.demultiplex(b"".join(frame(part) for part in parts)) == "".join(parts)


@given(st.binary())
def test_any_stream_is_text(stream: bytes) -> None:
    engine_api.demultiplex(stream).encode()
