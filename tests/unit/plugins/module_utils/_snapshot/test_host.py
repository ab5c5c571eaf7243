# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the machine keeps to its root, and probes say how reading ended."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import (
    Host,
    Jobs,
    Probes,
    classify,
    parallel,
)


def test_links_stay_inside_the_root(tmp_path: Path, runner: Runner) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/os-release").write_text("ID=tree\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").symlink_to("../usr/lib/os-release")
    (tmp_path / "etc/absolute").symlink_to("/usr/lib/os-release")
    (tmp_path / "etc/escape").symlink_to("../../../../../../etc/passwd")
    (tmp_path / "etc/loop").symlink_to("/etc/loop")
    host = Host(str(tmp_path), runner)
    assert host.read("/etc/os-release") == host.read("/etc/absolute") == "ID=tree\n"
    assert host.text("/etc/escape") is None
    assert host.text("/etc/loop") is None
    assert not host.exists("/etc/loop")
    assert host.path("/../../etc/os-release").startswith(str(tmp_path))


def test_the_live_root_is_not_rewritten(runner: Runner) -> None:
    assert Host("/", runner).path("/proc/self/mounts") == "/proc/self/mounts"
    assert Host("/", runner).live
    assert not Host("/tmp", runner).live


def test_sysctl_files_can_be_read(live: Host) -> None:
    # procfs refuses a read of many MiB with ENOMEM
    assert live.read("/proc/sys/kernel/osrelease").strip() == os.uname().release


def test_reading_stops_at_the_limit(tmp_path: Path, runner: Runner) -> None:
    (tmp_path / "big").write_bytes(b"x" * 200_000)
    host = Host(str(tmp_path), runner)
    assert len(host.read_bytes("/big", 100_000)) == 100_000
    assert len(host.read_bytes("/big")) == 200_000


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FileNotFoundError(2, "gone"), "missing"),
        (PermissionError(13, "no"), "denied"),
        (TimeoutError("late"), "timeout"),
        (json.JSONDecodeError("bad", "", 0), "unparsable"),
        (ConnectionRefusedError(111, "refused"), "failed"),
        (RecursionError(), "failed"),
    ],
)
def test_an_exception_becomes_a_status(error: Exception, status: str) -> None:
    assert classify(error) == status
    probes = Probes()
    with probes.watch("x", "a file"):
        raise error
    assert probes.as_dict()["x"]["status"] == status
    assert probes.as_dict()["x"]["error"]


def test_a_job_that_hangs_is_left_behind() -> None:
    jobs = Jobs()
    jobs.start("slow", lambda: time.sleep(30))
    jobs.start("quick", lambda: 7)
    began = time.monotonic()
    assert jobs.result("slow", "default", 0.1) == "default"
    assert jobs.running("slow")
    assert jobs.result("quick", None, 5) == 7
    assert jobs.result("unknown", "none", 5) == "none"
    assert time.monotonic() - began < 5


def test_parallel_keeps_order_and_leaves_late_ones_out() -> None:
    results = parallel([lambda: 1, lambda: time.sleep(30), lambda: 3], 0.3, width=3)
    assert results == [1, None, 3]
    assert parallel([], 1) == []


def test_parallel_is_parallel() -> None:
    began = time.monotonic()
    parallel([lambda: time.sleep(0.2)] * 8, 5)
    assert time.monotonic() - began < 1


def test_the_end_of_a_file(tmp_path: Path, runner: Runner) -> None:
    (tmp_path / "log").write_bytes(b"0123456789")
    os.mkfifo(tmp_path / "pipe")
    host = Host(str(tmp_path), runner)
    assert host.read_end("/log", 4) == (b"6789", False)
    assert host.read_end("/log", 10) == (b"0123456789", True)
    for path in ("/pipe", "/", "/none"):
        with pytest.raises(OSError, match=r"no regular file|No such file"):
            host.read_end(path, 4)


def test_what_a_link_says(tmp_path: Path, runner: Runner) -> None:
    (tmp_path / "link").symlink_to("a/b")
    (tmp_path / "file").write_text("")
    host = Host(str(tmp_path), runner)
    assert (host.link_target("/link"), host.link_name("/link")) == ("a/b", "b")
    assert (host.link_target("/file"), host.link_name("/none")) == (None, None)
