# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines of all kinds, and memories of measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.steps import steps

SYSTEMS: dict[str, dict[str, Any]] = {
    "noble": {"id": "ubuntu", "version": "24.04", "codename": "noble", "family": "debian", "name": "Ubuntu 24.04"},
    "mantic": {"id": "ubuntu", "version": "23.10", "codename": "mantic", "family": "debian", "name": "Ubuntu 23.10"},
    "trixie": {"id": "debian", "version": "13", "codename": "trixie", "family": "debian", "name": "Debian 13"},
    "mint": {"id": "linuxmint", "version": "22", "codename": "wilma", "family": "debian", "name": "Linux Mint 22"},
    "rocky": {"id": "rocky", "version": "9.6", "codename": None, "family": "rhel", "name": "Rocky Linux 9.6"},
    "alma": {"id": "almalinux", "version": "10.1", "codename": None, "family": "rhel", "name": "AlmaLinux 10.1"},
    "rhel": {"id": "rhel", "version": "9.6", "codename": None, "family": "rhel", "name": "RHEL 9.6"},
}


def machine(system: str, architecture: str | None = "x86_64", **parts: Any) -> dict[str, Any]:
    """A snapshot taken at 2026-11-22 00:00 UTC."""
    return {
        "collected_at": "2026-11-22T00:00:00Z",
        "os": {**SYSTEMS[system], "machine": architecture},
        "mirrors": None,
        **parts,
    }


NOW = 1795305600  # 2026-11-22T00:00:00Z


def measured(
    snapshot: Mapping[str, Any], inputs: Mapping[str, Any], ranked: Mapping[str, Sequence[str]], **changed: Any
) -> dict[str, Any]:
    """The snapshot with a memory in which the sites of each service are ranked so."""
    asked = steps(snapshot, inputs)
    services = {}
    for name, candidates in asked["candidates"].items():
        urls = {one["site"]: one["url"] for one in candidates}
        services[name] = {"site": None, "urls": [urls[site] for site in ranked.get(name, [])], "measured": []}
    memory = {
        "schema": "gpuready.mirrors/1",
        "measured_at": NOW - 60,
        "expires_at": NOW + 3600,
        "key": asked["key"],
        "services": services,
        **changed,
    }
    return {**snapshot, "mirrors": memory}


@pytest.fixture
def host() -> Callable[..., dict[str, Any]]:
    return machine


@pytest.fixture
def remember() -> Callable[..., dict[str, Any]]:
    return measured
