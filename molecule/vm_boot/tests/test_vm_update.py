# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real `docker update` on cgroup v2, where the kernel has its controllers for itself: no reload, and the GPU is gone.

Real: Debian 12's Docker Engine, runc 1.1.5, systemd 252, kernel. SIMULATED: the prestart hook (sandbox/image/standin),
and devices without a driver: opening a node that is allowed says ENXIO. Runs after test_vm_boot, on the same machine.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import reload_rows as rows
import testinfra
from machine import PROJECT, Machine

NAME = "vm-boot-12"
STANDIN = PROJECT / "sandbox" / "image" / "standin" / "bin"
PROGRAMS = [STANDIN / "nvidia-container-runtime-hook"]
ROWS = PROJECT / "molecule" / "nvml_reload" / "files"
PACKAGES = "apparmor busybox-static docker.io"
# Nothing of these is what is looked at, and each takes emulated seconds
SETTINGS = '{"bridge": "none", "iptables": false, "live-restore": true}'
STARTED = {"gpus": "--gpus all", "protected": "--gpus all", "devices": rows.DEVICES}
STEP = "/usr/local/lib/sandbox/rows.sh"
NODES = """for node in nvidiactl:195:255 nvidia0:195:0 nvidia-uvm:241:0 nvidia-uvm-tools:241:1; do
  name=${node%%:*}; rest=${node#*:}; [ -c /dev/$name ] || mknod -m 666 /dev/$name c ${rest%:*} ${rest#*:}; done"""


def ssh(command: str) -> list[str]:
    return ["ssh", "-F", ".sandbox/ssh_config", NAME, command]


def archives(folder: Path) -> None:
    """The packages of Debian 12's engine, fetched by a container of that Debian: the machine itself has no network."""
    fetch = f"apt-get install -qq -y --no-install-recommends --download-only {PACKAGES} >/dev/null"
    script = f"apt-get update -qq && {fetch} && cp /var/cache/apt/archives/*.deb /out/"
    argv = ["docker", "run", "--rm", "-v", f"{folder}:/out", "gpuready-sandbox/base:bookworm", "sh", "-c", script]
    subprocess.run(argv, check=True)


def send(files: list[Path], folder: str) -> None:
    """Copy files to the machine, each as it is called here."""
    names = [argument for path in files for argument in ("-C", str(path.parent), path.name)]
    with subprocess.Popen(["tar", "-c", *names], stdout=subprocess.PIPE) as packed:
        target = ssh(f"mkdir -p {folder} && tar -x --no-same-owner -C {folder}")
        subprocess.run(target, cwd=PROJECT, stdin=packed.stdout, check=True)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    found = Machine(testinfra.get_host(f"ssh://{NAME}", ssh_config=str(PROJECT / ".sandbox" / "ssh_config")))
    assert found.sh("cat /sys/fs/cgroup/cgroup.controllers").split().count("cpu") == 1
    folder = tmp_path_factory.mktemp("archives")
    archives(folder)
    send(sorted(folder.glob("*.deb")), "/srv/archives")
    send(PROGRAMS, "/usr/bin")
    send([STANDIN / "grant-device-majors"], "/usr/share/gpuready-standin")
    send([ROWS / "rows.sh", ROWS / "job"], "/usr/local/lib/sandbox")
    found.host.check_output("sh -c %s", NODES)
    found.sh(f"mkdir -p /etc/docker && echo '{SETTINGS}' > /etc/docker/daemon.json")
    found.sh("dpkg --install /srv/archives/*.deb && systemctl start docker && rm -r /srv/archives")
    # links in /dev/char: without them this runc writes no device rules at all
    found.sh(f"{STEP} links && {STEP} image")
    for name, options in STARTED.items():
        found.sh(f"{STEP} start {name} {options}")
    return found


def denied(machine: Machine, turn: str) -> dict[str, int]:
    """How many nodes each job can no longer open."""
    lines = [line.split(" ", 3) for line in machine.sh(f"{STEP} look {turn} {' '.join(STARTED)}").splitlines()]
    assert {answer for *_rest, answer in lines} <= {"passes", "denied"}, lines
    return {name: sum(one == name and said == "denied" for _turn, one, _node, said in lines) for name in STARTED}


def test_an_update_takes_the_gpu_of_the_hook_and_of_nobody_else(machine: Machine) -> None:
    assert denied(machine, "start") == {"gpus": 0, "protected": 0, "devices": 0}
    scope = f"docker-{machine.sh('docker inspect --format {{.Id}} protected')}.scope"
    assert machine.module("device_rules", scopes=[scope])["protected"] == [scope]
    machine.sh(f"docker update --cpus 1 {' '.join(STARTED)}")
    assert machine.sh(f"systemctl show {scope} --property CPUQuotaPerSecUSec --value") == "1s"
    assert denied(machine, "update") == {"gpus": 4, "protected": 0, "devices": 0}
    # and ten hits besides
    machine.sh(f"for n in 1 2 3 4 5 6 7 8 9 10; do {STEP} hit || exit 1; done")
    assert denied(machine, "hits") == {"gpus": 4, "protected": 0, "devices": 0}


def test_it_is_healed_where_it_runs(machine: Machine) -> None:
    before = machine.sh("docker inspect --format {{.State.Pid}} gpus")
    healed = [one for one in machine.module("device_rules", state="protected")["containers"] if one["healed"]]
    assert [one["verdict"] for one in healed] == ["lost"]
    assert denied(machine, "healed")["gpus"] == 0
    machine.sh("docker update --cpus 2 gpus")
    assert denied(machine, "later")["gpus"] == 0 and machine.sh("docker inspect --format {{.State.Pid}} gpus") == before
