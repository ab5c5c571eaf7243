# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back. The last file of the scenario: nothing of the engine is left afterwards but its data."""

from __future__ import annotations

from machine import Machine
from testinfra.host import Host


def test_what_the_role_brought_goes_away_and_nothing_else(host: Host) -> None:
    machine = Machine(host)
    # there only if the fault tests ran before
    machine.sh("docker rm -f job >/dev/null 2>&1 || true")
    machine.sh(f"docker run -d --name last gpuready-sandbox/base:{host.system_info.codename} sleep infinity")
    refused = machine.converge(docker_engine_state="absent")
    assert refused.rc != 0 and "1 running containers (last)" in refused.sentence
    machine.sh("docker rm -f last")
    run = machine.converge(docker_engine_state="absent")
    assert run.rc == 0, run.output[-3000:]
    packages = machine.packages()
    assert not [name for name in ("docker.io", "containerd", "runc", "docker-cli") if f"ii  {name} " in packages]
    assert "ii  iptables" in packages, "it was there before the engine"
    for path in ("/etc/docker/daemon.json", "/var/lib/gpuready", "/etc/apt/preferences.d/gpuready-docker-engine-hold"):
        assert not host.file(path).exists, machine.sh(f"find {path}")
    assert host.file("/var/lib/docker").is_directory
    again = machine.converge(docker_engine_state="absent")
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]
