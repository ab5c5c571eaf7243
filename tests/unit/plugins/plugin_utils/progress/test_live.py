# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
from dataclasses import replace

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.cells import Line
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.estimates import Estimates
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.live import FEW_HOSTS, Live
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.state import Plan, Run

FEW = Plan(name="Road", hosts=("gpu01", "gpu02"))
MANY = replace(FEW, hosts=tuple(f"gpu{n:02}" for n in range(FEW_HOSTS + 1)))


class Scene:
    """A run with a clock that stands still and a list of what has scrolled."""

    def __init__(self, plan: Plan, check: bool = False) -> None:
        self.time = 0.0
        self.said: list[str] = []
        self.live = Live(Run(Estimates(), check), self.say, lambda: self.time, threading.RLock())
        self.live.play(plan)
        self.said = []

    def say(self, lines: list[Line]) -> None:
        assert not self.live.run.task.changed or lines
        self.said += ["".join(text for text, _style in line) for line in lines]

    def task(self, title: str, seconds: float = 34.0) -> None:
        self.live.task(title)
        for host in self.live.run.plan.hosts:
            self.live.start(host, "", title, title)
        self.time += seconds


def test_few_hosts_have_a_line_for_each_change_when_it_happens() -> None:
    scene = Scene(FEW)
    scene.task("docker : Install (waits for the download)")
    scene.live.well("gpu02", "docker : Install (waits for the download)", True)
    assert scene.said == ["changed  gpu02  docker : Install  34 s"]
    scene.live.well("gpu01", "docker : Install (waits for the download)", False)
    assert len(scene.said) == 1


def test_many_hosts_share_a_line_when_the_task_is_over() -> None:
    scene = Scene(MANY)
    scene.task("Install")
    for host in MANY.hosts:
        scene.live.well(host, "Install", True)
    assert scene.said == []
    scene.task("Next", 1.0)
    assert scene.said == ["changed  9 of 9 hosts  Install  up to 34 s"]
    scene.live.well("gpu01", "Next", True)
    scene.live.end({}, 5)
    assert scene.said[1] == "changed  gpu01  Next"


def test_with_strategy_free_a_change_has_its_line_at_once() -> None:
    scene = Scene(replace(MANY, free=True))
    scene.task("Install")
    scene.live.well("gpu01", "Install", True)
    assert scene.said == ["changed  gpu01  Install  34 s"]


def test_the_same_message_of_many_hosts_is_said_once() -> None:
    scene = Scene(MANY)
    scene.task("Note")
    for host in MANY.hosts:
        scene.live.message(host, "Note", "", False, {"msg": "other" if host == "gpu03" else "same"})
        scene.live.well(host, "Note", False)
    scene.live.task("Next")
    assert scene.said == ["says  8 of 9 hosts  Note", "    same", "says  gpu03  Note", "    other"]


def test_check_mode_predicts() -> None:
    scene = Scene(FEW, check=True)
    scene.task("Install")
    scene.live.well("gpu01", "Install", True)
    scene.live.message("gpu02", "Predict", "image", True, {"msg": "would build"})
    assert scene.said == [
        "would change  gpu01  Install  34 s",
        "would change  gpu02  Predict  item image",
        "    would build",
    ]


def test_a_failure_is_in_full_once_and_short_where_others_fail_alike() -> None:
    scene = Scene(FEW)
    scene.task("Install")
    for host in FEW.hosts:
        scene.live.badly(host, "Install", {"msg": "No package", "rc": 100}, "failed")
    assert scene.said == [
        "✗ failed  gpu01  Install  34 s",
        "    No package",
        "    rc: 100",
        "✗ failed  gpu02  Install  34 s",
        "    No package  (the rest as on gpu01)",
    ]
    assert scene.live.run.tally()["failed"] == 2


def test_items_ignored_failures_and_unreachable_hosts() -> None:
    scene = Scene(FEW)
    scene.task("Load", 1.0)
    scene.live.bad_item("gpu01", "Load", "nvidia", {"msg": "no such module", "item": "nvidia"})
    scene.live.badly("gpu01", "Load", {"msg": "One or more items failed"}, "failed", ignored=True)
    scene.live.badly("gpu02", "Load", {"msg": "Connection refused", "unreachable": True}, "unreachable")
    assert scene.said == [
        "✗ failed  gpu01  Load  item nvidia",
        "    no such module",
        "failed, ignored  gpu01  Load",
        "    One or more items failed",
        "✗ unreachable  gpu02  Load",
        "    Connection refused",
    ]
    assert scene.live.run.tally() == {"waiting": 0, "running": 0, "idle": 1, "failed": 0, "unreachable": 1, "done": 0}


def test_changes_are_counted_as_the_recap_counts_them() -> None:
    """An ignored failure that changed something, and a message of a task that did."""
    scene = Scene(FEW)
    scene.task("Install")
    scene.live.badly("gpu01", "Install", {"changed": True, "msg": "no"}, "failed", ignored=True)
    scene.live.message("gpu02", "Install", "", True, {"msg": "seen", "changed": True})
    scene.live.well("gpu02", "Install", True, told=True)
    assert scene.live.run.changed == 2
    assert sum(line.startswith("changed") for line in scene.said) == 1
    # Ansible counts no change of a failure that is not ignored
    scene.live.badly("gpu01", "Install", {"changed": True}, "failed")
    assert scene.live.run.changed == 2
