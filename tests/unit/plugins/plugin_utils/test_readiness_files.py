# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import readiness_files as files
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge
from hypothesis import given
from hypothesis import strategies as st

SNAPSHOTS = Path(__file__).resolve().parents[3] / "fixtures" / "snapshots"


def ready() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((SNAPSHOTS / "ready_host.json").read_text(encoding="utf-8"))
    return data


def test_every_format_is_a_file_of_its_own(tmp_path: Path) -> None:
    written = files.write_host(tmp_path, judge(ready(), host="gpu01"), ready(), files.FORMATS)
    assert {path.name for path in tmp_path.iterdir()} == {
        "gpu01.report.json", "gpu01.snapshot.json", "gpu01.last_ready.json", "gpu01.junit.xml", "gpu01.prom",
        "gpu01.nhc",
        "gpu01.bundle.tar.gz",
    }  # fmt: skip
    assert all(Path(path).stat().st_mode & 0o777 == 0o644 for path in written.values())


def test_what_a_run_left_can_be_judged_again(tmp_path: Path) -> None:
    files.write_host(tmp_path, judge(ready(), host="gpu01"), ready(), ["json"])
    assert files.load_folder(tmp_path) == {"gpu01": ready()}


def test_only_a_host_that_passed_all_stages_is_remembered_as_ready(tmp_path: Path) -> None:
    files.write_host(tmp_path, judge(ready(), host="a", stages=["preflight"]), ready(), ["json"])
    assert files.last_ready(tmp_path, "a") is None
    files.write_host(tmp_path, judge(ready(), host="a"), ready(), ["json"])
    assert files.last_ready(tmp_path, "a") == ready()
    broken = {**ready(), "os": None}
    files.write_host(tmp_path, judge(broken, host="a"), broken, ["json"])
    assert files.last_ready(tmp_path, "a") == ready()
    (tmp_path / "a.last_ready.json").write_text("{", encoding="utf-8")
    assert files.last_ready(tmp_path, "a") is None


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", "{", r"a\.json is not valid JSON: .*line 1, column 2"),
        ("a.json", "[]", r"a\.json holds no snapshot: it is a list"),
        ("a.json", "{}", r"a\.json has the schema None, this version reads 'gpuready\.snapshot/1'"),
        ("a.json", '{"schema": "gpuready.snapshot/7"}', r"newer than .*update gpuready\.bootstrap"),
        ("a.json", b"\xff\xfe", r"a\.json is not UTF-8 text"),
        ("a.bundle.tar.gz", b"x", r"a\.bundle\.tar\.gz is not a gpuready bundle"),
        ("notes.txt", "x", "holds no snapshot"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(name: str, content: str | bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=says):
        files.load_folder(tmp_path)


def test_all_bad_files_are_named_at_once_and_twins_are_refused(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.json.*; .*b\.json"):
        files.load_folder(tmp_path)
    for name in ("a.json", "a.snapshot.json"):
        (tmp_path / name).write_text(json.dumps(ready()), encoding="utf-8")
    (tmp_path / "b.json").unlink()
    with pytest.raises(ValueError, match="second snapshot of a; keep one"):
        files.load_folder(tmp_path)
    with pytest.raises(ValueError, match="is not a folder"):
        files.load_folder(tmp_path / "missing")


@given(st.text(max_size=20))
def test_a_host_name_never_leaves_the_folder(host: str) -> None:
    stem = files.file_stem(host)
    assert stem not in ("", ".", "..") and "/" not in stem and "\0" not in stem
    assert os.path.basename(stem) == stem


def test_hosts_with_names_alike_have_files_of_their_own(tmp_path: Path) -> None:
    for host in ("gpu 1", "gpu_1", "gpu/1"):
        files.write_host(tmp_path, judge(ready(), host=host), ready(), ["json"])
    reports = [json.loads(path.read_text(encoding="utf-8"))["host"] for path in tmp_path.glob("*.report.json")]
    assert sorted(reports) == ["gpu 1", "gpu/1", "gpu_1"]
    # names that need no change stay as they were
    assert (tmp_path / "gpu_1.report.json").exists()
    assert files.file_stem("gpu-01.lab.example") == "gpu-01.lab.example"
