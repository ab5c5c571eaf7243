# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work on a bare machine is said in one sentence, and the machine is as it was, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from machine import Machine
from testinfra.host import Host

ARCHIVE = "/etc/apt/sources.list.d/sandbox-archive.sources"
REPOSITORY = "http://127.0.0.1:8099/compute/cuda/repos"
LISTS = "/var/lib/apt/lists"
EFI = "/sys/firmware/efi/efivars"
VENDOR = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
SECURE_BOOT = (
    f"mount -t tmpfs -o mode=0755 tmpfs /sys/firmware && mkdir -p {EFI} && "
    f"printf '\\006\\000\\000\\000\\001' > {EFI}/SecureBoot-{VENDOR} && "
    f"printf '\\006\\000\\000\\000\\000' > {EFI}/SetupMode-{VENDOR}"
)
Fault = Callable[[Machine], AbstractContextManager[None]]


def fault(breaks: str, mends: str) -> Fault:
    """Two commands."""

    @contextmanager
    def around(machine: Machine) -> Iterator[None]:
        machine.sh(breaks)
        try:
            yield
        finally:
            machine.sh(mends)

    return around


NONE = fault("true", "true")
NO_HEADERS = fault(f"mv {ARCHIVE} /root/ && apt-get update -qq", f"mv /root/sandbox-archive.sources {ARCHIVE}")
SECURE = fault(SECURE_BOOT, "umount /sys/firmware")
# /boot is a small file system of its own, with 100 MiB left
FULL_BOOT = fault(
    "cp -a /boot /root/boot && mount -t tmpfs -o size=120m,mode=0755 tmpfs /boot && cp -a /root/boot/. /boot/",
    "umount /boot && rm -r /root/boot",
)
FIELDS = "Package: half\\nVersion: 1\\nArchitecture: all\\nMaintainer: a\\nDescription: b\\n"
FOREIGN = fault(
    f"mkdir -p /root/half/DEBIAN && printf '{FIELDS}' > /root/half/DEBIAN/control && "
    "dpkg-deb -b /root/half /root/half.deb && dpkg --unpack /root/half.deb",
    "dpkg --purge half && rm -r /root/half /root/half.deb",
)
# Debian's own release file, under the name of ours
OTHER_KEY = fault(
    "mkdir /srv/repository/other && cp -L /srv/repository/compute/cuda/repos/debian/amd64/* /srv/repository/other/ && "
    f"cp {LISTS}/*_dists_*_InRelease /srv/repository/other/InRelease",
    f"rm -r /srv/repository/other && rm -f {LISTS}/*_8099_other_* {LISTS}/partial/*",
)
CASES: dict[str, tuple[Fault, dict[str, object], list[str]]] = {
    "no headers": (NO_HEADERS, {}, ["no repository offers linux-headers-6.12.99-sandbox-amd64", "Update the kernel"]),
    "Secure Boot without a key": (SECURE, {}, ["Secure Boot is on", "nvidia_driver_secure_boot to enrol"]),
    "Secure Boot, no password": (SECURE, {"nvidia_driver_secure_boot": "enrol"}, ["nvidia_driver_mok_password"]),
    "/boot is full": (FULL_BOOT, {}, ["/boot has ", " MiB free, the driver needs 160 MiB", "Nothing was changed"]),
    "wrong fingerprint": (NONE, {"nvidia_driver_repo_fingerprints": ["A" * 40]}, ["fingerprint", "A" * 40]),
    "signed by another key": (
        OTHER_KEY,
        {"nvidia_driver_repo_url": "http://127.0.0.1:8099/other"},
        ["127.0.0.1:8099/other", "machine is as it was"],
    ),
    "pinned version gone": (
        NONE,
        {"nvidia_driver_version": "580.95.05"},
        ["no complete set of driver 580.95.05", "580.159.03, 580.126.09", "machine is as it was"],
    ),
    "the module does not compile": (
        NONE,
        {"nvidia_driver_repo_url": f"{REPOSITORY}/debian-faults/$(ARCH)", "nvidia_driver_branch": "595"},
        [
            "nvidia 595.99.99 does not compile",
            "pci_resize_resource",
            "nvidia_driver_branch=580",
            "machine is as it was",
        ],
    ),
    "somebody else's package half installed": (FOREIGN, {}, ["half installed: half", "dpkg --configure -a"]),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_and_nothing_has_changed(host: Host, case: str) -> None:
    machine = Machine(host)
    machine.bare()
    breaks, variables, words = CASES[case]
    with breaks(machine), machine.untouched():
        run = machine.converge(**variables)
        assert run.rc == 2, run.output[-3000:]
    for word in words:
        assert word in run.sentence, run.sentence
    assert len(run.sentence) < 700, run.sentence


MOK_NEW = f"{EFI}/MokNew-605dab50-e046-4300-abb6-3dd810dd8b23"
# What dkms and mokutil leave; the password goes to where the test can see that it arrived
DKMS = """#!/bin/sh
[ "$1" = generate_mok ] && mkdir -p /var/lib/dkms && exec openssl req -quiet -new -x509 -nodes -days 9 -subj /CN=test \\
  -newkey rsa:2048 -keyout /var/lib/dkms/mok.key -outform DER -out /var/lib/dkms/mok.pub
"""
MOKUTIL = f"""#!/bin/sh
case $1 in
  --test-key)
    if [ -e {MOK_NEW} ]; then state='already in the enrollment request'; else state='not enrolled'; fi
    echo "$2 is $state" ;;
  --import) cat > /root/typed; cp "$2" {MOK_NEW} ;;
esac
"""


def test_a_key_waits_for_somebody_at_the_console(host: Host) -> None:
    machine = Machine(host)
    machine.bare()
    machine.sh("apt-get install -y -qq mokutil dkms")
    wishes = {"nvidia_driver_secure_boot": "enrol", "nvidia_driver_mok_password": "console-only"}
    with SECURE(machine):
        host.run("printf %s > /usr/local/sbin/dkms; printf %s > /usr/local/sbin/mokutil", DKMS, MOKUTIL)
        machine.sh("chmod 755 /usr/local/sbin/dkms /usr/local/sbin/mokutil")
        before = machine.packages()
        try:
            for turn in (1, 2):
                run = machine.converge(**wishes)
                assert run.rc == 2, run.output[-3000:]
                for word in ("Enroll MOK, Continue, Yes", "nvidia_driver_mok_password", "not installed yet"):
                    assert word in run.sentence, (turn, run.sentence)
            assert machine.packages() == before
            assert machine.sh("cat /root/typed").split() == ["console-only"] * 2
            assert machine.rc("test -e /etc/modprobe.d/gpuready-nouveau.conf") == 1
            machine.boots()
        finally:
            machine.sh("rm -rf /usr/local/sbin/dkms /usr/local/sbin/mokutil /root/typed /var/lib/dkms/mok.*")


def test_the_run_after_them_installs_the_driver(host: Host) -> None:
    Machine(host).mended()


def test_only_a_complete_set_is_taken(host: Host) -> None:
    # 580.178.04 is the newest there, and its fabric manager is not there yet
    machine = Machine(host)
    machine.bare()
    wishes = {
        "nvidia_driver_repo_url": f"{REPOSITORY}/debian-faults/$(ARCH)",
        "nvidia_driver_fabric_manager": "present",
    }
    run = machine.converge(**wishes)
    assert run.rc == 0, run.output[-5000:]
    listed = machine.packages()
    assert "580.178.04" not in listed and "ii  nvidia-fabricmanager 580.159.03-1" in listed
    assert "ii  nvidia-driver-cuda 580.159.03-1" in listed
    # no NVSwitch here: it must not even try to start, now or in each run
    assert machine.sh("systemctl is-enabled nvidia-fabricmanager") == "enabled"
    assert machine.rc("systemctl is-active nvidia-fabricmanager") != 0
    assert machine.rc("systemctl is-failed nvidia-fabricmanager") != 0
    again = machine.converge(**wishes)
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]


def test_a_part_that_nobody_wishes_any_more_keeps_the_version_of_the_driver(host: Host) -> None:
    machine = Machine(host)
    assert "libnvidia-nscq 580.159.03-1" in machine.packages(), "the test before this one has installed it"
    run = machine.converge(nvidia_driver_version="580.126.09", nvidia_driver_allow_change=True)
    assert run.rc == 0, run.output[-5000:]
    listed = machine.packages()
    assert "libnvidia-nscq 580.126.09-1" in listed and "580.159.03" not in listed
    machine.bare()
