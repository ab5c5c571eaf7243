# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make site` once: READY. `make site` again: nothing changes, nothing restarts."""

from __future__ import annotations

import json
import re

from lab import PROJECT, Host, make_site

STARTED = (
    "docker inspect --format '{{.Id}} {{.State.StartedAt}}' gpuready-dev;"
    " systemctl show docker.service containerd.service nvidia-persistenced.service -p ActiveEnterTimestampMonotonic"
)


def test_the_first_run_ends_ready_and_names_the_simulation(first_run: str) -> None:
    assert "READY" in first_run and "NOT READY" not in first_run
    assert "simulated" in first_run.lower()
    assert "RTX 4090" in first_run


def test_the_report_is_there_as_json(host: Host) -> None:
    report = json.loads((PROJECT / "reports" / f"{host.name}.report.json").read_text())
    assert report["verdict"] in ("ready", "ready_with_warnings")
    assert report["simulated"]
    assert {"preflight", "driver", "container", "dev"} <= {result["stage"] for result in report["results"]}
    assert not [result["id"] for result in report["results"] if result["status"] in ("fail", "unknown")]


def test_a_second_run_changes_and_restarts_nothing(host: Host) -> None:
    before, footprint = host.ssh(STARTED), host.footprint()
    output = make_site()
    assert re.search(r"^gpuready-sandbox\s+:.*changed=0 ", output, re.MULTILINE), output[-3000:]
    assert host.ssh(STARTED) == before
    assert host.footprint() == footprint


def test_check_mode_on_a_converged_host_predicts_nothing(host: Host) -> None:
    run = host.site("--check", "--diff")
    assert (run.rc, run.changed) == (0, ()), run.output[-3000:]
