# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian 13: the open module of its own 550 driver does not compile against its own kernel. For real.

Once the archive ships a module that compiles, the first test says so, and this file has to look for another failure.
"""

from __future__ import annotations

from collections.abc import Iterator

import machines
import pytest

HOST = "gpuready-dkms-13"


@pytest.fixture(scope="module")
def failed() -> Iterator[machines.DriverHost]:
    """The host after a run that wished for the branch that does not compile."""
    kernel = machines.asked("trixie", machines.NEWEST)
    try:
        with machines.timed("start a Debian 13 host"):
            machine = machines.start_host(HOST, "trixie", sandbox_kernel=kernel, sandbox_nouveau=True)
            machines.prepare(machine, "trixie")
        etc, packages = machine.etc(), machine.packages()
        with machines.timed("a driver that does not compile, and the way back"):
            run = machine.role(
                nvidia_driver_source="distribution", nvidia_driver_branch="550", nvidia_driver_modules="open"
            )
        yield machines.DriverHost(machine, kernel, etc, packages, run)
    finally:
        machines.remove_host(HOST)


def test_it_fails_and_says_why(failed: machines.DriverHost) -> None:
    """The compiler's own words, from DKMS' make.log, and for which kernel."""
    assert failed.run.rc != 0, "it compiles today: this test needs another failure"
    assert "pci_resize_resource" in failed.run.errors, failed.run.output[-3000:]
    assert failed.kernel in failed.run.errors


def test_it_names_what_works(failed: machines.DriverHost) -> None:
    """NVIDIA's repository, and the older branch of Debian's own archive."""
    assert "nvidia_driver_source=nvidia" in failed.run.errors
    assert "nvidia_driver_source=distribution nvidia_driver_branch=535 nvidia_driver_modules=auto" in failed.run.errors


def test_the_machine_is_as_it_was(failed: machines.DriverHost) -> None:
    assert sorted(set(failed.machine.packages()) ^ set(failed.packages)) == []
    assert sorted(set(failed.machine.etc()) ^ set(failed.etc)) == []
    left = failed.machine.ssh("find /lib/modules /var/lib/dkms /usr/src -iname '*nvidia*' 2>/dev/null", check=False)
    assert left == ""


def test_apt_works_and_the_boot_image_stays(failed: machines.DriverHost) -> None:
    """Nothing half configured, and nouveau not blacklisted: the next boot has graphics."""
    assert failed.machine.ssh("dpkg --audit; apt-get check -qq") == ""
    assert "nouveau" not in failed.machine.ssh("grep -rs nouveau /etc/modprobe.d /usr/lib/modprobe.d", check=False)
