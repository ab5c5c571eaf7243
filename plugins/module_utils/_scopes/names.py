# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of containers, and the command that gives one its GPU anew. Engines are asked, never changed."""

from __future__ import annotations

import http.client
import json
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.engine_api import (
    SOCKET,
    DockerAPI,
    asleep_now,
)

# podman's list for root (containers/storage); rootless engines have lists of their own, and scopes that are not ours
PODMAN = "/var/lib/containers/storage/overlay-containers/containers.json"
_PROJECT = "com.docker.compose.project.working_dir"
_SERVICE = "com.docker.compose.service"


class Known(NamedTuple):
    """What an engine says of a container."""

    name: str
    recreate: str


def docker(runner: Runner, socket: str = SOCKET) -> dict[str, Known]:
    """By id; empty where Docker does not answer, or would be started by being asked."""
    if asleep_now(runner):
        return {}
    try:
        listing = DockerAPI(socket, 5).get("/containers/json")
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    found = {}
    for item in listing if isinstance(listing, list) else []:
        names = item.get("Names") or [] if isinstance(item, dict) else []
        if names and item.get("Id"):
            name = str(names[0]).lstrip("/")
            found[str(item["Id"])] = Known(name, _docker_line(name, item.get("Labels") or {}))
    return found


def _docker_line(name: str, labels: Mapping[str, Any]) -> str:
    folder, service = labels.get(_PROJECT), labels.get(_SERVICE)
    if folder and service:
        words = ["docker", "compose", "--project-directory", str(folder), "up", "-d", "--force-recreate", str(service)]
        return shlex.join(words)
    return shlex.join(["docker", "restart", name])


def podman(path: str = PODMAN) -> dict[str, Known]:
    """By id, of the root user's containers."""
    try:
        with open(path, encoding="utf-8") as handle:
            listing = json.load(handle)
    except (OSError, ValueError):
        return {}
    found = {}
    for item in listing if isinstance(listing, list) else []:
        names = item.get("names") or [] if isinstance(item, dict) else []
        if names and item.get("id"):
            found[str(item["id"])] = Known(str(names[0]), shlex.join(["podman", "restart", str(names[0])]))
    return found


def of_engines(engines: set[str], runner: Runner) -> dict[str, Known]:
    """All names of these engines."""
    found: dict[str, Known] = {}
    if "docker" in engines:
        found.update(docker(runner))
    if "podman" in engines:
        found.update(podman())
    return found
