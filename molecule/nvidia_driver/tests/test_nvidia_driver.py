# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver (stand-in packages here) as the machine shows it. One of the hosts has a kernel of its own."""

from __future__ import annotations

import json

import pytest
from machine import Machine
from testinfra.host import Host

VERSION = "580.159.03-1"
KERNEL = "6.12.99-sandbox-amd64"
HOLD = "/etc/apt/preferences.d/gpuready-nvidia-driver-hold"
GUARD = "/etc/systemd/system/nvidia-persistenced.service.d/10-gpuready.conf"


@pytest.mark.parametrize("package", ["nvidia-driver-cuda", "nvidia-kernel-open-dkms", "libnvidia-ml1", "libcuda1"])
def test_all_parts_have_one_version(host: Host, package: str) -> None:
    assert host.package(package).version == VERSION


def test_the_set_is_held_at_its_version(host: Host) -> None:
    policy = host.check_output("apt-cache policy nvidia-driver-cuda")
    assert "595.71.05-1" in policy, "the repository offers a newer branch"
    assert f"Candidate: {VERSION}" in policy
    upgrade = host.check_output("apt-get -s full-upgrade")
    assert "nvidia" not in upgrade and "libcuda1" not in upgrade
    # an older one is not taken, either
    assert f"nvidia-open ({VERSION}" in host.check_output("apt-get -s install nvidia-open")


def test_unattended_upgrades_leave_it_alone(host: Host) -> None:
    settings = host.check_output("apt-config dump Unattended-Upgrade::Package-Blacklist")
    for start in ("nvidia-", "libnvidia-", "libcuda1"):
        assert any(f'"{start}' in line for line in settings.splitlines()), settings


def test_the_container_toolkit_is_not_held(host: Host) -> None:
    assert VERSION not in host.check_output("apt-cache policy nvidia-container-toolkit")


def test_the_record_names_what_came(host: Host) -> None:
    record = json.loads(host.file("/var/lib/gpuready/nvidia-driver.json").content_string)
    assert {"nvidia-driver-cuda", "libcuda1", "dkms"} <= set(record["added"])
    assert "apt" not in record["added"] and "before" not in record


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


def test_the_daemon_starts_only_where_there_is_a_gpu(host: Host) -> None:
    guard = host.file(GUARD).content_string
    assert "0x10de" in host.check_output("systemctl show -P ExecCondition nvidia-persistenced")
    command = guard.split("-c '")[1].split("'")[0]
    assert host.run(command).rc == 0
    assert host.run(command.replace("0x10de", "0x9999")).rc == 1, "the condition must be able to say no"


def test_nvidia_smi_sees_the_gpu(host: Host) -> None:
    assert "RTX 4090" in host.check_output("nvidia-smi -L")


def test_nouveau_is_kept_away_now_and_at_boot(host: Host) -> None:
    assert "blacklist nouveau" in host.file("/etc/modprobe.d/gpuready-nouveau.conf").content_string
    machine = Machine(host)
    if not host.file(f"/boot/initrd.img-{KERNEL}").exists:
        return  # boots with the kernel of the machine around it
    assert machine.image_holds(KERNEL, "blacklist nouveau")
    machine.boots()
