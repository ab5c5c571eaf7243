# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image was built through a proxy with a password, and only that way; nothing of it is left anywhere."""

from __future__ import annotations

import forward_proxy
import pytest
from forward_proxy import PASSWORD, PATTERN
from machine import Machine
from testinfra.host import Host

SEARCH = "grep -rls --binary-files=text -e {word} {places}; true"
# where Docker and others keep what went into the build; the folder of the project is root's, and holds it
PLACES = "/var/lib/docker /var/lib/containerd /root /etc /var/log"


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


def test_all_downloads_of_the_build_came_through_the_proxy(machine: Machine) -> None:
    asked = forward_proxy.log(machine)
    assert [line for line in asked if line.startswith("GET ") and "/pool/" in line and "/tini_" in line]
    # Python packages come by https
    assert [line for line in asked if line.startswith("CONNECT ")]
    assert "Failed auth" not in machine.sh(f"journalctl -u {forward_proxy.UNIT} -o cat --no-pager")


def test_no_layer_history_or_cache_holds_it(machine: Machine) -> None:
    image = machine.sh("docker inspect --format {{.Image}} gpuready-dev")
    look = f"docker history --no-trunc {image}; docker inspect {image} gpuready-dev; docker buildx du --verbose"
    said = machine.sh(look)
    assert "RUN" in said and PASSWORD not in said and ":3128" not in said
    assert machine.sh(SEARCH.format(word=PATTERN, places=PLACES)) == ""
    assert machine.sh("docker exec gpuready-dev env | sed -n /3128/p") == ""
    assert machine.sh(f"journalctl --no-pager | sed -n '/{PATTERN}/p'") == ""


def test_another_proxy_builds_nothing_anew(machine: Machine) -> None:
    run = machine.converge(dev_proxy={"http": "http://other.example.org:3128"})
    assert run.rc == 0 and "Build | Make the image" not in " ".join(run.changed), run.output[-3000:]
    assert machine.converge().rc == 0


def test_without_the_proxy_the_build_fails_and_the_reason_has_no_password(machine: Machine) -> None:
    """One more package: apt has to ask again."""
    with forward_proxy.stopped(machine), forward_proxy.Watch() as watch:
        run = machine.converge(dev_apt_packages=["hello"])
    assert run.rc != 0 and "dev_proxy" in run.sentence and ":3128" in run.sentence
    assert PASSWORD not in run.output
    assert [line for line in watch.seen if "buildx" in line and "id=build_proxy" in line]
    assert not [line for line in watch.seen if PASSWORD in line]
    back = machine.converge()
    assert back.rc == 0, back.output[-3000:]
    assert machine.converge().changed == []
