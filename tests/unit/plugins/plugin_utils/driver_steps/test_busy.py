# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses the GPUs, and what forbids to touch them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import blockers, busy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import Driver
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

BUILD = Driver(True, "nvidia", branch="580", modules="open", build=True)
PROCESSES = [
    {"pid": 9, "comm": "nvidia-persiste", "user": "root", "devices": [], "container": None},
    {"pid": 42, "comm": "python", "user": "alice", "devices": [], "container": "abc", "container_name": "train"},
    {"pid": 43, "comm": "Xorg", "user": "root", "devices": [], "container": None, "container_name": None},
]


def snapshot(**more: Any) -> View:
    return View({"processes": {"gpu": PROCESSES}, "storage": {"fs": []}, "packages": {"broken": []}, **more})


def stops(facts: View, machine: Machine, driver: Driver = BUILD, **inputs: Any) -> str:
    return "; ".join(str(text) for text in blockers.blockers(facts, machine, driver, inputs))


def test_the_drivers_own_services_are_no_jobs() -> None:
    found = [str(text) for text in busy.holders(snapshot())]
    assert found == ["python (pid 42, user alice, container train)", "Xorg (pid 43, user root)"]


@pytest.mark.parametrize("status", ["timeout", "denied", "failed"])
@pytest.mark.parametrize("found", [[], PROCESSES[:1], None])
def test_what_was_not_measured_is_not_idle(found: object, status: str) -> None:
    """A job behind 60 000 open files was not come to in time, and its driver was replaced under it."""
    facts = snapshot(processes={"gpu": found}, probes={"processes": {"status": status}})
    assert (
        f"it cannot be told who uses the GPUs, for not all programs could be looked at (probe processes: {status})"
        in (stops(facts, Machine(loaded="580.159.03")))
    )
    assert [str(text) for text in blockers.in_use(facts)] == [stops(facts, Machine(loaded="580.159.03"))]


def test_nobody_holds_a_gpu_without_a_module() -> None:
    facts = snapshot(processes={"gpu": []}, probes={}, driver={"module": {"loaded": False}})
    assert blockers.in_use(facts) == []


def test_jobs_count_only_where_a_driver_is_loaded() -> None:
    assert "alice" in stops(snapshot(), Machine(loaded="580.159.03"))
    assert stops(snapshot(), Machine()) == ""


def test_a_full_boot_is_named_with_its_numbers() -> None:
    facts = snapshot(storage={"fs": [{"mount": "/boot", "free_mib": 12}, {"mount": "/", "free_mib": 90000}]})
    assert "/boot has 12 MiB free" in stops(facts, Machine())


def test_secure_boot_without_a_key_stops_and_says_the_ways_out() -> None:
    driver = Driver(True, "nvidia", branch="580", modules="open", build=True, secure_boot="stop")
    said = stops(snapshot(), Machine(secure_boot=True), driver, secure_boot="stop")
    assert "nvidia_driver_secure_boot" in said and "nvidia_driver_source=distribution" in said
    assert "nvidia_driver_mok_password" in stops(snapshot(), Machine(secure_boot=True), driver, secure_boot="enrol")
    given = stops(snapshot(), Machine(secure_boot=True), driver, secure_boot="enrol", mok_password_given=True)
    assert given == ""


def test_a_kernel_that_was_removed_while_it_runs() -> None:
    kernel = {"running": "6.1.0-40", "installed": [{"release": "6.1.0-50"}]}
    assert "reboot into an installed one" in stops(snapshot(kernel=kernel), Machine())
    assert stops(snapshot(kernel=kernel, simulated={"host": True}), Machine()) == ""


def test_somebody_elses_half_installed_package_comes_first() -> None:
    assert "dpkg --configure -a" in stops(snapshot(packages={"broken": ["postgresql"]}), Machine())
    assert stops(snapshot(packages={"broken": ["nvidia-kernel-open-dkms"]}), Machine()) == ""


def test_facts_that_are_missing_stop_nothing_by_accident() -> None:
    assert blockers.blockers(View({}), Machine(), BUILD, {}) == []
