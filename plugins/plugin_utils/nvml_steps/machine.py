# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides the cure, read from one snapshot; None where it could not be measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# Units and packages of what manages control groups besides Docker
_KUBELETS = ("kubelet.service", "k3s.service", "k3s-agent.service", "rke2-server.service", "rke2-agent.service")
# names that cri-dockerd gives to the containers of pods
_POD = "k8s_"


@dataclass(frozen=True)
class Machine:
    """One host. Versions are as their programs print them."""

    in_container: bool = False
    wsl: bool = False
    jetson: bool = False
    systemd: int | None = None
    cgroup: str | None = None
    engine: str | None = None
    desktop: bool = False
    snap: bool = False
    rootless: bool = False
    cgroup_driver: str | None = None
    runc: str | None = None
    driver: str | None = None
    runtimes: tuple[str, ...] = ()
    toolkit: bool = False
    toolkit_version: str | None = None
    toolkit_config: bool = False
    toolkit_mode: str | None = None
    no_cgroups: bool = False
    kubelet: bool = False
    restart_pending: bool = False
    cmdline: str | None = None
    cmdline_next: str | None = None


def read(facts: View) -> Machine:
    docker, toolkit = section(facts, "docker"), section(facts, "toolkit")
    return Machine(
        in_container=facts.text_or_none("scope") == "container",
        wsl=facts.is_true("virt.wsl"),
        jetson=facts.is_true("virt.jetson"),
        systemd=facts.integer_or_none("os.systemd.version"),
        cgroup=facts.text_or_none("os.cgroup"),
        engine=facts.text_or_none("docker.version"),
        desktop=facts.is_true("docker.desktop"),
        snap=facts.is_true("docker.snap"),
        rootless=facts.is_true("docker.rootless"),
        cgroup_driver=facts.text_or_none("docker.cgroup_driver"),
        runc=facts.text_or_none("docker.runc_version"),
        driver=facts.text_or_none("driver.module.version") or facts.text_or_none("driver.libraries.nvidia_ml"),
        runtimes=tuple(sorted(docker.get("runtimes") or {})),
        toolkit=facts.is_true("toolkit.present"),
        toolkit_version=facts.text_or_none("toolkit.version"),
        toolkit_config=facts.is_true("toolkit.config_present"),
        toolkit_mode=facts.text_or_none("toolkit.mode"),
        no_cgroups=toolkit.get("no_cgroups") is True,
        kubelet=_kubelet(facts),
        restart_pending=facts.is_true("docker.restart_pending"),
        cmdline=facts.text_or_none("kernel.cmdline"),
        cmdline_next=facts.text_or_none("kernel.cmdline_next"),
    )


def section(facts: View, path: str) -> Mapping[str, Any]:
    """A part of the facts as it is; empty where it was not read."""
    try:
        return facts.mapping(path)
    except UnmeasuredError:
        return {}


def at_least(version: str | None, floor: str) -> bool:
    """Whether a version is known and not older than another one."""
    try:
        return version is not None and version_at_least(version, floor)
    except UnmeasuredError:
        return False


def _kubelet(facts: View) -> bool:
    units = section(facts, "services")
    known = any((units.get(name) or {}).get("load") == "loaded" for name in _KUBELETS)
    installed = section(facts, "packages").get("installed") or {}
    containers = section(facts, "docker").get("containers") or []
    return known or "kubelet" in installed or any(str(one.get("name")).startswith(_POD) for one in containers)
