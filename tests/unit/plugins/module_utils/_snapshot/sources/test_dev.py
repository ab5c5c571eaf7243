# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dev container as its user sees it: real sockets on the loopback, a stand-in engine for exec."""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import dev
from hypothesis import given
from hypothesis import strategies as st

TOKEN = "s3cret-token"
INSIDE = {
    "version": "3.12.3",
    "packages": {"jupyterlab": "4.5.0", "torch": "2.9.0"},
    "torch": {"version": "2.9.0+cu130", "cuda": "13.0"},
}


def frame(text: str, stream: int = 1) -> bytes:
    data = text.encode()
    return struct.pack(">BxxxI", stream, len(data)) + data


class Jupyter(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == f"token {TOKEN}"
        self.send_response(200 if self.path == "/api" or known else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Engine(http.server.BaseHTTPRequestHandler):
    """Knows one container, "dev", in which nvidia-smi and python3 exist, but not python."""

    def reply(self, status: int, body: Any) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/containers/dev/exec":
            self.reply(201, {"Id": body["Cmd"][0]})
        elif self.path == "/exec/nvidia-smi/start":
            self.reply(200, frame("GPU 0: NVIDIA X (UUID: GPU-0)\n") + frame("GPU 1: NVIDIA X (UUID: GPU-1)\n"))
        elif self.path == "/exec/python3/start":
            self.reply(200, frame("a warning\n", 2) + frame(json.dumps(INSIDE) + "\n"))
        elif self.path == "/exec/python/start":
            self.reply(400, {"message": 'exec: "python": executable file not found in $PATH'})
        else:
            self.reply(404, {"message": "No such container"})

    def do_GET(self) -> None:
        self.reply(200, {"ExitCode": 0})

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    path = str(tmp_path / "docker.sock")
    server = UnixServer(path, Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(dev, "SOCKET", path)
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def jupyter_port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Jupyter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


@pytest.fixture
def ssh_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                while True:
                    link = server.accept()[0]
                    link.sendall(b"SSH-2.0-OpenSSH_9.6p1\r\nmore")
                    link.close()
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])


def test_a_container_that_works(engine: None, jupyter_port: int, ssh_port: int, live: Host, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN + "\n")
    wish = {"container": "dev", "ssh_port": ssh_port, "jupyter_port": jupyter_port, "token_file": str(token_file)}
    (found,) = dev.section(live, [wish], lambda: True)["containers"]
    assert found == {
        "name": "dev",
        "ssh": {"status": "ok", "banner": "SSH-2.0-OpenSSH_9.6p1"},
        "jupyter": {"api": 200, "no_token": 403, "with_token": 200},
        "gpu": {"rc": 0, "count": 2, "message": None},
        "python": {"version": "3.12.3", "packages": INSIDE["packages"]},
        "torch": INSIDE["torch"],
    }
    assert TOKEN not in json.dumps(found) + json.dumps(live.probes.as_dict())


def test_a_wrong_token_and_a_missing_token_file(jupyter_port: int, live: Host, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("other")
    wishes = [{"jupyter_port": jupyter_port, "token_file": str(tmp_path / name)} for name in ("wrong", "gone")]
    wrong, gone = dev.section(live, wishes, lambda: True)["containers"]
    assert wrong["jupyter"] == {"api": 200, "no_token": 403, "with_token": 403}
    assert gone["jupyter"] == {"api": 200, "no_token": 403, "with_token": None}


def test_nothing_there(engine: None, live: Host) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        wish = {"container": "none", "ssh_port": port, "jupyter_port": port}
        (found,) = dev.section(live, [wish], lambda: True)["containers"]
    assert found["ssh"] == {"status": "failed", "banner": None}
    assert found["jupyter"] == {"api": None, "no_token": None, "with_token": None}
    assert found["gpu"] == {"rc": None, "count": None, "message": "No such container"}
    assert (found["python"]["version"], found["torch"]) == (None, None)


def test_no_second_nvidia_call_after_one_that_hung(engine: None, live: Host) -> None:
    (found,) = dev.section(live, [{"container": "dev"}], lambda: False)["containers"]
    assert found["gpu"]["rc"] is None
    assert "not tried" in found["gpu"]["message"]
    assert found["python"]["version"] == "3.12.3"


def test_another_root_probes_nothing(tmp_path: Path, runner: Runner, ssh_port: int) -> None:
    host = Host(str(tmp_path), runner)
    (found,) = dev.section(host, [{"container": "dev", "ssh_port": ssh_port}], lambda: True)["containers"]
    assert found["ssh"]["status"] is None
    assert host.probes.status("dev") == "missing"


def test_the_python_probe_runs_and_reads_torch_without_importing_it(tmp_path: Path) -> None:
    import subprocess
    import sys

    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    (package / "version.py").write_text("__version__ = '2.9.0+cu130'\ncuda: Optional[str] = '13.0'\nhip = None\n")
    done = subprocess.run(
        [sys.executable, "-c", dev._PYTHON_PROBE],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["torch"] == {"version": "2.9.0+cu130", "cuda": "13.0"}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_frames_are_joined(parts: list[str]) -> None:
    assert dev.demultiplex(b"".join(frame(part) for part in parts)) == "".join(parts)


@given(st.binary())
def test_any_stream_is_text(stream: bytes) -> None:
    dev.demultiplex(stream).encode()
