# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take away what a test looks at, and the test turns red: three of Molecule's tests, on a converged host."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NamedTuple

import pytest
from lab import PROJECT, Host


class Case(NamedTuple):
    """A test, and the damage that must turn it red."""

    test: str
    damage: str


CASES = {
    "the container is stopped": Case(
        "dev_container/tests/test_dev_container.py::test_it_is_healthy", "docker stop -t 5 gpuready-dev"
    ),
    "the key is removed": Case(
        "dev_container/tests/test_dev_container.py::test_the_key_opens_it",
        ": > /opt/gpuready/gpuready-dev/secrets/authorized_keys",
    ),
    "daemon.json is edited by hand": Case(
        "docker_engine/tests/test_docker_engine.py::test_the_daemon_lives_by_its_file",
        "sed -i 's/20m/99m/' /etc/docker/daemon.json",
    ),
}


def passes(host: Host, test: str) -> bool:
    """Run one of Molecule's tests against the host."""
    environment = {**os.environ, "GPUREADY_TEST_HOSTS": host.name}
    argv = [sys.executable, "-m", "pytest", "-q", f"molecule/{test}"]
    done = subprocess.run(argv, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    # 0 passed, 1 failed; anything else means that the test did not run
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("name", CASES)
def test_damage_turns_a_test_red_and_a_run_turns_it_green(host: Host, name: str) -> None:
    case = CASES[name]
    assert passes(host, case.test)
    host.ssh(case.damage)
    assert not passes(host, case.test)
    assert host.site().rc == 0
    assert passes(host, case.test)
