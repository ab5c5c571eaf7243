# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real login with the generated key, and JupyterLab's API, both as a user reaches them: through the host."""

from __future__ import annotations

import json
import subprocess

import pytest
from lab import KEY, STATE, Host

SSH_PORT, JUPYTER_PORT = 40022, 40888
TOKEN = "/opt/gpuready/gpuready-dev/secrets/jupyter_token"


def login(host: Host, command: str, *options: str) -> subprocess.CompletedProcess[str]:
    """ssh into the dev container, through the host, because its port is on the host's loopback only."""
    argv = ["ssh", "-F", "none", "-o", "LogLevel=ERROR", "-o", "StrictHostKeyChecking=no"]
    argv += ["-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]
    argv += ["-o", f"ProxyCommand=ssh -F {STATE}/ssh_config -W 127.0.0.1:{SSH_PORT} {host.name}"]
    argv += [*options, "dev@gpuready-dev", command]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def test_the_generated_key_opens_the_container(host: Host) -> None:
    done = login(host, "id -un && which python && nvidia-smi -L", "-i", str(KEY), "-o", "IdentitiesOnly=yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "dev"
    assert "RTX 4090" in done.stdout


def test_without_the_key_nobody_comes_in(host: Host) -> None:
    done = login(host, "true", "-o", "IdentityFile=none", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none")
    assert done.returncode == 255
    assert "publickey" in done.stderr and "password" not in done.stderr


def status(host: Host, path: str, header: str = "") -> str:
    option = f"-H '{header}'" if header else ""
    return host.ssh(f"curl -s -o /dev/null -w '%{{http_code}}' {option} http://127.0.0.1:{JUPYTER_PORT}{path}")


def test_jupyter_answers_with_the_token_and_403_without(host: Host) -> None:
    assert status(host, "/api/contents") == "403"
    assert status(host, "/api/contents", "Authorization: token wrong") == "403"
    answer = host.ssh(f'curl -s -H "Authorization: token $(cat {TOKEN})" http://127.0.0.1:{JUPYTER_PORT}/api/status')
    assert "kernels" in json.loads(answer)


def test_a_kernel_runs_code(host: Host) -> None:
    done = login(host, "python -c 'import jupyterlab; print(jupyterlab.__version__)'", "-i", str(KEY))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("port", [SSH_PORT, JUPYTER_PORT])
def test_ports_are_bound_to_loopback_only(host: Host, port: int) -> None:
    listening = [line.split()[3] for line in host.ssh("ss -Hltn").splitlines() if line.split()[3].endswith(f":{port}")]
    assert listening == [f"127.0.0.1:{port}"]


def test_no_secret_in_image_compose_file_or_process_list(host: Host) -> None:
    token = host.ssh(f"cat {TOKEN}")
    assert len(token) >= 24
    shown = host.ssh(
        "docker inspect gpuready-dev; docker history --no-trunc $(docker inspect -f '{{.Image}}' gpuready-dev);"
        " ps axww; cat /opt/gpuready/gpuready-dev/compose.yaml"
    )
    assert token not in shown
    assert host.ssh(f"stat -c %a {TOKEN}") == "400"
