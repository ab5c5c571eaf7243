# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another branch when it is asked for, and the way back to a machine without a driver. The last file."""

from __future__ import annotations

import machine as lab
from machine import Machine
from testinfra.host import Host

KERNEL = "6.12.99-sandbox-amd64"


def test_another_branch_is_taken_when_asked(host: Host) -> None:
    machine = Machine(host)
    wishes = {"nvidia_driver_branch": "595", "nvidia_driver_allow_change": True}
    run = machine.converge(**wishes)
    assert run.rc == 0, run.output[-5000:]
    assert host.package("nvidia-driver-cuda").version == host.package("libcuda1").version == "595.71.05-1"
    assert "595.71.05" in host.file("/proc/driver/nvidia/version").content_string, "not loaded"
    assert host.service("nvidia-persistenced").is_running
    assert "Candidate: 595.71.05-1" in host.check_output("apt-cache policy nvidia-driver-cuda")
    again = machine.converge(**wishes)
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]


def test_a_removal_leaves_etc_as_it_was(host: Host) -> None:
    machine = Machine(host)
    run = machine.converge(nvidia_driver_state="absent")
    assert run.rc == 0, run.output[-5000:]
    assert "nvidia" not in machine.packages() and "libcuda" not in machine.packages()
    before = host.check_output("cat /var/tmp/etc-before").splitlines()
    after = host.run("sh -c %s _ -", lab.DIGEST).stdout.splitlines()
    assert sorted(set(before) ^ set(after)) == []
    assert host.run("find /var/lib/gpuready -type f").stdout == ""
    assert host.run("find /lib/modules -name 'nvidia*'").stdout == ""
    if host.file(f"/boot/initrd.img-{KERNEL}").exists:
        assert not machine.image_holds(KERNEL, "blacklist nouveau")
        machine.boots()
    again = machine.converge(nvidia_driver_state="absent")
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]
