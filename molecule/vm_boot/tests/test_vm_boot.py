# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The opt-in to cgroup v1 over real reboots. The tests go on from each other: a boot takes half a minute.

Real: firmware, GRUB, grub-mkconfig, kernel, systemd 252. The container of Debian 13 has a real systemd 257 and a
made-up kernel: there the role must refuse before it touches anything, which no boot is needed for.
"""

from __future__ import annotations

import subprocess
import time

import pytest
import testinfra
from machine import PROJECT, Machine

PARAMETER = "systemd.unified_cgroup_hierarchy=0"
DROP_IN = "/etc/default/grub.d/zz-gpuready-nvml-stability.cfg"
# cgroup2, or tmpfs with the controllers of v1 below it
KIND = "findmnt -n -o FSTYPE /sys/fs/cgroup"
BOOT_S = 600
OUT = {"nvml_stability_cgroup_v1": False}


def reached(name: str) -> Machine:
    return Machine(testinfra.get_host(f"ssh://{name}", ssh_config=str(PROJECT / ".sandbox" / "ssh_config")))


@pytest.fixture(scope="module")
def machine() -> Machine:
    return reached("vm-boot-12")


def reboot(machine: Machine) -> None:
    """In good order, until another boot answers."""
    ssh = ["ssh", "-F", ".sandbox/ssh_config", "-o", "ControlMaster=no", "-o", "ConnectTimeout=5", machine.name]
    boot_id = [*ssh, "cat /proc/sys/kernel/random/boot_id"]
    before = subprocess.run(boot_id, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    subprocess.run([*ssh, "systemctl reboot"], cwd=PROJECT, capture_output=True, check=False, timeout=60)
    until = time.monotonic() + BOOT_S
    while time.monotonic() < until:
        time.sleep(1)
        done = subprocess.run(boot_id, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode == 0 and done.stdout != before:
            return
    raise AssertionError(f"{machine.name} did not come back within {BOOT_S} s")


def test_the_machine_is_one_with_its_own_boot_loader(machine: Machine) -> None:
    """Else the rest would show nothing."""
    assert machine.rc("systemd-detect-virt --container") != 0
    assert machine.sh("systemctl --version | head -n 1").split()[1] == "252"
    assert "console=ttyS0" in machine.sh("grep -m 1 '^[[:space:]]*linux' /boot/grub/grub.cfg")


def test_the_opt_in_waits_for_a_boot(machine: Machine) -> None:
    """The scenario has converged: the menu has it, the running kernel has not, the user's file is untouched."""
    assert machine.sh(KIND) == "cgroup2" and PARAMETER not in machine.sh("cat /proc/cmdline")
    lines = machine.sh("grep '^[[:space:]]*linux' /boot/grub/grub.cfg").splitlines()
    ordinary = [line for line in lines if " single" not in line]
    assert ordinary and all(line.rstrip().endswith(PARAMETER) for line in ordinary), lines
    assert all(PARAMETER not in line for line in lines if line not in ordinary)
    assert machine.sh("grep 'default/' /root/before | sha256sum --check --quiet && echo same") == "same"
    again = machine.converge()
    assert (again.rc, again.changed) == (0, []) and "cgroup v1 comes with the next boot" in again.output


def test_the_next_boot_has_cgroup_v1(machine: Machine) -> None:
    reboot(machine)
    words = machine.sh("cat /proc/cmdline").split()
    assert words[0].startswith("BOOT_IMAGE=/boot/vmlinuz-") and words[-1] == PARAMETER
    assert machine.sh(KIND) == "tmpfs"
    assert "cgroup " in machine.sh("findmnt -rn -o FSTYPE,TARGET /sys/fs/cgroup/devices")


def test_there_is_nothing_left_to_do(machine: Machine) -> None:
    run = machine.converge()
    assert (run.rc, run.changed) == (0, []), run.output[-3000:]


def test_a_settings_file_that_the_user_breaks_is_one_clear_error(machine: Machine) -> None:
    """Taking it back needs a menu, and none can be made: the machine still boots as before."""
    kept = "find /etc/default /boot/grub /var/lib/gpuready -type f -exec sha256sum {} + | sort"
    machine.sh("cp -p /etc/default/grub /root/grub && echo 'GRUB_TIMEOUT=\"0' >> /etc/default/grub")
    before = machine.sh(kept)
    run = machine.converge(**OUT)
    assert run.rc != 0 and "/etc/default/grub: Syntax error: Unterminated quoted string" in run.sentence
    assert machine.sh(kept) == before
    machine.sh("cp -p /root/grub /etc/default/grub && rm /root/grub")


def test_opting_out_gives_all_back(machine: Machine) -> None:
    run = machine.converge(**OUT)
    assert run.rc == 0, run.output[-3000:]
    assert machine.rc(f"test -e {DROP_IN}") == 1
    assert machine.sh("sha256sum --check --quiet /root/before && echo same") == "same"
    assert machine.sh(KIND) == "tmpfs"


def test_the_boot_after_it_has_v2_again(machine: Machine) -> None:
    reboot(machine)
    assert PARAMETER not in machine.sh("cat /proc/cmdline") and machine.sh(KIND) == "cgroup2"
    again = machine.converge(**OUT)
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]


def test_debian_13_refuses_and_changes_nothing() -> None:
    thirteen = reached("mol-vm-boot-13")
    with thirteen.untouched():
        run = thirteen.converge(nvml_stability_cgroup_v1=True)
    assert run.rc != 0 and run.changed == []
    assert "systemd 257" in run.sentence and run.sentence.endswith("Nothing was changed.")
