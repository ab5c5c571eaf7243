# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight import (
    network,
    packages,
    remedies,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Commands
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Context
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy import make_policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

DROP = "<dropped>"
NO_GPU: dict[str, Any] = {"pci.gpus": []}
SOURCE = {
    "file": "/etc/apt/sources.list.d/docker.list",
    "format": "list",
    "enabled": True,
    "types": ["deb"],
    "uris": ["https://mirror.example.com/ubuntu/"],
    "suites": ["noble"],
    "components": ["main"],
    "signed_by": "/etc/apt/keyrings/other.asc",
}
OTHER_KEY = {**SOURCE, "signed_by": None, "uris": ["https://mirror.example.com/ubuntu"]}
FULL_DISK = {
    "mount": "/",
    "source": "/dev/sda1",
    "type": "ext4",
    "ro": False,
    "size_mib": 9000,
    "free_mib": 100,
    "inodes_free_pct": 50,
}
WAY = {"base": "bare_host"}
CHANGE = {"policy": {"driver_change_planned": True}}
RADEON = {"bdf": "0000:03:00.0", "vendor": "1002", "device": "744c", "class": "030000", "driver": "amdgpu"}
ANSWERS = {
    "kind": "apt",
    "name": "mirror-a",
    "url": "https://mirror.example.com/",
    "status": "ok",
    "http_status": 200,
    "ms": 40,
    "error": None,
    "skew_s": 0.1,
    "released": "2026-11-20T20:00:00Z",
    "valid_until": None,
}


def of_kind(kind: str) -> list[tuple[str, str, str, dict[str, Any], dict[str, Any]]]:
    good, check = {**ANSWERS, "kind": kind}, f"PRE-NET-{kind.upper()}"
    bad = {**good, "name": "mirror-b", "status": "failed", "http_status": 500}
    return [
        (check, "pass", "mirror-a answers, mirror-b does not", {"network.endpoints": [good, bad]}, {}),
        (check, "fail", "mirror-b: HTTP status 500", {"network.endpoints": [bad]}, {}),
        (check, "skip", "no address", {"network.endpoints": []}, {}),
        (check, "unknown", "status", {"network.endpoints": [{**bad, "status": None}]}, {}),
    ]


CASES: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
    ("PRE-OS", "pass", "ubuntu 24.04", {}, {}),
    ("PRE-OS", "pass", "debian 13", {"os.id": "debian", "os.version": "13"}, {}),
    ("PRE-OS", "fail", "ubuntu 20.04", {"os.version": "20.04"}, {}),
    ("PRE-OS", "fail", "fedora 43", {"os.id": "fedora", "os.version": "43", "os.id_like": []}, {}),
    ("PRE-OS", "warn", "relative", {"os.id": "linuxmint", "os.version": "22", "os.id_like": ["ubuntu"]}, {}),
    (
        "PRE-OS",
        "pass",
        "rocky 9.6",
        {"os.id": "rocky", "os.version": "9.6"},
        {"policy": {"os_supported": {"rocky": ["9"]}}},
    ),
    ("PRE-OS", "fail", "arch (rolling)", {"os.id": "arch", "os.version": None, "os.id_like": []}, {}),
    ("PRE-OS", "fail", "ubuntu (rolling)", {"os.version": None}, {}),
    ("PRE-OS", "unknown", "os.id", {"os.id": None}, {}),
    ("PRE-ARCH", "pass", "x86_64", {}, {}),
    ("PRE-ARCH", "fail", "riscv64", {"os.machine": "riscv64"}, {}),
    ("PRE-ARCH", "unknown", "os.machine", {"os": DROP}, {}),
    ("PRE-PRIVILEGE", "pass", "root", {}, {}),
    ("PRE-PRIVILEGE", "fail", "1000", {"collector.euid": 1000}, {}),
    ("PRE-PRIVILEGE", "unknown", "collector.euid", {"collector.euid": True}, {}),
    ("PRE-SCOPE", "pass", "host", {}, {}),
    ("PRE-SCOPE", "fail", "container", {}, {"base": "rented_container"}),
    ("PRE-SCOPE", "fail", "WSL", {"virt.wsl": True}, {}),
    ("PRE-SCOPE", "skip", "rented", {}, {"base": "rented_container", "policy": {"profile": "rented"}}),
    ("PRE-SCOPE", "unknown", "scope", {"scope": None}, {}),
    ("PRE-SYSTEMD", "pass", "running", {}, {}),
    ("PRE-SYSTEMD", "fail", "PID 1", {"os.systemd.running": False}, {}),
    ("PRE-SYSTEMD", "skip", "container", {}, {"base": "rented_container"}),
    ("PRE-SYSTEMD", "unknown", "os.systemd", {"os.systemd": None}, {}),
    ("PRE-CGROUP", "pass", "v2", {}, {}),
    ("PRE-CGROUP", "warn", "v1", {"os.cgroup": "v1"}, {}),
    ("PRE-CGROUP", "unknown", "os.cgroup", {"os.cgroup": None}, {}),
    ("PRE-GPU-PCI", "pass", "0000:01:00.0", {}, {"policy": {"expected_gpus": 2}}),
    ("PRE-GPU-PCI", "fail", "no NVIDIA GPU", NO_GPU, {}),
    ("PRE-GPU-PCI", "fail", "1 GPU on the PCI bus, 8", {"pci.gpus.1": DROP}, {"policy": {"expected_gpus": 8}}),
    ("PRE-GPU-PCI", "fail", "2 GPUs on the PCI bus, 8 expected", {}, {"policy": {"expected_gpus": 8}}),
    ("PRE-GPU-PCI", "skip", "expects no GPU", NO_GPU, {"policy": {"expected_gpus": 0}}),
    ("PRE-GPU-PCI", "unknown", "pci.gpus", {"pci": None}, {}),
    ("PRE-GPU-ALIVE", "pass", "on PCIe: 2", {}, {}),
    ("PRE-GPU-ALIVE", "fail", "0000:41:00.0", {"pci.gpus.1.config_readable": False}, {}),
    ("PRE-GPU-ALIVE", "skip", "no NVIDIA GPU", NO_GPU, {}),
    ("PRE-GPU-ALIVE", "unknown", "config_readable", {"pci.gpus.1.config_readable": None}, {}),
    ("PRE-BOUND-DRIVER", "pass", "NVIDIA driver", {}, {}),
    ("PRE-BOUND-DRIVER", "pass", "no other driver", {"pci.gpus.0.driver": None, "pci.gpus.1.driver": None}, {}),
    ("PRE-BOUND-DRIVER", "fail", "vfio-pci", {"pci.gpus.0.driver": "vfio-pci", "pci.gpus.1.driver": "vfio-pci"}, {}),
    ("PRE-BOUND-DRIVER", "warn", "vfio-pci", {"pci.gpus.0.driver": "vfio-pci"}, {}),
    ("PRE-BOUND-DRIVER", "unknown", "driver", {"pci.gpus.0.driver": DROP}, {}),
    ("PRE-NOUVEAU", "pass", "not loaded and blacklisted", {}, {}),
    ("PRE-NOUVEAU", "warn", "will need a reboot", {}, WAY),
    ("PRE-NOUVEAU", "fail", "keeps the GPU", {"driver.nouveau.loaded": True}, {}),
    ("PRE-NOUVEAU", "warn", "next boot", {"driver.nouveau.blacklisted": False}, {}),
    ("PRE-NOUVEAU", "unknown", "nouveau", {"driver.nouveau": None}, {}),
    ("PRE-SECURE-BOOT", "pass", "off", {}, {}),
    ("PRE-SECURE-BOOT", "pass", "legacy", {"firmware": {"efi": False, "secure_boot": None, "lockdown": None}}, {}),
    ("PRE-SECURE-BOOT", "pass", "accepted", {"firmware.secure_boot": True}, {}),
    ("PRE-SECURE-BOOT", "fail", "unsigned", {"firmware.secure_boot": True}, WAY),
    ("PRE-SECURE-BOOT", "skip", "container", {"firmware.secure_boot": True}, {"base": "rented_container"}),
    ("PRE-SECURE-BOOT", "unknown", "secure_boot", {"firmware.secure_boot": None}, {}),
    ("PRE-RUNFILE", "pass", "no driver", {}, {}),
    ("PRE-RUNFILE", "fail", ".run", {"driver.runfile": True}, {}),
    ("PRE-RUNFILE", "unknown", "runfile", {"driver.runfile": None}, {}),
    ("PRE-HEADERS", "pass", "6.8.0-87-generic", {}, {}),
    ("PRE-HEADERS", "warn", "next driver update", {"kernel.headers": False}, {}),
    ("PRE-HEADERS", "warn", "cannot be built", {"kernel.headers": False}, WAY),
    ("PRE-HEADERS", "fail", "built", {"kernel.headers": False}, {**WAY, "policy": {"headers_missing": "fail"}}),
    ("PRE-HEADERS", "skip", "simulated", {}, {"base": "sandbox_ready"}),
    ("PRE-HEADERS", "unknown", "kernel.headers", {"kernel.headers": None}, {}),
    (
        "PRE-HEADERS",
        "pass",
        "precompiled",
        {"kernel.headers": False, "packages.installed": {"linux-modules-nvidia-580-open-6.8.0-87-generic": "1"}},
        {},
    ),
    ("PRE-REBOOT", "pass", "no reboot", {}, {}),
    (
        "PRE-REBOOT",
        "warn",
        "linux-base",
        {"kernel.reboot_required": True, "kernel.reboot_packages": ["linux-base"]},
        {},
    ),
    ("PRE-REBOOT", "unknown", "reboot_required", {"kernel": None}, {}),
    ("PRE-REBOOT", "unknown", "reboot_required", {"kernel.reboot_required": None}, {}),
    ("PRE-REBOOT", "skip", "dnf", {"kernel.reboot_required": None, "packages.manager": "dnf"}, {}),
    ("PRE-DISK", "pass", "enough", {}, {}),
    ("PRE-DISK", "fail", "/ has 20000 MiB free, 25600", {"storage.fs.0.free_mib": 20000}, WAY),
    ("PRE-DISK", "pass", "enough", {"storage.fs.0.free_mib": 20000}, {}),
    ("PRE-DISK", "fail", "/boot has 10 MiB", {"storage.fs.1.free_mib": 10}, {}),
    ("PRE-FS-RW", "fail", "read-only", {"storage.fs.1.ro": True}, {}),
    ("PRE-DISK", "fail", "inodes", {"storage.fs.0.inodes_free_pct": 1}, {}),
    (
        "PRE-DISK",
        "fail",
        "/data",
        {"docker.root_dir": "/data/docker", "storage.fs.1": {**FULL_DISK, "mount": "/data"}},
        {},
    ),
    ("PRE-DISK", "unknown", "storage.fs", {"storage.fs": []}, {}),
    ("PRE-DISK", "unknown", "storage.fs", {"storage": None}, {}),
    ("PRE-RAM", "pass", "128000", {}, {}),
    ("PRE-RAM", "fail", "4000 MiB", {"memory.total_mib": 4000}, {}),
    ("PRE-RAM", "warn", "GPU memory", {"memory.total_mib": 16000}, {}),
    ("PRE-RAM", "unknown", "memory.total_mib", {"memory": None}, {}),
    ("PRE-PKG-LOCK", "pass", "free", {}, {}),
    (
        "PRE-PKG-LOCK",
        "fail",
        "apt-get, pid 4711",
        {"packages.lock": {"held": True, "pid": 4711, "comm": "apt-get"}},
        WAY,
    ),
    ("PRE-PKG-LOCK", "warn", "pid not known", {"packages.lock": {"held": True, "pid": None, "comm": None}}, {}),
    ("PRE-PKG-LOCK", "unknown", "lock", {"packages.lock": None}, {}),
    ("PRE-PKG-STATE", "pass", "no package", {}, {}),
    ("PRE-PKG-STATE", "fail", "nvidia-dkms", {"packages.broken": ["nvidia-dkms"]}, {}),
    ("PRE-PKG-STATE", "unknown", "broken", {"packages.broken": None}, {}),
    ("PRE-APT-SOURCES", "pass", "no apt source", {}, {}),
    ("PRE-APT-SOURCES", "fail", "docker.list", {"packages.sources": [SOURCE, OTHER_KEY]}, {}),
    ("PRE-APT-SOURCES", "pass", "no apt source", {"packages.sources": [SOURCE, {**OTHER_KEY, "enabled": False}]}, {}),
    ("PRE-APT-SOURCES", "skip", "not an apt", {"packages.manager": "dnf"}, {}),
    ("PRE-APT-SOURCES", "unknown", "sources", {"packages.sources": None}, {}),
    ("PRE-REPOS", "pass", "docker", {}, {}),
    (
        "PRE-REPOS",
        "fail",
        "mirror.example.com/toolkit: HTTP status 404",
        {"network.repositories.1.status": "failed", "network.repositories.1.http_status": 404},
        {},
    ),
    (
        "PRE-REPOS",
        "fail",
        "timeout",
        {"network.repositories.0.status": "timeout", "network.repositories.0.http_status": None},
        {},
    ),
    ("PRE-REPOS", "skip", "no repositories", {"network.repositories": []}, {}),
    ("PRE-REPOS", "unknown", "repositories", {"network": None}, {}),
    ("PRE-SELINUX", "pass", "does not enforce", {"selinux.enforcing": False}, {}),
    ("PRE-SELINUX", "warn", "labels", {"selinux.enforcing": True}, {}),
    ("PRE-SELINUX", "unknown", "selinux", {"selinux": DROP}, {}),
    ("PRE-AMD", "pass", "no GPU of AMD", {}, {}),
    ("PRE-AMD", "fail", "AMD 0000:03:00.0", {"pci": {"gpus": [], "others": [RADEON]}}, {}),
    ("PRE-AMD", "pass", "left alone", {"pci.others": [RADEON]}, {}),
    ("PRE-AMD", "unknown", "pci.others", {"pci.others": None}, {}),
    ("PRE-GPU-KNOWN", "pass", "4090", {}, {}),
    ("PRE-GPU-KNOWN", "warn", "3fff", {"pci.gpus.0.device": "3fff"}, {}),
    ("PRE-GPU-KNOWN", "unknown", "device", {"pci.gpus.0.device": None}, {}),
    ("PRE-TIER", "pass", "tier t1", {"pci.gpus.1": DROP}, {"policy": {"tier": "t1"}}),
    ("PRE-TIER", "fail", "A6000", {}, {"policy": {"tier": "t2", "expected_gpus": 2}}),
    ("PRE-TIER", "unknown", "pci", {"pci": DROP}, {"policy": {"tier": "t1"}}),
    ("PRE-BRANCH-FIT", "pass", "580", {}, {}),
    ("PRE-BRANCH-FIT", "fail", "any more", {"pci.gpus.0.device": "1db6"}, {"policy": {"driver_branch": "590"}}),
    ("PRE-BRANCH-FIT", "fail", "too old", {"pci.gpus.0.device": "2b85"}, {"policy": {"driver_branch": "535"}}),
    ("PRE-BRANCH-FIT", "fail", "proprietary", {"pci.gpus.0.device": "1db6"}, {"policy": {"driver_modules": "open"}}),
    ("PRE-BRANCH-FIT", "skip", "no driver", {}, WAY),
    ("PRE-BRANCH-FIT", "unknown", "driver.module", {"driver.module": DROP}, {}),
    ("PRE-BRANCH-FIT", "unknown", "driver.module.version", {"driver.module.version": "text"}, {}),
    ("PRE-BIOS-BAR", "pass", "unmapped", {}, {}),
    ("PRE-BIOS-BAR", "warn", "BAR", {"kernel_log.hits": [{"signature": "bar", "bdf": None}]}, {}),
    ("PRE-BIOS-BAR", "unknown", "kernel_log", {"kernel_log": DROP}, {}),
    ("PRE-GPU-BUSY", "pass", "no process", {}, CHANGE),
    ("PRE-GPU-BUSY", "fail", "python (pid 9)", {"processes.gpu": [{"pid": 9, "comm": "python"}]}, CHANGE),
    ("PRE-GPU-BUSY", "unknown", "processes", {"processes": DROP}, CHANGE),
    ("PRE-KERNEL-NEWEST", "pass", "newest", {}, {}),
    ("PRE-KERNEL-NEWEST", "fail", "will leave", {"kernel.newest": "6.8.0-99-generic"}, WAY),
    ("PRE-KERNEL-NEWEST", "unknown", "kernel.newest", {"kernel.newest": DROP}, {}),
    ("PRE-COMPILER", "pass", "gcc-13", {}, {}),
    ("PRE-COMPILER", "fail", "only gcc-9", {"kernel.compilers": ["gcc-9"]}, WAY),
    ("PRE-COMPILER", "unknown", "kernel.compiler", {"kernel.compiler": None}, {}),
    ("PRE-FS-RW", "pass", "writable: /", {}, {}),
    ("PRE-FS-RW", "warn", "noexec", {"storage.fs.0.options": ["noexec"]}, {}),
    ("PRE-FS-RW", "unknown", "storage", {"storage": None}, {}),
    ("PRE-CPU", "pass", "32 processors", {}, {}),
    ("PRE-CPU", "warn", "1 processors", {"cpu.count": 1}, {}),
    ("PRE-CPU", "unknown", "cpu.avx2", {"cpu.avx2": None}, {}),
    ("PRE-PORTS", "pass", "40022", {}, {}),
    ("PRE-PORTS", "warn", "sshd", {}, {"policy": {"ports_wanted": [22]}}),
    ("PRE-PORTS", "unknown", "listening", {"network.listening": None}, {}),
    ("PRE-MIXED-PKGS", "pass", "580.159.03", {}, {}),
    ("PRE-MIXED-PKGS", "fail", "570.211.01", {"packages.installed.libnvidia-gl-570": "570.211.01-1"}, {}),
    ("PRE-MIXED-PKGS", "unknown", "installed", {"packages": None}, {}),
    ("PRE-DOCKER-CONFLICT", "pass", "at most", {}, {}),
    ("PRE-DOCKER-CONFLICT", "fail", "snap", {"packages.snaps": ["docker"]}, {}),
    ("PRE-DOCKER-CONFLICT", "unknown", "snaps", {"packages.snaps": DROP}, {}),
    ("PRE-UNATTENDED", "pass", "leave the driver alone", {}, {}),
    ("PRE-UNATTENDED", "warn", "nvidia-open", {"packages.unattended.excludes": []}, {}),
    ("PRE-UNATTENDED", "unknown", "unattended", {"packages.unattended": None}, {}),
    ("PRE-TIME", "pass", "0 s off", {}, {}),
    ("PRE-TIME", "fail", "900 s", {"network.repositories.0.skew_s": 900, "network.repositories.1.skew_s": 900}, {}),
    ("PRE-TIME", "unknown", "time", {"time": DROP}, {}),
    ("PRE-MIRROR-FRESH", "pass", "up to date", {"network.endpoints": [ANSWERS]}, {}),
    ("PRE-MIRROR-FRESH", "warn", "ran out", {"network.endpoints": [{**ANSWERS, "valid_until": "2026-11-01"}]}, {}),
    ("PRE-MIRROR-FRESH", "unknown", "released", {"network.endpoints": [{**ANSWERS, "released": "soon"}]}, {}),
    ("PRE-DNS-PROXY", "pass", "no proxy", {}, {}),
    ("PRE-DNS-PROXY", "warn", "Docker", {"network.proxies.environment": {"ALL_PROXY": "http://192.0.2.1"}}, {}),
    ("PRE-DNS-PROXY", "unknown", "proxies", {"network.proxies": None}, {}),
    *(case for kind in ("apt", "pypi", "conda", "docker", "hf", "nvidia") for case in of_kind(kind)),
]


@pytest.mark.parametrize(("check", "status", "says", "changes", "options"), CASES)
def test_preflight(
    check: str,
    status: str,
    says: str,
    changes: dict[str, Any],
    options: dict[str, Any],
    expect: Callable[..., None],
) -> None:
    expect(check, status, says, changes, options)


def test_a_repository_names_the_variable_that_moves_it(results_of: Callable[..., list[dict[str, Any]]]) -> None:
    changes = {"network.repositories.1.status": "failed", "network.repositories.1.error": "connection refused"}
    (result,) = results_of("PRE-REPOS", changes=changes)
    assert result["entity"] == "nvidia-container-toolkit"
    assert "connection refused" in result["message"]
    assert "nvidia_container_toolkit_repo_url" in result["remedy"]["vars"]
    assert "-e nvidia_container_toolkit_repo_url=" in result["remedy"]["command"]


@pytest.mark.parametrize(
    ("url", "mirrors", "named"),
    [
        *((f"https://{host}/x", None, True) for host in network.PUBLISHERS),
        ("https://nvidia.github.io/libnvidia-container", {"schema": "gpuready.mirrors/1"}, False),
        ("https://mirror.example.com/nvidia.github.io", None, False),
        ("file:/srv/toolkit", None, False),
    ],
)
def test_a_publisher_out_of_reach_leads_to_the_mirrors(
    results_of: Callable[..., list[dict[str, Any]]], url: str, mirrors: dict[str, str] | None, named: bool
) -> None:
    """Not where a preset has measured them already, nor for an address of the user's own."""
    changes = {"network.repositories.1.status": "timeout", "network.repositories.1.url": url, "mirrors": mirrors}
    (result,) = results_of("PRE-REPOS", changes=changes)
    for language in ("en", "zh"):
        said = result["remedy"]["text" if language == "en" else "text_zh"]
        assert ("gpuready_mirror_preset" in said) is named and "nvidia_container_toolkit_repo_url" in said


def test_a_registry_that_asks_who_one_is_answers(results_of: Callable[..., list[dict[str, Any]]]) -> None:
    asks = {**ANSWERS, "status": "failed", "http_status": 401}
    for kind, status in (("docker", "pass"), ("hf", "fail")):
        changes = {"network.endpoints": [{**asks, "kind": kind}]}
        assert results_of(f"PRE-NET-{kind.upper()}", changes=changes)[0]["status"] == status


def test_a_dead_network_is_one_red_line(results_of: Callable[..., list[dict[str, Any]]]) -> None:
    dead = [{**ANSWERS, "kind": kind, "status": "timeout", "http_status": None} for kind in ("pypi", "apt", "other")]
    changes = {"network.repositories": [], "network.endpoints": dead}
    assert results_of("PRE-NET-PYPI", changes=changes)[0]["status"] == "fail"
    assert results_of("PRE-NET-APT", changes=changes)[0]["caused_by"] == "PRE-NET-PYPI"


def test_gpus_of_a_model_that_needs_closed_modules_get_them(results_of: Callable[..., list[dict[str, Any]]]) -> None:
    policy = {"driver_branch": "590", "driver_modules": "open"}
    age, modules = results_of("PRE-BRANCH-FIT", changes={"pci.gpus.0.device": "1db6"}, policy=policy)
    for result in (age, modules):
        assert result["remedy"]["vars"] == {
            "nvidia_driver_allow_change": True,
            "nvidia_driver_branch": "580",
            "nvidia_driver_modules": "proprietary",
        }


def test_where_nobody_named_a_branch_the_plan_finds_one(results_of: Callable[..., list[dict[str, Any]]]) -> None:
    changes = {"pci.gpus.0.device": "1db6", "driver.module.version": "590.48.01"}
    (age, modules) = results_of("PRE-BRANCH-FIT", changes=changes)
    assert age["remedy"]["vars"] == modules["remedy"]["vars"] == {"nvidia_driver_allow_change": True}


# what the role installs on Ubuntu from NVIDIA's repository
OURS = dict.fromkeys(
    ("nvidia-headless-no-dkms-580-open", "nvidia-dkms-580-open", "nvidia-utils-580"), "580.159.03-1ubuntu1"
)


@pytest.mark.parametrize(
    ("installed", "files", "loaded", "keeps"),
    [
        ({}, {}, False, True),  # the role will install it
        ({}, {}, True, False),  # a .run file, or the owner's
        (OURS, {}, True, True),
        ({"nvidia-open": "580.159.03-1ubuntu1", "nvidia-dkms-open": "580.159.03-1ubuntu1"}, {}, True, False),
        ({"nvidia-driver-pinning-580": "580-1"}, {}, True, False),
        ({"nvidia-utils-580-server": "1", "nvidia-dkms-580-server": "1"}, {}, True, False),
        ({"nvidia-utils-580-server": "1"}, {"/etc/modprobe.d/gpuready-nouveau.conf": {}}, True, True),
        ({"akmod-nvidia": "1", "kmod-nvidia-6.1": "1"}, {}, True, False),
        ({"nvidia-utils-580": "580.159.03-0ubuntu0~gpu24.04.1"}, {}, False, False),
    ],
)
def test_whose_driver_it_is(
    installed: dict[str, str], files: dict[str, Any], loaded: bool, keeps: bool, snapshot: Callable[..., dict[str, Any]]
) -> None:
    data = snapshot("ready_host", {"packages.installed": installed, "files": files, "driver.module.loaded": loaded})
    ctx = Context(View(data), make_policy(None, CHECK_IDS), Commands("h"))
    assert remedies.role_keeps(ctx) is keeps


@pytest.mark.parametrize(
    ("branch", "command"),
    [("595", "playbooks/upgrade_driver.yml"), ("580", "--tags readiness"), (None, "--tags readiness")],
)
def test_packages_of_others_are_replaced_for_another_branch_only(
    branch: str | None, command: str, snapshot: Callable[..., dict[str, Any]]
) -> None:
    ctx = Context(View(snapshot("ready_host", {})), make_policy(None, CHECK_IDS), Commands("h"))
    assert command in remedies.newer(ctx, say("x"), branch, "580.159.03").command


@pytest.mark.parametrize(
    ("odd", "strays"), [("libnvidia-compute-570", True), ("libnvidia-compute-580", False), ("libcuda1", False)]
)
def test_what_no_set_holds_is_removed(odd: str, strays: bool, results_of: Callable[..., list[dict[str, Any]]]) -> None:
    changes: dict[str, Any] = {f"packages.installed.{odd}": "570.211.01-1"}
    others = results_of("PRE-MIXED-PKGS", changes=changes)[0]["remedy"]
    ours = results_of("PRE-MIXED-PKGS", changes={**changes, "files": {"/etc/modprobe.d/gpuready-nouveau.conf": {}}})
    for remedy in (others, ours[0]["remedy"]):
        assert ("apt-get -y remove" in remedy["command"]) is strays
    assert (ours[0]["remedy"]["role"] == "nvidia_driver") is not strays
    assert others["text"].startswith("Upgrade all parts together") is not strays


def test_modules_of_an_older_kernel_are_no_second_driver() -> None:
    installed = {
        "kmod-nvidia-open-dkms": "3:580.159.03-1.el9",
        "kmod-nvidia-580.95.05-5.14.0-570.12.1": "3:580.95.05-1.el9",
        "nvidia-driver-cuda": "3:580.159.03-1.el9",
    }
    assert set(packages.driver_versions(installed).values()) == {"580.159.03"}


@pytest.mark.parametrize(
    ("names", "flavours"),
    [
        (["nvidia-dkms-580-open", "nvidia-kernel-source-580-open"], {"open"}),
        (["nvidia-dkms-580-server-open"], {"open"}),
        (["nvidia-dkms-open", "nvidia-open"], {"open"}),
        (["nvidia-kernel-open-dkms"], {"open"}),
        (["nvidia-open-kernel-dkms"], {"open"}),
        (["kmod-nvidia-open-dkms"], {"open"}),
        (["nvidia-dkms-580"], {"proprietary"}),
        (["nvidia-dkms-580-server"], {"proprietary"}),
        (["nvidia-kernel-dkms"], {"proprietary"}),
        (["kmod-nvidia-latest-dkms"], {"proprietary"}),
        (["nvidia-dkms-580", "nvidia-dkms-580-open"], {"open", "proprietary"}),
        (["nvidia-container-toolkit", "linux-modules-nvidia-580-open-6.8.0-87-generic"], set()),
    ],
)
def test_flavour_of_packages(names: list[str], flavours: set[str]) -> None:
    assert set(packages.kernel_modules(dict.fromkeys(names, "1"))) == flavours
