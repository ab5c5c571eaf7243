# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import lab


@pytest.fixture(scope="session")
def first_run() -> str:
    """What `make site` prints on a machine whose sandbox host is not there yet."""
    subprocess.run(["docker", "rm", "-fv", "gpuready-sandbox"], capture_output=True, check=False)
    return lab.make_site()


@pytest.fixture(scope="session")
def host(first_run: str) -> lab.Host:
    """The sandbox host, converged."""
    return lab.Host("gpuready-sandbox", "inventories/sandbox")


@pytest.fixture(scope="session")
def bare() -> lab.Host:
    """A bare host that tests may break."""
    return lab.start("gpuready-faults", "molecule/inventory")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rollback last: it takes away what the other tests look at."""
    items.sort(key=lambda item: item.path.name == "test_rollback.py")
