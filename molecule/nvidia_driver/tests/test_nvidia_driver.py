# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver (stand-in packages here) as the machine shows it."""

from __future__ import annotations

import pytest
from testinfra.host import Host

VERSION = "580.159.03-1"


@pytest.mark.parametrize("package", ["nvidia-driver-cuda", "nvidia-kernel-open-dkms", "libnvidia-ml1", "libcuda1"])
def test_all_parts_have_one_version(host: Host, package: str) -> None:
    assert host.package(package).version == VERSION


def test_the_branch_is_held(host: Host) -> None:
    policy = host.check_output("apt-cache policy nvidia-driver-cuda")
    assert "595.71.05-1" in policy, "the repository offers a newer branch"
    assert f"Candidate: {VERSION}" in policy


def test_the_source_is_signed_by_the_pinned_key_alone(host: Host) -> None:
    source = host.file("/etc/apt/sources.list.d/gpuready-nvidia-driver.sources").content_string
    assert "Signed-By: /etc/apt/keyrings/gpuready-nvidia-driver.asc" in source
    assert "rusted" not in source.replace("gpuready", "")
    assert host.file("/etc/apt/keyrings/gpuready-nvidia-driver.asc").mode == 0o644


def test_the_modules_are_loaded_and_stay_after_boot(host: Host) -> None:
    service = host.service("nvidia-persistenced")
    assert service.is_running and service.is_enabled
    assert "580.159.03" in host.file("/proc/driver/nvidia/version").content_string
    assert host.run("test -c /dev/nvidiactl").rc == 0


def test_nvidia_smi_sees_the_gpu(host: Host) -> None:
    assert "RTX 4090" in host.check_output("nvidia-smi -L")


def test_nouveau_is_blacklisted(host: Host) -> None:
    assert host.run("grep -rqs 'blacklist nouveau' /etc/modprobe.d /usr/lib/modprobe.d").rc == 0
