# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choices, refusals, and that everything is given back. The last of the scenario: it ends without the role."""

from __future__ import annotations

import json

import pytest
from machine import DIGEST, Machine
from testinfra.host import Host

NOTE = "/opt/gpuready/nvml_stability/choices"
RULE = "/etc/udev/rules.d/71-gpuready-dev-char.rules"
DAEMON = "/etc/docker/daemon.json"
LINK = "/dev/char/240:255"


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


def made_of(machine: Machine) -> list[str]:
    """/etc, the boot loader's files, our own, and when Docker was started."""
    etc = machine.host.run("sh -c %s _ -", DIGEST).stdout.splitlines()
    rest = "find /boot /opt /var/lib/gpuready -type f ! -name '*.lock' -exec sha256sum {} + | sort"
    return [*etc, machine.sh(rest), machine.sh("cat /run/docker.pid"), machine.sh("cat /proc/cmdline")]


def test_the_kernel_parameter_is_refused_on_debian_13_and_nothing_changes(machine: Machine) -> None:
    before = made_of(machine)
    run = machine.converge(nvml_stability_cgroup_v1=True, nvml_stability_cgroupfs=True)
    assert run.rc != 0 and run.changed == []
    assert "systemd 257 no longer boots with cgroup v1" in run.sentence
    assert "CDI" in run.sentence and run.sentence.endswith("Nothing was changed.")
    assert made_of(machine) == before


def test_choices_are_made_kept_and_taken_back(machine: Machine) -> None:
    # the stand-in of nvidia-ctk makes no links; where nvidiactl's is there, nobody has to
    machine.sh(f"mkdir -p /dev/char && ln -sf ../nvidiactl {LINK}")
    before = made_of(machine)[:-2]
    chosen = {"nvml_stability_cgroupfs": True, "nvml_stability_dev_char_links": "present"}
    run = machine.converge(**chosen)
    assert run.rc == 0, run.output[-3000:]
    daemon = json.loads(machine.sh(f"cat {DAEMON}"))
    assert daemon["exec-opts"] == ["native.cgroupdriver=cgroupfs"] and daemon["features"] == {"cdi": True}
    assert machine.sh("docker info --format '{{.CgroupDriver}}'") == "cgroupfs"
    assert "create-dev-char-symlinks" in machine.sh(f"cat {RULE}")
    assert machine.sh(f"grep -v '^#' {NOTE}").split() == ["cgroupfs", "links"]
    again = machine.converge(**chosen)
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]

    back = machine.converge()
    assert back.rc == 0 and "Present | Forget the choices that were taken back" in back.changed, back.output[-3000:]
    assert machine.sh("docker info --format '{{.CgroupDriver}}'") == "systemd"
    after = made_of(machine)[:-2]
    # our own records say when Docker has to be restarted, and may differ; the files do not
    assert after[:-1] == before[:-1]
    assert machine.rc(f"test -e {RULE}") != 0 and machine.rc(f"test -e {NOTE}") != 0


def test_absent_gives_everything_back_byte_for_byte(machine: Machine) -> None:
    machine.sh("sed -i 's/^#*no-cgroups = .*/no-cgroups = true/' /etc/nvidia-container-runtime/config.toml")
    theirs = machine.sh("sha256sum /etc/nvidia-container-runtime/config.toml")
    assert machine.converge().rc == 0
    assert machine.sh("sha256sum /etc/nvidia-container-runtime/config.toml") != theirs
    run = machine.converge(nvml_stability_state="absent")
    assert run.rc == 0, run.output[-3000:]
    assert machine.sh("sha256sum /etc/nvidia-container-runtime/config.toml") == theirs
    etc = machine.host.run("sh -c %s _ -", DIGEST).stdout.splitlines()
    before = machine.sh("cat /var/tmp/etc-before").splitlines()
    changed = {line.split()[0] for line in set(etc) ^ set(before)}
    assert changed == {"/etc/nvidia-container-runtime/config.toml"}  # edited above, by hand
    assert machine.sh("docker info --format '{{json .CDISpecDirs}}'") in ("[]", "null")
    again = machine.converge(nvml_stability_state="absent")
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]
