# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages, sources and the lock of a tree."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import package_manager

MakeHost = Callable[[dict[str, Any]], Host]


@pytest.mark.parametrize(
    ("database", "path"),
    [
        ("/var/lib/dpkg/status", "/var/lib/dpkg/lock-frontend"),
        ("/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/.rpm.lock"),
        ("/usr/lib/sysimage/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/.rpm.lock"),
    ],
)
def test_a_held_lock_names_its_process(host_of: MakeHost, database: str, path: str) -> None:
    host = host_of({database: "", path: ""})
    assert package_manager.section(host)["lock"] == {"held": False, "pid": None, "comm": None}
    hold = "import fcntl, sys; h = open(sys.argv[1], 'w'); fcntl.lockf(h, fcntl.LOCK_EX); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, host.path(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        if child.stdout is None:
            pytest.fail("no pipe")
        child.stdout.readline()
        lock = package_manager.section(host)["lock"]
        child.communicate(b"\n")
    assert (lock["held"], lock["pid"]) == (True, child.pid)
    # looking must not take the lock away or leave one behind
    assert package_manager.section(host)["lock"]["held"] is False


def test_one_broken_source_does_not_hide_the_others(host_of: MakeHost) -> None:
    host = host_of(
        {
            "/var/lib/dpkg/status": "",
            "/etc/yum.repos.d/a.repo": "nonsense",
            "/etc/apt/sources.list.d/b.list": "deb https://b s main\n",
            "/etc/apt/sources.list.d/ignored.save": "deb https://c s main\n",
        }
    )
    sources = package_manager.section(host)["sources"]
    assert [source["file"] for source in sources] == ["/etc/apt/sources.list.d/b.list"]
    assert host.probes.status("package_sources") == "unparsable"


def test_rpm_is_not_asked_for_another_root(root_of: Callable[[str], Path]) -> None:
    def forbidden(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
        pytest.fail(f"ran {argv}")

    host = Host(str(root_of("rhel9")), Runner(forbidden, 5))
    section = package_manager.section(host)
    assert (section["manager"], section["installed"]) == ("dnf", {})
    assert host.probes.status("packages") == "missing"
    assert [(source["enabled"], source["suites"]) for source in section["sources"]] == [
        (True, ["docker-ce-stable"]),
        (False, ["docker-ce-test"]),
    ]


def test_no_package_manager(host_of: MakeHost) -> None:
    host = host_of({"/x": ""})
    assert package_manager.section(host)["manager"] is None
    assert host.probes.status("packages") == "missing"


STATUS = "Package: unattended-upgrades\nStatus: install ok installed\nArchitecture: all\nVersion: 2.9\n"
AUTO = "/etc/apt/apt.conf.d/20auto-upgrades"
LIST = "/etc/apt/apt.conf.d/50unattended-upgrades"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"/var/lib/dpkg/status": STATUS, AUTO: 'APT::Periodic::Unattended-Upgrade "1";'}, (True, True, [])),
        ({"/var/lib/dpkg/status": STATUS, AUTO: 'APT::Periodic::Unattended-Upgrade "always";'}, (True, True, [])),
        ({"/var/lib/dpkg/status": STATUS, AUTO: 'APT::Periodic::Unattended-Upgrade "0";'}, (True, False, [])),
        ({"/var/lib/dpkg/status": STATUS}, (True, False, [])),
        ({"/var/lib/dpkg/status": "", AUTO: 'APT::Periodic::Unattended-Upgrade "1";'}, (False, False, [])),
        (
            {
                "/var/lib/dpkg/status": STATUS,
                AUTO: 'APT::Periodic::Enable "0";\nAPT::Periodic::Unattended-Upgrade "1";',
            },
            (True, False, []),
        ),
        (
            {
                "/var/lib/dpkg/status": STATUS,
                AUTO: 'APT::Periodic::Unattended-Upgrade "1";',
                LIST: 'Unattended-Upgrade::Package-Blacklist {\n  "nvidia-";\n//  "vim";\n};\n',
                "/etc/apt/apt.conf.d/52gpuready": 'Unattended-Upgrade::Package-Blacklist { "cuda-drivers"; };',
                "/etc/apt/apt.conf.d/90.conf.dpkg-old": 'APT::Periodic::Unattended-Upgrade "0";',
            },
            (True, True, ["nvidia-", "cuda-drivers"]),
        ),
    ],
)
def test_unattended_upgrades(host_of: MakeHost, files: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = package_manager.section(host_of(files))["unattended"]
    assert (found["installed"], found["enabled"], found["excludes"]) == expected


WANTS = "/etc/systemd/system/timers.target.wants/"


@pytest.mark.parametrize(
    ("files", "enabled", "excludes"),
    [
        ({WANTS + "dnf-automatic.timer": "", "/etc/dnf/automatic.conf": "[commands]\napply_updates = yes\n"}, True, []),
        ({WANTS + "dnf-automatic.timer": "", "/etc/dnf/automatic.conf": "[commands]\napply_updates=no\n"}, False, []),
        ({WANTS + "dnf-automatic-install.timer": "", "/etc/dnf/automatic.conf": ""}, True, []),
        (
            {
                "/etc/dnf/automatic.conf": "[commands]\napply_updates=yes\n[base]\nexcludepkgs=cuda*\n",
                "/etc/dnf/dnf.conf": "[main]\nexclude=nvidia* kmod-nvidia*\n",
            },
            False,
            ["nvidia*", "kmod-nvidia*", "cuda*"],
        ),
    ],
)
def test_dnf_automatic(host_of: MakeHost, files: dict[str, Any], enabled: bool, excludes: list[str]) -> None:
    host = host_of({"/var/lib/rpm/rpmdb.sqlite": "", **files})
    found = package_manager.section(host)["unattended"]
    assert found == {"installed": True, "enabled": enabled, "excludes": excludes}


def test_what_dnf_holds(host_of: MakeHost) -> None:
    lines = "# a comment\nnvidia-driver-3:580.95.05-1.el9.*\nkernel-0:5.14.0-570.el9.*\n!vim-2:9-1.*\n"
    host = host_of({"/var/lib/rpm/rpmdb.sqlite": "", "/etc/dnf/plugins/versionlock.list": lines})
    assert package_manager.section(host)["holds"] == ["kernel", "nvidia-driver"]


def test_unsigned_sources_are_named(host_of: MakeHost) -> None:
    folder = "/etc/apt/sources.list.d"
    host = host_of(
        {
            "/var/lib/dpkg/status": "",
            f"{folder}/a.list": "deb [arch=amd64 trusted=yes] https://a s main\n",
            f"{folder}/b.sources": "Types: deb\nURIs: https://b\nSuites: s\nTrusted: yes\n",
            f"{folder}/c.list": "# deb [trusted=yes] https://c s main\ndeb [trusted=no] https://c s main\n",
        }
    )
    assert package_manager.section(host)["trusted_sources"] == [f"{folder}/a.list", f"{folder}/b.sources"]


def test_snaps(host_of: MakeHost) -> None:
    assert package_manager.section(host_of({"/x": ""}))["snaps"] == []
    host = host_of({"/var/lib/snapd/snaps/docker_2915.snap": "", "/var/lib/snapd/snaps/partial/x": ""})
    assert package_manager.section(host)["snaps"] == ["docker"]


def test_snaps_that_cannot_be_listed(host_of: MakeHost) -> None:
    assert package_manager.section(host_of({"/var/lib/snapd/snaps": "a file"}))["snaps"] is None


def test_an_empty_machine_gives_the_empty_section(host_of: MakeHost) -> None:
    found = package_manager.section(host_of({"/x": ""}))
    assert set(found) == set(package_manager.EMPTY)
    assert found["unattended"] == package_manager.EMPTY["unattended"]


def test_streams_of_dnf(root_of: Callable[[str], Path], host_of: MakeHost, runner: Runner) -> None:
    found = package_manager.section(Host(str(root_of("rhel9")), runner))
    assert found["streams"] == {"nvidia-driver": "580-open"}
    assert found["holds"] == ["kmod-nvidia-open-dkms", "nvidia-driver-cuda"]
    # a folder that was left behind on another system
    path = "/etc/dnf/modules.d/nvidia-driver.module"
    apt = host_of({"/var/lib/dpkg/status": "", path: "[nvidia-driver]\nstream=580-open\nstate=enabled\n"})
    assert package_manager.section(apt)["streams"] == {}


def test_what_dpkg_was_at_when_it_was_killed_is_broken(host_of: MakeHost) -> None:
    """Its notes of the last packages are not in the status file yet, and apt works on nothing until they are."""
    whole = "Package: runc\nStatus: install ok installed\nVersion: 1.1.15\n"
    journal = "Package: containerd\nStatus: install reinstreq half-installed\nVersion: 1.7.24\n"
    assert package_manager.section(host_of({"/var/lib/dpkg/status": whole}))["broken"] == []
    host = host_of(
        {
            "/var/lib/dpkg/status": whole,
            "/var/lib/dpkg/updates/0000": "Package: containerd\nStatus: install reinstreq not-installed\n",
            "/var/lib/dpkg/updates/0001": journal,
            "/var/lib/dpkg/updates/tmp.i": "Package: half-written",
        }
    )
    assert package_manager.section(host)["broken"] == ["containerd"]
