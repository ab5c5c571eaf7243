# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _ssh_keys, _ssh_session
from ansible_collections.gpuready.bootstrap.plugins.module_utils._ssh_keys import Key
from ansible_collections.gpuready.bootstrap.plugins.module_utils._ssh_session import Account, Session
from ansible_collections.gpuready.bootstrap.plugins.modules.ssh_authorized_keys import main, merged
from hypothesis import given
from hypothesis import strategies as st

RunModule = Callable[..., dict[str, Any]]


def line(seed: int, comment: str = "") -> str:
    fields = [b"ssh-ed25519", bytes([seed]) * 32]
    blob = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment}".strip()


def key(seed: int) -> Key:
    return _ssh_keys.checked(line(seed))


others = st.lists(
    st.one_of(st.sampled_from(["", "# note", "garbage line", "\u2028 odd"]), st.integers(0, 4).map(line)), max_size=6
).map(lambda lines: "".join(f"{text}\n" for text in lines).encode())
wishes = st.lists(st.integers(0, 8), max_size=4, unique=True).map(lambda seeds: [key(seed) for seed in seeds])


@given(others, wishes)
def test_adding_and_taking_back_leaves_every_byte(current: bytes, keys: list[Key]) -> None:
    content, ours, _kept = merged(current, keys, [], False, "")
    assert content.startswith(current)
    assert merged(content, keys, ours, False, "") == (content, ours, False)
    assert merged(content, [], ours, False, "")[0] == current


@given(others, wishes, st.integers(0, 8))
def test_exclusive_leaves_the_wanted_and_the_own(current: bytes, keys: list[Key], own: int) -> None:
    content, _ours, kept = merged(current, keys, [], True, key(own).fingerprint)
    there = {found.blob for found in _ssh_keys.keys_of(content)}
    wanted = {wish.blob for wish in keys}
    mine = {key(own).blob} & {found.blob for found in _ssh_keys.keys_of(current)}
    assert there == wanted | mine and kept == bool(mine - wanted)


@given(others, wishes)
def test_nothing_goes_where_the_own_key_is_unknown(current: bytes, keys: list[Key]) -> None:
    content = merged(current, keys, [], True, None)[0]
    assert {k.blob for k in _ssh_keys.keys_of(current)} <= {k.blob for k in _ssh_keys.keys_of(content)}


@pytest.fixture
def home(tmp_path: Path, store: Path, programs: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Path:
    """ada exists, and this run has logged in as ada with key 1."""
    folder = tmp_path / "ada"
    folder.mkdir()
    programs(sshd="echo authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2", useradd="exit 1")
    ada = Account("ada", os.getuid(), str(folder), ["ada"], False)
    monkeypatch.setattr(_ssh_session, "account", lambda name: ada if name == "ada" else None)
    session = Session("ada", "192.0.2.7", "1", "192.0.2.1", "22", "publickey", key(1).fingerprint)
    monkeypatch.setattr(_ssh_session, "find", lambda _runner, _given: session)
    return folder / ".ssh" / "authorized_keys"


def ada(*seeds: int, **more: Any) -> list[dict[str, Any]]:
    return [{"name": "ada", "keys": [line(seed) for seed in seeds], **more}]


def test_from_nothing_and_back(home: Path, run_module: RunModule, store: Path) -> None:
    predicted = run_module(main, check=True, accounts=ada(2, 3))
    assert predicted["changed"] and not home.exists()
    result = run_module(main, accounts=ada(2, 3))
    assert result["diff"] == predicted["diff"] and home.read_text() == f"{line(2)}\n{line(3)}\n"
    assert (home.stat().st_mode & 0o777, home.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert not run_module(main, accounts=ada(2, 3))["changed"]
    assert run_module(main, accounts=ada(3))["changed"] and home.read_text() == f"{line(3)}\n"
    assert run_module(main, state="absent")["changed"]
    assert not home.parent.exists() and not store.exists()
    assert not run_module(main, state="absent")["changed"]


def test_the_own_key_stays_unless_told_twice(home: Path, run_module: RunModule) -> None:
    home.parent.mkdir(mode=0o700)
    home.write_text(f"{line(1, 'me')}\n{line(4, 'stranger')}\n")
    home.chmod(0o600)
    result = run_module(main, accounts=ada(2, exclusive=True))
    assert home.read_text() == f"{line(1, 'me')}\n{line(2)}\n" and "keeps the key" in result["notes"][0]
    run_module(main, accounts=ada(2, exclusive=True), remove_own_key=True)
    assert home.read_text() == f"{line(2)}\n"
    run_module(main, state="absent")
    assert home.read_text() == f"{line(1, 'me')}\n{line(4, 'stranger')}\n"


def test_absent_keeps_the_key_we_came_with(home: Path, run_module: RunModule) -> None:
    run_module(main, accounts=ada(1, 2))
    result = run_module(main, state="absent")
    assert home.read_text() == f"{line(1)}\n" and "remove_own_key" in result["notes"][0]
    assert not run_module(main, state="absent")["changed"]
    run_module(main, state="absent", remove_own_key=True)
    assert not home.exists()


def test_edits_of_others_stay(home: Path, run_module: RunModule) -> None:
    run_module(main, accounts=ada(2))
    home.write_text(home.read_text() + line(5, "theirs") + "\n")
    run_module(main, accounts=ada(2, 3))
    run_module(main, state="absent")
    assert home.read_text() == line(5, "theirs") + "\n"


def test_modes_that_sshd_passes_over_are_mended(home: Path, run_module: RunModule) -> None:
    run_module(main, accounts=ada(2))
    home.chmod(0o666)
    assert run_module(main, check=True, accounts=ada(2))["changed"] and home.stat().st_mode & 0o777 == 0o666
    assert run_module(main, accounts=ada(2))["changed"] and home.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_meant(home: Path, run_module: RunModule, tmp_path: Path) -> None:
    result = run_module(main, accounts=[*ada(2), *ada(3)])
    assert result["failed"] and "ada stands twice" in result["msg"]
    result = run_module(main, accounts=[*ada(2), {"name": "bob", "keys": []}])
    assert "there is no account bob" in result["msg"] and not home.exists()
    result = run_module(main, accounts=[{"name": "bob", "create": True}])
    assert "useradd bob failed" in result["msg"]
    assert run_module(main, check=True, accounts=[{"name": "bob", "create": True}])["created"] == ["bob"]
    home.parent.symlink_to(tmp_path)
    assert "is a symbolic link" in run_module(main, accounts=ada(2))["msg"]
