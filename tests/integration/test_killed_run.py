# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run killed in the middle of docker_engine, and one in dev_container, are mended by the next run.

Killed hard: the controller's whole process group, its ssh connections, and what it had started on the host.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time

import lab
import pytest


def run_and_kill(host: lab.Host, task: str, command: str, seconds: float) -> None:
    """Start the road, wait until `task` has started `command` on the host, wait `seconds`, kill everything."""
    argv = ["ansible-playbook", "site.yml", "-i", host.inventory, "-l", host.name]
    # else a task's name is printed only when it has ended
    environment = {**lab.environment(), "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "1"}
    with subprocess.Popen(
        argv, cwd=lab.PROJECT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("TASK [") and task in line:
                break
        else:
            raise AssertionError(f"the run ended before {task}")
        wait_for(host, command)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
    subprocess.run(["pkill", "-KILL", "-f", f"ssh.*{host.name}.*ControlPersist|ssh: .*{host.name}"], check=False)
    host.ssh(f"pkill -KILL -f '{command}'; pkill -KILL dpkg; sleep 1", check=False)


def wait_for(host: lab.Host, command: str) -> None:
    deadline = time.monotonic() + 240
    # [x]: the pattern must not find itself
    while not host.ssh(f"pgrep -f '[{command[0]}]{command[1:]}'", check=False):
        if time.monotonic() > deadline:
            raise AssertionError(f"{command} did not start")
        time.sleep(0.1)


@pytest.fixture(scope="module")
def broken() -> lab.Host:
    """A fresh host, on which two runs were killed one after the other."""
    host = lab.start("gpuready-faults", "molecule/inventory")
    run_and_kill(host, "docker_engine : Present | Install the engine", "dpkg --status-fd", 0.6)
    assert host.ssh("dpkg --audit; docker info", check=False) != "", "the kill left no trace"
    run_and_kill(host, "dev_container : Build | Make the image", "docker-buildx|buildx build", 6)
    assert host.ssh("docker ps -q --filter name=gpuready-dev") == ""
    return host


def test_the_next_run_mends_it(broken: lab.Host) -> None:
    run = broken.site()
    assert run.rc == 0, run.output[-5000:]
    assert broken.ssh("dpkg --audit") == ""
    assert broken.ssh("docker inspect -f '{{.State.Health.Status}}' gpuready-dev") == "healthy"


def test_and_the_one_after_changes_nothing(broken: lab.Host) -> None:
    run = broken.site()
    assert (run.rc, run.changed) == (0, ()), run.output[-3000:]
