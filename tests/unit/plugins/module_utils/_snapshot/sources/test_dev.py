# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dev container as its user sees it: real sockets on the loopback; a stand-in engine whose "container" is this
machine with another environment and home, so that the real probes run."""

from __future__ import annotations

import http.server
import json
import os
import socket
import socketserver
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import dev, dev_active, dev_inside

TOKEN = "s3cret-token"
SECRET = "hunter2"
SCHEMA = json.loads((Path(__file__).resolve().parents[6] / "docs/snapshot.schema.json").read_text())
SMI = "#!/bin/sh\necho 'GPU 0: NVIDIA X (UUID: GPU-0)'\necho 'GPU 1: NVIDIA X (UUID: GPU-1)'\n"


def frame(data: bytes, stream: int = 1) -> bytes:
    return struct.pack(">BxxxI", stream, len(data)) + data


class Jupyter(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == f"token {TOKEN}"
        self.send_response(200 if self.path in ("/api", "/healthz") or known else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Knows one container, "dev"."""

    daemon_threads = True
    home: Path
    user = ""
    execs: list[dict[str, Any]]
    codes: dict[int, int]

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.home}/bin:{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(self.home),
            "HF_TOKEN": SECRET,
            "CUDA_SECRET_TOKEN": SECRET,
            "JUPYTER_PASSWORD": SECRET,
            "http_proxy": f"http://me:{SECRET}@proxy.example.org:3128/?token={SECRET}",
            "HF_ENDPOINT": f"https://{SECRET}@hf.example.org",
            "PIP_INDEX_URL": f"https://me:{SECRET}@pypi.example.org/simple?token={SECRET}",
            "CUDA_VERSION": "13.0.3",
            "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
            "NVIDIA_REQUIRE_CUDA": "cuda>=13.0",
        }


class Handler(http.server.BaseHTTPRequestHandler):
    server: Engine

    def reply(self, status: int, body: Any) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/containers/dev/exec":
            self.server.execs.append(body)
            self.reply(201, {"Id": str(len(self.server.execs) - 1)})
        elif self.path.startswith("/exec/"):
            number = int(self.path.split("/")[2])
            argv = self.server.execs[number]["Cmd"]
            if argv == ["nvidia-smi", "-L"]:
                argv = [f"{self.server.home}/bin/nvidia-smi"]
            env = self.server.environment()
            done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            self.server.codes[number] = done.returncode
            self.reply(200, frame(b"a warning\n", 2) + frame(done.stderr, 2) + frame(done.stdout))
        else:
            self.reply(404, {"message": "No such container"})

    def do_GET(self) -> None:
        if self.path == "/containers/dev/json":
            env = [f"{name}={value}" for name, value in self.server.environment().items()]
            inspect = {"Config": {"User": self.server.user, "Env": env}, "Created": "2026-11-22T03:10:02.1234Z"}
            self.reply(200, inspect)
        elif self.path.startswith("/exec/"):
            self.reply(200, {"ExitCode": self.server.codes[int(self.path.split("/")[2])]})
        else:
            self.reply(404, {"message": "No such container"})

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    path = str(tmp_path / "docker.sock")
    server = Engine(path, Handler)
    server.home, server.execs, server.codes = tmp_path / "home", [], {}
    smi = server.home / "bin/nvidia-smi"
    smi.parent.mkdir(parents=True)
    smi.write_text(SMI)
    smi.chmod(0o755)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(dev, "SOCKET", path)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def jupyter_port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Jupyter)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
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


def fits(entry: dict[str, Any]) -> None:
    """Hold an entry against the schema."""
    import jsonschema

    schema = SCHEMA["properties"]["dev"]["properties"]["containers"]["items"]
    jsonschema.Draft202012Validator(schema).validate(entry)
    assert set(entry) == set(schema["required"])


def test_a_container_that_works(engine: Engine, jupyter_port: int, ssh_port: int, live: Host, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN + "\n")
    ports = {"ssh_port": ssh_port, "jupyter_port": jupyter_port, "code_port": jupyter_port}
    found = dev.section(live, [{"container": "dev", "token_file": str(token_file), **ports}], lambda: True)
    assert found["here"] is None
    (entry,) = found["containers"]
    fits(entry)
    assert entry["ssh"] == {"status": "ok", "banner": "SSH-2.0-OpenSSH_9.6p1"}
    assert entry["jupyter"] == {"api": 200, "no_token": 403, "with_token": 200}
    assert entry["code_server"] == {"status": 200}
    assert entry["gpu"] == {"rc": 0, "count": 2, "message": None}
    assert entry["python"]["version"] == sys.version.split()[0]
    assert (entry["smi"], entry["capabilities"]) == (True, "compute,utility")
    assert entry["cuda_image"] == {"version": "13.0.3", "require": "cuda>=13.0"}
    assert entry["indexes"]["pip"] == "https://***@pypi.example.org/simple"
    assert (entry["torch_run"], entry["nccl"]) == (None, None)
    assert live.probes.status("dev.dev.inside") == "ok"
    assert TOKEN not in json.dumps(found) + json.dumps(live.probes.as_dict())


def test_no_secret_comes_out(engine: Engine, live: Host) -> None:
    home = engine.home
    for path in (
        ".bashrc",
        ".netrc",
        ".config/pip/pip.conf",
        ".condarc",
        ".cache/huggingface/token",
        ".ssh/id_ed25519",
    ):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(f"{SECRET}\nindex-url = https://me:{SECRET}@pypi.example.org/simple\n")
    found = dev.section(live, [{"container": "dev"}], lambda: True, here={})
    text = json.dumps(found) + json.dumps(live.probes.as_dict())
    assert SECRET not in text
    # the values that may leave are there, so the search had something to look in
    assert "proxy.example.org" in text or "http_proxy" in text
    assert "pypi.example.org" in text


def test_a_user_and_root_look_apart(engine: Engine, live: Host) -> None:
    engine.user = "nobody:nogroup"
    dev.section(live, [{"container": "dev"}], lambda: False)
    looks = {body["User"]: body for body in engine.execs}
    assert sorted(looks) == ["nobody", "root"]
    assert all(body["WorkingDir"] == "/" for body in looks.values())
    # as root no interpreter that the user could have changed
    assert '"$p" -I -S -c' in looks["root"]["Cmd"][2] and "-O" in looks["root"]["Cmd"][2]
    assert json.loads(looks["root"]["Cmd"][4])["users"] == ["root", "nobody"]
    assert json.loads(looks["nobody"]["Cmd"][4])["parts"] == ["user"]


def test_the_wanted_user_wins(engine: Engine, live: Host) -> None:
    dev.section(live, [{"container": "dev", "user": "alice"}], lambda: False)
    assert sorted(body["User"] for body in engine.execs) == ["alice", "root"]


def test_a_wrong_token_and_a_missing_token_file(jupyter_port: int, live: Host, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("other")
    wishes = [{"jupyter_port": jupyter_port, "token_file": str(tmp_path / name)} for name in ("wrong", "gone")]
    wrong, gone = dev.section(live, wishes, lambda: True)["containers"]
    assert wrong["jupyter"] == {"api": 200, "no_token": 403, "with_token": 403}
    assert gone["jupyter"] == {"api": 200, "no_token": 403, "with_token": None}
    assert wrong["code_server"] is None


def test_nothing_there(engine: Engine, live: Host) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        wish = {"container": "none", "ssh_port": port, "jupyter_port": port, "code_port": port}
        (found,) = dev.section(live, [wish], lambda: True)["containers"]
    fits(found)
    assert found["ssh"] == {"status": "failed", "banner": None}
    assert found["jupyter"] == {"api": None, "no_token": None, "with_token": None}
    assert found["code_server"] == {"status": None}
    assert found["gpu"] == {"rc": None, "count": None, "message": "No such container"}
    assert (found["python"]["version"], found["torch"], found["libcuda"]) == (None, None, None)
    probes = live.probes.as_dict()
    assert (probes["dev.none.inside"]["status"], probes["dev.none.inside"]["error"]) == ("failed", "No such container")


def test_an_engine_that_the_question_would_start_is_not_asked(engine: Engine, live: Host) -> None:
    (found,) = dev.section(live, [{"container": "dev"}], lambda: True, asleep=lambda: "not asked")["containers"]
    assert engine.execs == [] and found["gpu"]["message"] == "not asked"
    fits(found)


def test_no_second_nvidia_call_after_one_that_hung(engine: Engine, live: Host) -> None:
    (found,) = dev.section(live, [{"container": "dev"}], lambda: False, ["torch", "nccl"])["containers"]
    assert found["gpu"]["rc"] is None
    assert "not tried" in found["gpu"]["message"]
    assert (found["cuinit"], found["torch_run"]) == (None, None)
    # asked for, and not tried: a judge can tell it from a test that nobody wanted
    assert all("not tried" in str(live.probes.as_dict()[f"dev.dev.{test}"]["error"]) for test in ("torch_run", "nccl"))
    assert len(engine.execs) == 1
    assert found["python"]["version"] == sys.version.split()[0]


def test_another_root_probes_nothing(tmp_path: Path, runner: Runner, ssh_port: int) -> None:
    host = Host(str(tmp_path), runner)
    found = dev.section(host, [{"container": "dev", "ssh_port": ssh_port}], lambda: True, here={})
    assert found["containers"][0]["ssh"]["status"] is None
    fits(found["here"])
    assert host.probes.status("dev") == "missing"


def test_this_machine(live: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    found = dev.section(live, [], lambda: False, here={})
    assert found["containers"] == []
    fits(found["here"])
    assert found["here"]["name"] == "here"
    assert found["here"]["shm_mib"] is not None
    assert live.probes.status("dev.here.inside") == "ok"
    assert SECRET not in json.dumps(found)


def test_nothing_is_looked_at_unasked(live: Host) -> None:
    assert dev.section(live, [], lambda: True) == {"containers": [], "here": None}
    assert live.probes.as_dict() == {}


class Answers:
    """Stands for `run`: gives what it was made with."""

    def __init__(self, *answers: tuple[int | None, str]) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *arguments: Any) -> tuple[int | None, str]:
        self.calls.append(arguments)
        return self.answers.pop(0)


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ((127, ""), "missing", "no Python 3"),
        ((1, "Traceback\nKeyError: 'x'"), "failed", "KeyError"),
        ((None, "timed out"), "timeout", "timed out"),
        ((0, "Welcome!"), "unparsable", "no JSON"),
        ((0, ""), "unparsable", "no JSON"),
        ((0, "[]"), "ok", ""),
        ((0, '{"errors": {"mounts": ["timeout", "no end"]}}'), "ok", ""),
    ],
)
def test_a_look_that_fails_leaves_nulls(live: Host, answer: tuple[int | None, str], status: str, says: str) -> None:
    entry = dev.empty({"container": "dev"})
    dev_inside.look_into(live, entry, Answers(answer), "", None)
    assert entry == {**dev.empty({"container": "dev"})}
    probes = live.probes.as_dict()
    assert probes["dev.dev.inside"]["status"] == status
    assert says in (probes["dev.dev.inside"]["error"] or "")
    if "mounts" in answer[1]:
        assert probes["dev.dev.mounts"]["status"] == "timeout"


def view(asked: bool, root: str, keys: dict[str, int | None], shared: bool | None = None) -> dict[str, Any]:
    return {
        "asked": asked,
        "permit_root_login": root,
        "password_authentication": False,
        "keys": keys,
        "host_keys_shared": shared,
        "error": None,
    }


@pytest.mark.parametrize(
    ("mine", "roots", "expected"),
    [
        (None, None, None),
        (view(True, "no", {"dev": 2}), view(False, "yes", {"root": 5, "dev": None}), ("no", 2, None)),
        (view(False, "yes", {"dev": 1}), view(True, "prohibit-password", {"root": 3}), ("prohibit-password", 4, None)),
        (view(False, "yes", {"dev": None}), view(True, "no", {"dev": None, "root": 0}), ("no", None, None)),
        (view(False, "yes", {"dev": 0}, False), view(True, "no", {"dev": 4, "root": 0}, True), ("no", 4, True)),
        (None, view(True, "no", {"dev": 1}, False), ("no", 1, False)),
    ],
)
def test_two_views_of_one_sshd(mine: Any, roots: Any, expected: Any) -> None:
    found = dev_inside.merge_sshd(mine, roots, "dev")
    if found is not None:
        found = tuple(found[name] for name in ("permit_root_login", "authorized_keys", "host_keys_shared"))
    assert found == expected


def test_cuinit(live: Host) -> None:
    device = {"index": 0, "name": "NVIDIA X", "compute_capability": "8.9"}
    good = Answers((0, json.dumps({"rc": 0, "name": "CUDA_SUCCESS", "count": 1, "devices": [device]}) + "\n"))
    assert dev_active.cuinit(live, "dev", good, "") == {
        "rc": 0,
        "name": "CUDA_SUCCESS",
        "count": 1,
        "devices": [device],
    }
    stub = Answers((0, json.dumps({"rc": 34, "name": None, "count": None, "devices": []})))
    found = dev_active.cuinit(live, "dev", stub, "")
    assert found is not None and (found["rc"], found["name"]) == (34, "CUDA_ERROR_STUB_LIBRARY")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((3, "libcuda.so.1: cannot open shared object file: No such file or directory"), "missing"),
        ((3, "libcuda.so.1: file too short"), "failed"),
        ((142, ""), "timeout"),
        ((None, "timed out"), "timeout"),
        ((139, ""), "failed"),
    ],
)
def test_a_cuinit_that_fails(live: Host, answer: tuple[int | None, str], status: str) -> None:
    assert dev_active.cuinit(live, "dev", Answers(answer), "") is None
    assert live.probes.status("dev.dev.cuinit") == status


def test_what_torch_did_before_it_hung_is_kept(live: Host) -> None:
    lines = [{"index": 0, "ok": True, "error": None, "ms": 9}, {"index": 1, "ok": False, "error": "x", "ms": 8}]
    run = Answers((142, "a warning\n" + "\n".join(map(json.dumps, lines)) + '\n{"index": 2, "o'))
    assert dev_active.torch_run(live, "dev", run, "") == lines
    assert live.probes.status("dev.dev.torch_run") == "timeout"
    assert run.calls[0][2] > dev_active.ACTIVE_SECONDS


def test_nccl_needs_two(live: Host) -> None:
    answer = {"ok": True, "busbw_gbs": 11.5, "error": None}
    run = Answers((0, json.dumps(answer)))
    assert dev_active.nccl(live, "dev", run, "", 1) is None and run.calls == []
    assert dev_active.nccl(live, "dev", run, "", 2) == answer
    assert run.calls[0][0][-1] == "2"


@pytest.mark.parametrize("code", [dev_active._CUINIT, dev_active._TORCH, dev_active._NCCL])
def test_the_scripts_are_for_old_pythons_too(code: str) -> None:
    import ast

    tree = ast.parse(code, feature_version=(3, 6))
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    for inner in [text for text in strings if "import torch" in text]:
        ast.parse(inner, feature_version=(3, 6))


def test_the_scripts_run_without_a_gpu(live: Host, tmp_path: Path) -> None:
    """With a torch of our own that knows no GPU: a worker that fails ends the test of all."""

    def run(argv: list[str], _user: str, _timeout: float | None = None) -> tuple[int | None, str]:
        env = {**os.environ, "PYTHONPATH": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    (tmp_path / "torch.py").write_text("raise ImportError('no torch')\n")
    assert dev_active.torch_run(live, "dev", run, "") is None
    assert "no torch" in live.probes.as_dict()["dev.dev.torch_run"]["error"]
    found = dev_active.nccl(live, "dev", run, "", 2)
    assert found is not None
    assert (found["ok"], found["busbw_gbs"]) == (False, None) and "a worker failed" in found["error"]
