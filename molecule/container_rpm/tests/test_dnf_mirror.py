# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role mirrors on the files that Rocky Linux, AlmaLinux and EPEL ship: the real dnf resolves and installs by them.

The mirror lies on the host: trees of the distributions' form, with a repository that createrepo_c has made of stand-in
packages. The host itself stays Debian's userland.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from machine import DIGEST, PROJECT, Machine, Run
from testinfra.host import Host

PLAY = "molecule/shared/converge.yml"
LAYOUTS = PROJECT / "tests" / "fixtures" / "mirrors"
MIRROR, SECOND, NOBODY = "http://127.0.0.1:8103", "http://localhost:8103", "http://127.0.0.1:9"
SERVER = "python3 -m http.server --bind 127.0.0.1 --directory /srv/mirror 8103"
KEEP, LOG = "/var/tmp/before-mirror", "/run/lab-mirror.log"
# the inventory's own mirrors are Debian's
NO_OTHERS = {"gpuready_mirror_apt_url": "", "gpuready_mirror_pip_index_url": ""}


@dataclass(frozen=True)
class System:
    """What a host is made to look like: the files of a layout, and those of EPEL beside them."""

    layout: str
    service: str
    release: str
    key: str


ROCKY9 = System("rocky9", "rocky", "9", "Rocky-9")
ROCKY10 = System("rocky10", "rocky", "10", "Rocky-10")
ALMA9 = System("alma9", "almalinux", "9", "AlmaLinux-9")


@dataclass(frozen=True)
class Lab:
    """The host with the files of one system."""

    machine: Machine
    system: System

    def role(self, **variables: object) -> Run:
        return self.machine.play(PLAY, scenario_role="mirrors", **NO_OTHERS, **variables)

    def mirrored(self, rocky: object = f"{MIRROR}/top", epel: object = f"{MIRROR}/epel") -> Run:
        return self.role(mirrors_sites={self.system.service: rocky, "epel": epel})

    def dnf(self, words: str) -> str:
        return self.machine.sh(f"dnf --releasever={self.system.release} {words}")

    def etc(self) -> list[str]:
        return str(self.machine.host.run("sh -c %s _ -", DIGEST).stdout).splitlines()

    def config(self, repository: str) -> dict[str, str]:
        """The settings of a repository as dnf itself understands them."""
        dumped = self.dnf(f"config-manager --dump {repository}").splitlines()
        return {key.strip(): value.strip() for key, sign, value in (line.partition("=") for line in dumped) if sign}

    def asked(self) -> list[str]:
        """Paths that the mirror was asked for, with what it answered."""
        found = re.findall(r'"GET (\S+) HTTP/1\.[01]" (\d+)', self.machine.sh(f"cat {LOG}"))
        return [f"{path} {status}" for path, status in found]


@contextmanager
def dressed(machine: Machine, system: System) -> Iterator[Lab]:
    """The host as this system, which the role gives back; afterwards the host as it was."""
    files = [*(LAYOUTS / system.layout / "before/etc/yum.repos.d").glob("*.repo")]
    files += (LAYOUTS / "epel9/before/etc/yum.repos.d").glob("*.repo")
    # the layouts' own files say no more than package_mirrors asks; distributions name what they are like
    release = (LAYOUTS / system.layout / "before/etc/os-release").read_text() + 'ID_LIKE="rhel centos fedora"\n'
    machine.sh(f"rm -rf {KEEP} && mkdir {KEEP} && cp -a /etc/yum.repos.d /etc/pki/rpm-gpg /usr/lib/os-release {KEEP}")
    try:
        machine.sh("rm -f /etc/yum.repos.d/*")
        for path in files:
            put(machine, f"/etc/yum.repos.d/{path.name}", path.read_text())
        put(machine, "/usr/lib/os-release", release)
        for key in (system.key, f"EPEL-{system.release}"):
            machine.sh(f"cp /srv/repository/gpgkey /etc/pki/rpm-gpg/RPM-GPG-KEY-{key}")
        for tree in trees(system.release):
            machine.sh(f"mkdir -p $(dirname {tree}) && ln -s /srv/repository/rhel{system.release}/AppStream {tree}")
        machine.sh(f"systemd-run --quiet --unit lab-mirror -p StandardError=truncate:{LOG} {SERVER}")
        machine.sh(f"curl --silent --retry 50 --retry-delay 1 --retry-connrefused --output /dev/null {MIRROR}")
        lab = Lab(machine, system)
        before = lab.etc()
        yield lab
        back = lab.role(mirrors_state="absent")
        assert (back.rc, lab.etc()) == (0, before), back.output[-3000:]
    finally:
        machine.sh("systemctl stop lab-mirror; rm -rf /srv/mirror /etc/yum.repos.d /etc/pki/rpm-gpg; dnf clean all -q")
        machine.sh(f"cd {KEEP} && cp -a yum.repos.d /etc && cp -a rpm-gpg /etc/pki && cp -a os-release /usr/lib")
        machine.sh("rm -f /var/lib/gpuready/mirror*; rpm --import /srv/repository/gpgkey")


def trees(release: str) -> list[str]:
    """Where the mirror has a repository; each time the same one, the largest that the host has."""
    parts = [f"top/{release}/{name}/x86_64/os" for name in ("BaseOS", "AppStream")]
    return [f"/srv/mirror/{part}" for part in [*parts, f"epel/{release}/Everything/x86_64"]]


def put(machine: Machine, path: str, text: str) -> None:
    machine.host.run_test("sh -c %s _ %s %s", 'printf %s "$2" > "$1"', path, text)


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


@pytest.mark.parametrize("system", [ROCKY9, ROCKY10, ALMA9], ids=lambda system: system.layout)
def test_dnf_resolves_and_installs_from_the_mirror(machine: Machine, system: System) -> None:
    with dressed(machine, system) as lab:
        first = lab.mirrored()
        assert (first.rc, first.changed) == (0, ["Set the addresses of packages"]), first.output[-3000:]
        resolves(lab)
        installs(lab)
        second = lab.mirrored()
        assert (second.rc, second.changed) == (0, []), second.output[-3000:]


def resolves(lab: Lab) -> None:
    """What dnf makes of the files: variables filled in, lists of mirrors gone, key and check as they were."""
    release, key = lab.system.release, lab.system.key
    for name, path, owner in (
        ("baseos", f"top/{release}/BaseOS/x86_64/os/", key),
        ("epel", f"epel/{release}/Everything/x86_64/", f"EPEL-{release}"),
    ):
        found = lab.config(name)
        assert found["baseurl"] == f"{MIRROR}/{path}", name
        assert not {"mirrorlist", "metalink"} & set(found), name
        assert (found["gpgcheck"], found["enabled"]) == ("1", "1"), name
        assert found["gpgkey"] == f"file:///etc/pki/rpm-gpg/RPM-GPG-KEY-{owner}", name
        assert f"Repo-baseurl       : {MIRROR}/{path}" in lab.dnf(f"--repo={name} repoinfo")
    # nobody mirrors it
    assert "mirrors.fedoraproject.org" in lab.config("epel-cisco-openh264")["metalink"]


def installs(lab: Lab) -> None:
    """Packages come from there, and are held against the key that the file names: nothing else is trusted before."""
    release = lab.system.release
    lab.machine.sh("rpm --erase --allmatches gpg-pubkey")
    wanted = {"baseos": "mokutil", "epel": "infiniband-diags"}
    try:
        for repository, package in wanted.items():
            said = lab.dnf(f"--repo={repository} install -y {package}")
            assert f"{package}-1-1.el{release}" in said, said
        assert len(lab.machine.sh("rpm -q gpg-pubkey").split()) == 1
        assert lab.machine.sh(f"rpm -q {' '.join(wanted.values())}").count(f".el{release}.x86_64") == 2
    finally:
        lab.machine.sh(f"rpm --erase {' '.join(wanted.values())}")
    assert f"/top/{release}/BaseOS/x86_64/os/mokutil-1-1.el{release}.x86_64.rpm 200" in lab.asked()
    assert f"/epel/{release}/Everything/x86_64/infiniband-diags-1-1.el{release}.x86_64.rpm 200" in lab.asked()


def test_dnf_goes_on_to_the_next_address(machine: Machine) -> None:
    """Nobody answers at the first one."""
    with dressed(machine, ROCKY10) as lab:
        assert lab.mirrored(rocky=[f"{NOBODY}/top", f"{MIRROR}/top"]).rc == 0
        assert lab.config("baseos")["baseurl"].replace(",", " ").split() == [
            f"{NOBODY}/top/10/BaseOS/x86_64/os/",
            f"{MIRROR}/top/10/BaseOS/x86_64/os/",
        ]
        assert "mokutil" in lab.dnf("--repo=baseos -q list --available mokutil")
        assert "/top/10/BaseOS/x86_64/os/repodata/repomd.xml 200" in lab.asked()


def test_a_mirror_is_measured_by_its_repodata(machine: Machine) -> None:
    """One that answers and is fresh is chosen, one that nobody is behind is not."""
    sites = {"dead": {"base": "https://127.0.0.1:9"}, "lab": {"base": "https://mirror.example.org"}}
    rocky = {"dead": {"path": "/top"}, "lab": {"url": f"{MIRROR}/top"}, "official": {"url": f"{SECOND}/nothing"}}
    catalogue = {
        "sites": sites,
        "services": {"rocky": {"sites": rocky}},
        "presets": {"lab": {"sites": ["dead", "lab"], "services": ["rocky"]}},
    }
    wished = {"mirrors_catalogue": catalogue, "mirrors_preset": "lab", "mirrors_measure": {"max_age_hours": 8784}}
    with dressed(machine, ROCKY10) as lab:
        first = lab.role(**wished)
        assert first.rc == 0, first.output[-3000:]
        assert lab.config("baseos")["baseurl"] == f"{MIRROR}/top/10/BaseOS/x86_64/os/"
        assert "/top/10/BaseOS/x86_64/os/repodata/repomd.xml 200" in lab.asked()
        asked = lab.asked()
        second = lab.role(**wished)
        assert (second.rc, second.changed) == (0, []), second.output[-3000:]
        # the choice is remembered: nobody is asked again
        assert lab.asked() == asked
