# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian 12: Debian's own driver for real. Only the card and the running kernel's name are made up.

The tests go on from each other: the set takes two minutes and 1.2 GB to install.
"""

from __future__ import annotations

import machines
from machines import DriverHost

INPUTS = {"nvidia_driver_source": "distribution", "nvidia_driver_modules": "open"}
SET = ("nvidia-open-kernel-dkms", "nvidia-smi", "libcuda1")
# A repository that offers newer versions of what is held, and of one package that is not
BAIT = """
set -eu
rm -rf /srv/bait && mkdir -p /srv/bait && cd /srv/bait
for pair in nvidia-smi:999.1-1 nvidia-open-kernel-dkms:999.1-1 libcuda1:999.1-1 netbase:99.9; do
  name=${pair%%:*}
  mkdir -p stage/DEBIAN
  printf 'Package: %s\\nVersion: %s\\nArchitecture: amd64\\nMaintainer: test\\n' "$name" "${pair##*:}" > control
  { cat control; echo 'Description: bait'; } > stage/DEBIAN/control
  dpkg-deb --root-owner-group -b stage "$name.deb" >/dev/null
  cat control >> Packages
  printf 'Filename: ./%s.deb\\nSize: %s\\nSHA256: ' "$name" "$(stat -c %s "$name.deb")" >> Packages
  sha256sum "$name.deb" | cut -d' ' -f1 >> Packages
  printf 'Description: bait\\n\\n' >> Packages
  rm -r stage
done
echo 'deb [trusted=yes] file:/srv/bait ./' > /etc/apt/sources.list.d/bait.list
apt-get update -qq
"""


def test_the_role_installs_the_driver(dkms: DriverHost) -> None:
    """Headers of the running kernel first, then the set; it ends well, and says that a boot is due for nouveau."""
    assert dkms.run.rc == 0, dkms.run.errors or dkms.run.output[-3000:]
    assert "A reboot is due: the free driver nouveau" in dkms.run.output
    states = {line.split()[0]: line.split()[2] for line in dkms.machine.packages()}
    for name in (*SET, f"linux-headers-{dkms.kernel}"):
        assert states.get(name) == "ii", f"{name}: {states.get(name)}"


def test_the_module_fits_the_kernel_that_is_shown(dkms: DriverHost) -> None:
    """Built for Debian's kernel, although another one runs here."""
    path = f"/lib/modules/{dkms.kernel}/updates/dkms/nvidia-current-open.ko"
    assert dkms.machine.ssh(f"modinfo -F vermagic {path}").split()[0] == dkms.kernel
    assert dkms.machine.ssh(f"modinfo -F license {path}") == "Dual MIT/GPL"
    version = dkms.machine.ssh("dpkg-query -W -f '${Version}' nvidia-open-kernel-dkms")
    assert version.startswith(dkms.machine.ssh(f"modinfo -F version {path}") + "-")
    assert dkms.machine.ssh("uname -r") != dkms.kernel


def test_dkms_knows_it(dkms: DriverHost) -> None:
    lines = dkms.machine.ssh("dkms status").splitlines()
    ours = [line for line in lines if line.startswith("nvidia-current-open/") and f", {dkms.kernel}, " in line]
    assert ours and ours[0].endswith(": installed"), lines


def test_nvidia_smi_says_that_no_driver_is_loaded(dkms: DriverHost) -> None:
    """The real program with the real library: NVML's error 9."""
    assert dkms.machine.rc("nvidia-smi") == 9


def test_the_hold_survives_a_full_upgrade(dkms: DriverHost) -> None:
    """A repository offers newer versions; all else is upgraded."""
    before = dkms.machine.packages()
    dkms.machine.ssh(BAIT)
    try:
        free = dkms.machine.ssh("apt-get -s full-upgrade -o Dir::Etc::PreferencesParts=/nonexistent | grep ^Inst")
        assert all(f"Inst {name} " in free for name in SET), f"the bait is none: {free}"
        dkms.machine.ssh("DEBIAN_FRONTEND=noninteractive apt-get full-upgrade -y -qq")
        changed = set(before) ^ set(dkms.machine.packages())
        assert {line.split()[0] for line in changed} == {"netbase"}
    finally:
        former = next(line.split()[1] for line in before if line.startswith("netbase "))
        dkms.machine.ssh(
            "rm -rf /srv/bait /etc/apt/sources.list.d/bait.list; apt-get update -qq;"
            f" apt-get install -y -qq --allow-downgrades netbase={former}"
        )


def test_the_second_run_changes_nothing(dkms: DriverHost) -> None:
    with machines.timed("second run"):
        again = dkms.machine.role(**INPUTS)
    assert (again.rc, again.changed) == (0, 0), again.output[-3000:]


def test_absent_leaves_the_machine_as_it_was(dkms: DriverHost) -> None:
    """Packages, and /etc byte for byte; nothing of the driver is left where kernels look."""
    with machines.timed("take the driver away"):
        run = dkms.machine.role(**INPUTS, nvidia_driver_state="absent")
    assert run.rc == 0, run.errors or run.output[-3000:]
    assert sorted(set(dkms.machine.packages()) ^ set(dkms.packages)) == []
    assert sorted(set(dkms.machine.etc()) ^ set(dkms.etc)) == []
    find = "find /lib/modules /var/lib/dkms /usr/src /usr/lib/modprobe.d -iname '*nvidia*' 2>/dev/null"
    assert dkms.machine.ssh(find, check=False) == ""


def test_the_boot_image_no_longer_knows_the_blacklist(dkms: DriverHost) -> None:
    listed = dkms.machine.ssh(f"lsinitramfs /boot/initrd.img-{dkms.kernel}")
    assert "etc/modprobe.d" in listed and "nouveau" not in listed
