# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers of Docker that live on while no daemon runs: it has crashed, or was stopped by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host

DATA_ROOT = "/var/lib/docker"
# One folder a container whose process lives (containerd, runtime v2): of the system's containerd, and of one that
# dockerd starts itself
TASKS = (
    "/run/containerd/io.containerd.runtime.v2.task/moby",
    "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby",
)
_ID = re.compile(r"[0-9a-f]{64}")
# The state behind the name, which may hold anything: a dead process that nobody has fetched is none
_STATE = re.compile(r".*\) (\S)", re.DOTALL)


def names(host: Host, data: Mapping[str, Any]) -> list[str]:
    """Names of the containers with a living process, in a machine whose daemon is down; a short id where there is none.

    data: daemon.json, for the folder in which Docker keeps names.
    """
    root = str(data.get("data-root") or data.get("graph") or DATA_ROOT)
    found = [(folder, one) for folder in TASKS for one in host.names(folder) if _ID.fullmatch(one)]
    return sorted(_name(host, root, one) for folder, one in found if _lives(host, f"{folder}/{one}/init.pid"))


def _lives(host: Host, path: str) -> bool:
    pid = host.text(path) or ""
    state = _STATE.match(host.text(f"/proc/{pid}/stat") or "") if pid.isdecimal() else None
    return state is not None and state.group(1) not in ("Z", "X")


def _name(host: Host, root: str, identity: str) -> str:
    try:
        found = json.loads(host.text(f"{root}/containers/{identity}/config.v2.json") or "")
    except ValueError:
        found = None
    name = found.get("Name") if isinstance(found, dict) else None
    return name.lstrip("/") if isinstance(name, str) and name.strip("/") else identity[:12]
