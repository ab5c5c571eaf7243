# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image was built through a mirror, and nothing in it says so; another mirror builds nothing anew."""

from __future__ import annotations

import re

import pytest
from machine import Machine
from testinfra.host import Host

BASE = "gpuready-sandbox/base:trixie"
# what build-apt.sh takes for the distribution's own
OWN = re.compile(r"^deb https?://[^/ ]+/debian/? ", re.MULTILINE)


@pytest.fixture
def machine(host: Host) -> Machine:
    found = Machine(host)
    if not OWN.search(found.sh(f"docker run --rm {BASE} cat /etc/apt/sources.list")):
        pytest.skip("the archive of this machine has another path than Debian's: the base image stays with it")
    return found


def test_packages_came_through_the_mirror(machine: Machine) -> None:
    asked = machine.sh("journalctl -u relay-build -o cat --no-pager")
    assert "GET /debian/dists/trixie/InRelease 200" in asked
    assert re.search(r"GET /debian/pool/\S+/tini_\S+\.deb 200", asked)


def test_the_image_holds_no_trace_of_it(machine: Machine) -> None:
    image = machine.sh("docker inspect --format {{.Image}} gpuready-dev")
    assert ":8103" not in machine.sh(f"docker history --no-trunc {image}") + machine.sh(f"docker inspect {image}")
    search = "grep -rl --binary-files=text ':8103' /etc /var/lib/apt /var/log /run /tmp /root 2>/dev/null; true"
    assert machine.sh(f'docker run --rm --user 0 --entrypoint sh {image} -c "{search}"') == ""
    own = f"docker run --rm {BASE} cat /etc/apt/sources.list"
    assert machine.sh(f"docker run --rm --user 0 --entrypoint cat {image} /etc/apt/sources.list") == machine.sh(own)


def test_another_mirror_builds_nothing_anew(machine: Machine) -> None:
    look = "docker inspect --format '{{.Image}} {{.State.StartedAt}}' gpuready-dev"
    before = machine.host.run("sh -c %s", look).stdout
    run = machine.converge(dev_container_mirrors={"debian": "http://other.example.org/debian"})
    assert (run.rc, set(run.changed)) == (0, {"Write | Its secrets"}), run.output[-3000:]
    assert machine.host.run("sh -c %s", look).stdout == before
    assert machine.converge().rc == 0
