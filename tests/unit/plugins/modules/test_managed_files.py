# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.modules.managed_files import main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RunModule = Callable[..., dict[str, Any]]
ONE = {"path": "/etc/modprobe.d/gpuready-nouveau.conf", "content": "blacklist nouveau\n"}
TWO = {"path": "/etc/systemd/system/tool.service.d/gpuready.conf", "content": "[Unit]\n", "mode": "0600"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    return tmp_path / "root"


def wish(root: Path, *files: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "set", "files": list(files), "root": str(root), **more}


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    paths = sorted(root.rglob("*"))
    return {
        str(path.relative_to(root)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes() if path.is_file() else b"")
        for path in paths
    }


def remembered(root: Path, path: str) -> dict[str, Any]:
    index = json.loads((root / "var/lib/gpuready/originals/index.json").read_text())
    meta: dict[str, Any] = index["files"][path]["meta"]
    return meta


def test_writes_all_files_with_their_modes(root: Path, run_module: RunModule) -> None:
    result = run_module(main, **wish(root, ONE, TWO))
    assert result["changed"] and result["files"] == [ONE["path"], TWO["path"]] and result["kept"] == []
    first, second = root / ONE["path"][1:], root / TWO["path"][1:]
    assert first.read_text() == ONE["content"] and stat.S_IMODE(first.stat().st_mode) == 0o644
    assert second.read_text() == TWO["content"] and stat.S_IMODE(second.stat().st_mode) == 0o600


def test_second_run_changes_nothing(root: Path, run_module: RunModule) -> None:
    run_module(main, **wish(root, ONE, TWO))
    before = tree(root)
    again = run_module(main, **wish(root, ONE, TWO))
    assert not again["changed"] and again["diff"] == [] and tree(root) == before


@pytest.mark.parametrize("state", ["present", "absent"])
def test_check_mode_predicts_exactly(root: Path, run_module: RunModule, state: str) -> None:
    args = wish(root, ONE, TWO)
    if state == "absent":
        run_module(main, **args)
    before = tree(root)
    predicted = run_module(main, check=True, **args, state=state)
    assert tree(root) == before and predicted["changed"]
    done = run_module(main, **args, state=state)
    assert (predicted["diff"], predicted["files"]) == (done["diff"], done["files"])


def test_absent_leaves_the_tree_byte_for_byte(root: Path, run_module: RunModule) -> None:
    theirs = root / "etc/modprobe.d/nouveau.conf"
    theirs.parent.mkdir()
    theirs.write_text("# by hand\n")
    theirs.chmod(0o640)
    before = tree(root)
    files = ({**ONE, "path": "/etc/modprobe.d/nouveau.conf"}, TWO)
    run_module(main, **wish(root, *files))
    theirs.write_text("edited after us\n")
    gone = run_module(main, **wish(root, *files, state="absent"))
    assert gone["changed"] and gone["kept"] == []
    after = {path: entry for path, entry in tree(root).items() if path != "var" and path != "var/lib"}
    assert after == before
    assert not run_module(main, **wish(root, *files, state="absent"))["changed"]


def test_absent_needs_no_list(root: Path, run_module: RunModule) -> None:
    run_module(main, **wish(root, ONE, TWO))
    run_module(main, name="other", files=[{"path": "/etc/gpuready-x", "content": "x"}], root=str(root))
    gone = run_module(main, **wish(root, state="absent"))
    assert sorted(gone["files"]) == [ONE["path"], TWO["path"]]
    assert (root / "etc/gpuready-x").exists()


def test_a_file_that_is_not_wanted_any_more_is_given_back(root: Path, run_module: RunModule) -> None:
    run_module(main, **wish(root, ONE, TWO))
    result = run_module(main, **wish(root, TWO))
    assert result["files"] == [ONE["path"]] and not (root / "etc/modprobe.d").exists()


def test_an_empty_list_gives_everything_back(root: Path, run_module: RunModule) -> None:
    assert not run_module(main, **wish(root))["changed"]
    before = tree(root)
    run_module(main, **wish(root, ONE, TWO))
    assert run_module(main, **wish(root))["changed"]
    assert {p: e for p, e in tree(root).items() if not p.startswith("var")} == before


def test_a_file_of_somebody_else_stays(root: Path, run_module: RunModule) -> None:
    theirs = {"path": "/etc/modules-load.d/nvidia.conf", "content": "nvidia\n"}
    (root / "etc/modules-load.d").mkdir()
    (root / theirs["path"][1:]).write_text(theirs["content"])
    assert not run_module(main, **wish(root, theirs))["changed"]
    assert not run_module(main, **wish(root, theirs, state="absent"))["changed"]
    assert (root / theirs["path"][1:]).read_text() == theirs["content"]


def test_a_file_with_our_name_goes_even_without_a_record(root: Path, run_module: RunModule) -> None:
    (root / "etc/modprobe.d").mkdir()
    (root / ONE["path"][1:]).write_text("left over\n")
    assert run_module(main, **wish(root, ONE, state="absent"))["files"] == [ONE["path"]]
    assert not (root / ONE["path"][1:]).exists()


def test_the_stamp_stands_with_the_first_file(root: Path, run_module: RunModule) -> None:
    run_module(main, **wish(root, ONE, TWO, stamp="one"))
    assert remembered(root, ONE["path"]) == {"set": "set", "stamp": "one"}
    assert remembered(root, TWO["path"]) == {"set": "set"}
    assert not run_module(main, check=True, **wish(root, ONE, TWO, stamp="two"))["changed"]
    assert remembered(root, ONE["path"])["stamp"] == "one"
    assert not run_module(main, **wish(root, ONE, TWO, stamp="two"))["changed"]
    assert remembered(root, ONE["path"])["stamp"] == "two"


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ([{"path": "etc/x", "content": ""}], "'etc/x'"),
        ([{"path": "/etc/../x", "content": ""}], "absolute path"),
        ([{"path": "/etc/x/", "content": ""}], "absolute path"),
        ([{"path": "/etc/x\n", "content": ""}], "absolute path"),
        ([ONE, ONE], "stands twice"),
        ([{**ONE, "mode": "420"}], "'420'"),
        ([{**ONE, "mode": "u=rw"}], "four octal digits"),
    ],
)
def test_bad_input_is_refused(root: Path, run_module: RunModule, files: list[dict[str, Any]], word: str) -> None:
    result = run_module(main, **wish(root, *files))
    assert result["failed"] and word in result["msg"] and "Nothing was changed" in result["msg"]
    assert list(tree(root)) == ["etc"]


def test_a_bad_name_is_refused(root: Path, run_module: RunModule) -> None:
    assert "lower case" in run_module(main, name="A b", files=[ONE], root=str(root))["msg"]


def test_nothing_is_written_when_a_later_path_is_no_file(root: Path, run_module: RunModule) -> None:
    (root / TWO["path"][1:]).mkdir(parents=True)
    result = run_module(main, **wish(root, ONE, TWO))
    assert result["failed"] and TWO["path"] in result["msg"] and "Nothing was changed" in result["msg"]
    assert not (root / ONE["path"][1:]).exists()


def test_a_file_in_place_of_a_folder_is_found_before_anything_is_written(root: Path, run_module: RunModule) -> None:
    (root / "etc/systemd").write_text("x")
    result = run_module(main, **wish(root, ONE, TWO))
    assert result["failed"] and TWO["path"] in result["msg"] and "Nothing was changed" in result["msg"]
    assert not (root / ONE["path"][1:]).exists()


def test_an_error_in_the_middle_says_what_was_done(
    root: Path, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = FileGate._put

    def full(gate: FileGate, path: str, content: bytes, mode: int | None) -> None:
        if path == TWO["path"]:
            raise FileGateError(f"Cannot write {path}: No space left on device.")
        put(gate, path, content, mode)

    monkeypatch.setattr(FileGate, "_put", full)
    result = run_module(main, **wish(root, ONE, TWO))
    assert result["failed"] and "No space" in result["msg"] and f"Only {ONE['path']} was changed" in result["msg"]
    assert result["changed"] and (root / ONE["path"][1:]).exists()


def test_broken_records_are_one_clear_error(root: Path, run_module: RunModule) -> None:
    run_module(main, **wish(root, ONE))
    (root / "var/lib/gpuready/originals/index.json").write_text("{")
    result = run_module(main, **wish(root, ONE))
    assert result["failed"] and "index.json" in result["msg"]


NAMES = st.sampled_from(["a/one", "a/two", "b/gpuready-x", "three", "c/d/e"])
SETS = st.dictionaries(NAMES, st.text(st.characters(codec="utf-8"), max_size=20), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(before=SETS, first=SETS, second=SETS)
def test_any_two_sets_then_absent_give_the_tree_back(
    tmp_path_factory: pytest.TempPathFactory,
    run_module: RunModule,
    before: dict[str, str],
    first: dict[str, str],
    second: dict[str, str],
) -> None:
    root = tmp_path_factory.mktemp("root")
    for path, text in before.items():
        (root / "etc" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "etc" / path).write_bytes(text.encode())
    start = tree(root)
    for wanted in (first, second):
        files = [{"path": f"/etc/{path}", "content": text} for path, text in wanted.items()]
        assert "failed" not in run_module(main, **wish(root, *files))
        assert {path: (root / "etc" / path).read_bytes().decode() for path in wanted} == wanted
    run_module(main, **wish(root, state="absent"))
    assert {p: e for p, e in tree(root).items() if not p.startswith("var")} == start
