# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

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
    ("PRE-GPU-PCI", "fail", "2 GPUs on the PCI bus, 8 expected", {}, {"policy": {"expected_gpus": 8}}),
    ("PRE-GPU-PCI", "skip", "expects no GPU", NO_GPU, {"policy": {"expected_gpus": 0}}),
    ("PRE-GPU-PCI", "unknown", "pci.gpus", {"pci": None}, {}),
    ("PRE-GPU-ALIVE", "pass", "all 2", {}, {}),
    ("PRE-GPU-ALIVE", "fail", "0000:41:00.0", {"pci.gpus.1.config_readable": False}, {}),
    ("PRE-GPU-ALIVE", "skip", "PRE-GPU-PCI", NO_GPU, {}),
    ("PRE-GPU-ALIVE", "unknown", "config_readable", {"pci.gpus.1.config_readable": None}, {}),
    ("PRE-BOUND-DRIVER", "pass", "nvidia", {}, {}),
    ("PRE-BOUND-DRIVER", "pass", "none", {"pci.gpus.0.driver": None, "pci.gpus.1.driver": None}, {}),
    ("PRE-BOUND-DRIVER", "fail", "vfio-pci", {"pci.gpus.0.driver": "vfio-pci"}, {}),
    ("PRE-BOUND-DRIVER", "unknown", "driver", {"pci.gpus.0.driver": DROP}, {}),
    ("PRE-NOUVEAU", "pass", "not loaded and blacklisted", {}, {}),
    ("PRE-NOUVEAU", "warn", "will need a reboot", {}, WAY),
    ("PRE-NOUVEAU", "fail", "keeps the GPU", {"driver.nouveau.loaded": True}, {}),
    ("PRE-NOUVEAU", "warn", "next boot", {"driver.nouveau.blacklisted": False}, {}),
    ("PRE-NOUVEAU", "unknown", "nouveau", {"driver.nouveau": None}, {}),
    ("PRE-SECURE-BOOT", "pass", "off", {}, {}),
    ("PRE-SECURE-BOOT", "pass", "legacy", {"firmware": {"efi": False, "secure_boot": None}}, {}),
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
    ("PRE-DISK", "pass", "enough", {}, {}),
    ("PRE-DISK", "fail", "/ has 20000 MiB free, 25600", {"storage.fs.0.free_mib": 20000}, WAY),
    ("PRE-DISK", "pass", "enough", {"storage.fs.0.free_mib": 20000}, {}),
    ("PRE-DISK", "fail", "/boot has 10 MiB", {"storage.fs.1.free_mib": 10}, {}),
    ("PRE-DISK", "fail", "read-only", {"storage.fs.1.ro": True}, {}),
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
    ("PRE-PKG-LOCK", "warn", "pid unknown", {"packages.lock": {"held": True, "pid": None, "comm": None}}, {}),
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
