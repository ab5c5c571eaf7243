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


def test_a_held_lock_names_its_process(host_of: MakeHost) -> None:
    host = host_of({"/var/lib/dpkg/status": "", "/var/lib/dpkg/lock-frontend": ""})
    assert package_manager.section(host)["lock"] == {"held": False, "pid": None, "comm": None}
    hold = "import fcntl, sys; h = open(sys.argv[1], 'w'); fcntl.lockf(h, fcntl.LOCK_EX); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, host.path("/var/lib/dpkg/lock-frontend")],
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
