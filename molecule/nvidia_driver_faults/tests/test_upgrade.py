# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/upgrade_driver.yml on a host whose driver is one version behind."""

from __future__ import annotations

from machine import Machine, Run
from testinfra.host import Host

PLAYBOOK = "playbooks/upgrade_driver.yml"
FAULTS = "http://127.0.0.1:8099/compute/cuda/repos/debian-faults/$(ARCH)"
HOLD = "perl -e 'sysopen(F, \"/dev/nvidia0\", 010000000) or die; sleep 3600'"
IMAGE = "gpuready-sandbox/base:trixie"


def behind(machine: Machine) -> None:
    """580.126.09 is installed, loaded and held."""
    if "nvidia-driver-cuda 580" not in machine.packages():
        machine.bare()
    run = machine.converge(nvidia_driver_version="580.126.09", nvidia_driver_allow_change=True)
    assert run.rc == 0, run.output[-3000:]
    has(machine, "580.126.09")


def has(machine: Machine, version: str) -> None:
    """All parts have this version, it is loaded, it is held, and the machine boots with it."""
    listed = [line.split() for line in machine.packages().splitlines() if "nvidia" in line or "libcuda1" in line]
    parts = {name: found for _status, name, found in listed if "pinning" not in name}
    assert len(parts) >= 6 and set(parts.values()) == {f"{version}-1"}, parts
    assert version in machine.sh("cat /proc/driver/nvidia/version")
    upgrade = machine.sh("apt-get -s full-upgrade")
    assert "nvidia" not in upgrade and "libcuda1" not in upgrade, upgrade
    machine.boots()


def upgrade(machine: Machine, **variables: object) -> Run:
    return machine.play(PLAYBOOK, **variables)


def test_the_newest_of_the_branch(host: Host) -> None:
    machine = Machine(host)
    behind(machine)
    run = upgrade(machine)
    assert run.rc == 0, run.output[-5000:]
    has(machine, "580.159.03")
    machine.mended()
    again = upgrade(machine)
    assert again.rc == 0, again.output[-3000:]
    has(machine, "580.159.03")


def test_a_job_is_not_harmed_and_a_container_that_was_named_comes_back(host: Host) -> None:
    machine = Machine(host)
    behind(machine)
    machine.sh(f"docker image inspect -f ok {IMAGE} >/dev/null 2>&1 || docker load -i /srv/images/base-trixie.tar")
    machine.sh(f"docker run -d --stop-timeout 1 --name train --device /dev/nvidia0 {IMAGE} {HOLD}")
    try:
        began = machine.sh("sleep 0.5; docker inspect -f '{{.State.StartedAt}}' train")
        refused = upgrade(machine)
        assert refused.rc == 2 and "container train" in refused.sentence, refused.output[-3000:]
        assert machine.sh("docker inspect -f '{{.State.StartedAt}}' train") == began
        has(machine, "580.126.09")
        run = upgrade(machine, upgrade_driver_stop_containers=["train"])
        assert run.rc == 0, run.output[-5000:]
        has(machine, "580.159.03")
        assert machine.sh("docker inspect -f '{{.State.Running}}' train") == "true"
    finally:
        machine.sh("docker rm -f train")


def test_another_branch(host: Host) -> None:
    machine = Machine(host)
    machine.installed()
    with machine.untouched():
        predicted = machine.play(PLAYBOOK, "--check", nvidia_driver_branch="595")
    assert predicted.rc == 0 and "nvidia-driver-cuda=595.71.05-1" in predicted.output, predicted.output[-3000:]
    run = upgrade(machine, nvidia_driver_branch="595")
    assert run.rc == 0, run.output[-5000:]
    has(machine, "595.71.05")
    # it works, so it stays, wished or not
    again = machine.converge()
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]
    machine.bare()


def test_a_version_that_does_not_compile_brings_the_former_one_back(host: Host) -> None:
    machine = Machine(host)
    behind(machine)
    run = upgrade(machine, nvidia_driver_branch="595", nvidia_driver_repo_url=FAULTS)
    assert run.rc == 2, run.output[-5000:]
    assert "Driver 580.126.09 stays" in run.sentence and "pci_resize_resource" in run.sentence, run.sentence
    has(machine, "580.126.09")


def test_a_version_that_comes_up_but_is_not_ready_goes_back(host: Host) -> None:
    machine = Machine(host)
    behind(machine)
    # given by the user on the command line, which wins over what a playbook sets
    run = upgrade(machine, nvidia_driver_branch="595", gpuready_policy={"expected_gpus": 8})
    assert run.rc == 2, run.output[-5000:]
    assert "Driver 580.126.09 stays" in run.sentence and "NOT READY" in run.sentence, run.sentence
    has(machine, "580.126.09")


def test_there_is_nothing_to_upgrade(host: Host) -> None:
    machine = Machine(host)
    machine.bare()
    with machine.untouched():
        run = upgrade(machine)
    assert run.rc == 2 and "nothing to upgrade" in run.sentence and "site.yml" in run.sentence, run.output[-3000:]
