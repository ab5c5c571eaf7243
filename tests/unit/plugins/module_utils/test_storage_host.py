# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _storage_host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._fstab import Entry
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_entry import Built
from hypothesis import given
from hypothesis import strategies as st


def built(*endpoints: tuple[str, int]) -> Built:
    return Built("models", "nfs", Entry("nas:/x", "/x", "nfs", ()), None, endpoints, 30)


def test_one_server_that_answers_is_enough() -> None:
    with socket.socket() as server, socket.socket() as closed:
        for each in (server, closed):
            each.bind(("127.0.0.1", 0))
        server.listen()
        there, away = server.getsockname()[1], closed.getsockname()[1]
        assert _storage_host.silent(built(("127.0.0.1", away), ("127.0.0.1", there))) == ""
        said = _storage_host.silent(built(("127.0.0.1", away)))
    assert f"127.0.0.1 does not answer on port {away}" in said
    assert _storage_host.silent(built()) == ""


def test_what_a_folder_holds(tmp_path: Path) -> None:
    assert _storage_host.holds_files(str(tmp_path / "none")) == ""
    (tmp_path / "lost+found").mkdir()
    assert _storage_host.holds_files(str(tmp_path)) == ""
    (tmp_path / "thesis.tex").touch()
    assert _storage_host.holds_files(str(tmp_path)) == "thesis.tex"
    assert _storage_host.holds_files(str(tmp_path / "thesis.tex")) == "thesis.tex"


def test_wishes_of_one_file_system_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Space:
        f_bavail, f_frsize = 30 * 1000**2, 1000

    monkeypatch.setattr(_storage_host.os, "statvfs", lambda _path: Space)
    folder = str(tmp_path / "data")
    assert _storage_host.shortages([(folder, 20.0), (str(tmp_path), 10.0)]) == []
    said = _storage_host.shortages([(folder, 20.0), (str(tmp_path), 15.0)])
    assert len(said) == 1 and "has 30.0 GB free, but 35.0 GB are planned" in said[0]


def test_what_is_there_already_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Space:
        f_bavail, f_frsize = 0, 1000

    (tmp_path / "set").write_bytes(b"x" * 2_000_000)
    monkeypatch.setattr(_storage_host.os, "statvfs", lambda _path: Space)
    assert _storage_host.shortages([(str(tmp_path), 0.0019)]) == []
    assert _storage_host.shortages([(str(tmp_path), 0.01)]) != []


def test_the_nearest_folder(tmp_path: Path) -> None:
    assert _storage_host.above(str(tmp_path / "a" / "b")) == str(tmp_path)


@given(st.text(max_size=120))
def test_no_text_breaks_the_reader(text: str) -> None:
    for path, there in _storage_host.mountinfo(text).items():
        assert there.path == path
