# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container checks, in the order of the report. A check that is not listed here does not run."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.container import (
    cdi,
    docker,
    nvml,
    toolkit,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Check,
    CheckFunction,
    Severity,
    Stage,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

BLOCKER, MAJOR, MINOR, INFO = Severity.BLOCKER, Severity.MAJOR, Severity.MINOR, Severity.INFO
_DOCKER = ("CTR-DOCKER",)
_TOOLKIT = ("CTR-TOOLKIT",)


def _engine(name: str, severity: Severity, title: Text, function: CheckFunction, after: tuple[str, ...] = ()) -> Check:
    return Check(name, Stage.CONTAINER, severity, title, function, after, host_only=True)


def _gpu(name: str, severity: Severity, title: Text, function: CheckFunction, after: tuple[str, ...] = ()) -> Check:
    return Check(name, Stage.CONTAINER, severity, title, function, after, gpu=True, host_only=True)


CHECKS: tuple[Check, ...] = (
    _engine("CTR-DOCKER", BLOCKER, say("Docker daemon"), docker.docker_answers, ("CTR-DAEMON-JSON",)),
    _engine("CTR-DOCKER-VER", MAJOR, say("Docker version"), docker.docker_version, _DOCKER),
    _engine("CTR-DAEMON-JSON", BLOCKER, say("daemon.json"), docker.daemon_json),
    _engine("CTR-RESTART", MINOR, say("Docker runs its settings"), docker.daemon_is_current, _DOCKER),
    _engine("CTR-COMPOSE", MAJOR, say("Docker Compose"), docker.compose_version, _DOCKER),
    _engine("CTR-STORAGE", MAJOR, say("Docker's storage"), docker.storage, ("PRE-DISK", *_DOCKER)),
    _engine("CTR-REGISTRY", MAJOR, say("Image registry"), docker.registry, ("PRE-NET-DOCKER", *_DOCKER)),
    _engine("CTR-SECURITY", INFO, say("SELinux and AppArmor"), docker.security, ("PRE-SELINUX", *_DOCKER)),
    _gpu("CTR-TOOLKIT", BLOCKER, say("Container toolkit"), toolkit.toolkit_installed),
    _gpu("CTR-TOOLKIT-CVE", MAJOR, say("Toolkit has the fixes"), toolkit.toolkit_safe, _TOOLKIT),
    _gpu("CTR-RUNTIME", MAJOR, say("Runtime nvidia"), toolkit.runtime_registered, (*_DOCKER, *_TOOLKIT)),
    _gpu("CTR-NO-CGROUPS", MAJOR, say("Device cgroup"), toolkit.device_cgroups, _TOOLKIT),
    _gpu("CTR-MODE", MINOR, say("Runtime mode"), toolkit.runtime_mode, _TOOLKIT),
    _gpu("CTR-CDI-SPEC", MAJOR, say("CDI file"), cdi.cdi_spec, (*_TOOLKIT, "DRV-MODULE")),
    _gpu("CTR-CDI-FRESH", MAJOR, say("CDI file is fresh"), cdi.cdi_fresh, ("CTR-CDI-SPEC",)),
    _gpu("CTR-CDI-REFRESH", MINOR, say("CDI file is kept fresh"), cdi.cdi_refresh, _TOOLKIT),
    _gpu("CTR-CDI-ENGINE", MAJOR, say("CDI in Docker"), cdi.cdi_in_engine, (*_DOCKER, "CTR-DOCKER-VER")),
    _gpu("CTR-RUNC", MINOR, say("Device rules in runc"), nvml.runc_keeps_rules, _DOCKER),
    _gpu("CTR-NVML-LOST", BLOCKER, say("Containers have the GPU"), nvml.lost_gpu, (*_DOCKER, "DRV-SMI")),
    # the rules are compared with the host's device nodes
    _gpu("CTR-NVML-SURVIVE", MAJOR, say("Containers keep the GPU"), nvml.keeps_gpu, (*_DOCKER, "DRV-DEVNODES")),
    _gpu(
        "CTR-SMOKE",
        BLOCKER,
        say("A new container gets the GPU"),
        nvml.smoke,
        (*_DOCKER, *_TOOLKIT, "DRV-CUINIT", "CTR-CDI-FRESH", "CTR-CDI-ENGINE", "CTR-RUNTIME", "CTR-NO-CGROUPS"),
    ),
)
