# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import plan_files
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import bundle
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge

SNAPSHOTS = Path(__file__).resolve().parents[3] / "fixtures" / "snapshots"


def snapshot(name: str = "ready_host") -> dict[str, Any]:
    data: dict[str, Any] = json.loads((SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8"))
    return data


def plan(host: str) -> dict[str, Any]:
    return make_plan(snapshot(), Wishes(), host)


def test_all_three_kinds_of_saved_snapshots_are_read(tmp_path: Path) -> None:
    data = snapshot()
    (tmp_path / "a.json").write_text(json.dumps(data), encoding="utf-8")
    (tmp_path / "b.snapshot.json").write_text(json.dumps(data), encoding="utf-8")
    (tmp_path / "c.bundle.tar.gz").write_bytes(bundle.build(judge(data, host="c"), data))
    (tmp_path / "a.report.json").write_text("{}", encoding="utf-8")
    assert sorted(plan_files.load_folder(tmp_path)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("content", "says"), [("{,}", "a.json is not valid JSON"), ("[]", "holds no snapshot"), ("{}", "a.json")]
)
def test_a_bad_file_is_named(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        plan_files.load_folder(tmp_path)


def test_a_plan_is_written_whole_under_the_name_of_its_host(tmp_path: Path) -> None:
    target = tmp_path / "new" / "plans"
    made = [plan("gpu01"), plan("../rack/gpu02")]
    files = plan_files.write(target, made)
    assert sorted(os.listdir(target)) == ["_rack_gpu02-ed0e18d8.json", "gpu01.json"]
    assert files["gpu01"] == str(target / "gpu01.json")
    written = (target / "gpu01.json").read_text(encoding="utf-8")
    assert json.loads(written) == made[0]
    # readable for people, too
    assert "\\u" not in written
    assert (target / "gpu01.json").stat().st_mode & 0o777 == 0o644
    # again, over the old one
    plan_files.write(target, made[:1])
    assert sorted(os.listdir(target)) == ["_rack_gpu02-ed0e18d8.json", "gpu01.json"]


def test_a_target_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OSError):
        plan_files.write(tmp_path / "file" / "plans", [plan("gpu01")])


def test_the_folder_of_the_snapshots_is_no_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="would overwrite them; choose another folder"):
        plan_files.check_target(tmp_path, tmp_path / "link")
    plan_files.check_target(tmp_path, tmp_path / "plans")
