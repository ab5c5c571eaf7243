# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker and the toolkit by dnf: installed, locked, at another version, gone. Debian's engine under Docker's names."""

from __future__ import annotations

import json

import pytest
from machine import DIGEST, Machine
from testinfra.host import Host

CONVERGE = "molecule/container_rpm/converge.yml"
ENGINE = ("docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin")
TOOLKIT = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)
IMAGE = "gpuready-sandbox/base:trixie"
LOCKS = "/etc/dnf/plugins/versionlock.list"


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


def versions(machine: Machine, names: tuple[str, ...] = TOOLKIT) -> set[str]:
    return {machine.host.check_output("rpm -q --queryformat %s %s", "%{VERSION}", name) for name in names}


def test_packages_and_their_locks(machine: Machine) -> None:
    installed = machine.sh("rpm -qa").splitlines()
    for name in (*ENGINE, *TOOLKIT):
        assert [line for line in installed if line.startswith(f"{name}-")], name
    assert versions(machine) == {"1.20.0"}
    locks = machine.sh(f"cat {LOCKS}")
    for name in ("docker-ce", "containerd.io", *TOOLKIT):
        assert f"\n{name}-" in f"\n{locks}", locks
    # the epoch of a package that has one is part of a lock: without it dnf heeds none
    assert "docker-ce-3:" in locks


def test_the_engine_gives_containers_the_gpu(machine: Machine) -> None:
    machine.sh("systemctl is-active docker.service && systemctl is-enabled docker.service")
    runtimes = json.loads(machine.sh("docker info --format '{{json .Runtimes}}'"))
    assert runtimes["nvidia"]["path"] == "nvidia-container-runtime"
    assert json.loads(machine.sh("docker info --format '{{json .CDISpecDirs}}'"))
    machine.sh("docker load --quiet --input /srv/images/base-trixie.tar")
    for way in ("--device nvidia.com/gpu=all", "--runtime nvidia -e NVIDIA_VISIBLE_DEVICES=all"):
        assert "RTX 4090" in machine.sh(f"docker run --rm {way} {IMAGE} nvidia-smi -L")


def test_docker_was_started_and_restarted_once(machine: Machine) -> None:
    said = machine.sh("journalctl -u docker.service -o cat --no-pager")
    assert said.count("Daemon has completed initialization") <= 2


def test_three_roles_cost_little_when_nothing_is_to_be_done(machine: Machine) -> None:
    run = machine.play(CONVERGE)
    assert (run.rc, run.changed) == (0, []), run.output[-3000:]
    # three includes of roles, three checks of their inputs, one look: the includes run nothing on the host
    included = run.output.count("\nincluded: ")
    assert run.executed - included <= 8, run.output[-3000:]


def test_another_version_and_back(machine: Machine) -> None:
    """A lock that is in the way is taken away and set anew."""
    older = machine.play(CONVERGE, nvidia_container_toolkit_version="1.19.1")
    assert older.rc == 0, older.output[-3000:]
    assert versions(machine) == {"1.19.1"} and "1.19.1" in machine.sh(f"cat {LOCKS}")
    assert machine.play(CONVERGE, nvidia_container_toolkit_version="1.19.1").changed == []
    back = machine.play(CONVERGE, nvidia_container_toolkit_version="1.20.0")
    assert back.rc == 0, back.output[-3000:]
    assert versions(machine) == {"1.20.0"}


def test_the_way_back(machine: Machine) -> None:
    machine.sh("docker image rm --force $(docker image ls --quiet) >/dev/null")
    states = {f"{role}_state": "absent" for role in ("docker_engine", "nvidia_container_toolkit", "nvml_stability")}
    for role in ("nvml_stability", "nvidia_container_toolkit", "docker_engine"):
        run = machine.play("molecule/shared/converge.yml", scenario_role=role, **states)
        assert run.rc == 0, run.output[-3000:]
    installed = machine.sh("rpm -qa").splitlines()
    assert not [line for line in installed if line.startswith((*ENGINE, *TOOLKIT))]
    names = machine.sh("ls /etc/yum.repos.d /etc/pki/rpm-gpg /etc/systemd/user /var/lib/gpuready").split()
    assert not [name for name in names if "docker" in name or "container" in name], names
    after = machine.host.run("sh -c %s _ -", DIGEST).stdout.splitlines()
    before = machine.sh("cat /var/tmp/etc-before").splitlines()
    # rpm keeps what was edited, and groups stay
    differ = sorted(set(before) ^ set(after))
    assert not [line for line in differ if "docker" in line or "nvidia" in line], differ
