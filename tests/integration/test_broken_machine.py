# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The broken machine tour: each breakage gives exactly its red line, with its remedy; what it causes is skipped.

The host is broken from outside, judged by the real playbook, and mended. What the sandbox cannot show live is judged on
its own snapshot, changed and replayed: its kernel is that of the machine around it, so nobody can take the headers of
it away, and its Docker lies on a disk that nobody should fill.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import lab
import pytest
from breakages import BREAKAGES, FUNCTIONS, REPLAYED, Breakage, Remedy

WORST = ("fail", "unknown", "warn", "skip", "pass")
PLAYBOOK = "playbooks/readiness.yml"


class Judgement(NamedTuple):
    """One run of the playbook: how it ended, and the report and snapshot that it left."""

    run: lab.Run
    report: dict[str, Any]
    snapshot: dict[str, Any]

    @property
    def lines(self) -> dict[str, list[dict[str, Any]]]:
        """The results of each check, the worst first."""
        found: dict[str, list[dict[str, Any]]] = {}
        for result in sorted(self.report["results"], key=lambda item: WORST.index(item["status"])):
            found.setdefault(result["id"], []).append(result)
        return found


def judge(host: lab.Host, folder: Path, inputs: Mapping[str, object] | None = None) -> Judgement:
    given = {"gpuready_report_dir": str(folder), "readiness_formats": ["json"], **(inputs or {})}
    run = lab.play(PLAYBOOK, "-i", host.inventory, "-l", host.name, "-e", json.dumps(given))
    report = folder / f"{host.name}.report.json"
    assert report.exists(), run.output[-3000:]
    snapshot = folder / f"{host.name}.snapshot.json"
    return Judgement(run, json.loads(report.read_text()), json.loads(snapshot.read_text()))


def replay(host: lab.Host, folder: Path, snapshot: dict[str, Any], inputs: Mapping[str, object]) -> Judgement:
    (folder / "in").mkdir()
    (folder / "in" / f"{host.name}.json").write_text(json.dumps(snapshot))
    given = {"readiness_snapshots": str(folder / "in"), "readiness_report_dir": str(folder / "out"), **inputs}
    run = lab.play(PLAYBOOK, "-i", host.inventory, "-e", json.dumps(given))
    report = folder / "out" / f"{host.name}.json"
    assert report.exists(), run.output[-3000:]
    return Judgement(run, json.loads(report.read_text()), snapshot)


class Tour(NamedTuple):
    """The host before its first breakage."""

    host: lab.Host
    footprint: str
    sound: Judgement


@pytest.fixture(scope="module")
def tour(host: lab.Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    start = Tour(host, host.footprint(), judge(host, tmp_path_factory.mktemp("start")))
    # a small machine around the sandbox may give a warning
    assert start.sound.run.rc == 0 and not start.sound.report["counts"].get("fail"), start.sound.run.output[-3000:]
    yield start
    host.ssh("rm -rf /run/gpuready-tour")


def check_lines(judged: Judgement, sound: Judgement, breakage: Breakage) -> None:
    """Exactly the expected lines, each with remedy and evidence; whatever else cannot be judged names its cause."""
    lines = judged.lines
    before = {name: its[0]["status"] for name, its in sound.lines.items()}
    loud = {
        name: its[0]["status"]
        for name, its in lines.items()
        if its[0]["status"] not in ("pass", "skip", before.get(name))
    }
    told = {name: [item["message"] for item in its] for name, its in lines.items() if name in loud}
    assert loud == {name: status for name, (status, _remedy, _said) in breakage.lines.items()}, told
    for name, (_status, remedy, said) in breakage.lines.items():
        check_line(lines[name][0], remedy, said)
    red = {name for name, status in loud.items() if status == "fail"}
    causes = {name: item["caused_by"] for name, its in lines.items() for item in its if item["caused_by"]}
    assert breakage.caused.items() <= causes.items(), causes
    assert set(causes.values()) <= red, causes
    silent = {name for name, its in lines.items() if (before[name], its[0]["status"]) == ("pass", "skip")} - set(causes)
    assert silent <= set(breakage.quiet), {name: lines[name][0]["message"] for name in silent}


def check_line(result: Mapping[str, Any], remedy: Remedy, said: str) -> None:
    assert said in result["message"]
    assert result["evidence"], f"{result['id']} shows nothing"
    offered = result["remedy"]
    assert (offered["action"], offered["role"]) == (remedy.action, remedy.role), offered
    assert remedy.command in offered["command"], offered
    assert offered["text"] and offered["text_zh"] and result["message_zh"] != result["message"]


def check_end(judged: Judgement, breakage: Breakage) -> None:
    """A blocker or major failure ends the run with one sentence that names it; a warning does not end it."""
    red = [name for name, (status, _remedy, _said) in breakage.lines.items() if status == "fail"]
    assert (judged.run.rc == 0) == (judged.report["exit_code"] < 2) == (not red), judged.run.output[-3000:]
    ended = [line for line in judged.run.output.splitlines() if line.startswith("fatal: ")]
    assert len(ended) == (1 if red else 0)
    for name in red:
        assert judged.report["verdict"] == "not_ready" and f"NOT READY: {name}" in ended[0], ended


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_exactly_the_expected_line(tour: Tour, breakage: Breakage, tmp_path: Path) -> None:
    try:
        tour.host.ssh("bash -s", stdin=f"{FUNCTIONS}\nset -e\n{breakage.damage}\n")
        judged = judge(tour.host, tmp_path, breakage.inputs)
    finally:
        tour.host.ssh("bash -s", stdin=f"{FUNCTIONS}\n{breakage.mend}\n", check=False)
    check_lines(judged, tour.sound, breakage)
    check_end(judged, breakage)


def changed(snapshot: Mapping[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    """A copy with other values; a path names sections and, by number, entries of lists."""
    copied = copy.deepcopy(dict(snapshot))
    for path, value in changes.items():
        *folders, last = (int(part) if part.isdigit() else part for part in path.split("."))
        inner: Any = copied
        for part in folders:
            inner = inner[part]
        inner[last] = value
    return copied


@pytest.mark.parametrize("breakage", REPLAYED, ids=lambda breakage: breakage.name)
def test_exactly_the_expected_line_in_a_replayed_snapshot(tour: Tour, breakage: Breakage, tmp_path: Path) -> None:
    snapshot = changed(tour.sound.snapshot, breakage.changes)
    judged = replay(tour.host, tmp_path, snapshot, breakage.inputs)
    check_lines(judged, tour.sound, breakage)
    # a folder is judged to its end: what it tells stands in the reports
    assert judged.run.rc == 0 and judged.report["verdict"] == "not_ready"


def test_the_tour_leaves_the_host_as_it_was(tour: Tour, tmp_path: Path) -> None:
    judged = judge(tour.host, tmp_path)
    assert judged.report["verdict"] == tour.sound.report["verdict"], judged.run.output[-3000:]
    assert {name: its[0]["status"] for name, its in judged.lines.items()} == {
        name: its[0]["status"] for name, its in tour.sound.lines.items()
    }
    assert tour.host.footprint() == tour.footprint
