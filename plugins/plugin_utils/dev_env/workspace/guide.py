# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CLIENT.md and CLIENT.zh.md: keys, permissions on Windows, login, tunnels, tmux, models. The texts are data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import Template

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.workspace.ssh_client import (
    Machine,
    account,
    command,
    rsync,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import read
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.ssh_lines import hop_text

LANGUAGES = {"en": "CLIENT.md", "zh": "CLIENT.zh.md"}
_PART = re.compile(r"<!-- only: (\w+) -->\n(.*?)<!-- end -->\n", re.DOTALL)


def guide(
    language: str, found: Sequence[Machine], owner: str, snippet: str, remote_dir: str, models: str, pasted: bool
) -> str:
    """The text in one language. snippet: path of the file for ssh on the client; the first machine is the example."""
    active = {"pasted"} if pasted else {"host"}
    if found[0].tunnels:
        active.add("tunnels")
    text = read(f"workspace/{LANGUAGES[language]}")
    text = _PART.sub(lambda part: part[2] if part[1] in active else "", text)
    return Template(text).substitute(_words(found, owner, snippet, remote_dir, models))


def _words(found: Sequence[Machine], owner: str, snippet: str, remote_dir: str, models: str) -> dict[str, str]:
    main = found[0]
    hop = main.target.hop
    key = main.target.identities[0] if main.target.identities else "~/.ssh/id_ed25519"
    tunnels = [f"-L {one.local}:127.0.0.1:{one.remote}" for one in main.tunnels]
    plain = command(main)
    return {
        "alias": main.alias,
        "owner": owner,
        "table": "\n".join(map(_row, found)),
        "key": key,
        "key_name": re.split(r"[/\\]", key)[-1],
        "copy_id": plain.removeprefix("ssh ").replace("-J ", "-o ProxyJump="),
        "command": plain,
        "snippet": snippet,
        "known_host": main.key_alias or (hop.host if main.port == 22 else f"[{hop.host}]:{main.port}"),
        "remote_dir": remote_dir,
        "tunnel": f"{main.alias}-tunnel",
        "tunnel_command": command(main, "-N", *tunnels),
        "urls": "\n".join(f"* {one.label}: http://127.0.0.1:{one.local}/" for one in main.tunnels),
        "models": models,
        "rsync": rsync(main, "models/", f"{models}/"),
    }


def _row(machine: Machine) -> str:
    way = "".join(f"{hop_text(hop)} → " for hop in machine.target.jumps)
    tunnels = ", ".join(f"{one.label} {one.local}" for one in machine.tunnels)
    return f"| `{machine.alias}` | {way}{account(machine)}:{machine.port} | {tunnels} |"
