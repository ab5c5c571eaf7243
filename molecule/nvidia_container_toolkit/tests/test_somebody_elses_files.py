# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to the host's owner survives, refusals change nothing, and the way back is byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import tomllib
from machine import DIGEST, Machine
from testinfra.host import Host

CRI = "io.containerd.grpc.v1.cri"


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


@pytest.fixture
def old(machine: Machine) -> Machine:
    """Debian 12, whose owner has followed guides for years."""
    if machine.name != "mol-toolkit-12":
        pytest.skip("the other host has an owner without history")
    return machine


def state(machine: Machine) -> Any:
    """Files, packages and units, from outside."""
    etc = machine.host.run("sh -c %s _ -", DIGEST).stdout.splitlines()
    units = machine.sh("systemctl list-unit-files --no-legend 'nvidia-*' | sort")
    return {"etc": etc, "packages": machine.packages().splitlines(), "units": units.splitlines()}


def test_the_bystander_has_not_noticed(host: Host) -> None:
    now = host.check_output("docker inspect --format '{{.State.StartedAt}} {{.State.Pid}}' bystander")
    assert now == host.file("/var/tmp/bystander").content_string.strip()


def test_docker_has_been_restarted_where_that_stops_nothing(machine: Machine) -> None:
    """docker run --gpus is known to a daemon only that was started after the toolkit came."""
    newer = machine.rc("test /run/docker.pid -nt /var/lib/gpuready/nvidia-container-toolkit-came") == 0
    assert newer == (machine.name == "mol-toolkit")


def test_old_package_sources_are_switched_off_where_they_stand(old: Machine) -> None:
    text = old.sh("cat /etc/apt/sources.list.d/nvidia-docker.list")
    assert text.startswith("# by hand\n# disabled by gpuready: deb https://nvidia.github.io/nvidia-docker/")
    assert "Enabled: no" in old.sh("cat /etc/apt/sources.list.d/nvidia-container-toolkit.sources").splitlines()
    assert old.rc("apt-get update -qq") == 0
    assert "nvidia.github.io" not in old.sh("apt-get indextargets --format '$(URI)'")


def test_keys_of_the_configuration(old: Machine) -> None:
    text = old.sh("cat /etc/nvidia-container-runtime/config.toml")
    found = tomllib.loads(text)
    assert found["accept-nvidia-visible-devices-envvar-when-unprivileged"] is False
    assert found["nvidia-container-cli"]["no-cgroups"] is False and found["nvidia-container-runtime"]["mode"] == "auto"
    assert "#accept-nvidia-visible-devices-as-volume-mounts = false" in text, "comments stay"


def test_containerd_reads_the_runtime_and_keeps_the_rest(old: Machine) -> None:
    """What containerd itself makes of its files."""
    cri = tomllib.loads(old.sh("containerd config dump"))["plugins"][CRI]
    assert cri["sandbox_image"] == "registry.example.org/pause:3.9"
    containerd = cri["containerd"]
    assert containerd["default_runtime_name"] == "runc"
    assert containerd["runtimes"]["runc"]["options"]["SystemdCgroup"] is True
    options = containerd["runtimes"]["nvidia"]["options"]
    assert (options["BinaryName"], options["SystemdCgroup"]) == ("/usr/bin/nvidia-container-runtime", True)
    assert 'sandbox_image = "registry.example.org/pause:3.9" # ours' in old.sh("cat /etc/containerd/config.toml")
    assert old.rc("systemctl is-active containerd.service docker.service") == 0


def test_crio_would_find_the_runtime(old: Machine) -> None:
    found = tomllib.loads(old.sh("cat /etc/crio/crio.conf.d/99-nvidia.toml"))
    assert found["crio"]["runtime"]["runtimes"]["nvidia"]["runtime_path"] == "/usr/bin/nvidia-container-runtime"


def test_daemon_json_has_one_more_key(old: Machine) -> None:
    found = json.loads(old.sh("cat /etc/docker/daemon.json"))
    assert list(found) == ["mtu", "debug", "runtimes"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"nvidia_container_toolkit_version": "1.18.1-1"}, "open to CVE-2026-24260"),
    (
        {"nvidia_container_toolkit_config": {"nvidia-container-runtime.mode": "bogus"}},
        "one of auto, legacy, csv, cdi, jit-cdi",
    ),
]


@pytest.mark.parametrize(("inputs", "words"), REFUSED)
def test_a_refusal_changes_nothing(old: Machine, inputs: dict[str, Any], words: str) -> None:
    before = state(old)
    run = old.converge(**inputs)
    assert run.rc != 0 and words in run.sentence and run.changed == [], run.output[-2000:]
    assert state(old) == before


def test_a_version_that_is_gone_names_what_there_is(old: Machine) -> None:
    run = old.converge(nvidia_container_toolkit_version="1.19.7-1")
    assert run.rc != 0 and "does not offer 1.19.7-1" in run.sentence and "1.20.0-1, 1.19.1-1." in run.sentence, (
        run.output
    )
    assert "1.18.1" not in run.sentence, "an old set with known holes is no advice"


@pytest.fixture
def removed(old: Machine) -> Iterator[Machine]:
    run = old.converge(nvidia_container_toolkit_state="absent")
    assert run.rc == 0, run.output[-5000:]
    yield old
    run = old.converge()
    assert run.rc == 0, run.output[-5000:]


def test_the_way_back_is_byte_for_byte(removed: Machine) -> None:
    before = removed.sh("cat /var/tmp/etc-before").splitlines()
    after = removed.host.run("sh -c %s _ -", DIGEST).stdout.splitlines()
    assert sorted(set(before) ^ set(after)) == []
    assert "nvidia-container" not in removed.packages()
    assert "nvidia" not in tomllib.loads(removed.sh("containerd config dump"))["plugins"][CRI]["containerd"]["runtimes"]
    test_the_bystander_has_not_noticed(removed.host)

    run = removed.converge(nvidia_container_toolkit_leftovers="report")
    assert "nvidia-container-toolkit.sources" in run.sentence and "nvidia_container_toolkit_leftovers" in run.sentence
    assert run.changed == [] and removed.host.run("sh -c %s _ -", DIGEST).stdout.splitlines() == after
