# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation that is cut off in the middle leaves a machine that boots, and the next run mends it."""

from __future__ import annotations

import machine as lab
from machine import Machine
from testinfra.host import Host

KERNEL = "6.12.99-sandbox-amd64"
DEBS = "/srv/repository/compute/cuda/repos/debian/amd64"
SHORT_LISTS = "python3 /usr/local/lib/sandbox/lists.py && apt-cache -q gencaches"
# mkinitramfs gets a full disk: what is left of it would be a file that no kernel can open
FULL = "#!/bin/sh\necho 'cpio: write error: No space left on device' >&2\nexit 1\n"


def boot_image_is_right(machine: Machine) -> None:
    assert machine.image_holds(KERNEL, "blacklist nouveau")
    assert machine.sh("ls /boot/initrd.img-*").split() == [f"/boot/initrd.img-{KERNEL}"], "leftovers"


def test_apt_is_killed_in_the_middle(host: Host) -> None:
    machine = Machine(host)
    machine.bare()
    process = machine.run_until(lab.running("dpkg .*--status-fd .*--configure"))
    lab.kill(process)
    machine.inside("pkill -KILL apt-get; pkill -KILL dpkg; pkill -KILL -f AnsiballZ; pkill -KILL -f sshd-session")
    assert machine.sh("dpkg --audit") != "", "the kill left no trace"
    machine.boots()
    machine.restart()  # the user sees a machine that hangs, and switches it off
    # what was not on the disk yet is gone; APT takes an empty list for current as long as its release file fits
    machine.sh("find /var/lib/apt/lists -name '*Packages' -exec truncate -s 0 {} +")
    machine.boots()
    machine.mended()
    assert machine.sh("dpkg --audit") == ""
    boot_image_is_right(machine)
    # the run has fetched whole lists; for the tests that follow, the short ones of the image
    machine.sh(SHORT_LISTS)


def test_the_power_is_cut_before_the_boot_image_is_built(host: Host) -> None:
    machine = Machine(host)
    machine.bare()
    process = machine.run_until(lab.running("mkinitramfs"))
    machine.cut_power()
    lab.kill(process)
    machine.switch_on()
    assert machine.rc("grep -q nouveau /etc/modprobe.d/gpuready-nouveau.conf") == 0
    assert not machine.image_holds(KERNEL, "blacklist nouveau"), "too late: the image is built"
    machine.boots()
    machine.mended()
    boot_image_is_right(machine)


def test_the_boot_image_cannot_be_built(host: Host) -> None:
    machine = Machine(host)
    machine.bare()
    machine.sh("dpkg-divert --local --rename --add /usr/sbin/mkinitramfs 2>&1")
    host.run("printf %s > /usr/sbin/mkinitramfs && chmod 755 /usr/sbin/mkinitramfs", FULL)
    try:
        run = machine.converge()
        assert run.rc == 2, run.output[-3000:]
    finally:
        machine.sh("rm /usr/sbin/mkinitramfs; dpkg-divert --local --rename --remove /usr/sbin/mkinitramfs 2>&1")
    assert "No space left on device" in run.sentence and "old image is unchanged" in run.sentence, run.sentence
    assert "next run tries again" in run.sentence
    machine.boots()
    machine.mended()
    boot_image_is_right(machine)


def test_one_of_the_packages_is_half_installed(host: Host) -> None:
    machine = Machine(host)
    machine.bare()
    machine.sh(f"dpkg --unpack {DEBS}/libnvidia-ml1_580.159.03-1_amd64.deb")
    assert "iU  libnvidia-ml1" in machine.packages()
    machine.boots()
    machine.mended()
    assert "ii  libnvidia-ml1 580.159.03-1" in machine.packages()
    machine.bare()
    assert "libnvidia-ml1" not in machine.packages()
