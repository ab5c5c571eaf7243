# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""File systems that hold data."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import storage


def test_only_what_holds_data(root_of: Callable[[str], Path], runner: Runner) -> None:
    found = storage.section(Host(str(root_of("ubuntu2404_bare")), runner))["fs"]
    assert [entry["mount"] for entry in found] == ["/", "/boot/efi", "/mnt/data set"]
    assert [entry["ro"] for entry in found] == [False, False, True]
    # sizes of another tree would be those of this machine
    assert {entry["size_mib"] for entry in found} == {None}


def test_single_files_bound_into_a_container_are_no_file_system(root_of: Callable[[str], Path], runner: Runner) -> None:
    found = storage.section(Host(str(root_of("rented")), runner))["fs"]
    assert [entry["mount"] for entry in found] == ["/", "/root/autodl-tmp"]


def test_the_live_root_has_a_size(live: Host) -> None:
    root = next(entry for entry in storage.section(live)["fs"] if entry["mount"] == "/")
    assert 0 < root["free_mib"] <= root["size_mib"]


def test_a_dead_server_costs_two_seconds_and_one_entry(live: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(mount: str) -> dict[str, int]:
        if mount == "/":
            time.sleep(60)
        return {"size_mib": 1}

    monkeypatch.setattr(storage, "_sizes", hang)
    monkeypatch.setattr(storage, "_WAIT_S", 0.2)
    began = time.monotonic()
    found = storage.section(live)["fs"]
    assert time.monotonic() - began < 5
    assert next(entry for entry in found if entry["mount"] == "/")["size_mib"] is None
    assert live.probes.status("storage") == "timeout"


def test_options_are_told_without_secrets_and_layers(tmp_path: Path, runner: Runner) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mounts").write_text(
        "overlay / overlay rw,relatime,lowerdir=/a:/b,upperdir=/c,workdir=/d 0 0\n"
        "//nas/x /mnt/nas cifs rw,vers=3.0,username=me,password=hunter2,secret=hunter2 0 0\n"
        "tmpfs /tmp tmpfs rw,noexec,size=8k 0 0\ntmpfs /run tmpfs rw 0 0\n"
    )
    found = {entry["mount"]: entry for entry in storage.section(Host(str(tmp_path), runner))["fs"]}
    assert found["/"]["options"] == ["rw", "relatime"]
    assert found["/mnt/nas"]["options"] == ["rw", "vers=3.0", "username=***", "password=***", "secret=***"]
    # programs are unpacked there; other file systems in memory hold no data
    assert found["/tmp"]["options"] == ["rw", "noexec", "size=8k"]
    assert "/run" not in found
