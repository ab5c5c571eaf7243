# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._apt_conflicts import (
    DEB_ARCHITECTURES,
    conflicts,
    other_keyrings,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate

URI = "https://repo.example.org/debian"


def find(root: Path, suite: str = "trixie") -> list[str]:
    gate = FileGate(SimpleNamespace(check_mode=True), str(root))  # type: ignore[arg-type]  # a stand-in
    return other_keyrings(gate, [URI], [suite], "/ours.asc", "/etc/apt/sources.list.d/gpuready-x.sources")


def test_names_every_file_with_another_keyring_once(tmp_path: Path) -> None:
    folder = tmp_path / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    line = f"deb [signed-by=/theirs.gpg] {URI.upper().replace('HTTPS', 'https')}/ trixie main\n"
    (tmp_path / "etc/apt/sources.list").write_text(line + line.replace("main", "contrib"))
    stanza = f"Types: deb\nURIs: {URI}\nSuites: trixie sid\nComponents: main\nSigned-By: /ours.asc\n"
    (folder / "same.sources").write_text(stanza)
    (folder / "gpuready-x.sources").write_text(stanza.replace("ours", "old"))
    (folder / "b.sources").write_text(stanza.replace("/ours.asc", "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n x"))
    (folder / "off.sources").write_text("Enabled: no\n" + stanza.replace("ours", "theirs"))
    (folder / "old.list.save").write_text(line)
    assert find(tmp_path) == [
        "/etc/apt/sources.list (Signed-By /theirs.gpg)",
        "/etc/apt/sources.list.d/b.sources (Signed-By (embedded key))",
    ]
    assert find(tmp_path, "bookworm") == []


def test_no_apt_at_all(tmp_path: Path) -> None:
    assert find(tmp_path) == []


def test_the_architecture_is_put_in_before_comparing(tmp_path: Path) -> None:
    machine = os.uname().machine
    name = DEB_ARCHITECTURES.get(machine, machine)
    folder = tmp_path / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    (folder / "a.list").write_text(f"deb [signed-by=/theirs.gpg] {URI}/{name} trixie main\n")
    (folder / "b.list").write_text(f"deb [signed-by=/theirs.gpg] {URI}/$(ARCH) trixie main\n")
    (folder / "c.list").write_text(f"deb [signed-by=/theirs.gpg] {URI}/riscv trixie main\n")
    gate = FileGate(SimpleNamespace(check_mode=True), str(tmp_path))  # type: ignore[arg-type]  # a stand-in
    found = other_keyrings(gate, [URI + "/$(ARCH)"], ["trixie"], "/ours.asc", "/x")
    assert [path.partition(" ")[0][-6:] for path in found] == ["a.list", "b.list"]


ONE = "/etc/apt/sources.list"
TWO = "/etc/apt/sources.list.d/debian.sources"
STANZA = "Types: deb\nURIs: https://near.example.org/debian/\nSuites: trixie trixie-updates\nComponents: main\n"


@pytest.mark.parametrize(
    ("line", "stanza", "count"),
    [
        ("deb [signed-by=/a.gpg] https://near.example.org/debian trixie main", "Signed-By: /b.gpg\n", 1),
        ("deb-src [signed-by=/a.gpg] https://near.example.org/debian trixie contrib", "Signed-By: /b.gpg\n", 1),
        ("deb [signed-by=/a.gpg] https://near.example.org/DEBIAN/ trixie main", "Signed-By: /b.gpg\n", 1),
        ("deb [signed-by=/a.gpg] https://near.example.org/debian trixie main", "Signed-By: /a.gpg\n", 0),
        ("deb [signed-by=/a.gpg] https://near.example.org/debian trixie main", "", 0),
        ("deb https://near.example.org/debian trixie main", "Signed-By: /a.gpg\n", 0),
        ("deb [signed-by=/a.gpg] https://near.example.org/debian sid main", "Signed-By: /b.gpg\n", 0),
        ("deb [signed-by=/a.gpg] https://far.example.org/debian trixie main", "Signed-By: /b.gpg\n", 0),
        ("deb [signed-by=/a.gpg] https://near.example.org/debian trixie main", "Signed-By: /b.gpg\nEnabled: no\n", 0),
    ],
)
def test_conflicts(line: str, stanza: str, count: int) -> None:
    found = conflicts({ONE: line + "\n", TWO: STANZA + stanza})
    assert len(found) == count
    assert all(ONE in one and TWO in one and "/a.gpg" in one and "/b.gpg" in one for one in found)
