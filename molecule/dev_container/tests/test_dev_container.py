# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dev container as a user meets it: a login with the key, none without, JupyterLab with the token, none without."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

STATE = Path(__file__).resolve().parents[3] / ".sandbox"
SSH_PORT, JUPYTER_PORT = 40022, 40888
TOKEN = "/opt/gpuready/gpuready-dev/secrets/jupyter_token"


def login(host: Host, command: str, *options: str) -> subprocess.CompletedProcess[str]:
    """ssh into the dev container through its host, because the port is on the host's loopback only."""
    name = host.backend.get_pytest_id().removeprefix("ssh://")
    argv = ["ssh", "-F", "none", "-o", "LogLevel=ERROR", "-o", "StrictHostKeyChecking=no"]
    argv += ["-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]
    argv += ["-o", f"ProxyCommand=ssh -F {STATE}/ssh_config -W 127.0.0.1:{SSH_PORT} {name}"]
    argv += [*options, "dev@gpuready-dev", command]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def with_key(host: Host, command: str) -> subprocess.CompletedProcess[str]:
    return login(host, command, "-i", str(STATE / "id_ed25519"), "-o", "IdentitiesOnly=yes")


def status(host: Host, path: str, header: str = "X-None: 1") -> str:
    command = f"curl -s -o /dev/null -w '%{{http_code}}' -H \"{header}\" http://127.0.0.1:{JUPYTER_PORT}{path}"
    return str(host.check_output(command))


def inspect(host: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.check_output("docker inspect gpuready-dev"))[0]
    return found


def test_it_is_healthy(host: Host) -> None:
    assert inspect(host)["State"]["Health"]["Status"] == "healthy"


def test_the_key_opens_it(host: Host) -> None:
    done = with_key(host, "id -un; which python; nvidia-smi -L")
    assert done.returncode == 0, done.stderr
    user, python, gpu = done.stdout.splitlines()
    assert user == "dev"
    assert python == "/opt/venv/bin/python"
    assert "RTX 4090" in gpu


def test_nobody_comes_in_without_it(host: Host) -> None:
    done = login(host, "true", "-o", "IdentityFile=none", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none")
    assert done.returncode == 255
    assert "publickey" in done.stderr and "password" not in done.stderr


def test_a_password_is_not_even_asked_for(host: Host) -> None:
    options = ["-o", "PreferredAuthentications=password,keyboard-interactive", "-o", "PubkeyAuthentication=no"]
    assert "Permission denied (publickey)" in login(host, "true", *options).stderr


@pytest.mark.parametrize("header", ["X-None: 1", "Authorization: token wrong"])
def test_jupyter_refuses_without_the_token(host: Host, header: str) -> None:
    assert status(host, "/api/contents", header) == "403"


def test_jupyter_answers_with_the_token(host: Host) -> None:
    header = f"Authorization: token $(cat {TOKEN})"
    assert status(host, "/api/contents", header) == "200"
    created = host.check_output(f'curl -s -X POST -H "{header}" http://127.0.0.1:{JUPYTER_PORT}/api/kernels')
    assert json.loads(created)["name"] == "python3"


@pytest.mark.parametrize("port", [SSH_PORT, JUPYTER_PORT])
def test_the_ports_are_on_loopback_only(host: Host, port: int) -> None:
    assert host.check_output(f"ss -Hltn 'sport = :{port}' | awk '{{print $4}}'") == f"127.0.0.1:{port}"


def test_it_runs_with_little(host: Host) -> None:
    found = inspect(host)
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in found["HostConfig"]["SecurityOpt"]
    assert not found["HostConfig"]["Privileged"]
    assert found["Config"]["User"] == "1000:1000"


def test_the_gpu_comes_through_cdi_and_not_through_the_legacy_hook(host: Host) -> None:
    requests = inspect(host)["HostConfig"]["DeviceRequests"]
    assert [request["Driver"] for request in requests] == ["cdi"]


def test_the_gpu_stays_after_a_reload_of_systemd(host: Host) -> None:
    host.check_output("systemctl daemon-reload && systemd-run --quiet --wait true")
    assert "RTX 4090" in with_key(host, "nvidia-smi -L").stdout
    probe = with_key(host, "bash -c ': < /dev/nvidiactl'").stderr
    assert "No such device" in probe, f"the device cgroup refuses: {probe}"


def test_the_token_stands_in_one_file_only(host: Host) -> None:
    token = host.check_output(f"cat {TOKEN}")
    assert len(token) >= 24
    assert host.file(TOKEN).mode == 0o400
    image = inspect(host)["Image"]
    shown = host.check_output(
        f"docker inspect gpuready-dev {image}; docker history --no-trunc {image}; ps axww;"
        " cat /opt/gpuready/gpuready-dev/compose.yaml"
    )
    assert token not in shown


def test_host_keys_are_not_in_the_image(host: Host) -> None:
    image = inspect(host)["Image"]
    listed = host.check_output(f"docker run --rm --entrypoint sh {image} -c 'ls /etc/ssh /var/lib/devenv/ssh'")
    assert "ssh_host" not in listed
