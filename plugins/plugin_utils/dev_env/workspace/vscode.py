# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`.vscode`: recommended extensions, and the folder of the SFTP extension. Neither ever holds a password."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.workspace.ssh_client import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.ssh_lines import Hop

# D3 of the sources: Remote Development, Python, Jupyter, and the maintained fork of the SFTP extension
RECOMMENDED = (
    "ms-vscode-remote.vscode-remote-extensionpack",
    "ms-python.python",
    "ms-toolsai.jupyter",
    "natizyskunk.sftp",
)
IGNORED = (".git", ".venv", ".gpuready", "__pycache__", ".ipynb_checkpoints", "models", "data")


def extensions(more: list[str]) -> str:
    """.vscode/extensions.json: the ones that the way here needs, and more."""
    return _text({"recommendations": list(dict.fromkeys([*RECOMMENDED, *more]))})


def sftp(machine: Machine, remote_path: str) -> str:
    """.vscode/sftp.json of the extension natizyskunk.sftp. It knows no ProxyJump: the hops stand inside each other."""
    target = machine.target
    key = target.identities[0] if target.identities else ""
    first, *rest = [_hop(hop, key) for hop in (*target.jumps, target.hop)]
    hops = {} if not rest else {"hop": rest[0] if len(rest) == 1 else rest}
    return _text(
        {
            "name": machine.alias,
            "protocol": "sftp",
            **first,
            **hops,
            "remotePath": remote_path,
            "uploadOnSave": True,
            "openSsh": True,
            "ignore": list(IGNORED),
        }
    )


def _hop(hop: Hop, key: str) -> dict[str, Any]:
    found: dict[str, Any] = {"host": hop.host, "port": hop.port or 22}
    if hop.user:
        found["username"] = hop.user
    return {**found, "privateKeyPath": key} if key else found


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
