# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How GPUs are given, over engines, toolkits and what daemon.json says; and what config.toml must not say."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps import cure
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps.machine import Machine

CDI = {"features": {"cdi": True}}
PLAIN = {"runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}}}
THEIRS = {"runtimes": {"nvidia": {"path": "/usr/bin/nvidia-container-runtime", "runtimeArgs": []}}}


def section(data: dict[str, Any], valid: bool | None = True) -> dict[str, Any]:
    return {"present": bool(data), "valid": valid, "data": data}


@pytest.mark.parametrize(
    ("engine", "data", "kind", "settings", "right"),
    [
        # no engine yet: the one that comes will find the switch
        (None, {}, "cdi", CDI, False),
        (None, CDI, "cdi", CDI, True),
        ("25.0.5", {}, "cdi", CDI, False),
        ("26.1.5+dfsg1", {}, "cdi", CDI, False),
        ("26.1.5+dfsg1", CDI, "cdi", CDI, True),
        ("26.1.5", {"features": {"cdi": False}}, "cdi", CDI, False),
        ("26.1.5", {"features": {"buildkit": True}}, "cdi", CDI, False),
        ("26.1.5", {"features": None}, "cdi", CDI, False),
        # on by default: no restart for nothing
        ("28.2.2", {}, "cdi", CDI, False),
        ("28.3.0", {}, "cdi", {}, True),
        ("29.7.2", {}, "cdi", {}, True),
        ("29.7.2", {"features": {"cdi": False}}, "cdi", CDI, False),
        ("29.7.2", CDI, "cdi", CDI, True),
        ("24.0.9", {}, "runtime", PLAIN, False),
        ("20.10.24+dfsg1", {}, "runtime", PLAIN, False),
        ("20.10.24+dfsg1", PLAIN, "runtime", PLAIN, True),
        # the user's own words for it stay
        ("20.10.24+dfsg1", THEIRS, "runtime", THEIRS, True),
    ],
)
def test_the_way_follows_the_engine(
    engine: str | None, data: dict[str, Any], kind: str, settings: dict[str, Any], right: bool
) -> None:
    found = cure.choose(Machine(engine=engine, toolkit=True), section(data))
    assert (found.kind, dict(found.settings), found.right) == (kind, settings, right)


def test_without_a_toolkit_no_runtime_is_registered() -> None:
    found = cure.choose(Machine(engine="20.10.24"), section({}))
    assert (found.kind, dict(found.settings), found.right) == ("runtime", {}, True)


def test_a_runtime_that_a_flag_registers_is_enough() -> None:
    found = cure.choose(Machine(engine="20.10.24", toolkit=True, runtimes=("nvidia", "runc")), section({}))
    assert (dict(found.settings), found.right) == ({}, True)


def test_a_file_that_cannot_be_read_is_not_right() -> None:
    # so that docker_daemon is asked, which names line and column
    assert not cure.choose(Machine(engine="29.7.2"), section({}, valid=False)).right


def test_in_a_container_nothing_is_set() -> None:
    found = cure.choose(Machine(in_container=True, engine="26.1.5"), section({}))
    assert (found.kind, dict(found.settings), found.right) == ("none", {}, True)


@pytest.mark.parametrize(
    ("engine", "toolkit", "told"),
    [
        ("20.10.24", "1.17.8", True),
        ("20.10.24", "1.18.0", False),
        ("20.10.24", "1.20.0", False),
        ("20.10.24", None, False),
        # an engine that knows CDI does not need the runtime
        ("26.1.5", "1.17.8", False),
    ],
)
def test_an_old_toolkit_beside_an_old_engine_is_told(engine: str, toolkit: str | None, told: bool) -> None:
    found = cure.choose(Machine(engine=engine, toolkit=True, toolkit_version=toolkit), section({}))
    assert bool(found.notes) is told
    assert all("1.17.8" in str(note) and "1.18" in str(note) for note in found.notes)


@pytest.mark.parametrize(
    ("mode", "no_cgroups", "more", "wanted"),
    [
        (None, False, {}, {}),
        ("auto", False, {}, {}),
        ("cdi", False, {}, {}),
        ("jit-cdi", False, {}, {}),
        ("legacy", False, {}, {"nvidia-container-runtime.mode": "auto"}),
        ("nonsense", False, {}, {"nvidia-container-runtime.mode": "auto"}),
        ("csv", False, {}, {"nvidia-container-runtime.mode": "auto"}),
        ("csv", False, {"jetson": True}, {}),
        ("auto", True, {}, {"nvidia-container-cli.no-cgroups": False}),
        # the other key is the user's: cdi stays
        ("cdi", True, {}, {"nvidia-container-cli.no-cgroups": False}),
        ("auto", True, {"rootless": True}, {}),
        ("legacy", True, {"rootless": True}, {"nvidia-container-runtime.mode": "auto"}),
        ("legacy", True, {"toolkit_config": False}, {}),
        ("legacy", True, {"in_container": True}, {}),
    ],
)
def test_only_wrong_keys_of_the_toolkit_are_set(
    mode: str | None, no_cgroups: bool, more: dict[str, Any], wanted: dict[str, Any]
) -> None:
    here = Machine(**{"toolkit_config": True, "toolkit_mode": mode, "no_cgroups": no_cgroups, **more})
    assert cure.toolkit_settings(here) == wanted
