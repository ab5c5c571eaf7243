# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the scenario, for testinfra: looked at over ssh, as a person would, not through the roles."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import testinfra
import yaml

PROJECT = Path(__file__).resolve().parent.parent
# machine.py, for tests that run the role themselves
sys.path.insert(0, str(PROJECT / "molecule" / "shared"))
pytest.register_assert_rewrite("machine")
INVENTORY = yaml.safe_load((PROJECT / "molecule" / "inventory" / "hosts.yml").read_text())
# GPUREADY_TEST_HOSTS: look at other sandbox hosts with the same tests
HOSTS = os.environ.get("GPUREADY_TEST_HOSTS", "").split() or list(
    INVENTORY["all"]["children"][os.environ.get("MOLECULE_SCENARIO_NAME", "site")]["hosts"]
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "one_host: what does not depend on the distribution runs on the first host only")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With GPUREADY_ALL_HOSTS=1 every test runs on every host of its scenario."""
    if os.environ.get("GPUREADY_ALL_HOSTS"):
        return
    skip = pytest.mark.skip(reason="shown on the first host; GPUREADY_ALL_HOSTS=1 runs it on all")
    for item in items:
        call = getattr(item, "callspec", None)
        if call and call.params.get("host") != HOSTS[0] and item.get_closest_marker("one_host"):
            item.add_marker(skip)


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> testinfra.host.Host:
    return testinfra.get_host(f"ssh://{request.param}", ssh_config=str(PROJECT / ".sandbox" / "ssh_config"))
