# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Will the running GPU containers keep their device nodes when systemd reloads? (reference: NVML "Unknown Error")"""

from __future__ import annotations

import json
import os
import re
import stat
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import cdi, device_rules, systemctl
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import char_majors
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources.services import Blocks

_KIND = "nvidia.com/gpu"
# with the engine's own containerd the state lies below /run/docker
_BUNDLES = (
    "/run/containerd/io.containerd.runtime.v2.task/moby",
    "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby",
)
# every CUDA program opens these two
_ALWAYS = ("/dev/nvidiactl", "/dev/nvidia-uvm")
# Nodes that CUDA does not need. A specification may have got them after the container was made.
_OPTIONAL = re.compile(r"/dev/(?:dri/.*|nvidia-modeset|nvidia-uvm-tools|nvidia-caps-imex-channels/.*)")


def judge(host: Host, docker: dict[str, Any], blocks: Blocks, documents: dict[str, list[dict[str, Any]]]) -> None:
    """Fill gpu.scope of every running container, gpu.rules_ok and gpu.missing of those with a GPU."""
    with host.probes.watch("device_rules", "config.json of containers, DeviceAllow of scopes"):
        majors = char_majors(host.text("/proc/devices") or "")
        for container in docker["containers"]:
            gpu = container["gpu"]
            gpu["scope"] = _scope(blocks, container)
            if host.live and gpu["requested"] and container["state"] == "running":
                gpu["rules_ok"], gpu["missing"] = _rules(host, container, docker, blocks, documents, majors)


def _scope(blocks: Blocks, container: dict[str, Any]) -> str | None:
    """The unit whose device rules hold for a running container; None with the cgroupfs driver."""
    name = f"docker-{container['id']}.scope"
    return name if container["state"] == "running" and name in blocks else None


def _rules(
    host: Host,
    container: dict[str, Any],
    docker: dict[str, Any],
    blocks: Blocks,
    documents: dict[str, list[dict[str, Any]]],
    majors: dict[int, str],
) -> tuple[bool | None, list[str]]:
    paths, complete = expected(host, container["gpu"], documents)
    numbers = {path: number for path, number in ((path, _number(host, path)) for path in paths) if number is not None}
    if not numbers:
        return None, []
    scope = blocks.get(f"docker-{container['id']}.scope")
    if scope is None and _is_unknown_to_systemd(host, container, docker):
        return True, []
    rules = _oci_rules(host, container["id"])
    if scope is None or "DevicePolicy" not in scope or docker["cgroup_driver"] is None:
        missing = [] if rules is None else [path for path, number in numbers.items() if _lacks(rules, number)]
        return (False, missing) if missing else (None, [])
    # What systemd puts back at a reload decides, and nothing else. config.json says too much: runc 1.1.3 to 1.1.6
    # leaves out every node without a link in /dev/char, and any runc a major that /proc/devices does not name. It may
    # say too little, too: `systemctl set-property ... DeviceAllow=` keeps a container that the hook has served.
    policy, entries = systemctl.first(scope, "DevicePolicy"), scope.get("DeviceAllow", [])
    missing = [
        path
        for path, number in numbers.items()
        if not device_rules.systemd_allows(policy, entries, path, number, majors)
    ]
    if missing:
        return False, missing
    return (True if complete else None), []


def _is_unknown_to_systemd(host: Host, container: dict[str, Any], docker: dict[str, Any]) -> bool:
    """Say whether the engine made the group itself: a reload, and since runc 1.0.0 an update, leave it alone (tried).

    The container's own group decides: with live-restore it outlives a change of the engine's cgroup driver (tried).
    """
    if docker["cgroup_driver"] == "cgroupfs":
        return True
    return any(host.exists(f"{base}/docker/{container['id']}") for base in ("/sys/fs/cgroup", "/sys/fs/cgroup/devices"))


def _lacks(rules: list[Any], number: tuple[int, int]) -> bool:
    return not device_rules.oci_allows(rules, *number)


def expected(host: Host, gpu: dict[str, Any], documents: dict[str, list[dict[str, Any]]]) -> tuple[list[str], bool]:
    """Return the host nodes that the container should have, and whether that is all of them."""
    if gpu["via"] == "devices":
        return list(gpu["devices"]), True
    paths: list[str] = []
    complete = True
    for name in gpu["devices"]:
        kind, equals, device = name.rpartition("=")
        if name.startswith("count=") or not equals:
            kind, device = _KIND, name
        nodes = _from_documents(documents.get(kind, []), device)
        complete = complete and nodes is not None
        paths += nodes or []
    if complete:
        return [path for path in dict.fromkeys(paths) if not _OPTIONAL.fullmatch(path)], True
    if gpu["devices"] == ["all"]:
        # jit-cdi and the hook need no specification file: "all" is what is in /dev
        cards = [f"/dev/{name}" for name in host.names("/dev") if re.fullmatch(r"nvidia\d+", name)]
        return [*_ALWAYS, *cards], bool(cards)
    return list(dict.fromkeys([*paths, *_ALWAYS])), False


def _from_documents(documents: list[dict[str, Any]], device: str) -> list[str] | None:
    # of two specifications with the same device the later directory wins
    for document in reversed(documents):
        nodes = cdi.nodes_of(document, [device])
        if nodes is not None:
            return nodes
    return None


def _number(host: Host, path: str) -> tuple[int, int] | None:
    try:
        status = host.stat(path)
    except OSError:
        return None
    return (os.major(status.st_rdev), os.minor(status.st_rdev)) if stat.S_ISCHR(status.st_mode) else None


def _oci_rules(host: Host, container_id: str) -> list[Any] | None:
    for folder in _BUNDLES:
        path = f"{folder}/{container_id}/config.json"
        if host.exists(path):
            try:
                rules = json.loads(host.read(path))["linux"]["resources"]["devices"]
            except (OSError, ValueError, KeyError, TypeError):
                return None
            return rules if isinstance(rules, list) else None
    return None
