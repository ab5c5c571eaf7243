# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""On a bare host: the prediction of check mode, and inventories that are refused before anything is changed."""

from __future__ import annotations

import json

import pytest
from lab import Host

REFUSED = {
    "a misspelt value": (
        ["-e", "docker_engine_source=distributon"],
        ["docker_engine_source", "distributon", "distribution"],
    ),
    "a misspelt name": (["-e", "docker_engine_sorce=docker"], ["docker_engine_sorce", "docker_engine_source"]),
    "an unreachable repository": (
        ["-e", "nvidia_container_toolkit_repo_url=http://127.0.0.1:9/deb"],
        ["PRE-REPOS", "nvidia_container_toolkit_repo_url", "127.0.0.1:9"],
    ),
}
ROLES_THAT_CHANGE = {
    "mirrors",
    "nvidia_driver",
    "docker_engine",
    "nvidia_container_toolkit",
    "nvml_stability",
    "dev_container",
}


def test_check_mode_changes_nothing_and_predicts_the_changes(bare: Host) -> None:
    before = bare.footprint()
    run = bare.site("--check", "--diff")
    assert run.rc == 0, run.output[-4000:]
    assert bare.footprint() == before
    predicted = {task.split(" : ")[0] for task in run.changed}
    assert predicted == ROLES_THAT_CHANGE
    for promise in ("docker.io", "nvidia-container-toolkit=1.20.0-1", "live-restore", "nvidia-driver-cuda", "8098"):
        assert promise in run.output


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_inventory_gets_one_clear_error(bare: Host, case: str) -> None:
    extra, words = REFUSED[case]
    before = bare.footprint()
    run = bare.site(*extra)
    assert run.rc != 0
    assert bare.footprint() == before
    assert run.output.count("fatal: [") == 1, run.output
    for word in words:
        assert word in run.errors, run.errors


@pytest.mark.parametrize(("address", "rc"), [("http://127.0.0.1:9", 2), ("http://127.0.0.1:8099", 0)])
def test_a_repository_is_asked_at_the_mirror_that_it_will_come_from(bare: Host, address: str, rc: int) -> None:
    """The publisher is out of reach here, as it may be in China: nobody must stop because of that."""
    variables = {
        "gpuready_mirror_sites": {"libnvidia-container": address},
        "nvidia_container_toolkit_repo_url": "",
        "nvidia_container_toolkit_repo_key_url": "",
    }
    try:
        run = bare.site("--tags", "mirrors", "-e", json.dumps(variables))
        assert run.rc == rc, run.output[-4000:]
        assert {task.split(" : ")[0] for task in run.changed} == {"mirrors"}
        assert ("PRE-REPOS" in run.errors) == (rc != 0)
        assert f"cannot be reached: {address}/stable/deb/amd64/InRelease" in run.errors or rc == 0
    finally:
        assert bare.site("--tags", "mirrors", "-e", "mirrors_state=absent").rc == 0


def test_an_unsupported_system_is_refused(bare: Host) -> None:
    bare.ssh("cp /etc/os-release /root/os-release")
    bare.ssh("sed -i 's/^ID=.*/ID=arch/; /^ID_LIKE/d; s/^VERSION_ID=.*//' /etc/os-release")
    try:
        before = bare.footprint()
        run = bare.site()
        assert bare.footprint() == before
    finally:
        bare.ssh("cat /root/os-release > /etc/os-release")
    assert run.rc != 0 and "no source of drivers is known for arch" in run.errors, run.errors


def test_a_host_without_gpu_is_refused(bare: Host) -> None:
    bare.ssh("mkdir -p /run/gone && mv /sys/bus/pci/devices/* /run/gone/")
    try:
        before = bare.footprint()
        run = bare.site()
        assert bare.footprint() == before
    finally:
        bare.ssh("mv /run/gone/* /sys/bus/pci/devices/")
    assert run.rc != 0 and "PRE-GPU-PCI" in run.errors


def test_a_dev_container_without_keys_is_refused_before_anything_is_changed(bare: Host) -> None:
    before = bare.footprint()
    run = bare.site("-e", '{"dev_ssh_authorized_keys": []}')
    assert bare.footprint() == before
    assert run.rc != 0 and "dev_ssh.authorized_keys: there is no key" in run.errors
