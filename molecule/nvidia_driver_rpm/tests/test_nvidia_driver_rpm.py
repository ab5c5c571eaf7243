# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver on hosts that say they are RHEL 10 and RHEL 9 (Debian's userland, stand-in packages, each signed).

dnf, rpm, the versionlock plugin and, on RHEL 9, the module streams are real.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from testinfra.host import Host

PROJECT = Path(__file__).resolve().parents[3]
VERSION = "580.159.03"
REPOSITORY = "http://127.0.0.1:8099/compute/cuda/repos"
LOCKS = "/etc/dnf/plugins/versionlock.list"
DIGEST = (PROJECT / "molecule" / "shared" / "etc_digest.sh").read_text()


def name_of(host: Host) -> str:
    return str(host.backend.get_pytest_id().removeprefix("ssh://"))


def converge(host: Host, *extra: str) -> subprocess.CompletedProcess[str]:
    """Run the role on one host, as the scenario does."""
    argv = ["ansible-playbook", "-i", "molecule/inventory", "molecule/shared/converge.yml", "-l", name_of(host), *extra]
    return subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)


def parts(host: Host) -> dict[str, str]:
    """The installed packages of the driver and their versions."""
    listed = host.check_output("rpm -qa --qf '%{NAME} %{VERSION}\\n' | grep -i nvidia || :")
    return dict(line.split() for line in listed.splitlines())


def test_all_parts_have_one_version(host: Host) -> None:
    found = parts(host)
    assert {"nvidia-driver-cuda", "kmod-nvidia-open-dkms", "nvidia-persistenced", "libnvidia-ml"} <= set(found)
    assert set(found.values()) == {VERSION}, found


def test_the_module_was_built_and_is_loaded(host: Host) -> None:
    kernel = host.check_output("cat /proc/sys/kernel/osrelease")
    assert host.check_output(f"modinfo -F version /lib/modules/{kernel}/extra/nvidia.ko") == VERSION
    assert VERSION in host.file("/proc/driver/nvidia/version").content_string
    service = host.service("nvidia-persistenced")
    assert service.is_running and service.is_enabled
    assert not host.file("/sys/module/nouveau").exists


def test_the_fabric_manager_runs_where_there_are_switches_and_nowhere_else(host: Host) -> None:
    unit = "nvidia-fabricmanager"
    if name_of(host) != "mol-rhel10-identity":
        assert unit not in parts(host) and not host.file("/dev/nvidia-nvswitch0").exists
        return
    assert host.service(unit).is_running and host.service(unit).is_enabled
    # the same image on a machine without switches: it does not start, and that is no failure
    host.check_output(f"systemctl stop {unit} && mkdir /run/away && mv /dev/nvidia-nvswitch* /run/away/")
    try:
        host.check_output(f"systemctl start {unit}")
        assert host.run(f"systemctl is-active {unit}").stdout.strip() == "inactive"
    finally:
        host.check_output(f"mv /run/away/* /dev/ && rmdir /run/away && systemctl start {unit}")
    assert host.service(unit).is_running


def test_packages_are_checked_against_the_pinned_key(host: Host) -> None:
    repository = host.check_output("cat /etc/yum.repos.d/gpuready-*.repo")
    assert "gpgcheck=1" in repository.replace(" ", "") and "gpgkey=file:///etc/pki/rpm-gpg/" in repository.replace(
        " ", ""
    )
    signature = host.check_output("rpm -q --qf '%{RSAHEADER:pgpsig}' nvidia-driver-cuda")
    assert "Key ID" in signature, signature


def test_the_stream_of_the_branch_is_enabled_where_there_are_streams(host: Host) -> None:
    streams = host.run("cat /etc/dnf/modules.d/nvidia-driver.module").stdout
    assert ("stream=580-open" in streams) == (name_of(host) == "mol-rhel9-identity")


def test_an_upgrade_leaves_the_driver(host: Host) -> None:
    offered = host.check_output("dnf -q repoquery --disableplugin=versionlock --showduplicates nvidia-driver-cuda")
    assert "580.178.04" in offered, "nothing to hold against"
    before = parts(host)
    host.check_output("dnf -y -q upgrade")
    assert parts(host) == before


def test_another_branch_is_not_taken_unasked(host: Host) -> None:
    done = converge(host, "-e", "nvidia_driver_branch=595", "-e", "nvidia_driver_version=")
    said = done.stdout + done.stderr
    assert done.returncode == 2 and "not replaced unasked" in said, said[-3000:]
    assert set(parts(host).values()) == {VERSION}


def test_a_module_that_does_not_compile_leaves_the_former_version(host: Host) -> None:
    if name_of(host) != "mol-rhel10-identity":
        pytest.skip("its repository with faults is made for one of the two")
    locks = host.check_output(f"cat {LOCKS}")
    given = {
        "nvidia_driver_repo_url": f"{REPOSITORY}/rhel10-faults/{host.check_output('uname -m')}",
        "nvidia_driver_branch": "595",
        "nvidia_driver_version": "",
        "nvidia_driver_allow_change": True,
    }
    done = converge(host, "-e", json.dumps(given))
    said = done.stdout + done.stderr
    assert done.returncode == 2, said[-4000:]
    assert "nvidia 595.99.99 does not compile" in said and "pci_resize_resource" in said, said[-4000:]
    assert "machine is as it was" in said
    assert set(parts(host).values()) == {VERSION}
    kernel = host.check_output("cat /proc/sys/kernel/osrelease")
    assert host.check_output(f"modinfo -F version /lib/modules/{kernel}/extra/nvidia.ko") == VERSION
    assert VERSION in host.file("/proc/driver/nvidia/version").content_string
    assert host.check_output(f"cat {LOCKS}") == locks
    mended = converge(host)
    assert mended.returncode == 0, mended.stdout[-4000:]
    again = converge(host)
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout[-3000:]


def test_an_upgrade_of_the_branch_takes_all_parts(host: Host) -> None:
    given = {"nvidia_driver_branch": "595", "nvidia_driver_version": "", "nvidia_driver_allow_change": True}
    wanted = ("-e", json.dumps(given))
    done = converge(host, *wanted)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert set(parts(host).values()) == {"595.71.05"}
    assert "595.71.05" in host.file("/proc/driver/nvidia/version").content_string
    again = converge(host, *wanted)
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout[-3000:]


def test_a_removal_leaves_etc_as_it_was(host: Host) -> None:
    # last: prepare.yml wrote down what /etc was made of
    done = converge(host, "-e", "nvidia_driver_state=absent")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert parts(host) == {}
    before = host.check_output("cat /var/tmp/etc-before").splitlines()
    after = host.check_output("sh -c %s _ -", DIGEST).splitlines()
    assert sorted(set(before) ^ set(after)) == []
