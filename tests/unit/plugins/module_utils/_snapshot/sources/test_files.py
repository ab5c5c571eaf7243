# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests of watched files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import files

MakeHost = Callable[[dict[str, Any]], Host]


def test_what_is_watched(host_of: MakeHost) -> None:
    host = host_of(
        {
            "/etc/apt/sources.list.d/a.list": "a",
            "/etc/docker/daemon.json": "{}",
            "/etc/docker/key.json": "secret",
            "/etc/modprobe.d/gpuready-nouveau.conf": "b",
            "/etc/modprobe.d/other.conf": "c",
            "/opt/gpuready/dev/alice/compose.yml": "d",
            "/srv/extra/one": "e",
            "/srv/extra/deep/two": "f",
            "/srv/single": "g",
        }
    )
    found = files.section(host, ["/srv/extra/", "/srv/single", "/srv/gone"])
    assert list(found) == [
        "/etc/apt/sources.list.d/a.list",
        "/etc/docker/daemon.json",
        "/etc/modprobe.d/gpuready-nouveau.conf",
        "/opt/gpuready/dev/alice/compose.yml",
        "/srv/extra/deep/two",
        "/srv/extra/one",
        "/srv/single",
    ]
    assert host.probes.status("files") == "ok"


def test_a_digest_notices_content_and_mode(host_of: MakeHost) -> None:
    host = host_of({"/etc/pip.conf": "[global]\n"})
    os.chmod(host.path("/etc/pip.conf"), 0o640)
    found = files.section(host)["/etc/pip.conf"]
    assert found["sha256"] == hashlib.sha256(b"[global]\n").hexdigest()
    assert (found["mode"], found["size"], found["uid"]) == ("0640", 9, os.getuid())


def test_what_is_no_regular_file_is_left_out_and_does_not_block(host_of: MakeHost) -> None:
    host = host_of({"/etc/cdi/a.json": "{}"})
    os.mkfifo(host.path("/etc/cdi/") + "/pipe")
    os.symlink("/nowhere", host.path("/etc/cdi/") + "/dangling")
    assert list(files.section(host)) == ["/etc/cdi/a.json"]


def test_limits(host_of: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 3)
    monkeypatch.setattr(files, "MAX_SIZE", 4)
    host = host_of({f"/opt/gpuready/{number}": "12345" if number == 1 else "x" for number in range(9)})
    found = files.section(host)
    assert len(found) == 3
    assert (found["/opt/gpuready/1"]["sha256"], found["/opt/gpuready/1"]["size"]) == (None, 5)
    assert host.probes.as_dict()["files"]["status"] == "failed"
    assert "more than 3 files" in host.probes.as_dict()["files"]["error"]


def test_a_file_that_may_not_be_read(host_of: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host = host_of({"/etc/pip.conf": "x", "/etc/docker/daemon.json": "{}"})
    read = host.read_bytes

    def refuse(path: str, limit: int = 0) -> bytes:
        if path == "/etc/pip.conf":
            raise PermissionError(13, "Permission denied", path)
        return read(path, limit)

    monkeypatch.setattr(host, "read_bytes", refuse)
    assert list(files.section(host)) == ["/etc/docker/daemon.json"]
    probe = host.probes.as_dict()["files"]
    assert (probe["status"], "/etc/pip.conf" in probe["error"]) == ("denied", True)


def index(path: str, content: bytes, meta: Any) -> dict[str, Any]:
    record = {"sha256_written": hashlib.sha256(content).hexdigest(), "meta": meta}
    return {files.RECORDS: json.dumps({"files": {path: record}}), path: "as written"}


@pytest.mark.parametrize(
    ("written", "meta", "expected"),
    [
        (b"as written", {"stamp": "abc"}, (True, "abc")),
        (b"something else", {"stamp": "abc"}, (False, "abc")),
        (b"as written", {}, (True, None)),
        (b"as written", {"stamp": 5}, (True, None)),
        (b"as written", [], (True, None)),
    ],
)
def test_a_file_of_ours_tells_whether_it_was_edited(
    host_of: MakeHost, written: bytes, meta: Any, expected: tuple[bool, str | None]
) -> None:
    path = "/etc/apt/sources.list.d/gpuready-x.sources"
    found = files.section(host_of(index(path, written, meta)))[path]
    assert (found["as_written"], found["stamp"]) == expected


@pytest.mark.parametrize("damage", ["", "no json", "[]", '{"files": []}', '{"files": {"/etc/pip.conf": 1}}'])
def test_a_file_of_others_and_a_broken_index_tell_nothing(host_of: MakeHost, damage: str) -> None:
    found = files.section(host_of({files.RECORDS: damage, "/etc/pip.conf": "x"}))["/etc/pip.conf"]
    assert "as_written" not in found


@pytest.mark.parametrize(
    ("path", "watched"),
    [
        ("/etc/apt/apt.conf.d/52gpuready-nvidia", True),
        ("/etc/apt/apt.conf.d/20auto-upgrades", False),
        ("/etc/yum.repos.d/cuda-rhel9.repo", True),
        ("/etc/pki/rpm-gpg/RPM-GPG-KEY-gpuready-nvidia", True),
        ("/etc/pki/rpm-gpg/RPM-GPG-KEY-redhat", False),
        ("/etc/dnf/plugins/versionlock.list", True),
        ("/etc/dnf/modules.d/nvidia-driver.module", True),
        ("/etc/modules-load.d/gpuready-nvidia.conf", True),
        ("/etc/systemd/system/nvidia-persistenced.service.d/gpuready.conf", True),
        ("/etc/systemd/system/nvidia-fabricmanager.service.d/gpuready.conf", True),
        ("/etc/systemd/system/ssh.service.d/gpuready.conf", False),
        ("/etc/systemd/system/xnvidia-persistenced.service.d/gpuready.conf", False),
        ("/etc/dracut.conf.d/99-gpuready.conf", True),
    ],
)
def test_files_of_the_driver(host_of: MakeHost, path: str, watched: bool) -> None:
    assert (path in files.section(host_of({path: "x"}))) is watched
