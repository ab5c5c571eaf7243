# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare host is judged, changes nothing, and the report says what is missing and what mends it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

PROJECT = Path(__file__).resolve().parents[3]
REPORTS = PROJECT / ".cache" / "reports"


@pytest.fixture
def report(host: Host) -> dict[str, Any]:
    name = host.backend.get_pytest_id().removeprefix("ssh://")
    found: dict[str, Any] = json.loads((REPORTS / f"{name}.report.json").read_text())
    return found


def test_a_bare_host_is_not_ready(report: dict[str, Any]) -> None:
    assert report["schema"] == "gpuready.report/1"
    assert (report["verdict"], report["exit_code"]) == ("not_ready", 2)
    assert report["simulated"]


@pytest.mark.parametrize(("check", "role"), [("DRV-MODULE", "nvidia_driver"), ("CTR-DOCKER", "docker_engine")])
def test_each_failure_names_the_role_that_mends_it(report: dict[str, Any], check: str, role: str) -> None:
    failed = {result["id"]: result for result in report["results"] if result["status"] == "fail"}
    assert failed[check]["remedy"]["role"] == role
    assert "ansible-playbook" in failed[check]["remedy"]["command"]


def test_one_cause_gives_one_failure(report: dict[str, Any]) -> None:
    skipped = {result["id"]: result["caused_by"] for result in report["results"] if result["status"] == "skip"}
    assert skipped["DRV-SMI"] == "DRV-MODULE"


def test_the_snapshot_replays(host: Host, report: dict[str, Any]) -> None:
    snapshot = json.loads((REPORTS / f"{report['host']}.snapshot.json").read_text())
    assert snapshot["schema"] == "gpuready.snapshot/1"
    assert snapshot["simulated"]["gpu"] is True


def test_judging_leaves_nothing_on_the_host(host: Host) -> None:
    assert not host.file("/var/lib/gpuready").exists
    assert not host.package("docker.io").is_installed
