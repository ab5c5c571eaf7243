# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engines learn of the runtime, what waits for the CDI specification at boot, and whether that is fresh."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import data

ENGINES = ("docker", "containerd", "crio", "podman")
INPUT = "nvidia_container_toolkit_engines"
DOCKER_ORDER = "/etc/systemd/system/docker.service.d/10-gpuready-cdi.conf"
REFRESH_ORDER = "/etc/systemd/system/nvidia-cdi-refresh.service.d/10-gpuready.conf"
SPEC = "/var/run/cdi/nvidia.yaml"
_OURS = "# Managed by gpuready.bootstrap.nvidia_container_toolkit\n"

_LIMIT = "# A hung driver must not keep the engines from starting\n[Service]\nTimeoutStartSec=90s\n"

File = dict[str, str]


def engines(wish: Any, facts: Mapping[str, Any]) -> list[str]:
    """Raises ValueError for a wish that cannot be meant. Where no engine is there, Docker is believed to come."""
    if wish not in ("auto", ["auto"]):
        names = wish if isinstance(wish, list) else [name.strip() for name in str(wish).split(",") if name.strip()]
        unknown = [name for name in names if name not in ENGINES]
        if unknown:
            raise ValueError(f"{INPUT}: {unknown[0]!r} is none of auto, {', '.join(ENGINES)}")
        return [name for name in ENGINES if name in names]
    installed = facts["packages"]["installed"]
    # containerd serves Docker, too, with a CRI plugin that nobody asks: only a kubelet says that it is used
    there = {
        "docker": bool(facts["docker"]["present"]),
        "containerd": "kubelet" in installed and _unit(facts, "containerd.service").get("load") == "loaded",
        "crio": "cri-o" in installed,
        "podman": "podman" in installed,
    }
    return [name for name in ENGINES if there[name]] or ["docker"]


def _unit(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = (facts.get("services") or {}).get(name)
    return found if isinstance(found, Mapping) else {}


def order_files(names: Sequence[str], version: str) -> list[File]:
    """/var/run/cdi is empty after each boot: what restarts containers then must wait for the refresh, at most 90 s."""
    table = data.load("toolkit_setup")
    if version.partition("-")[0] in table["refresh_after_all"]:
        return []
    units = " ".join(table["boot_units"])
    refresh = f"[Unit]\nBefore={units}\n\n{_LIMIT}"
    files = [_file(REFRESH_ORDER, refresh)]
    if "docker" in names:
        unit = "nvidia-cdi-refresh.service"
        files.append(_file(DOCKER_ORDER, f"[Unit]\nWants={unit}\nAfter={unit}\n"))
    return files


def _file(path: str, content: str) -> File:
    return {"path": path, "content": _OURS + content, "mode": "0644"}


def files_right(files: Sequence[File], facts: Mapping[str, Any]) -> bool:
    """Whether each file is as wanted, and none of ours is there that is not wanted."""
    there: Mapping[str, Any] = facts["files"]
    left = [
        path for path in (DOCKER_ORDER, REFRESH_ORDER) if path in there and path not in [one["path"] for one in files]
    ]
    return not left and all(_right(file, there.get(file["path"]) or {}) for file in files)


def _right(file: File, found: Mapping[str, Any]) -> bool:
    digest = hashlib.sha256(file["content"].encode()).hexdigest()
    return (found.get("sha256"), found.get("mode"), found.get("uid")) == (digest, file["mode"], 0)


def refresh_right(facts: Mapping[str, Any]) -> bool:
    path, service = (_unit(facts, name) for name in data.load("toolkit_setup")["refresh"])
    return path.get("active") == "active" and path.get("enabled") == service.get("enabled") == "enabled"


def cdi_right(facts: Mapping[str, Any]) -> bool:
    """Whether the specification fits the driver that is loaded.

    One in /etc/cdi may be the only one (the refresh can be told to write there); beside a fresh one in /var/run/cdi,
    which the engines prefer, it does no harm.
    """
    module = facts["driver"]["module"]
    if not module["loaded"]:
        return True
    specs = [spec for spec in facts["cdi"]["specs"] if spec["kind"] == "nvidia.com/gpu"]
    judged = [spec for spec in specs if spec.get("path") == SPEC] or specs
    return any(_fresh(spec, module["version"]) for spec in judged)


def _fresh(spec: Mapping[str, Any], version: Any) -> bool:
    return not spec["missing_paths"] and spec["driver_version"] in (None, version)
