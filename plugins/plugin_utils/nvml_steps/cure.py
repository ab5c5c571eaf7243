# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How containers get their GPUs on this machine, so that runc and systemd know the devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps.machine import Machine, at_least
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

# Docker reads CDI files from here on, behind a switch of daemon.json (moby, features.cdi) ...
CDI_SINCE = "25"
# ... and without it from here on (its documentation; the code says 28.2)
CDI_DEFAULT = "28.3"
# From here on the runtime's mode auto writes device rules itself (jit-cdi; toolkit, internal/info/auto.go)
JIT_SINCE = "1.18"
_NO_CGROUPS, _MODE = "nvidia-container-cli.no-cgroups", "nvidia-container-runtime.mode"
# Modes that write the devices into the OCI specification
_GOOD_MODES = ("auto", "cdi", "jit-cdi")
CDI: Mapping[str, Any] = {"features": {"cdi": True}}
RUNTIME: Mapping[str, Any] = {"path": "nvidia-container-runtime", "args": []}


@dataclass(frozen=True)
class Cure:
    """kind: cdi, runtime, or none where nothing of it is ours to set. settings: keys of daemon.json."""

    kind: str
    advice: Text
    settings: Mapping[str, Any] = field(default_factory=dict)
    right: bool = True
    notes: tuple[Text, ...] = ()


def choose(machine: Machine, daemon_json: Mapping[str, Any]) -> Cure:
    """daemon_json: the section of the facts."""
    if machine.in_container:
        return Cure("none", say("containers belong to the host of this container, not to it"))
    if machine.engine is None or at_least(machine.engine, CDI_SINCE):
        return _cdi(machine, daemon_json)
    return _runtime(machine, daemon_json)


def _cdi(machine: Machine, daemon_json: Mapping[str, Any]) -> Cure:
    features = _data(daemon_json).get("features")
    switch = features.get("cdi") if isinstance(features, Mapping) else None
    # on by default: only a switch that somebody has put to false is in the way, and a restart for nothing is none
    default = at_least(machine.engine, CDI_DEFAULT) and switch is None
    right = daemon_json.get("valid") is not False and (switch is True or default)
    advice = say("give the GPU by --device nvidia.com/gpu=all, in Compose by devices: [nvidia.com/gpu=all]")
    return Cure("cdi", advice, {} if default else CDI, right)


def _runtime(machine: Machine, daemon_json: Mapping[str, Any]) -> Cure:
    registered = _data(daemon_json).get("runtimes")
    known = registered.get("nvidia") if isinstance(registered, Mapping) else None
    # without the toolkit there is no such program, and Docker would refuse each container that asks for it
    wanted = machine.toolkit and (known is not None or "nvidia" not in machine.runtimes)
    settings = {"runtimes": {"nvidia": RUNTIME if known is None else known}} if wanted else {}
    advice = say(
        "give the GPU by --runtime nvidia -e NVIDIA_VISIBLE_DEVICES=all, in Compose by runtime: nvidia and that"
        " variable"
    )
    return Cure("runtime", advice, settings, known is not None or not wanted, tuple(_old_toolkit(machine)))


def _old_toolkit(machine: Machine) -> list[Text]:
    if not machine.toolkit or machine.toolkit_version is None or at_least(machine.toolkit_version, JIT_SINCE):
        return []
    return [
        say(
            "toolkit {version} uses the legacy hook also for runtime: nvidia, and Docker {engine} knows no CDI: install"
            " toolkit {floor} or newer (role nvidia_container_toolkit)",
            version=machine.toolkit_version,
            engine=machine.engine,
            floor=JIT_SINCE,
        )
    ]


def _data(daemon_json: Mapping[str, Any]) -> Mapping[str, Any]:
    data = daemon_json.get("data")
    return data if isinstance(data, Mapping) else {}


def toolkit_settings(machine: Machine) -> dict[str, Any]:
    """Keys of config.toml that make the runtime work behind systemd's back, and what they should be."""
    if not machine.toolkit_config or machine.in_container:
        return {}
    wrong: dict[str, Any] = {}
    # a rootless engine cannot write device rules at all: there the key must be true (NVIDIA's install guide)
    if machine.no_cgroups and not machine.rootless:
        wrong[_NO_CGROUPS] = False
    good = (*_GOOD_MODES, "csv") if machine.jetson else _GOOD_MODES
    if (machine.toolkit_mode or "auto") not in good:
        wrong[_MODE] = "auto"
    return wrong


# What the role may ever have set in config.toml, for the way back
TOOLKIT_KEYS: Mapping[str, Any] = {_NO_CGROUPS: False, _MODE: "auto"}
