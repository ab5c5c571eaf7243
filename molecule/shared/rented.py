# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rented container with the environment in place, as somebody meets it who has rented it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from jupyter_cell import cell
from testinfra.host import Host

STATE = Path(__file__).resolve().parents[2] / ".sandbox"
DIR = "/root/autodl-tmp/gpuready"
TOKEN = f"{DIR}/etc/access/jupyter_token"
PORT = 8889
SHOWN = "6 * 7, sys.executable, os.environ['COURSE_NAME'], os.environ['HF_HOME']"
CELL = cell(TOKEN, PORT, f"import os, sys; print({SHOWN})")


def ssh(host: Host, *words: str, stdin: str = "") -> str:
    """As a person types it, without testinfra's own shell around it."""
    name = host.backend.get_pytest_id().removeprefix("ssh://")
    argv = ["ssh", "-F", str(STATE / "ssh_config"), name, *words]
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def status(host: Host, path: str, header: str = "X-None: 1") -> str:
    """Of an answer of JupyterLab; 000 without one."""
    command = f"curl -s -o /dev/null -w '%{{http_code}}' -H \"{header}\" http://127.0.0.1:{PORT}{path}; true"
    return str(host.run("sh -c %s", command).stdout)
