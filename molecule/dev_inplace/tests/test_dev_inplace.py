# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment as somebody meets it who has rented the machine: logins, JupyterLab, and what is the provider's."""

from __future__ import annotations

import json

import pytest
from rented import CELL, DIR, PORT, TOKEN, ssh, status
from testinfra.host import Host

ASK = "command -v python; echo $VIRTUAL_ENV $HF_HOME $UV_CACHE_DIR; echo $COURSE_NAME"
SEEN = [
    f"{DIR}/venv/bin/python",
    f"{DIR}/venv {DIR}/cache/huggingface {DIR}/cache/uv",
    "it's 100 % ours",
]


def test_a_command_without_a_terminal_sees_the_environment(host: Host) -> None:
    assert ssh(host, ASK).splitlines() == SEEN


def test_a_login_sees_the_environment(host: Host) -> None:
    assert ssh(host, f"bash -lc '{ASK}'").splitlines() == SEEN


def test_a_terminal_sees_it_and_the_providers_own_settings(host: Host) -> None:
    said = ssh(host, "-tt", stdin=f"{ASK}; alias rented\nexit\n").replace("\r", "")
    assert all(line in said for line in SEEN)


def test_all_of_it_lies_on_the_data_disk(host: Host) -> None:
    for path in ("venv/bin/python", "tools/bin/uv", "cache/uv", "etc/jupyter_server_config.py", "stages/stamps.json"):
        assert host.file(f"{DIR}/{path}").exists, path
    for path in ("/opt/venv", "/opt/tools", "/root/.cache/uv", "/root/.cache/pip"):
        assert not host.file(path).exists, path


def test_packages_of_the_distribution_came(host: Host) -> None:
    assert host.package("tree").is_installed
    assert not host.file("/usr/sbin/policy-rc.d").exists


@pytest.mark.parametrize("header", ["X-None: 1", "Authorization: token wrong"])
def test_jupyter_refuses_without_the_token(host: Host, header: str) -> None:
    assert status(host, "/api/contents", header) == "403"
    assert status(host, "/api/kernels", header) == "403"


def test_a_cell_runs_with_the_token(host: Host) -> None:
    said = ssh(host, f"{DIR}/venv/bin/python -", stdin=CELL)
    assert said.strip() == f"42 {DIR}/venv/bin/python it's 100 % ours {DIR}/cache/huggingface"


def test_it_listens_on_loopback_only(host: Host) -> None:
    assert host.check_output(f"ss -Hltn 'sport = :{PORT}' | awk '{{print $4}}'") == f"127.0.0.1:{PORT}"


def test_the_token_is_nobody_elses(host: Host) -> None:
    token = host.check_output(f"cat {TOKEN}")
    assert len(token) == 48
    assert host.file(TOKEN).mode == 0o600 and host.file(TOKEN).size == 48
    # the pattern from the file: on a command line the search would find itself
    found = host.run(f"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -cFf {TOKEN}")
    assert found.stdout.strip() == "0"
    where = host.run(f'grep -rlF -- "$(cat {TOKEN})" {DIR}/etc {DIR}/services {DIR}/stages /etc /run 2>/dev/null')
    assert where.stdout.split() == [TOKEN]


def test_what_is_the_providers_is_byte_for_byte_the_same(host: Host) -> None:
    host.check_output("cmp /root/.ssh/authorized_keys /var/tmp/provider/authorized_keys")
    host.check_output("diff -r /etc/ssh /var/tmp/provider/ssh")
    assert host.check_output("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8888/") == "200"
    assert "580.159.03" in host.check_output("nvidia-smi --version")
    assert host.run("pgrep -x sshd").rc == 0


def test_it_knows_what_came(host: Host) -> None:
    torch = json.loads(host.check_output(f"cat {DIR}/share/torch.json"))
    assert isinstance(torch, dict)
    assert "jupyterlab==" in host.check_output(f"cat {DIR}/share/python.txt")
