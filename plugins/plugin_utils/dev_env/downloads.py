# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Artefacts that no package registry has: installers and archives by address and sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say

# how code-server names its machines
_CODE_SERVER = {"x86_64": "amd64", "aarch64": "arm64"}


class Download(TypedDict):
    """One file. name: what the stage calls it."""

    name: str
    url: str
    sha256: str


def archives(spec: Mapping[str, Any], what: str, machine: str) -> list[Download]:
    """What a stage downloads on a machine ("x86_64", "aarch64"). ValueError where there is no sum for it."""
    if what == "conda":
        one = spec["conda"]
        name = f"Miniforge3-{one['version']}-Linux-{machine}.sh"
        url = f"https://github.com/conda-forge/miniforge/releases/download/{one['version']}/{name}"
        return [_checked("dev_conda.sha256", one, machine, "miniforge.sh", url)]
    if what == "rust":
        one = spec["rust"]["rustup"]
        url = f"https://static.rust-lang.org/rustup/archive/{one['version']}/{machine}-unknown-linux-gnu/rustup-init"
        return [_checked("dev_rust.rustup.sha256", one, machine, "rustup-init", url)]
    one = spec["code_server"]
    name = f"code-server-{one['version']}-linux-{_CODE_SERVER.get(machine, machine)}.tar.gz"
    url = one["url"] or f"https://github.com/coder/code-server/releases/download/v{one['version']}/{name}"
    return [_checked("dev_code_server.sha256", one, machine, "code-server.tar.gz", url)]


def _checked(option: str, one: Mapping[str, Any], machine: str, name: str, url: str) -> Download:
    sha256 = str(one["sha256"].get(machine) or "")
    if not sha256:
        raise ValueError(
            say(
                "{option} has no sum for {machine}, and nothing is installed unchecked; give the SHA-256 sum of {file} "
                "of version {version}.",
                option=option,
                machine=machine,
                file=url.rpartition("/")[2],
                version=one["version"],
            )
        )
    return {"name": name, "url": url, "sha256": sha256}


def listed(downloads: Sequence[Download]) -> str:
    """Lines "SHA256 NAME ADDRESS", as the stages read them."""
    return "".join(f"{one['sha256']} {one['name']} {one['url']}\n" for one in downloads)
