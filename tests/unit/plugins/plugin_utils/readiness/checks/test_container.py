# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

DROP = "<dropped>"
BARE = {"base": "bare_host"}
RENTED = {"base": "rented_container"}
TIMED_OUT = {"compose": {"status": "timeout", "ms": 20000, "rc": None, "source": "docker compose", "error": "late"}}
GPU = "docker.containers.0.gpu"
NO_CONTAINER: dict[str, Any] = {"docker.containers": []}
SECOND_SPEC = {
    "path": "/etc/cdi/nvidia.yaml",
    "kind": "nvidia.com/gpu",
    "cdi_version": "0.5.0",
    "devices": ["0"],
    "device_nodes": [],
    "missing_paths": [],
    "driver_version": "580.159.03",
}

CASES: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
    ("CTR-DOCKER", "pass", "29.2.1", {}, {}),
    ("CTR-DOCKER", "fail", "not installed", {}, BARE),
    ("CTR-DOCKER", "fail", "connection refused", {"docker.reachable": False, "docker.error": "connection refused"}, {}),
    ("CTR-DOCKER", "skip", "container", {}, RENTED),
    ("CTR-DOCKER", "unknown", "docker.present", {"docker": None}, {}),
    ("CTR-DOCKER-VER", "pass", "29.2.1", {}, {}),
    ("CTR-DOCKER-VER", "pass", "26.1.5+dfsg1", {"docker.version": "26.1.5+dfsg1"}, {}),
    ("CTR-DOCKER-VER", "fail", "20.10.24", {"docker.version": "20.10.24+dfsg1"}, {}),
    ("CTR-DOCKER-VER", "skip", "CTR-DOCKER", {}, BARE),
    ("CTR-DOCKER-VER", "unknown", "version", {"docker.version": None}, {}),
    ("CTR-DAEMON-JSON", "pass", "valid", {}, {}),
    ("CTR-DAEMON-JSON", "fail", "line 3", {"daemon_json.valid": False, "daemon_json.error": "line 3: comma"}, {}),
    ("CTR-DAEMON-JSON", "skip", "no daemon.json", {}, BARE),
    ("CTR-DAEMON-JSON", "unknown", "valid", {"daemon_json.valid": None}, {}),
    ("CTR-COMPOSE", "pass", "2.40.3", {}, {}),
    ("CTR-COMPOSE", "fail", "not installed", {"docker.compose_version": None}, {}),
    ("CTR-COMPOSE", "fail", "2.3.3", {"docker.compose_version": "v2.3.3"}, {}),
    ("CTR-COMPOSE", "unknown", "compose_version", {"docker.compose_version": None, "probes": TIMED_OUT}, {}),
    ("CTR-RESTART", "pass", "settings of its file", {}, {}),
    ("CTR-RESTART", "warn", "before the last change", {"docker.restart_pending": True}, {}),
    ("CTR-RESTART", "skip", "CTR-DOCKER", {}, BARE),
    ("CTR-RESTART", "unknown", "restart_pending", {"docker.restart_pending": DROP}, {}),
    ("CTR-COMPOSE", "skip", "CTR-DOCKER", {}, BARE),
    ("CTR-COMPOSE", "unknown", "compose_version", {"docker.compose_version": DROP}, {}),
    ("CTR-TOOLKIT", "pass", "1.20.0", {}, {}),
    ("CTR-TOOLKIT", "pass", "[simulated GPU]", {}, {"base": "sandbox_ready"}),
    ("CTR-TOOLKIT", "fail", "not installed", {}, BARE),
    ("CTR-TOOLKIT", "fail", "different versions", {"packages.installed.libnvidia-container1": "1.19.0-1"}, {}),
    ("CTR-TOOLKIT", "skip", "expects no GPU", {}, {"policy": {"expected_gpus": 0}}),
    ("CTR-TOOLKIT", "unknown", "installed", {"packages": None}, {}),
    ("CTR-TOOLKIT-CVE", "pass", "1.20.0", {}, {}),
    ("CTR-TOOLKIT-CVE", "pass", "1.19.1", {"toolkit.version": "1.19.1"}, {}),
    ("CTR-TOOLKIT-CVE", "fail", "CVE", {"toolkit.version": "1.19.0"}, {}),
    ("CTR-TOOLKIT-CVE", "skip", "CTR-TOOLKIT", {}, BARE),
    ("CTR-TOOLKIT-CVE", "unknown", "version", {"toolkit.version": None}, {}),
    ("CTR-RUNTIME", "pass", "registered", {}, {}),
    ("CTR-RUNTIME", "fail", "not registered", {"docker.runtimes": {"runc": "runc"}}, {}),
    ("CTR-RUNTIME", "skip", "CTR-DOCKER", {}, BARE),
    ("CTR-RUNTIME", "unknown", "runtimes", {"docker.runtimes": None}, {}),
    ("CTR-NO-CGROUPS", "pass", "false", {}, {}),
    ("CTR-NO-CGROUPS", "fail", "no access", {"toolkit.no_cgroups": True}, {}),
    (
        "CTR-NO-CGROUPS",
        "pass",
        "rootless",
        {"toolkit.no_cgroups": True, "docker.security_options": ["name=rootless"]},
        {},
    ),
    ("CTR-NO-CGROUPS", "skip", "defaults", {"toolkit.config_present": False}, {}),
    ("CTR-NO-CGROUPS", "unknown", "no_cgroups", {"toolkit.no_cgroups": None}, {}),
    ("CTR-MODE", "pass", "auto", {}, {}),
    ("CTR-MODE", "warn", "legacy", {"toolkit.mode": "legacy"}, {}),
    ("CTR-MODE", "skip", "defaults", {"toolkit.config_present": False}, {}),
    ("CTR-MODE", "unknown", "mode", {"toolkit.mode": None}, {}),
    ("CTR-CDI-SPEC", "pass", "0, 1, all", {}, {}),
    ("CTR-CDI-SPEC", "fail", "no CDI file", {"cdi.specs": []}, {}),
    ("CTR-CDI-SPEC", "fail", "no device 'all'", {"cdi.specs.0.devices": ["0", "1"]}, {}),
    (
        "CTR-CDI-SPEC",
        "fail",
        "differently",
        {"cdi.specs": [SECOND_SPEC, {**SECOND_SPEC, "path": "x", "devices": ["all"]}]},
        {},
    ),
    ("CTR-CDI-SPEC", "skip", "CTR-TOOLKIT", {}, {"base": "bare_host", "stages": ["container"]}),
    ("CTR-CDI-SPEC", "unknown", "specs", {"cdi": None}, {}),
    ("CTR-CDI-FRESH", "pass", "fits", {}, {}),
    ("CTR-CDI-FRESH", "pass", "fits", {}, {"base": "sandbox_ready"}),
    ("CTR-CDI-FRESH", "fail", "driver 570", {"cdi.specs.0.driver_version": "570.1"}, {}),
    ("CTR-CDI-FRESH", "fail", "gone", {"cdi.specs.0.missing_paths": ["/usr/lib/libcuda.so.1"]}, {}),
    ("CTR-CDI-FRESH", "fail", "gone", {"cdi.specs.0.missing_paths": ["/dev/nvidia0"]}, {"base": "sandbox_ready"}),
    ("CTR-CDI-FRESH", "skip", "CTR-CDI-SPEC", {"cdi.specs": []}, {}),
    ("CTR-CDI-FRESH", "unknown", "driver_version", {"cdi.specs.0.driver_version": None}, {}),
    ("CTR-CDI-ENGINE", "pass", "/etc/cdi", {}, {}),
    ("CTR-CDI-ENGINE", "fail", "does not read", {"docker.cdi_spec_dirs": []}, {}),
    ("CTR-CDI-ENGINE", "skip", "policy", {"docker.cdi_spec_dirs": []}, {"policy": {"cdi_required": False}}),
    ("CTR-CDI-ENGINE", "unknown", "cdi_spec_dirs", {"docker.cdi_spec_dirs": None}, {}),
    ("CTR-NVML-SURVIVE", "pass", "dev", {}, {}),
    ("CTR-NVML-SURVIVE", "fail", "legacy hook", {f"{GPU}.via": "hook", f"{GPU}.rules_ok": True}, {}),
    (
        "CTR-NVML-SURVIVE",
        "fail",
        "/dev/nvidiactl",
        {f"{GPU}.rules_ok": False, f"{GPU}.missing": ["/dev/nvidiactl"]},
        {},
    ),
    ("CTR-NVML-SURVIVE", "unknown", "not known", {f"{GPU}.rules_ok": None}, {}),
    ("CTR-NVML-SURVIVE", "unknown", "requested", {GPU: None}, {}),
    ("CTR-NVML-SURVIVE", "unknown", "containers", {"docker.containers": None}, {}),
    ("CTR-NVML-SURVIVE", "pass", "through CDI", NO_CONTAINER, {}),
    ("CTR-NVML-SURVIVE", "pass", "cgroupfs", {**NO_CONTAINER, "docker.cgroup_driver": "cgroupfs"}, {}),
    ("CTR-NVML-SURVIVE", "warn", "would lose", {**NO_CONTAINER, "docker.cdi_spec_dirs": []}, {}),
    ("CTR-NVML-SURVIVE", "pass", "no container", {"docker.containers.0.state": "exited", f"{GPU}.rules_ok": None}, {}),
    ("CTR-NVML-SURVIVE", "skip", "CTR-DOCKER", {}, BARE),
]


@pytest.mark.parametrize(("check", "status", "says", "changes", "options"), CASES)
def test_container(
    check: str,
    status: str,
    says: str,
    changes: dict[str, Any],
    options: dict[str, Any],
    expect: Callable[..., None],
) -> None:
    expect(check, status, says, changes, options)


def test_a_container_at_risk_comes_with_the_line_that_recreates_it(
    results_of: Callable[..., list[dict[str, Any]]],
) -> None:
    (result,) = results_of("CTR-NVML-SURVIVE", changes={f"{GPU}.rules_ok": False})
    assert result["entity"] == "dev"
    assert (
        "docker compose --project-directory /opt/gpuready/dev up -d --force-recreate dev" in result["remedy"]["command"]
    )
    (foreign,) = results_of("CTR-NVML-SURVIVE", changes={f"{GPU}.rules_ok": False, "docker.containers.0.labels": {}})
    assert foreign["remedy"]["command"].endswith("-a 'docker stop dev'")


def test_one_container_that_cannot_be_judged_does_not_hide_another(
    snapshot: Callable[..., dict[str, Any]], results_of: Callable[..., list[dict[str, Any]]]
) -> None:
    first = snapshot()["docker"]["containers"][0]
    blind = {**first, "name": "blind", "gpu": {**first["gpu"], "via": DROP, "rules_ok": None}}
    broken = {**first, "name": "broken", "gpu": {**first["gpu"], "rules_ok": False}}
    found = results_of("CTR-NVML-SURVIVE", changes={"docker.containers": [blind, broken, first]})
    assert [(r["entity"], r["status"]) for r in found] == [("blind", "unknown"), ("broken", "fail")]
