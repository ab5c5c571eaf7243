# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import progress_files
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.estimates import Estimates


def some() -> Estimates:
    found = Estimates()
    found.measured("task:a", True, 3.0)
    return found


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "progress.json"
    progress_files.save(path, some())
    assert progress_files.load(path).expect("task:a", True) == 3.0
    assert [entry.name for entry in path.parent.iterdir()] == ["progress.json"], "no temporary file stays"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"schema": "other"}', b"[" * 100000])
def test_a_spoiled_file_is_no_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    path.write_bytes(content)
    assert progress_files.load(path).tasks == {}
    progress_files.save(path, some())
    assert json.loads(path.read_text(encoding="utf-8"))["run"] == 1


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "progress.json"
    progress_files.save(path, some())
    monkeypatch.setattr(progress_files, "MAX_SIZE", 10)
    assert progress_files.load(path).tasks == {}


def test_a_file_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "progress.json"
    progress_files.save(path, some())
    assert progress_files.load(path).tasks == {}
    progress_files.save(None, some())
    assert progress_files.load(None).tasks == {}


@pytest.mark.parametrize(
    ("cache", "expected"), [("/var/c", "/var/c"), ("relative", "/home/me/.cache"), ("", "/home/me/.cache")]
)
def test_where_it_is(cache: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    monkeypatch.setenv("HOME", "/home/me")
    assert progress_files.default_path() == Path(expected) / "gpuready" / "progress.json"
