# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging saved snapshots, as a user does it: the real playbook on a folder of files."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, tool

SNAPSHOTS = ROOT / "tests" / "fixtures" / "snapshots"
LIMIT_S = 10.0
PAGE_LIMIT = 3 * 1024 * 1024


def replay(folder: Path, out: Path, *extra: str) -> subprocess.CompletedProcess[str]:
    argv = [tool("ansible-playbook"), "playbooks/readiness.yml", "-e", f"readiness_snapshots={folder}"]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "COLUMNS": "120"}
    return subprocess.run(
        [*argv, "-e", f"readiness_report_dir={out}", *extra],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def processor_seconds() -> float:
    """What ended child processes have used so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def snapshots(folder: Path, number: int) -> Path:
    """A fleet of `number` hosts, from the machines that the fixtures hold."""
    folder.mkdir()
    known = sorted([*SNAPSHOTS.glob("*.json"), *(SNAPSHOTS / "machines").glob("*.json")])
    for position in range(number):
        data = json.loads(known[position % len(known)].read_text(encoding="utf-8"))
        for index, gpu in enumerate(data.get("gpus") or []):
            gpu["uuid"] = f"GPU-{position:08x}-0000-0000-0000-{index:012x}"
        (folder / f"node{position:03d}.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


def load(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def test_a_folder_is_judged_offline_with_one_report_a_host_and_one_page(tmp_path: Path) -> None:
    folder, out = snapshots(tmp_path / "in", 6), tmp_path / "out"
    done = replay(folder, out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in out.iterdir()} == {*(f"node{n:03d}.json" for n in range(6)), "readiness.html"}
    assert {load(path)["host"] for path in out.glob("*.json")} == {f"node{n:03d}" for n in range(6)}
    # the table on the terminal: every host, the worst first
    verdicts = {load(path)["host"]: load(path)["verdict"] for path in out.glob("*.json")}
    shown = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("node")]
    assert sorted(shown) == sorted(verdicts)
    assert verdicts[shown[0]] == "not_ready"


@pytest.mark.parametrize("pwd", ["", None])
def test_reports_stay_in_the_folder_of_a_run_without_pwd(pwd: str | None, tmp_path: Path) -> None:
    """As a service or `env -i` starts it; the files once went to /reports."""
    folder, here = snapshots(tmp_path / "in", 1), tmp_path / "here"
    here.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "PWD"}
    environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **({} if pwd is None else {"PWD": pwd})}
    argv = [tool("ansible-playbook"), str(ROOT / "playbooks" / "readiness.yml"), "-e", f"readiness_snapshots={folder}"]
    done = subprocess.run(argv, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in (here / "reports").iterdir()} == {"node000.json", "readiness.html"}


def test_two_hundred_hosts_take_less_than_ten_seconds_and_three_megabytes(tmp_path: Path) -> None:
    folder, out = snapshots(tmp_path / "in", 200), tmp_path / "out"
    began, cpu = time.monotonic(), processor_seconds()
    done = replay(folder, out)
    took, cpu = time.monotonic() - began, processor_seconds() - cpu
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(out.glob("node*.json"))) == 200
    size = (out / "readiness.html").stat().st_size
    print(f"200 snapshots: {took:.1f} s, {cpu:.1f} s of processor time, page {size / 1024:.0f} KiB")
    assert size < PAGE_LIMIT
    # other steps of the tests run beside this one: processor time is what it takes by itself, on one core
    assert cpu < LIMIT_S


BAD = {
    "not ours": ("a.json", '{"schema": "other/1"}', (), "'other/1', this version reads 'gpuready.snapshot/1'"),
    "a future schema": ("a.json", '{"schema": "gpuready.snapshot/9"}', (), "newer than"),
    "not JSON": ("a.json", "{,}", (), "a.json is not valid JSON"),
    "an unknown check": (None, "", ("-e", '{"readiness_policy": {"skip": ["PRE-0S"]}}'), "did you mean PRE-OS?"),
    "a waiver without end": (
        None,
        "",
        ("-e", '{"readiness_policy": {"waive": [{"id": "PRE-OS", "reason": "x"}]}}'),
        "each waiver needs id, until and reason",
    ),
    "an unknown policy key": (
        None,
        "",
        ("-e", '{"gpuready_policy": {"expected_gpu": 8}}'),
        "did you mean expected_gpus?",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_error_and_writes_nothing(name: str, tmp_path: Path) -> None:
    folder, out = snapshots(tmp_path / "in", 2), tmp_path / "out"
    file, content, extra, says = BAD[name]
    if file:
        (folder / file).write_text(content, encoding="utf-8")
    done = replay(folder, out, *extra)
    errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("fatal:", "[ERROR]"))]
    assert done.returncode != 0
    assert says in " ".join((done.stdout + done.stderr).split()), done.stdout + done.stderr
    assert len([line for line in errors if line.startswith("fatal:")]) == 1, errors
    assert "Traceback" not in done.stdout + done.stderr
    assert not out.exists()


def test_the_snapshots_are_never_overwritten(tmp_path: Path) -> None:
    folder = snapshots(tmp_path / "in", 1)
    before = (folder / "node000.json").read_bytes()
    done = replay(folder, folder)
    assert done.returncode != 0
    assert "would overwrite them" in done.stdout + done.stderr
    assert (folder / "node000.json").read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["node000.json"]
