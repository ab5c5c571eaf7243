# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts for these tests: what gpu_facts says of one that has everything, with parts that differ."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps import files, steps

SNAPSHOTS = Path(__file__).resolve().parents[4] / "fixtures" / "snapshots"
SCOPE = "docker-{}.scope"
Snapshot = dict[str, Any]
READY: Snapshot = json.loads((SNAPSHOTS / "sandbox_ready.json").read_text(encoding="utf-8"))


def machine(**parts: Any) -> Snapshot:
    """The ready host; docker__version=... sets docker.version."""
    data = copy.deepcopy(READY)
    data["kernel"] |= {"cmdline": "ro quiet", "cmdline_next": "ro quiet"}
    for name, value in parts.items():
        *folders, last = name.split("__")
        place = data
        for folder in folders:
            place = place[folder]
        place[last] = value
    return data


def container(name: str = "train", **gpu: Any) -> dict[str, Any]:
    """A running container that the hook has served, and that loses its GPU."""
    said = {"requested": True, "via": "hook", "devices": ["all"], "rules_ok": False, "missing": ["/dev/nvidia0"]}
    plain = {"id": hashlib.sha256(name.encode()).hexdigest(), "name": name, "state": "running", "privileged": False}
    return {**plain, "labels": {}, "gpu": {**said, **gpu}}


def composed(name: str = "train", **labels: str) -> dict[str, Any]:
    """The same, made by Compose."""
    said = {"project": "lab", "service": "job", "project.working_dir": "/srv/my lab", **labels}
    return {**container(name), "labels": {f"com.docker.compose.{key}": value for key, value in said.items()}}


def with_containers(*found: dict[str, Any], **parts: Any) -> Snapshot:
    return machine(docker__containers=list(found), **parts)


def with_choices(data: Snapshot, *choices: str) -> Snapshot:
    """The host after a run that has noted these choices."""
    done = copy.deepcopy(data)
    for file in files.wanted(choices):
        digest = hashlib.sha256(file["content"].encode()).hexdigest()
        done["files"][file["path"]] = {"sha256": digest, "mode": file["mode"], "uid": 0, "gid": 0, "size": 1}
    if choices:
        done["files"][files.NOTE] |= {"as_written": True, "stamp": files.stamp(choices)}
    return done


def ask(data: Snapshot, **inputs: Any) -> dict[str, Any]:
    return steps.steps(data, inputs)
