# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that runs the road on itself: timer, a run that judges, its textfile and exit status, and the way back.

Real: git, the clone, the controller's packages, systemd, ansible-pull over the local connection. Simulated: the GPU; of
the road only preflight and readiness are walked, and the repository lies on the host itself.
"""

from __future__ import annotations

import json
import re

import pytest
from machine import DIGEST, Machine
from testinfra.host import Host

SERVICE = "gpuready-pull.service"
TEXTFILE = "/var/lib/prometheus/node-exporter/gpuready.prom"
VALUES = "/var/lib/gpuready/pull/inventory/group_vars/all.yml"


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


def shown(host: Host, name: str, unit: str = SERVICE) -> str:
    return str(host.check_output(f"systemctl show -P {name} {unit}"))


def journal(host: Host) -> str:
    """The log of the last run."""
    return str(host.check_output(f"journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID={shown(host, 'InvocationID')}"))


def own_name(host: Host) -> str:
    """What the machine calls itself."""
    return str(host.check_output("uname -n"))


def test_the_timer_waits_for_its_turn(host: Host) -> None:
    assert host.service("gpuready-pull.timer").is_enabled and host.service("gpuready-pull.timer").is_running
    assert (
        shown(host, "Persistent", "gpuready-pull.timer"),
        shown(host, "RandomizedDelayUSec", "gpuready-pull.timer"),
    ) == ("yes", "1h")
    assert shown(host, "TimeoutStartUSec") == "3h"
    assert shown(host, "NextElapseUSecRealtime", "gpuready-pull.timer")


def test_only_root_reads_what_the_host_is_to_be(host: Host) -> None:
    assert host.file(VALUES).mode == 0o600 and host.file("/var/lib/gpuready/pull").mode == 0o700


def test_a_run_walks_and_leaves_its_verdict(host: Host) -> None:
    """One run: 20 s. The host is bare, so the verdict is 2, not ready, which is not enforced here."""
    assert host.run(f"systemctl start {SERVICE}").rc == 0, journal(host)
    assert (shown(host, "Result"), shown(host, "ExecMainStatus")) == ("success", "0")
    log, name = journal(host), own_name(host)
    assert re.search(rf"^{name} +: ok=\d+ +changed=1 ", log, re.MULTILINE) and f"{name}: NOT READY" in log, log
    assert "[WARNING]" not in log and "localhost" not in log, log
    assert re.search(r"^gpuready_verdict 2$", host.file(TEXTFILE).content_string, re.MULTILINE)
    assert host.file(TEXTFILE).mode == 0o644
    report = json.loads(host.file(f"/var/lib/gpuready/pull/reports/{name}.report.json").content_string)
    assert report["host"] == name


def test_the_next_run_fails_where_not_ready_is_enforced_and_only_the_textfile_is_new(host: Host) -> None:
    first = host.file(TEXTFILE).content_string
    host.check_output(f"sed -i 's/^readiness_enforce: .*/readiness_enforce: true/' {VALUES}")
    assert host.run(f"systemctl start {SERVICE}").rc != 0
    assert (shown(host, "ActiveState"), shown(host, "ExecMainStatus")) == ("failed", "2")
    assert re.search(rf"^{own_name(host)} +: .*changed=1 .*failed=1 ", journal(host), re.MULTILINE)
    assert host.file(TEXTFILE).content_string != first


def test_two_runs_do_not_overlap(host: Host) -> None:
    """A run by hand that holds the lock: the timer's leaves, and is no failure."""
    assert host.run(f"flock /run/lock/gpuready-pull.lock systemctl start {SERVICE}").rc == 0
    assert (shown(host, "Result"), shown(host, "ExecMainStatus")) == ("success", "75")


def test_the_role_puts_back_what_was_edited_and_absent_gives_everything_back(machine: Machine) -> None:
    mended = machine.converge()
    assert mended.rc == 0 and mended.changed == ["Present | Write what the host is to be"], mended.output
    gone = machine.converge(ansible_pull_state="absent")
    assert gone.rc == 0, gone.output
    etc = machine.host.run("sh -c %s _ -", DIGEST).stdout.splitlines()
    assert etc == machine.sh("cat /var/tmp/etc-before").splitlines()
    stanzas = machine.sh("cat /var/tmp/packages-before").split("\n\n")
    before = sorted(part.split()[1] for part in stanzas if "\nStatus: install ok installed\n" in part)
    installed = re.findall(r"^ii +(\S+) ", machine.packages(), re.MULTILINE)
    assert sorted(installed) == before
    assert not machine.host.file("/var/lib/gpuready/pull").exists and not machine.host.file(TEXTFILE).exists
    assert machine.converge(ansible_pull_state="absent").changed == []
