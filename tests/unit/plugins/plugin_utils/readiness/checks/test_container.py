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

UNKNOWN_ERROR = "Failed to initialize NVML: Unknown Error"
BLOCKED = "Failed to initialize NVML: GPU access blocked by the operating system"
PROBE, SERVICES, ENDPOINTS = "docker.containers.0.probe", "services", "network.endpoints"
RUNC, SYSTEMD, SMOKE, VERSION = "docker.runc_version", "os.systemd.version", "docker.smoke", "cdi.specs.0.cdi_version"
OPTIONS = "docker.security_options"
CONTAINER_ONLY = {"stages": ["container"]}
OLD_DOCKER = {"docker.version": "25.0.5", "docker.discovered_devices": None}


def endpoint(status: str | None, name: str = "mirror", http_status: int | None = None) -> dict[str, Any]:
    error = "refused" if status == "failed" else None
    url = f"https://{name}.example.com/v2/"
    return {"kind": "registry", "name": name, "url": url, "status": status, "http_status": http_status, "error": error}


def units(load: str = "loaded", active: str = "active", enabled: str = "enabled") -> dict[str, Any]:
    names = ("nvidia-cdi-refresh.path", "nvidia-cdi-refresh.service")
    return {name: {"load": load, "active": active, "sub": "x", "enabled": enabled} for name in names}


def smoke(rc: int | None, count: int | None, message: str | None = None) -> dict[str, Any]:
    return {"image": "debian:13", "request": "nvidia.com/gpu=all", "rc": rc, "count": count, "message": message}


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
    ("CTR-NVML-SURVIVE", "fail", "legacy hook", {f"{GPU}.via": "hook", f"{GPU}.rules_ok": None}, {}),
    ("CTR-NVML-SURVIVE", "fail", "legacy hook", {f"{GPU}.via": "hook", f"{GPU}.rules_ok": False}, {}),
    ("CTR-NVML-SURVIVE", "warn", "started again", {f"{GPU}.via": "hook", f"{GPU}.rules_ok": True}, {}),
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
    ("CTR-NVML-SURVIVE", "pass", "would keep it", NO_CONTAINER, {}),
    ("CTR-NVML-SURVIVE", "warn", "would lose", {**NO_CONTAINER, "docker.version": "28.5.2"}, {}),
    ("CTR-NVML-SURVIVE", "skip", "no CDI file", {**NO_CONTAINER, "cdi.specs": []}, {}),
    ("CTR-NVML-SURVIVE", "skip", "privileged", {"docker.containers.0.privileged": True, f"{GPU}.rules_ok": False}, {}),
    (
        "CTR-NVML-SURVIVE",
        "pass",
        "cgroupfs",
        {"docker.cgroup_driver": "cgroupfs", f"{GPU}.rules_ok": True},
        {},
    ),
    (
        # started before the driver was changed: it is still in a unit of systemd
        "CTR-NVML-SURVIVE",
        "fail",
        "loses the GPU",
        {"docker.cgroup_driver": "cgroupfs", f"{GPU}.rules_ok": False},
        {},
    ),
    ("CTR-NVML-SURVIVE", "pass", "cgroupfs", {**NO_CONTAINER, "docker.cgroup_driver": "cgroupfs"}, {}),
    ("CTR-NVML-SURVIVE", "skip", "does not read CDI", {**NO_CONTAINER, "docker.cdi_spec_dirs": []}, {}),
    (
        "CTR-NVML-SURVIVE",
        "warn",
        "would lose",
        {**NO_CONTAINER, "docker.cdi_spec_dirs": []},
        {"policy": {"cdi_required": False}},
    ),
    ("CTR-NVML-SURVIVE", "pass", "no container", {"docker.containers.0.state": "exited", f"{GPU}.rules_ok": None}, {}),
    ("CTR-NVML-SURVIVE", "skip", "CTR-DOCKER", {}, BARE),
    ("CTR-NVML-LOST", "pass", "dev", {}, {}),
    ("CTR-NVML-LOST", "fail", "Unknown Error", {PROBE: {"rc": 255, "count": None, "message": UNKNOWN_ERROR}}, {}),
    ("CTR-NVML-LOST", "fail", "blocked", {PROBE: {"rc": 17, "count": None, "message": BLOCKED}}, {}),
    ("CTR-NVML-LOST", "skip", "another reason", {PROBE: {"rc": 127, "count": None, "message": "no nvidia-smi"}}, {}),
    ("CTR-NVML-LOST", "unknown", "in time", {PROBE: {"rc": None, "count": None, "message": "not in time"}}, {}),
    ("CTR-NVML-LOST", "unknown", "exit status 255", {PROBE: {"rc": 255, "count": None, "message": None}}, {}),
    ("CTR-NVML-LOST", "fail", "has lost", {PROBE: {"rc": 17, "count": None, "message": None}}, {}),
    ("CTR-NVML-LOST", "skip", "not asked", {PROBE: None}, {}),
    ("CTR-NVML-LOST", "skip", "no running container", NO_CONTAINER, {}),
    ("CTR-NVML-LOST", "unknown", "probe", {PROBE: DROP}, {}),
    ("CTR-STORAGE", "pass", "overlay2", {}, {}),
    ("CTR-STORAGE", "pass", "overlayfs", {"docker.storage_driver": "overlayfs"}, {}),
    ("CTR-STORAGE", "fail", "vfs", {"docker.storage_driver": "vfs"}, {}),
    ("CTR-STORAGE", "fail", "nfs4", {"storage.fs.0.type": "nfs4"}, {}),
    ("CTR-STORAGE", "fail", "fuse.sshfs", {"storage.fs.0.type": "fuse.sshfs"}, {}),
    ("CTR-STORAGE", "warn", "may not fit", {"storage.fs.0.free_mib": 3000}, CONTAINER_ONLY),
    ("CTR-STORAGE", "fail", "may not fit", {"storage.fs.0.free_mib": 100}, CONTAINER_ONLY),
    ("CTR-STORAGE", "skip", "CTR-DOCKER", {}, BARE),
    ("CTR-STORAGE", "unknown", "which filesystem", {"storage.fs": []}, CONTAINER_ONLY),
    ("CTR-STORAGE", "unknown", "root_dir", {"docker.root_dir": None}, {}),
    ("CTR-REGISTRY", "pass", "hub", {ENDPOINTS: [endpoint("failed"), endpoint("ok", name="hub")]}, CONTAINER_ONLY),
    ("CTR-REGISTRY", "pass", "mirror", {ENDPOINTS: [endpoint("failed", http_status=401)]}, CONTAINER_ONLY),
    ("CTR-REGISTRY", "fail", "mirror (refused)", {ENDPOINTS: [endpoint("failed")]}, CONTAINER_ONLY),
    ("CTR-REGISTRY", "skip", "asked for", {}, {}),
    ("CTR-REGISTRY", "unknown", "could be asked", {ENDPOINTS: [endpoint(None)]}, CONTAINER_ONLY),
    ("CTR-REGISTRY", "unknown", "endpoints", {ENDPOINTS: None}, CONTAINER_ONLY),
    ("CTR-SECURITY", "pass", "seccomp", {}, {}),
    ("CTR-SECURITY", "pass", "no label", {"selinux.enforcing": True}, {}),
    ("CTR-SECURITY", "warn", "refuse them", {"selinux.enforcing": True, OPTIONS: ["name=selinux"]}, {}),
    ("CTR-SECURITY", "skip", "CTR-DOCKER", {}, BARE),
    ("CTR-SECURITY", "unknown", "security_options", {OPTIONS: None}, {}),
    ("CTR-CDI-REFRESH", "pass", "each boot", {}, {}),
    ("CTR-CDI-REFRESH", "warn", "not there", {SERVICES: units(load="not-found", active="inactive")}, {}),
    ("CTR-CDI-REFRESH", "warn", "has failed", {SERVICES: units(active="failed")}, {}),
    ("CTR-CDI-REFRESH", "warn", "next boot", {SERVICES: units(enabled="disabled")}, {}),
    ("CTR-CDI-REFRESH", "skip", "1.18.0", {"toolkit.version": "1.17.8"}, {}),
    ("CTR-CDI-REFRESH", "unknown", "nvidia-cdi-refresh.path", {SERVICES: {}}, {}),
    ("CTR-CDI-ENGINE", "fail", "CDI 0.7.0", OLD_DOCKER, {"policy": {"docker_min": "24.0"}}),
    ("CTR-CDI-ENGINE", "skip", "CTR-DOCKER-VER", OLD_DOCKER, {}),
    ("CTR-CDI-ENGINE", "pass", "/etc/cdi", {**OLD_DOCKER, VERSION: "0.5.0"}, {"policy": {"docker_min": "24.0"}}),
    ("CTR-CDI-ENGINE", "unknown", "CDI 1.5.0", {VERSION: "1.5.0"}, {}),
    ("CTR-CDI-ENGINE", "fail", "has not found", {"docker.discovered_devices": ["vendor.com/nic=0"]}, {}),
    ("CTR-CDI-ENGINE", "unknown", "discovered", {"docker.discovered_devices": None}, {}),
    ("CTR-RUNC", "pass", "1.3.4", {}, {}),
    ("CTR-RUNC", "pass", "this driver makes", {RUNC: "1.1.5"}, {}),
    ("CTR-RUNC", "warn", "runc 1.1.5", {RUNC: "1.1.5", "driver.module.version": "470.256.02"}, CONTAINER_ONLY),
    ("CTR-RUNC", "warn", "systemd 239", {SYSTEMD: 239, "driver.module.version": "470.256.02"}, CONTAINER_ONLY),
    ("CTR-RUNC", "skip", "cgroupfs", {"docker.cgroup_driver": "cgroupfs"}, {}),
    ("CTR-RUNC", "unknown", "runc_version", {RUNC: None}, {}),
    ("CTR-SMOKE", "pass", "all GPUs (2)", {SMOKE: smoke(0, 2)}, {}),
    ("CTR-SMOKE", "fail", "no device", {SMOKE: smoke(125, None, "no device")}, {}),
    ("CTR-SMOKE", "fail", "1 of 2", {SMOKE: smoke(0, 1)}, {}),
    ("CTR-SMOKE", "skip", "asked for", {}, {}),
    ("CTR-SMOKE", "unknown", "smoke.rc", {SMOKE: smoke(None, None)}, {}),
    ("CTR-TOOLKIT-CVE", "fail", "CVE-2025-23266", {"toolkit.version": "1.16.1"}, {}),
    ("CTR-TOOLKIT-CVE", "fail", "older than the policy", {}, {"policy": {"toolkit_min": "1.21.0"}}),
    ("CTR-TOOLKIT-CVE", "warn", "accepts", {"toolkit.version": "1.18.0"}, {"policy": {"toolkit_min": "1.17.8"}}),
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
    # rules that systemd does not keep cannot be added
    at_risk = {f"{GPU}.via": "hook", f"{GPU}.rules_ok": None, "docker.cgroup_version": "1"}
    (result,) = results_of("CTR-NVML-SURVIVE", changes=at_risk)
    assert result["entity"] == "dev"
    assert (
        "docker compose --project-directory /opt/gpuready/dev up -d --force-recreate dev" in result["remedy"]["command"]
    )
    (foreign,) = results_of("CTR-NVML-SURVIVE", changes={**at_risk, "docker.containers.0.labels": {}})
    assert foreign["remedy"]["command"].endswith("-a 'docker stop dev'")


@pytest.mark.parametrize(
    ("changes", "heals"),
    [
        ({}, True),
        ({"docker.rootless": True}, False),
        ({"docker.cgroup_version": "1"}, False),
        ({"docker.cgroup_driver": None}, False),
        # rules that are there cannot be what it lacks
        ({f"{GPU}.rules_ok": True}, False),
    ],
)
def test_a_container_that_lost_its_gpu_is_healed_where_systemd_holds_its_rules(
    results_of: Callable[..., list[dict[str, Any]]], changes: dict[str, Any], heals: bool
) -> None:
    lost = {PROBE: {"rc": 17, "count": None, "message": None}, f"{GPU}.rules_ok": False, **changes}
    (result,) = results_of("CTR-NVML-LOST", changes=lost)
    command = result["remedy"]["command"]
    assert command.startswith("ansible-playbook playbooks/heal_gpu.yml -i ") is heals
    assert ("force-recreate" in command) is not heals


def test_one_container_that_cannot_be_judged_does_not_hide_another(
    snapshot: Callable[..., dict[str, Any]], results_of: Callable[..., list[dict[str, Any]]]
) -> None:
    first = snapshot()["docker"]["containers"][0]
    blind = {**first, "name": "blind", "gpu": {**first["gpu"], "via": DROP, "rules_ok": None}}
    broken = {**first, "name": "broken", "gpu": {**first["gpu"], "rules_ok": False}}
    found = results_of("CTR-NVML-SURVIVE", changes={"docker.containers": [blind, broken, first]})
    assert [(r["entity"], r["status"]) for r in found] == [("blind", "unknown"), ("broken", "fail")]


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("CTR-NVML-SURVIVE", {}),
        ("CTR-NVML-SURVIVE", {"docker.cgroup_driver": "cgroupfs"}),
        ("CTR-NVML-LOST", {}),
    ],
)
def test_a_container_that_docker_did_not_describe_is_unknown_and_hides_no_other(
    snapshot: Callable[..., dict[str, Any]],
    results_of: Callable[..., list[dict[str, Any]]],
    check: str,
    changes: dict[str, Any],
) -> None:
    """As the listing alone tells of it: whether it has a GPU is null (docker_api.listed_container)."""
    good = snapshot()["docker"]["containers"][0]
    request = {"requested": None, "via": None, "devices": [], "rules_ok": None, "missing": [], "scope": None}
    unread = {**good, "name": "unread", "privileged": None, "probe": None, "gpu": request}
    broken = {**good, "name": "broken", "gpu": {**good["gpu"], "rules_ok": False}}
    broken["probe"] = {"rc": 17, "count": None, "message": None}
    broken["probe"] = broken["probe"] if check == "CTR-NVML-LOST" else good["probe"]
    found = results_of(check, changes={"docker.containers": [unread, broken], **changes})
    assert [(r["entity"], r["status"]) for r in found] == [("unread", "unknown"), ("broken", "fail")]
    (alone,) = results_of(check, changes={"docker.containers": [unread], **changes})
    assert (alone["entity"], alone["status"]) == ("unread", "unknown")
