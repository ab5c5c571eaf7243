# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.plan import (
    MirrorError,
    MirrorGate,
    Plan,
    gone,
)
from hypothesis import given
from hypothesis import strategies as st

PATH = "/etc/tool.conf"


class Lines:
    """An editor of `key=value` lines."""

    @staticmethod
    def update(text: str, wish: Mapping[str, Any]) -> str:
        if "broken" in text:
            raise ValueError("line 1: broken")
        values = dict(line.split("=", 1) for line in text.splitlines())
        return "".join(f"{key}={value}\n" for key, value in {**values, **wish}.items())

    @staticmethod
    def undo(text: str, written: Mapping[str, Any], original: str) -> str:
        before = dict(line.split("=", 1) for line in original.splitlines())
        values = dict(line.split("=", 1) for line in text.splitlines())
        for key, value in written.items():
            if values.get(key) == value:
                values.pop(key)
                values.update({key: before[key]} if key in before else {})
        return "".join(f"{key}={value}\n" for key, value in values.items())


def run(root: Path, wish: Mapping[str, Any], check: bool = False, **how: Any) -> MirrorGate:
    """One run of a module that wishes this for the file."""
    scratch = root.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    module = SimpleNamespace(check_mode=check, tmpdir=str(scratch), atomic_move=os.replace, warn=print)
    gate = MirrorGate(module, str(root))
    plan = Plan(gate)
    plan.edit(PATH, Lines, wish, **how)
    plan.apply()
    return gate


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    return tmp_path / "root"


def conf(root: Path) -> str:
    path = root / PATH[1:]
    return path.read_text() if path.exists() else "(none)"


@pytest.mark.parametrize("before", ["", "a=1\n", "a=1\nb=2\n", "(none)"])
def test_set_other_and_back(root: Path, before: str) -> None:
    if before != "(none)":
        (root / PATH[1:]).write_text(before)
    assert run(root, {"a": "9", "c": "3"}).changed
    assert not run(root, {"a": "9", "c": "3"}).changed
    run(root, {"c": "4"})
    assert conf(root) == ("" if before == "(none)" else before) + "c=4\n", "a is as it was"
    run(root, {})
    assert conf(root) == before and not (root / "var/lib/gpuready").exists()


def test_a_value_that_was_there_already_is_never_ours(root: Path) -> None:
    (root / PATH[1:]).write_text("a=1\n")
    assert not run(root, {"a": "1"}).changed
    assert not run(root, {}).changed and conf(root) == "a=1\n"


def test_somebody_edits_in_between(root: Path) -> None:
    (root / PATH[1:]).write_text("a=1\n")
    run(root, {"a": "9", "c": "3"})
    (root / PATH[1:]).write_text("a=9\nc=3\nmine=1\n")
    assert not run(root, {"a": "9", "c": "3"}).changed
    run(root, {"c": "4"})
    assert sorted(conf(root).split()) == ["a=1", "c=4", "mine=1"]
    gate = run(root, {})
    assert sorted(conf(root).split()) == ["a=1", "mine=1"] and gate.kept == [PATH]
    assert not run(root, {}).changed


def test_somebody_s_own_value_stays(root: Path) -> None:
    (root / PATH[1:]).write_text("a=1\n")
    run(root, {"a": "9"})
    (root / PATH[1:]).write_text("a=theirs\n")
    gate = run(root, {})
    assert conf(root) == "a=theirs\n" and gate.kept == [PATH] and not gate.changed


def test_nothing_is_left_of_a_file_that_only_we_filled(root: Path) -> None:
    run(root, {"a": "9"})
    run(root, {"a": "9", "b": "1"})
    (root / PATH[1:]).write_text("b=1\na=9\n")
    run(root, {})
    assert conf(root) == "(none)"


def test_a_file_with_a_password_goes_back_to_its_mode(root: Path) -> None:
    path = root / PATH[1:]
    path.write_text("")
    path.chmod(0o640)
    assert "pw" not in str(run(root, {"a": "pw"}, secret=True, mode=0o600).diffs)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    run(root, {"a": "public"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not run(root, {"a": "public"}).changed


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_new_file_in_a_home_belongs_to_its_account(root: Path) -> None:
    (root / "etc").rmdir()
    run(root, {"a": "1"}, owner=(12345, 12346))
    for path in (root / "etc", root / PATH[1:]):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)
    run(root, {})
    assert not (root / "etc").exists()


@pytest.mark.parametrize(("content", "word"), [(b"broken\n", "line 1"), (b"a=1\n\xff\n", "line 2")])
def test_what_cannot_be_read_is_named(root: Path, content: bytes, word: str) -> None:
    (root / PATH[1:]).write_bytes(content)
    with pytest.raises(MirrorError, match=f"{PATH}.*{word}"):
        run(root, {"a": "1"})


def test_check_mode_tells_the_same_and_writes_nothing(root: Path) -> None:
    predicted = run(root, {"a": "1"}, check=True)
    assert conf(root) == "(none)" and not (root / "var/lib/gpuready").exists()
    assert run(root, {"a": "1"}).diffs == predicted.diffs


@pytest.mark.parametrize(
    ("before", "now", "rest"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2}, {}),
        ({"a": 1}, {"a": ""}, {"a": 1}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1, 2]}),
        ({"a": [1, 2]}, {"a": [1, 2]}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": {"b": 1}}),
    ],
)
def test_what_is_wished_no_longer(before: dict[str, Any], now: dict[str, Any], rest: dict[str, Any]) -> None:
    assert gone(before, now) == rest


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3))
def test_nothing_is_gone_of_the_same_wish(wish: dict[str, str]) -> None:
    assert gone(wish, wish) == {}
    assert gone(wish, {}) == wish
