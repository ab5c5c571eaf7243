# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/rollback.yml: the converged host becomes a host on which nothing was ever done. Runs last (conftest.py).

Compared is with a fresh host of the same image, which is rolled back, too: there is nothing to do there.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import pytest
from lab import Host, Run, play, start

STATE = (Path(__file__).parent / "host_state.sh").read_text(encoding="utf-8")
CONFIRM = ("-e", "gpuready_rollback_confirm=true")
# Predicted in words, since the engine does it
PREDICTED = {"dev_container : Absent | Predict the removal"}
# nvml_stability did it a moment before, where it once mended a key; check mode, which changes nothing, names both
EITHER = {"nvidia_container_toolkit : Absent | Give the keys of the configuration back"}
# The engine's own work, and what only a removal brings about
UNPREDICTED = {
    "dev_container : Absent | Remove the compose projects",
    "dev_container : Absent | Remove images that nobody else uses",
    "docker_engine : Remove | What would take the data with the settings",
    "mirrors : Read the package lists of the new address (waits for the download, about 10 MB)",
}


@pytest.fixture(scope="module")
def fresh() -> Iterator[Host]:
    """A host of the same image, on which nothing was ever done."""
    yield start("gpuready-fresh", "molecule/inventory")


def rollback(host: Host, *extra: str) -> Run:
    return play("playbooks/rollback.yml", "-i", host.inventory, "-l", host.name, *extra)


def state(host: Host) -> list[str]:
    return host.ssh("sh -s", stdin=STATE).splitlines()


def test_nothing_goes_that_nobody_confirmed(host: Host) -> None:
    before = host.footprint()
    run = rollback(host)
    assert run.rc != 0 and "gpuready_rollback_confirm=true" in run.errors and host.name in run.errors
    assert host.footprint() == before


def test_nothing_goes_from_under_a_job(host: Host) -> None:
    """A program in the dev container, though it uses no GPU."""
    before = host.footprint()
    host.ssh("docker exec -d gpuready-dev sleep 600")
    try:
        run = rollback(host, *CONFIRM)
        assert run.rc != 0 and "sleep (pid" in run.errors and "dev_container_on_running_jobs" in run.errors, run.errors
        assert run.changed == () and host.footprint() == before
    finally:
        host.ssh("docker exec gpuready-dev pkill -x sleep || pkill -x sleep")


def test_the_way_back_leads_to_the_beginning(host: Host, fresh: Host) -> None:
    said = rollback(host, "--check", "--diff")
    assert said.rc == 0, said.output[-4000:]
    host.ssh("docker exec gpuready-dev sh -c 'echo mine > /home/dev/kept'")

    run = rollback(host, "--diff", *CONFIRM)

    assert run.rc == 0, run.output[-4000:]
    told, done = set(said.changed) - PREDICTED - EITHER, set(run.changed) - UNPREDICTED - EITHER
    assert told == done, "check mode said what would go"
    was, now = state(fresh), state(host)
    assert was == now, "\n".join(unified_diff(was, now, "fresh", "rolled back", n=0, lineterm=""))
    assert host.ssh("cat /var/lib/docker/volumes/gpuready-dev_home/_data/kept") == "mine", "users' files stay"


def test_a_second_rollback_and_one_of_a_fresh_host_change_nothing(host: Host, fresh: Host) -> None:
    before = state(fresh)
    both = ("-i", host.inventory, "-i", fresh.inventory, "-l", f"{host.name},{fresh.name}")
    run = play("playbooks/rollback.yml", *both, *CONFIRM)
    assert (run.rc, run.changed) == (0, ()), run.output[-4000:]
    assert state(host) == state(fresh) == before
