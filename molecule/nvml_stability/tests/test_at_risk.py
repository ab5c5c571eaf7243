# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that the legacy hook has served: told, refused, protected in place, or recreated, as the policy says.

The negative control is the container itself: without the role it loses its GPU at the first hit (molecule/nvml_reload).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pytest
from machine import Machine
from testinfra.host import Host

IMAGE = "gpuready-sandbox/base:trixie"
FOLDER = "/srv/my lab"
# ENXIO is what a node without a driver says; EPERM would be the device cgroup
PROBE = "bash -c 'test -c /dev/nvidiactl && : < /dev/nvidiactl' 2>&1"
HIT = "systemctl daemon-reload && systemd-run --quiet --wait true"
BY_HOOK = {"capabilities": ["gpu"], "count": 1}
BY_CDI = {"driver": "cdi", "device_ids": ["nvidia.com/gpu=all"], "capabilities": ["gpu"]}


@pytest.fixture
def machine(host: Host) -> Machine:
    host.check_output("docker load --quiet --input /srv/images/base-trixie.tar")
    return Machine(host)


@pytest.fixture
def job(machine: Machine) -> str:
    """A container that loses its GPU at the next hit; the one of the test before, if that has left it so."""
    running = machine.rc("docker inspect job") == 0 and has_gpu(machine, "job") and rules(machine, "job") == 0
    if not running:
        machine.sh(f"docker rm -f job && docker run -d --name job --gpus all {IMAGE} sleep 3600")
    assert has_gpu(machine, "job") and rules(machine, "job") == 0
    return "job"


def has_gpu(machine: Machine, name: str) -> bool:
    said = machine.host.run(f"docker exec {name} {PROBE}").stdout
    assert "No such device" in said or "not permitted" in said, said
    return "No such device" in said


def rules(machine: Machine, name: str) -> int:
    """How many of the GPU's nodes its unit allows."""
    command = f"systemctl show docker-$(docker inspect -f '{{{{.Id}}}}' {name}).scope -p DeviceAllow"
    return len(re.findall(r"/dev/char/24[01]:\d+|/dev/nvidia\S*", machine.sh(command)))


def started(machine: Machine, name: str) -> str:
    return machine.sh(f"docker inspect -f {{{{.State.StartedAt}}}} {name}")


def test_it_is_reported_and_left(machine: Machine, job: str) -> None:
    run = machine.converge(nvml_stability_on_vulnerable="report")
    assert (run.rc, run.changed) == (0, []), run.output[-3000:]
    assert "job (it got the GPU by the legacy hook; docker stop job)" in run.output
    assert rules(machine, job) == 0


def test_it_ends_the_run_where_that_is_asked_for(machine: Machine, job: str) -> None:
    run = machine.converge(nvml_stability_on_vulnerable="fail")
    assert run.rc != 0 and run.changed == []
    assert "job (it got the GPU by the legacy hook" in run.sentence and "nvidia.com/gpu=all" in run.sentence
    assert rules(machine, job) == 0


def test_one_of_docker_run_is_not_recreated(machine: Machine, job: str) -> None:
    before = started(machine, job)
    run = machine.converge(nvml_stability_on_vulnerable="recreate", nvml_stability_recreate=["job"])
    assert run.rc != 0 and run.changed == []
    assert "job: not made by Docker Compose" in run.sentence and "Nothing was changed." in run.sentence
    assert (started(machine, job), rules(machine, job)) == (before, 0)


def test_another_role_keeps_it_when_it_is_used_alone(machine: Machine, job: str) -> None:
    alone: dict[str, object] = {"scenario_role": "nvidia_container_toolkit"}
    setting = {"nvidia-container-runtime.log-level": "warning"}
    left = machine.converge(**alone, nvidia_container_toolkit_config=setting, nvidia_container_toolkit_keep_gpus=False)
    assert left.rc == 0 and left.changed and rules(machine, job) == 0, left.output[-3000:]
    # the key goes again, and the container is protected first
    before = started(machine, job)
    run = machine.converge(**alone)
    assert run.rc == 0 and "Present | Keep the GPUs" in run.changed[0], run.output[-3000:]
    machine.sh(HIT)
    assert has_gpu(machine, job) and (started(machine, job), rules(machine, job)) == (before, 4)


def test_it_is_protected_before_the_play_and_goes_on(machine: Machine, job: str) -> None:
    playbook = "molecule/nvml_stability/protect.yml"
    before = started(machine, job)
    run = machine.play(playbook)
    assert run.rc == 0 and run.changed == ["Guard | Write the device rules that units of running containers lack"]
    assert "job (it got the GPU by the legacy hook" in run.output
    for _turn in range(5):
        machine.sh(HIT)
        assert has_gpu(machine, job)
    assert (started(machine, job), rules(machine, job)) == (before, 4)
    # nobody is at risk any more: only the look is left
    again = machine.play(playbook)
    assert (again.rc, again.changed, again.executed) == (0, [], 1), again.output[-3000:]


def test_the_role_heals_what_is_lost_already(machine: Machine, job: str) -> None:
    machine.sh(HIT)
    assert not has_gpu(machine, job)
    run = machine.converge()
    assert run.rc == 0 and len(run.changed) == 1, run.output[-3000:]
    machine.sh(HIT)
    assert has_gpu(machine, job)
    machine.sh("docker rm -f job")


def compose(device: Mapping[str, object]) -> str:
    service = {"image": IMAGE, "command": ["sleep", "3600"], "stop_grace_period": "1s"}
    gpu = {"deploy": {"resources": {"reservations": {"devices": [device]}}}}
    return json.dumps({"services": {"job": {**service, **gpu}, "other": service}})


def test_one_of_compose_is_recreated_where_that_is_asked_for(machine: Machine) -> None:
    machine.sh(f"mkdir -p '{FOLDER}'")
    run_compose = f"docker compose --project-directory '{FOLDER}'"
    write = f"printf %s '{{}}' > '{FOLDER}/compose.yaml'"
    machine.host.run_test(write.replace("{}", compose(BY_HOOK)))
    machine.sh(f"{run_compose} up -d --quiet-pull")
    names = sorted(machine.sh(f"{run_compose} ps --format '{{{{.Name}}}}'").split())
    name, other = names
    before = {one: machine.sh(f"docker inspect -f {{{{.Id}}}} {one}") for one in names}
    assert rules(machine, name) == 0
    machine.host.run_test(write.replace("{}", compose(BY_CDI)))
    run = machine.converge(nvml_stability_on_vulnerable="recreate", nvml_stability_recreate=[name])
    assert run.rc == 0, run.output[-3000:]
    after = {one: machine.sh(f"docker inspect -f {{{{.Id}}}} {one}") for one in names}
    machine.sh(HIT)
    kept, count = has_gpu(machine, name), rules(machine, name)
    machine.sh(f"{run_compose} down --timeout 1 && rm -r '{FOLDER}'")
    assert after[name] != before[name] and after[other] == before[other]
    assert kept and count == 4
