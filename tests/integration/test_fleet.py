# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts in one run: batches, a canary, hosts that are dead or die, a limit of failures, two distributions.

Simulated: the hosts are bare sandbox containers, three for all tests, that some inventories name several times (what
counts here are names, turns and failures). Of the road only the stage preflight is walked (`--tags preflight`), which
contacts, looks at, plans for and judges each host. "Dead" is a port at which nobody listens; "fails" is a policy that
the host cannot meet. A host that dies in the middle really does: its container is killed while a task waits in it.
All of it takes about 100 s on two quiet cores.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import fleet_lab
import pytest
from lab import PROJECT, Run

ONE, TWO, MORTAL = fleet_lab.names(3)
NAMES = ["h1", "h2", "h3", "h4", "h5"]
DEAD = {"ansible_host": "127.0.0.1", "ansible_port": 9}
FAILS = {"ansible_host": ONE, "gpuready_policy": {"expected_gpus": 3}}
TURN = "PLAY [Bring GPU hosts to a verified development environment]"
JUDGED = re.compile(r"^(?:ok|fatal): \[(\w+)\]", re.MULTILINE)


@pytest.fixture(scope="module")
def real() -> Iterator[None]:
    """Debian 13 with a GeForce, Debian 12 with eight H100, and a host that a test kills."""
    for suite in ("trixie", "bookworm"):
        subprocess.run([str(PROJECT / "sandbox" / "build.sh"), suite], check=True, capture_output=True)
    hosts = {ONE: {}, TWO: {"sandbox_suite": "bookworm", "sandbox_board": "2330", "sandbox_gpus": 8}, MORTAL: {}}
    with fleet_lab.running("real", hosts):
        yield


def five(**special: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Five names of the two hosts, save for those that are told."""
    return {name: special.get(name, {"ansible_host": (ONE, TWO)[number % 2]}) for number, name in enumerate(NAMES)}


def walk(hosts: dict[str, dict[str, Any]], *extra: str) -> Run:
    return fleet_lab.site(fleet_lab.write_inventory("five", hosts), "--tags", "preflight", *extra)


# What the stage preflight asks of package repositories is not what counts here, and takes its time
QUICK = ("-e", '{"preflight_repositories": []}')


def turns(run: Run) -> list[list[str]]:
    """The hosts of each batch, by what they answered in it."""
    return [sorted(set(JUDGED.findall(part))) for part in run.output.partition("PLAY RECAP")[0].split(TURN)[1:]]


def fleet_line(run: Run) -> str:
    return next((line for line in run.output.splitlines() if line.startswith("fleet: ")), "")


def test_mixed_hosts_at_once_where_one_is_dead_and_one_dies_in_the_middle(real: None) -> None:
    """The package repository of h2 takes the connection and never answers; when it has, the host loses its power."""
    listen = "import socket; s = socket.create_server(('127.0.0.1', 8077))"
    # the name keeps the connection: one that is forgotten is closed, and the host would be told so before it dies
    program = f"{listen}; kept = s.accept(); print('asked', kept[1], flush=True); s.accept()"
    waiter = subprocess.Popen(["docker", "exec", MORTAL, "python3", "-c", program], stdout=subprocess.PIPE, text=True)

    def kill() -> None:
        if waiter.stdout and waiter.stdout.readline():
            subprocess.run(["docker", "kill", MORTAL], check=True, capture_output=True)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        run = walk(
            five(h2={"ansible_host": MORTAL, "nvidia_container_toolkit_repo_url": "http://127.0.0.1:8077/deb"}, h5=DEAD)
        )
    finally:
        waiter.kill()
        killer.join()
    assert run.rc == 4, run.output
    assert "fatal: [h2]: UNREACHABLE!" in run.output.partition(TURN)[2], run.output
    line = fleet_line(run)
    assert "2 unreachable (h2, h5)" in line and "ready" in line and "stopped" not in line and "not begun" not in line, (
        line
    )
    # two tiers on two distributions
    assert {"tier: Linux Tier 1", "tier: Linux Tier 3"} <= set(re.findall(r"tier: Linux Tier \d", run.output)), (
        run.output
    )


def test_batches_where_a_whole_batch_is_dead_and_nobody_of_another_gets_through(real: None) -> None:
    run = walk(five(h1=DEAD, h2=FAILS, h3=DEAD), "-e", "gpuready_serial=1,2,50%", *QUICK)
    # what Ansible says where some failed and some could not be reached
    assert run.rc == 4, run.output
    # h1 alone; h2 and h3; half of five is two
    assert turns(run) == [[], ["h2"], ["h4", "h5"]]
    assert "1 not ready (h2)" in fleet_line(run) and "2 unreachable (h1, h3)" in fleet_line(run)


def test_the_canary_goes_first_and_then_the_others(real: None) -> None:
    run = walk(five(), "-e", "gpuready_canary=true", *QUICK)
    assert (run.rc, turns(run)) == (0, [["h1"], ["h2", "h3", "h4", "h5"]]), run.output


@pytest.mark.parametrize(
    ("canary", "says", "line"),
    [
        (FAILS, "PRE-GPU-PCI", "1 not ready (h1); 4 not begun (h2, h3, h4, h5)"),
        (
            DEAD,
            "The canary h1 could not be looked at",
            "1 unreachable (h1); 1 without a report (h2); 3 not begun (h3, h4, h5)",
        ),
    ],
)
def test_behind_a_canary_that_is_not_well_nobody_goes(real: None, canary: dict[str, Any], says: str, line: str) -> None:
    run = walk(five(h1=canary), "-e", '{"gpuready_canary": true, "gpuready_serial": [2]}', *QUICK)
    assert run.rc != 0 and says in run.errors, run.output
    assert fleet_line(run).endswith(line), run.output


def test_more_failures_than_allowed_end_the_run(real: None) -> None:
    run = walk(five(h1=FAILS, h2=FAILS), "-e", "gpuready_serial=3,2", "-e", "gpuready_max_fail_percentage=50", *QUICK)
    assert (run.rc, len(turns(run))) == (2, 1), run.output
    assert "2 not begun (h4, h5)" in fleet_line(run)


def test_wrong_values_are_one_sentence_each_and_no_host_is_contacted(real: None) -> None:
    wrong = {"gpuready_serial": [1, "120%"], "gpuready_max_fail_percentage": 101}
    run = walk({"h1": {**DEAD, "gpuready_canary": True}}, "-e", json.dumps(wrong))
    assert run.rc == 2 and run.output.count("fatal: [") == 1, run.output
    for words in (
        "gpuready_serial: [1, '120%'] cannot be used: it must be a number of hosts",
        "gpuready_max_fail_percentage: 101 must be a number from 0 to 100",
        "gpuready_canary: it has no effect in the inventory",
    ):
        assert words in run.errors, run.errors
    assert "Traceback" not in run.output
