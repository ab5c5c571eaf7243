# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""nouveau has the card from the start: only a boot with the new image gives it up."""

from __future__ import annotations

from collections.abc import Iterator

import machine as lab
import pytest
from machine import Machine
from testinfra.host import Host

SWITCH = "/usr/local/lib/sandbox/start.d/nouveau.sh"
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@pytest.fixture
def nouveau(host: Host) -> Iterator[Machine]:
    """A bare machine on which nouveau has taken the card."""
    machine = Machine(host)
    machine.bare()
    machine.sh(f"mkdir -p {SWITCH.rpartition('/')[0]} && echo SANDBOX_NOUVEAU=1 > {SWITCH}")
    machine.restart()
    assert machine.rc("test -d /sys/module/nouveau") == 0
    yield machine
    machine.sh(f"rm -f {SWITCH}")


def works(machine: Machine) -> None:
    assert machine.rc("test -d /sys/module/nouveau") == 1
    assert "580.159.03" in machine.sh("cat /proc/driver/nvidia/version")
    again = machine.converge(nvidia_driver_reboot="when_needed")
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]
    machine.boots()


def test_without_leave_a_reboot_is_only_announced(nouveau: Machine) -> None:
    boot = nouveau.sh(BOOT_ID)
    run = nouveau.converge()
    assert run.rc == 0, run.output[-3000:]
    assert "A reboot is due: the free driver nouveau is loaded and holds the GPUs" in run.output
    assert nouveau.sh(BOOT_ID) == boot
    nouveau.boots()
    # it says so again, and does nothing
    again = nouveau.converge()
    assert (again.rc, again.changed) == (0, []) and "A reboot is due" in again.output, again.output[-3000:]
    # the user reboots by hand
    nouveau.restart()
    works(nouveau)


def test_with_leave_there_is_one_reboot(nouveau: Machine) -> None:
    boot = nouveau.sh(BOOT_ID)
    run = nouveau.converge(nvidia_driver_reboot="when_needed")
    assert run.rc == 0, run.output[-3000:]
    assert len([task for task in run.changed if task.startswith("Reboot")]) == 1, run.changed
    assert nouveau.sh(BOOT_ID) != boot
    works(nouveau)


def test_a_run_that_dies_while_the_machine_reboots_is_resumed(nouveau: Machine) -> None:
    boot = nouveau.sh(BOOT_ID)
    lab.kill(nouveau.run_until(f"test $({BOOT_ID}) != {boot}", nvidia_driver_reboot="when_needed"))
    nouveau.wait()
    nouveau.mended(nvidia_driver_reboot="when_needed")
    works(nouveau)
