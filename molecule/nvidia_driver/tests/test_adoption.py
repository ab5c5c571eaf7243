# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver that works is left alone: one from elsewhere is adopted, one of another branch replaced only when asked."""

from __future__ import annotations

from machine import Machine
from testinfra.host import Host

VERSION = "580.159.03-1"
RECORD = "/var/lib/gpuready/nvidia-driver.json"


def test_a_second_run_is_short(host: Host) -> None:
    run = Machine(host).converge()
    assert (run.rc, run.changed) == (0, []), run.output[-3000:]
    assert run.executed <= 6, run.output


def test_a_driver_from_elsewhere_that_works_is_adopted(host: Host) -> None:
    machine = Machine(host)
    # without its record the role does not know that the driver came by it
    host.check_output(f"mv {RECORD} /root/")
    # what is left then: a loaded module, nvidia-smi and libraries that no package of ours brought
    host.check_output("cp /usr/bin/nvidia-smi /usr/share/gpuready-standin/nvidia-smi-q-x.xml /root/")
    host.check_output("dpkg --remove --force-depends nvidia-driver-cuda nvidia-kernel-open-dkms")
    host.check_output("mkdir -p /usr/share/gpuready-standin && cp /root/*.xml /usr/share/gpuready-standin/")
    host.check_output("mv /root/nvidia-smi /usr/bin/")
    try:
        run = machine.converge()
        assert (run.rc, run.changed) == (0, []), run.output
        assert not host.package("nvidia-driver-cuda").is_installed
    finally:
        # as it was: nothing speaks against a driver that works, so the role would not
        host.check_output(f"mv /root/{RECORD.rpartition('/')[2]} {RECORD}")
        host.check_output(f"apt-get install -y -qq nvidia-driver-cuda={VERSION} nvidia-kernel-open-dkms={VERSION}")
    run = machine.converge()
    assert (run.rc, run.changed) == (0, []), run.output[-3000:]


def test_a_loaded_driver_is_not_replaced_by_another_branch_unasked(host: Host) -> None:
    machine = Machine(host)
    with machine.untouched():
        run = machine.converge(nvidia_driver_branch="595")
    assert run.rc == 2
    assert "nvidia_driver_allow_change" in run.sentence and "branch 595 is wished" in run.sentence, run.sentence
    assert host.package("nvidia-driver-cuda").version == VERSION
