# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All files of a project folder, from the specification and what is asked of the targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.workspace import (
    cnb,
    devcontainer,
    guide,
    ssh_client,
    vscode,
)

TARGETS = ("devcontainer", "cnb", "client")
# Files of JSON that people keep too: what they lack is added
MERGED = (".vscode/extensions.json",)
FOLDER = "client"

# build context of the image for a specification, whose layers look below a folder such as ".ide/"
Context = Callable[[Mapping[str, Any], str], Mapping[str, str]]


def files(spec: Mapping[str, Any], wishes: Mapping[str, Any], context: Context) -> list[dict[str, Any]]:
    """Files as the module workspace_tree takes them: path, content, merge. Raises ValueError with all that is wrong.

    wishes: targets, cnb, devcontainer_form, host, pasted, identity, remote_dir, extensions.
    """
    targets = list(wishes.get("targets") or [])
    foreign = [name for name in targets if name not in TARGETS]
    problems = [f"workspace_files_targets knows no {name!r}; it knows {', '.join(TARGETS)}." for name in foreign]
    if "cnb" in targets:
        problems += cnb.problems(wishes.get("cnb") or {})
    found: dict[str, str] = {}
    if "client" in targets:
        client, more = _client(spec, wishes)
        problems += more
        found |= client
    if problems:
        raise ValueError(" ".join(problems))
    if "devcontainer" in targets:
        own = devcontainer.specification(spec)
        found |= devcontainer.files(own, str(wishes.get("devcontainer_form") or "image"), context(own, ""))
    if "cnb" in targets:
        own = cnb.specification(spec)
        found |= cnb.files(own, wishes.get("cnb") or {}, context(own, f"{cnb.FOLDER}/"))
    return [{"path": path, "content": text, "merge": path in MERGED} for path, text in sorted(found.items())]


def _client(spec: Mapping[str, Any], wishes: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    host, pasted = wishes["host"], wishes.get("pasted") or []
    found, problems = ssh_client.machines(spec, host, pasted, str(wishes.get("identity") or ""))
    if problems or not found:
        return {}, problems or ["workspace_files_pasted holds no line with a machine."]
    main = found[0]
    remote_dir = str(wishes.get("remote_dir") or "") or f"{main.home.rstrip('/')}/project"
    models = f"{str(spec['data_dir']).rstrip('/')}/models"
    snippet = f"{wishes.get('client_dir') or '~/path/to/this/folder'}/{FOLDER}/ssh_config"
    texts = {
        f"{FOLDER}/{name}": guide.guide(language, found, str(host["name"]), snippet, remote_dir, models, bool(pasted))
        for language, name in guide.LANGUAGES.items()
    }
    return {
        **texts,
        f"{FOLDER}/ssh_config": ssh_client.snippet(found, snippet),
        ".vscode/extensions.json": vscode.extensions(list(wishes.get("extensions") or [])),
        ".vscode/sftp.json": vscode.sftp(main, remote_dir),
    }, []
