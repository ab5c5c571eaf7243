# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of the environment: a second run, killed scripts, a machine that was stopped, and the way back."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest
from machine import PROJECT, Machine, environment
from rented import CELL, DIR, STATE, TOKEN, ssh, status
from testinfra.host import Host

RUNNING = f"{DIR}/stages/running.json"
CONVERGE = "molecule/shared/converge.yml"
# of tasks in a second run, with the validation of the role's inputs and the look at the machine
FEW = 7


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


@pytest.fixture
def running(machine: Machine) -> Iterator[subprocess.Popen[str]]:
    """A run in which the environment is made anew, because somebody has deleted it."""
    machine.sh(f"rm -rf {DIR}/venv")
    argv = [*machine.argv(CONVERGE), "--ssh-extra-args", "-o ControlMaster=no"]
    process = subprocess.Popen(
        argv, cwd=PROJECT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    yield process
    process.communicate(timeout=600)


def script_of(machine: Machine, stage: str, process: subprocess.Popen[str]) -> int:
    """The process of a stage's script, as soon as it runs."""
    deadline = time.monotonic() + 300
    while True:
        found = machine.host.run(f"cat {RUNNING} 2>/dev/null").stdout
        if found.endswith("}") and json.loads(found)["stage"] == stage:
            return int(json.loads(found)["pid"])
        assert process.poll() is None and time.monotonic() < deadline, found
        time.sleep(0.05)


def test_a_second_run_changes_nothing_and_does_little(machine: Machine) -> None:
    run = machine.converge()
    assert (run.rc, run.changed) == (0, []), run.output[-3000:]
    assert run.executed <= FEW + 1, run.output[-3000:]  # with the inclusion of the role by the scenario


def test_a_killed_script_is_told_and_mended(machine: Machine, running: subprocess.Popen[str]) -> None:
    script = script_of(machine, "packages", running)
    # no address of the index, which may hold a password, in a list of processes
    index = machine.sh("cat /dev/shm/gpuready-stages-*/pip_index_url 2>/dev/null; true").strip()
    listed = machine.sh("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'")
    assert not index or index not in listed
    machine.sh(f"kill -KILL {script}")
    output = running.communicate(timeout=300)[0]
    assert running.returncode == 2 and "was killed by SIGKILL" in output, output[-3000:]
    assert machine.rc("ls -d /dev/shm/gpuready-stages-*") != 0
    assert machine.rc(f"test -e {DIR}/stages/work") != 0
    assert "packages" not in json.loads(machine.sh(f"cat {DIR}/stages/stamps.json"))["stages"]
    mended = machine.converge()
    assert (mended.rc, len(mended.changed)) == (0, 1), mended.output[-3000:]
    again = machine.converge()
    assert (again.rc, again.changed) == (0, [])
    assert ssh(machine.host, f"{DIR}/venv/bin/python -", stdin=CELL).startswith("42 ")


def test_the_services_come_back_with_a_login(machine: Machine) -> None:
    """After a stop of the machine nothing of ours runs."""
    machine.sh(
        "pkill -KILL -g $(pgrep -f '[j]upyter-lab --config'); kill -KILL $(cat /run/gpuready-env/supervisord.pid)"
    )
    assert status(machine.host, "/api") == "000"
    # the number of an earlier life belongs to another program now
    machine.sh("echo 1 > /run/gpuready-env/supervisord.pid")
    name = machine.name
    argv = ["ssh", "-tt", "-F", str(STATE / "ssh_config"), name]
    subprocess.run(argv, input="exit\n", capture_output=True, text=True, check=False, timeout=60)
    deadline = time.monotonic() + 60
    while status(machine.host, "/api") != "200":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    # a login shell of Debian reads what starts them twice
    assert len(machine.sh("pgrep -x supervisord").split()) == 1
    run = machine.converge()
    assert (run.rc, run.changed) == (0, []), run.output[-3000:]


def test_a_run_that_meets_a_login_which_starts_them_leaves_it_alone(machine: Machine) -> None:
    """As if the login took ten seconds: the run arrives in the middle, with no supervisord there yet."""
    machine.sh(
        "pkill -KILL -g $(pgrep -f '[j]upyter-lab --config'); kill -KILL $(cat /run/gpuready-env/supervisord.pid)"
    )
    start = f"sleep 10; supervisord -c {DIR}/services/supervisord.conf"
    machine.sh(f"setsid flock -o /run/gpuready-env sh -c '{start}' < /dev/null > /dev/null 2>&1 &")
    run = machine.converge()
    assert (run.rc, run.changed) == (0, []), run.output[-3000:]
    assert len(machine.sh("pgrep -x supervisord").split()) == 1
    assert status(machine.host, "/api") == "200"


def test_what_a_killed_supervisord_left_is_ended(machine: Machine) -> None:
    machine.sh("kill -KILL $(cat /run/gpuready-env/supervisord.pid)")
    assert status(machine.host, "/api") == "200"
    run = machine.converge()
    assert (run.rc, len(run.changed)) == (0, 1), run.output[-3000:]
    assert len(machine.sh("pgrep -f '[j]upyter-lab --config'").split()) == 1


def test_another_token_restarts_jupyter_and_nothing_else(machine: Machine) -> None:
    before = machine.sh("cat /run/gpuready-env/supervisord.pid")
    token = "this-is-another-token-of-the-user"
    run = machine.converge(dev_jupyter={"token": token})
    assert (run.rc, len(run.changed)) == (0, 1), run.output[-3000:]
    assert token not in run.output
    assert machine.sh("cat /run/gpuready-env/supervisord.pid") == before
    assert status(machine.host, "/api/contents", f"Authorization: token {token}") == "200"
    assert machine.converge(dev_jupyter={"token": token}).changed == []


def test_a_port_that_is_taken_is_told_and_nothing_is_changed(machine: Machine) -> None:
    run = machine.converge(dev_inplace_jupyter_port=8888)
    assert run.rc == 2
    assert "port 8888 on loopback, which jupyter shall have, is taken by another program" in run.sentence
    assert status(machine.host, "/api/contents") == "403"
    assert machine.converge().rc == 0


def test_absent_gives_back_what_is_the_providers_and_keeps_data(machine: Machine) -> None:
    machine.sh(f"mkdir -p {DIR}/cache/huggingface && echo mine > {DIR}/cache/huggingface/model")
    run = machine.converge(dev_inplace_state="absent")
    assert run.rc == 0 and run.changed, run.output[-3000:]
    note = (PROJECT / "molecule/dev_inplace/files/note.sh").read_text()
    machine.host.check_output("sh -c %s _ /var/tmp/after", note)
    # packages of the distribution stay: tree has nothing below /etc
    machine.host.check_output("diff -u /var/tmp/provider/etc /var/tmp/after/etc")
    machine.host.check_output("cmp /root/.bashrc /var/tmp/provider/.bashrc")
    machine.host.check_output("cmp /root/.ssh/authorized_keys /var/tmp/provider/authorized_keys")
    assert machine.rc("pgrep -f '[s]upervisord -c /root/autodl-tmp'") != 0
    assert machine.rc(f"test -e {TOKEN} || test -e /run/gpuready-env || test -e {DIR}/stages") != 0
    assert machine.rc(f"test -x {DIR}/venv/bin/jupyter") == 0
    assert status(machine.host, "/api") == "000"
    again = machine.converge(dev_inplace_state="absent")
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]


def test_absent_told_twice_removes_the_environment_and_keeps_what_users_put_there(machine: Machine) -> None:
    run = machine.converge(dev_inplace_state="absent", dev_inplace_remove_data=True)
    assert run.rc == 0, run.output[-3000:]
    assert machine.rc(f"test -e {DIR}/venv || test -e {DIR}/tools") != 0
    assert machine.sh(f"cat {DIR}/cache/huggingface/model").strip() == "mine"
