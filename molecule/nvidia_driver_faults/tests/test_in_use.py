# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver that works: jobs are not harmed, and a version that does not come up leaves the former one untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from machine import Machine
from testinfra.host import Host

FAULTS = "http://127.0.0.1:8099/compute/cuda/repos/debian-faults/$(ARCH)"
# O_PATH: no driver stands behind the stand-in's device, so that opening it for reading gives ENXIO
HOLD = "perl -e 'sysopen(F, \"/dev/nvidia0\", 010000000) or die; sleep 3600'"
IMAGE = "gpuready-sandbox/base:trixie"
Job = Callable[[Machine], AbstractContextManager[list[str]]]


@contextmanager
def process(machine: Machine) -> Iterator[list[str]]:
    machine.sh("id alice >/dev/null 2>&1 || useradd --create-home alice")
    machine.sh(f"systemd-run --quiet --unit=job --uid=alice {HOLD}")
    pid = machine.sh("sleep 0.3; systemctl show -P MainPID job")
    try:
        yield [f"perl (pid {pid}, user alice)"]
    finally:
        machine.sh("systemctl stop job")


@contextmanager
def container(machine: Machine) -> Iterator[list[str]]:
    machine.sh(f"docker image inspect -f ok {IMAGE} >/dev/null 2>&1 || docker load -i /srv/images/base-trixie.tar")
    machine.sh(f"docker run -d --stop-timeout 1 --name train --device /dev/nvidia0 {IMAGE} {HOLD}")
    pid = machine.sh("sleep 0.3; docker inspect -f '{{.State.Pid}}' train")
    try:
        yield [f"perl (pid {pid}, ", "container train)"]
    finally:
        machine.sh("docker rm -f train")


WISHES: dict[str, dict[str, object]] = {
    "another branch": {"nvidia_driver_branch": "595", "nvidia_driver_allow_change": True},
    "no driver": {"nvidia_driver_state": "absent"},
}


@pytest.mark.parametrize("job", [process, container])
def test_a_driver_in_use_is_left_alone(host: Host, job: Job) -> None:
    machine = Machine(host)
    machine.installed()
    with job(machine) as words, machine.untouched():
        runs = {wish: machine.converge(**variables) for wish, variables in WISHES.items()}
        # nothing to change: a job is no reason to complain
        assert machine.converge().rc == 0
    for wish, run in runs.items():
        assert run.rc == 2, (wish, run.output[-3000:])
        for word in [*words, "in use by", "Nothing was changed"]:
            assert word in run.sentence, (wish, run.sentence)


def test_a_module_that_does_not_compile_leaves_the_former_version(host: Host) -> None:
    machine = Machine(host)
    machine.installed()
    source = {"nvidia_driver_repo_url": FAULTS}
    assert machine.converge(**source).rc == 0
    with machine.untouched():
        run = machine.converge(**source, nvidia_driver_branch="595", nvidia_driver_allow_change=True)
        assert run.rc == 2, run.output[-3000:]
        assert "580.159.03" in machine.sh("cat /proc/driver/nvidia/version")
    for word in (
        "nvidia 595.99.99 does not compile for kernel 6.12.99-sandbox-amd64",
        "too few arguments to function 'pci_resize_resource'",
        "machine is as it was",
        "nvidia_driver_source=nvidia nvidia_driver_branch=580",
    ):
        assert word in run.sentence, run.sentence
    assert "branch=550" not in run.sentence, "Debian 13's own 550 is known not to compile"
    machine.mended()
