# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ssh, sftp and forwards into a dev container, through its host, because the port is on the host's loopback only."""

from __future__ import annotations

import subprocess
from pathlib import Path

from testinfra.host import Host

STATE = Path(__file__).resolve().parents[2] / ".sandbox"
SSH_PORT = 40022


def options(host: Host, port: int = SSH_PORT) -> list[str]:
    name = host.backend.get_pytest_id().removeprefix("ssh://")
    found = ["-F", "none", "-o", "LogLevel=ERROR", "-o", "StrictHostKeyChecking=no"]
    found += [
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "BatchMode=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-i",
        str(STATE / "id_ed25519"),
    ]
    return [*found, "-o", f"ProxyCommand=ssh -F {STATE}/ssh_config -W 127.0.0.1:{port} {name}"]


def ssh(
    host: Host, *words: str, port: int = SSH_PORT, user: str = "dev", stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """As a person types it, with the key. words: options, then "--", then the command."""
    first = list(words[: words.index("--")]) if "--" in words else []
    command = list(words[words.index("--") + 1 :]) if "--" in words else list(words)
    argv = ["ssh", *options(host, port), *first, f"{user}@dev", *command]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=60)


def says(host: Host, command: str, *, port: int = SSH_PORT, stdin: str = "") -> str:
    """What a command says that must succeed."""
    done = ssh(host, command, port=port, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
