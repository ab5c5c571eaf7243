# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CDI specifications: which devices exist, and which device nodes each of them brings into a container."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import yaml_lite
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import json_object

_DRIVER = re.compile(r"/lib(?:cuda|nvidia-ml)\.so\.(\d{3,}\.\d+(?:\.\d+)?)$")


def load(text: str, path: str) -> dict[str, Any]:
    """Parse a specification file, JSON or YAML by its name as the CDI library does."""
    document = json_object(text) if path.endswith(".json") else yaml_lite.parse(text)
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise ValueError("no CDI specification: the key 'kind' is missing")
    return document


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _edits(holder: Any) -> dict[str, Any]:
    edits = holder.get("containerEdits") if isinstance(holder, dict) else None
    return edits if isinstance(edits, dict) else {}


def _nodes(holder: Any) -> list[dict[str, Any]]:
    nodes = []
    for node in _dicts(_edits(holder).get("deviceNodes")):
        if isinstance(node.get("path"), str):
            host_path = node.get("hostPath")
            # left out: the node has the same path on the host
            nodes.append({"path": node["path"], "host_path": host_path if isinstance(host_path, str) else None})
    return nodes


def nodes_of(document: dict[str, Any], names: list[str]) -> list[str] | None:
    """Return the host paths of the nodes that the named devices bring; None if a name is not in the document."""
    devices = {str(device.get("name")): device for device in _dicts(document.get("devices"))}
    paths = [node["host_path"] or node["path"] for node in _nodes(document)]
    for name in names:
        if name not in devices:
            return None
        paths += [node["host_path"] or node["path"] for node in _nodes(devices[name])]
    return list(dict.fromkeys(paths))


def summary(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Return what the snapshot says of a specification; `missing_paths` is left to the caller, who can look."""
    holders = [document, *_dicts(document.get("devices"))]
    nodes = {node["path"]: node for holder in holders for node in _nodes(holder)}
    return {
        "path": path,
        "kind": document["kind"],
        "cdi_version": None if document.get("cdiVersion") is None else str(document["cdiVersion"]),
        "devices": [str(device.get("name")) for device in holders[1:] if device.get("name") is not None],
        "device_nodes": list(nodes.values()),
        "missing_paths": [],
        "driver_version": _driver_version(holders),
    }


def host_paths(document: dict[str, Any]) -> list[str]:
    """Return every path that the specification expects on the host: device nodes and mounts."""
    paths: list[str] = []
    for holder in [document, *_dicts(document.get("devices"))]:
        paths += [node["host_path"] or node["path"] for node in _nodes(holder)]
        mounts = _dicts(_edits(holder).get("mounts"))
        paths += [mount["hostPath"] for mount in mounts if isinstance(mount.get("hostPath"), str)]
    return list(dict.fromkeys(paths))


def _driver_version(holders: list[Any]) -> str | None:
    for holder in holders:
        for mount in _dicts(_edits(holder).get("mounts")):
            match = _DRIVER.search(str(mount.get("hostPath")))
            if match:
                return match.group(1)
    return None
