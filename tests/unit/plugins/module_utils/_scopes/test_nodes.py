# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Device nodes of real processes, and of a /dev that wants to lead astray."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes import nodes
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes.nodes import Node


def test_the_nodes_of_this_process() -> None:
    found = nodes.of_process(os.getpid())
    assert Node("/dev/null", "char", 1, 3) in found
    assert not any(node.path.startswith("/dev/pts/") for node in found)


def test_a_process_that_has_ended() -> None:
    with pytest.raises(OSError):
        nodes.of_process(2**22 + 1)


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").symlink_to("/dev/null")
    (tmp_path / "dev/nvidia-caps").symlink_to("/dev")
    (tmp_path / "dev/plain").write_text("")
    assert nodes.below(str(tmp_path)) == []


def test_a_dev_that_is_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "dev").symlink_to("/dev")
    assert nodes.below(str(tmp_path)) == []


def test_without_a_dev(tmp_path: Path) -> None:
    assert nodes.below(str(tmp_path)) == []
    (tmp_path / "dev").write_text("")
    assert nodes.below(str(tmp_path)) == []


def make(path: Path, kind: int, major: int, minor: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.mknod(path, kind | 0o600, os.makedev(major, minor))
    except OSError as error:
        pytest.skip(f"no device nodes can be made here: {error}")


def test_made_nodes(tmp_path: Path) -> None:
    make(tmp_path / "dev/nvidia0", stat.S_IFCHR, 195, 0)
    make(tmp_path / "dev/nvidia-caps/nvidia-cap1", stat.S_IFCHR, 240, 1)
    make(tmp_path / "dev/sdz", stat.S_IFBLK, 8, 400)
    make(tmp_path / "dev/pts/0", stat.S_IFCHR, 136, 0)
    make(tmp_path / "dev/a/b/c/d/too-deep", stat.S_IFCHR, 1, 1)
    found = nodes.below(str(tmp_path))
    assert found == [
        Node("/dev/nvidia-caps/nvidia-cap1", "char", 240, 1),
        Node("/dev/nvidia0", "char", 195, 0),
        Node("/dev/sdz", "block", 8, 400),
    ]
    assert [node.spec for node in found] == ["/dev/char/240:1", "/dev/char/195:0", "/dev/block/8:400"]


def test_there_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        make(tmp_path / f"dev/nvidia{number}", stat.S_IFCHR, 195, number)
    monkeypatch.setattr(nodes, "_LIMIT", 3)
    assert len(nodes.below(str(tmp_path))) == 3
