# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver on hosts that say they are Ubuntu 24.04 (Debian's userland, stand-in packages).

One takes it from Ubuntu's archive with Secure Boot on, one from NVIDIA's repository. apt, dpkg, unattended-upgrades and
the initial file system are real.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from testinfra.host import Host

PROJECT = Path(__file__).resolve().parents[3]
# What comes later: a newer version of the branch in each repository
LATER = "/etc/apt/sources.list.d/test-later.sources"
DEB822 = "Types: deb\\nURIs: http://127.0.0.1:8099/ubuntu/\\nSuites: noble-proposed\\nComponents: main restricted\\n"
SIGNED = "Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\\n"
VERSIONS = {"mol-ubuntu-identity-archive": "580.159.03", "mol-ubuntu-identity-nvidia": "580.126.09"}
DIGEST = (PROJECT / "molecule" / "shared" / "etc_digest.sh").read_text()


def name_of(host: Host) -> str:
    return str(host.backend.get_pytest_id().removeprefix("ssh://"))


def version_of(host: Host) -> str:
    return VERSIONS[name_of(host)]


def converge(host: Host, *extra: str) -> subprocess.CompletedProcess[str]:
    """Run the role on one host, as the scenario does."""
    argv = ["ansible-playbook", "-i", "molecule/inventory", "molecule/shared/converge.yml", "-l", name_of(host), *extra]
    return subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)


def parts(host: Host) -> dict[str, str]:
    """The installed packages that carry the driver's version (modules of the archive carry their kernel's)."""
    # rc 1: none at all
    listed = host.run("dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n' '*nvidia*'")
    found = dict(line.split()[1:] for line in listed.stdout.splitlines() if line.startswith("ii"))
    return {name: v for name, v in found.items() if not name.startswith(("linux-modules", "nvidia-driver-pinning"))}


@pytest.fixture
def later(host: Host) -> Iterator[Host]:
    """The host when its repositories have a newer version of the same branch."""
    host.check_output(f"printf '{DEB822}{SIGNED}' > {LATER} && apt-get update -qq")
    yield host
    host.check_output(f"rm -f {LATER} && apt-get update -qq")


def test_all_parts_have_one_version(host: Host) -> None:
    found = parts(host)
    assert len(found) >= 4, found
    assert {version.split("-")[0] for version in found.values()} == {version_of(host)}, found


def test_the_module_is_of_the_same_version_and_loaded(host: Host) -> None:
    module = host.check_output("find /lib/modules/$(cat /proc/sys/kernel/osrelease) -name nvidia.ko")
    assert host.check_output(f"modinfo -F version {module}") == version_of(host)
    assert version_of(host) in host.file("/proc/driver/nvidia/version").content_string
    assert host.service("nvidia-persistenced").is_running
    assert not host.file("/sys/module/nouveau").exists


def test_secure_boot_took_the_signed_module_of_the_archive(host: Host) -> None:
    prebuilt = host.run("dpkg-query -W linux-modules-nvidia-580-server-open-6.8.0-999-generic").rc == 0
    assert prebuilt == (name_of(host) == "mol-ubuntu-identity-archive")
    assert host.run("ls /var/lib/dkms/nvidia").succeeded != prebuilt


def test_a_full_upgrade_leaves_the_driver(later: Host) -> None:
    newer = later.check_output("apt-cache madison nvidia-utils-580-server nvidia-utils-580")
    assert "580.178.04" in newer or "580.159.03" in newer, "nothing to hold against"
    before = parts(later)
    later.check_output("DEBIAN_FRONTEND=noninteractive apt-get full-upgrade -y -qq")
    assert parts(later) == before


def test_unattended_upgrades_leave_the_driver(later: Host) -> None:
    allowed = 'Unattended-Upgrade::Allowed-Origins {"Ubuntu:noble-proposed";};'
    later.check_output(f"echo '{allowed}' > /etc/apt/apt.conf.d/99test-later")
    try:
        said = later.run("unattended-upgrade --dry-run -d 2>&1").stdout
    finally:
        later.check_output("rm /etc/apt/apt.conf.d/99test-later")
    assert "a=noble-proposed" in said, said[-2000:]
    chosen = said.split("pkgs that look like they should be upgraded:")[-1].splitlines()[0]
    assert "nvidia" not in chosen, chosen


def test_another_branch_is_not_taken_unasked(host: Host) -> None:
    done = converge(host, "-e", "nvidia_driver_branch=595", "-e", "nvidia_driver_version=")
    said = done.stdout + done.stderr
    assert done.returncode == 2 and "not replaced unasked" in said, said[-3000:]
    assert {version.split("-")[0] for version in parts(host).values()} == {version_of(host)}


def test_an_upgrade_of_the_branch_takes_all_parts(host: Host) -> None:
    given = {"nvidia_driver_branch": "595", "nvidia_driver_version": "", "nvidia_driver_allow_change": True}
    wanted = ("-e", json.dumps(given))
    done = converge(host, *wanted)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert {version.split("-")[0] for version in parts(host).values()} == {"595.71.05"}
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
    assert not host.file("/lib/modules/6.8.0-999-generic/updates").exists
