# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the parts of a development environment lie, in an image and in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

IMAGE = "image"
INPLACE = "inplace"
OWN_PREFIX = "/opt/venv"

# what an image has; {home} and {data} are the specification's
_IMAGE = {
    "tools": "/opt/tools",
    "python_dir": "/opt/python",
    "rust": "/opt/rust",
    "code_server": "/opt/code-server",
    "extensions": "/opt/code-server-ext",
    "bin": "/usr/local/bin",
    "etc": "/etc/devenv",
    "access": "/etc/devenv/access",
    "run": "/run/devenv",
    "state": "/var/lib/devenv",
    "share": "/usr/share/devenv",
    # of a build only: a cache mount
    "cache": "/root/.cache",
    "profile": "/etc/profile.d/90-devenv.sh",
    "bashrc": "/etc/bash.bashrc",
    "tmux": "/etc/tmux.conf",
}


def paths(spec: Mapping[str, Any], target: str, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """All paths by a short name. given: of them those that lie elsewhere, such as on another data disk."""
    data = str(spec["data_dir"]).rstrip("/")
    if target == IMAGE:
        chosen = {**_IMAGE, "prefix": spec["python"]["prefix"], "conda": spec["conda"]["prefix"]}
        own = home(spec)
        # Pythons that users install lie in the volume of their home: their environments need them after this container
        return {**chosen, "data": data, "home": own, "user_python": f"{own}/.local/share/uv/python", **(given or {})}
    words = ("tools", "rust", "code-server", "bin", "etc", "run", "state", "share", "conda", "cache")
    below = {name.replace("-", "_"): f"{data}/{name}" for name in words}
    prefix = spec["python"]["prefix"]
    return {
        **below,
        "prefix": f"{data}/venv" if prefix == OWN_PREFIX else prefix,
        "python_dir": f"{data}/python",
        "user_python": f"{data}/python",
        "extensions": f"{data}/code-server-ext",
        "access": f"{data}/etc/access",
        "profile": "/etc/profile.d/90-devenv.sh",
        "bashrc": "/etc/bash.bashrc",
        "tmux": "/etc/tmux.conf",
        "data": data,
        "home": "/root",
        **(given or {}),
    }


def home(spec: Mapping[str, Any]) -> str:
    """Home directory of the container's user."""
    return f"/home/{spec['user']['name']}"


def workdir(spec: Mapping[str, Any], where: Mapping[str, str]) -> str:
    """Where services and sessions begin."""
    return str(spec.get("workdir") or "") or where["home"]


def owners(spec: Mapping[str, Any], target: str) -> tuple[str, str]:
    """uid:gid of what users work with, and of what the first process writes."""
    user = f"{spec['user']['uid']}:{spec['user']['gid']}"
    if target == INPLACE:
        return "0:0", "0:0"
    return user, "0:0" if spec["user"]["profile"] == "root" else user
