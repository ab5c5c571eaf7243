# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users may choose, seen from the engine; each choice is taken back. The first file of the scenario."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from machine import Machine
from testinfra.host import Host

CHOICES = {
    "docker_engine_proxies": {
        "http": "http://ada:hush-hush@proxy.example.org:3128",
        "https": "http://proxy.example.org:3128",
        "no_proxy": "localhost,10.0.0.0/8",
    },
    "docker_engine_address_pools": [{"base": "10.213.0.0/16", "size": 24}],
    "docker_engine_registry_mirrors": ["https://mirror.example.org"],
    "docker_engine_log_driver": "local",
    "docker_engine_log_max_size": "1m",
    "docker_engine_containerd_root": "/srv/containerd",
}
FILES = "/etc/docker/daemon.json /etc/containerd/config.toml /etc/systemd/system/docker.service.d"
# grep -c ends with 1 where it counts none
STARTS = "journalctl -u docker.service -o cat --no-pager | grep -c 'Daemon has completed initialization' || true"
AS_ADA = "runuser -u lovelace -- env DOCKER_HOST=unix:///run/user/$(id -u lovelace)/docker.sock docker"


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


def files(machine: Machine) -> str:
    # a file or folder that is not there is part of the answer
    return machine.sh(f"find {FILES} -type f -exec sha256sum {{}} + 2>/dev/null || true")


def test_choices_reach_the_engine_with_one_restart_and_go_again(machine: Machine) -> None:
    before, starts = files(machine), int(machine.sh(STARTS))
    run = machine.converge(**CHOICES)
    assert run.rc == 0, run.output[-3000:]
    assert int(machine.sh(STARTS)) == starts + 1
    assert "hush-hush" not in run.output
    info = json.loads(machine.sh("docker info --format '{{json .}}'"))
    assert "proxy.example.org:3128" in info["HttpProxy"] and "hush-hush" not in info["HttpProxy"]
    assert (info["HttpsProxy"], info["NoProxy"]) == ("http://proxy.example.org:3128", "localhost,10.0.0.0/8")
    assert info["RegistryConfig"]["Mirrors"] == ["https://mirror.example.org/"]
    assert info["LoggingDriver"] == "local"
    machine.sh("docker network create chosen")
    network = json.loads(machine.sh("docker network inspect chosen"))[0]
    machine.sh("docker network rm chosen")
    assert network["IPAM"]["Config"][0]["Subnet"].startswith("10.213.")
    assert "/srv/containerd" in machine.sh("containerd config dump | grep '^root'")
    assert machine.host.file("/srv/containerd/io.containerd.metadata.v1.bolt/meta.db").exists
    assert machine.converge(**CHOICES).changed == []

    back = machine.converge()
    assert back.rc == 0, back.output[-3000:]
    # an input that is empty leaves it, since images may lie there by now; absent gives it back
    assert machine.module("containerd_root", state="absent")["restarted"]
    info = json.loads(machine.sh("docker info --format '{{json .}}'"))
    assert (info["HttpProxy"], info["RegistryConfig"]["Mirrors"] or []) == ("", [])
    assert files(machine) == before
    assert machine.converge().changed == []


@pytest.fixture
def account(machine: Machine) -> Iterator[str]:
    """An account with ids of its own, on a machine whose kernel offers tunnels (the sandbox makes no node for them)."""
    machine.sh("mkdir -p /dev/net && (test -e /dev/net/tun || mknod -m 666 /dev/net/tun c 10 200)")
    machine.sh("id lovelace >/dev/null 2>&1 || useradd --create-home lovelace")
    yield "lovelace"
    # what the role took away already is no fault
    machine.sh("loginctl disable-linger lovelace; loginctl terminate-user lovelace 2>/dev/null; true")
    machine.sh("userdel --remove --force lovelace 2>/dev/null; rm /dev/net/tun")


def test_an_account_gets_an_engine_of_its_own_and_loses_it(machine: Machine, account: str) -> None:
    suite = machine.host.system_info.codename
    run = machine.converge(docker_engine_rootless_users=[account])
    assert run.rc == 0, run.output[-3000:]
    # no container is started: a host that is a container itself may not mount /proc for it
    machine.sh(f"cat /srv/images/base-{suite}.tar | {AS_ADA} load --quiet")
    assert machine.sh(f"{AS_ADA} images --quiet gpuready-sandbox/base:{suite}")
    assert "name=rootless" in machine.sh(f"{AS_ADA} info --format '{{{{.SecurityOptions}}}}'")
    owners = machine.sh("ps -C dockerd -o user=").split()
    assert sorted(owners) == [account, "root"]
    assert machine.host.run("systemctl is-enabled user@$(id -u lovelace).service").stdout.strip() != "disabled"
    assert machine.sh(f"test -e /var/lib/systemd/linger/{account} && echo lingers") == "lingers"
    assert machine.converge(docker_engine_rootless_users=[account]).changed == []

    gone = machine.converge()
    assert gone.rc == 0, gone.output[-3000:]
    assert machine.sh("ps -C dockerd -o user=").split() == ["root"]
    for path in (f"/var/lib/systemd/linger/{account}", "/etc/systemd/user/docker.service"):
        assert not machine.host.file(path).exists
    assert machine.host.file("/home/lovelace/.local/share/docker").is_directory
    assert machine.converge().changed == []


def test_an_account_that_cannot_have_one_is_told_why(machine: Machine) -> None:
    machine.sh("id bare >/dev/null 2>&1 || useradd --system bare")
    run = machine.converge(docker_engine_rootless_users=["bare"])
    assert run.rc != 0 and "bare has 0 ids in /etc/subuid" in run.sentence and "usermod" in run.sentence, run.sentence
    machine.sh("userdel bare")
    assert run.changed == [] and not machine.host.file("/etc/systemd/user/docker.service").exists


@pytest.mark.parametrize(
    ("there", "words"),
    [("/snap/docker/current", ["snap", "snap remove docker"]), ("/opt/docker-desktop", ["Docker Desktop"])],
    ids=["snap", "desktop"],
)
def test_an_engine_that_reads_other_files_is_refused(machine: Machine, there: str, words: list[str]) -> None:
    """SIMULATED: the folder by which such an engine is known. An engine is installed besides, and stays as it is."""
    before = files(machine)
    machine.sh(f"mkdir -p {there}")
    run = machine.converge()
    # it stops, with an error, at the first folder that holds more
    machine.sh(f"rmdir -p {there} 2>/dev/null || true")
    assert run.rc != 0 and all(word in run.sentence for word in [*words, "Nothing was changed"]), run.sentence
    assert run.changed == [] and files(machine) == before
