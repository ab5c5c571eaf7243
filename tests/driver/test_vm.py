# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual machine with a real kernel: detection, blacklist, initial file system and reboot with the real nvidia.ko.

Real there: firmware, GRUB, kernel, nouveau, udev, initramfs-tools, apt, dpkg, the kernel modules. Made up: the card on
the PCI bus (sandbox/vm/fakegpu). The tests go on from each other: every boot takes half a minute under emulation.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import machines
import pytest
import standins
import vm

State = tuple[list[str], list[str]]

INPUTS = {
    "nvidia_driver_source": "distribution",
    "nvidia_driver_modules": "open",
    "nvidia_driver_reboot": "when_needed",
}
# Once, where the initial file system would be made: say so, and stay there until the power goes
CUT = """#!/bin/sh
[ "$1" != prereqs ] || exit 0
[ -e /run/power-cut ] || exit 0
echo POWER-CUT-NOW > /dev/ttyS0
sleep 600
"""


@pytest.fixture(scope="module")
def machine(disk: Path, built: standins.Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[vm.Vm]:
    """The machine, running, with the stand-in archive as its Debian archive."""
    with machines.timed("archive of the virtual machine"):
        archive = machines.CACHE / "archive"
        standins.archive(built, archive)
    one = vm.Vm(disk, machines.CACHE / "id_ed25519", tmp_path_factory.mktemp("vm"))
    with vm.served(archive) as url:
        try:
            with machines.timed("boot the virtual machine"):
                one.power_on()
            one.ssh(
                f"mkdir -p $(dirname {standins.KEYRING}) && cat > {standins.KEYRING}",
                stdin=(archive / "keyring.gpg").read_bytes(),
            )
            source = f"Types: deb\nURIs: {url}\nSuites: bookworm\nComponents: main\nSigned-By: {standins.KEYRING}\n"
            one.ssh("cat > /etc/apt/sources.list.d/debian.sources && apt-get update -qq", stdin=source.encode())
            yield one
        finally:
            one.cut_power()


@pytest.fixture(scope="module")
def before(machine: vm.Vm) -> State:
    return machine.etc(), machine.packages()


def test_the_card_and_nouveau_are_there(machine: vm.Vm, before: State, built: standins.Built) -> None:
    """Else the rest would show nothing."""
    assert machine.ssh("uname -r") == built.kernel
    assert "[10de:2684]" in machine.ssh("lspci -nn")
    assert "nouveau" in machine.modules()
    assert "nouveau 10de:00:00.0" in machine.ssh("dmesg")


def test_a_wish_that_cannot_work_changes_nothing(machine: vm.Vm, before: State) -> None:
    """Refused before anything is touched: a branch that the source does not have."""
    with machines.timed("a refused run"):
        run = machine.role(**INPUTS, nvidia_driver_branch="999")
    assert run.rc != 0 and run.changed == 0, run.output[-3000:]
    assert (machine.etc(), machine.packages()) == before


def test_power_cut_before_the_initramfs_is_made(machine: vm.Vm, before: State) -> None:
    """The packages are there, the old boot image is: it boots, and nouveau comes up once more."""
    hook = "/etc/initramfs-tools/hooks/zz-power-cut"
    machine.ssh(f"cat > {hook} && chmod 755 {hook} && touch /run/power-cut && sync", stdin=CUT.encode())
    log = machines.LOGS / "driver-power-cut.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with machines.timed("a run until the power cut"), log.open("w") as output:
        argv = machine.command(**INPUTS)
        run = subprocess.Popen(
            argv, cwd=machines.PROJECT, env=machines.environment(), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            until = time.monotonic() + 600
            while "POWER-CUT-NOW" not in machine.console.read_text(errors="replace"):
                assert run.poll() is None and time.monotonic() < until, log.read_text()[-4000:]
                time.sleep(0.2)
            machine.cut_power()
        finally:
            run.kill()
            run.wait()
    with machines.timed("boot after the power cut"):
        machine.power_on()
    machine.ssh(f"rm -f {hook}")
    assert "nouveau" in machine.modules()
    assert machine.ssh("dpkg-query -W -f '${Version}' nvidia-open-kernel-dkms") != ""


def test_the_next_run_mends_it_and_boots(machine: vm.Vm) -> None:
    """One run: packages finished, boot image made, one reboot, and on from there."""
    boot = machine.ssh("cat /proc/sys/kernel/random/boot_id")
    with machines.timed("the run that mends, with its reboot"):
        run = machine.role(**INPUTS)
    assert run.rc == 0, run.errors or run.output[-3000:]
    assert machine.ssh("cat /proc/sys/kernel/random/boot_id") != boot, "no reboot"
    assert machine.ssh("dpkg --audit; dpkg -l | grep -E '^i[^i]' || :") == ""


def test_nouveau_is_gone_and_the_real_driver_is_asked(machine: vm.Vm) -> None:
    """udev loads nvidia.ko for the card, whose probe looks for an interrupt that a made-up card does not have."""
    assert "nouveau" not in machine.modules()
    log = machine.ssh("dmesg")
    assert "NVRM: Can't find an IRQ for your NVIDIA card!" in log
    assert "nvidia: probe of 10de:00:00.0 failed" in log


def test_the_boot_image_holds_the_blacklist(machine: vm.Vm, built: standins.Built) -> None:
    """And the record says which contents it was made from."""
    listed = machine.ssh(f"lsinitramfs /boot/initrd.img-{built.kernel}").splitlines()
    assert "etc/modprobe.d/gpuready-nouveau.conf" in listed
    assert json.loads(machine.ssh("cat /var/lib/gpuready/initramfs.json"))


def test_the_second_run_changes_nothing(machine: vm.Vm) -> None:
    """Although the driver does not come up on a card that does not exist: no reboot for ever."""
    boot = machine.ssh("cat /proc/sys/kernel/random/boot_id")
    with machines.timed("second run"):
        run = machine.role(**INPUTS)
    assert (run.rc, run.changed) == (0, 0), run.output[-3000:]
    assert machine.ssh("cat /proc/sys/kernel/random/boot_id") == boot


def test_absent_gives_nouveau_back(machine: vm.Vm, before: State) -> None:
    """Packages and /etc as before, and the next boot has the free driver again."""
    with machines.timed("take the driver away"):
        run = machine.role(**INPUTS, nvidia_driver_state="absent")
    assert run.rc == 0, run.errors or run.output[-3000:]
    assert sorted(set(machine.packages()) ^ set(before[1])) == []
    assert sorted(set(machine.etc()) ^ set(before[0])) == []
    with machines.timed("boot without the driver"):
        machine.reboot()
    assert "nouveau" in machine.modules()
    assert "NVRM" not in machine.ssh("dmesg")
