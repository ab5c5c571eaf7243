# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in the dev container, as its user does it: files, tunnels, cells, settings; and how little it may."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from dev_login import options, says, ssh
from jupyter_cell import cell
from testinfra.host import Host

TOKEN = "/opt/gpuready/gpuready-dev/secrets/jupyter_token"
INSIDE = "/etc/devenv/access/jupyter_token"
COURSE = "it's 100 % ours, $HOME too"
# of a process: who it is, what it may, and that it cannot become more
LITTLE = {"Uid": "1000", "CapEff": "0" * 16, "CapPrm": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1"}
STATUS = "print({line.split(':')[0]: line.split()[1] for line in open('/proc/self/status')})"


@pytest.fixture
def tunnel(host: Host) -> Iterator[int]:
    """A local port that leads to JupyterLab in the container."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    forward = ["-N", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{port}:127.0.0.1:8888", "dev@dev"]
    process = subprocess.Popen(["ssh", *options(host), *forward], stderr=subprocess.PIPE, text=True)
    yield port
    process.terminate()
    process.communicate(timeout=30)


def answer(port: int, token: str) -> int:
    """Status of JupyterLab's list of files, as soon as the tunnel stands."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/contents", headers={"Authorization": f"token {token}"}
    )
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as found:
                return int(found.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            assert time.monotonic() < deadline, "the tunnel does not stand"
            time.sleep(0.2)


def test_files_go_there_and_back(host: Host, tmp_path: Path) -> None:
    (tmp_path / "here").write_text("40 + 2 = 42\n")
    batch = f"put {tmp_path}/here there\nget there {tmp_path}/back\nrm there\n"
    argv = ["sftp", "-b", "-", *options(host), "dev@dev"]
    done = subprocess.run(argv, input=batch, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back").read_text() == "40 + 2 = 42\n"


def test_a_tunnel_leads_to_jupyter(host: Host, tunnel: int) -> None:
    assert answer(tunnel, host.check_output(f"cat {TOKEN}")) == 200
    assert answer(tunnel, "wrong") == 403


def test_nobody_opens_a_port_of_the_container_to_elsewhere(host: Host) -> None:
    done = ssh(host, "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22", "--", "true")
    assert done.returncode == 255
    assert "remote port forwarding failed" in done.stderr


def test_root_does_not_come_in(host: Host) -> None:
    done = ssh(host, "true", user="root")
    assert (done.returncode, "Permission denied (publickey)" in done.stderr) == (255, True), done.stderr


def test_a_cell_runs_with_the_token(host: Host) -> None:
    program = cell(INSIDE, 8888, "import os, sys; print(6 * 7, sys.executable, os.environ['COURSE_NAME'])")
    assert says(host, "python -", stdin=program) == f"42 /opt/venv/bin/python {COURSE}"


@pytest.mark.parametrize("around", ["{}", "bash -lc '{}'"])
def test_the_environment_is_seen_in_ssh(host: Host, around: str) -> None:
    said = says(host, around.format("command -v python; printenv VIRTUAL_ENV COURSE_NAME LANG TZ"))
    assert said.splitlines()[:3] == ["/opt/venv/bin/python", "/opt/venv", COURSE]
    assert len(said.splitlines()) == 5


def test_sessions_get_no_token_and_no_way_to_it_by_name(host: Host) -> None:
    said = says(host, "env")
    assert "JUPYTER_TOKEN" not in said and host.check_output(f"cat {TOKEN}") not in said


@pytest.mark.parametrize("where", ["ssh", "cell"])
def test_it_may_little(host: Host, where: str) -> None:
    program = STATUS if where == "ssh" else cell(INSIDE, 8888, STATUS)
    found = json.loads(says(host, "python -", stdin=program).replace("'", '"'))
    assert {name: found[name] for name in LITTLE} == LITTLE


def test_no_layer_holds_the_token_or_a_host_key(host: Host) -> None:
    places = "/var/lib/docker/overlay2 /var/lib/docker/image /var/lib/docker/buildkit /var/lib/containerd"
    # a part of its base64, on one line; the volume holds it, and nothing else does
    key = "docker exec gpuready-dev sed -n 3p /var/lib/devenv/ssh/ssh_host_ed25519_key"
    line = host.check_output(key)
    assert len(line) > 40
    search = f"export LC_ALL=C; {{ cat {TOKEN}; echo; echo '{line}'; }} | grep -rlsF -f - {places}; true"
    assert host.run("sh -c %s", search).stdout == ""
    shown = host.check_output("docker inspect gpuready-dev")
    image = json.loads(shown)[0]["Image"]
    assert line not in shown + host.check_output(f"docker history --no-trunc {image}")
