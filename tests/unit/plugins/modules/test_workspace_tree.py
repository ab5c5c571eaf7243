# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated files in somebody's project: theirs stay, ours come and go."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules.workspace_tree import main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RunModule = Callable[..., dict[str, Any]]
DOCKERFILE = {"path": ".ide/Dockerfile", "content": "FROM scratch\n"}
EXTENSIONS = {"path": ".vscode/extensions.json", "content": '{\n  "recommendations": ["a.b"]\n}\n', "merge": True}
THEIRS = '{\n  // mine\n  "recommendations": ["me.mine"]\n}\n'


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text("print()\n")
    return folder


def wish(dest: Path, *files: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"dest": str(dest), "owner": "gpu01", "files": list(files), **more}


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes() if path.is_file() else b"")
        for path in sorted(root.rglob("*"))
    }


def test_writes_and_takes_back(dest: Path, run_module: RunModule) -> None:
    before = tree(dest)
    result = run_module(main, **wish(dest, {**DOCKERFILE, "mode": "0755"}, EXTENSIONS))
    assert result["changed"] and result["files"] == [".ide/Dockerfile", ".vscode/extensions.json"]
    assert result["notes"] == [] and result["dest"] == str(dest)
    assert stat.S_IMODE((dest / ".ide/Dockerfile").stat().st_mode) == 0o755
    assert (dest / ".gpuready/originals/index.json").is_file()
    assert not (dest / "var").exists()
    again = run_module(main, **wish(dest, {**DOCKERFILE, "mode": "0755"}, EXTENSIONS))
    assert not again["changed"] and again["diff"] == []
    assert run_module(main, **wish(dest, state="absent"))["changed"]
    assert tree(dest) == before
    assert not run_module(main, **wish(dest, state="absent"))["changed"]


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("bare", [True, False])
def test_check_mode_predicts_exactly(dest: Path, run_module: RunModule, state: str, bare: bool) -> None:
    folder = dest / "deep" / "er" if bare else dest
    args = wish(folder, DOCKERFILE, EXTENSIONS)
    if not bare:
        (dest / ".vscode").mkdir()
        (dest / EXTENSIONS["path"]).write_text(THEIRS)
    if state == "absent":
        run_module(main, **args)
    before = tree(dest)
    predicted = run_module(main, check=True, **args, state=state)
    assert tree(dest) == before and predicted["changed"]
    done = run_module(main, **args, state=state)
    assert (predicted["diff"], predicted["files"]) == (done["diff"], done["files"])


def test_a_folder_that_was_made_is_taken_away(dest: Path, run_module: RunModule) -> None:
    before = tree(dest)
    folder = dest / "new" / "project"
    run_module(main, **wish(folder, DOCKERFILE))
    assert (folder / ".ide/Dockerfile").is_file()
    run_module(main, **wish(folder, EXTENSIONS))  # another set: the first is taken back
    assert not (folder / ".ide").exists()
    run_module(main, **wish(folder, state="absent"))
    assert tree(dest) == before


def test_settings_of_others_get_what_they_lack(dest: Path, run_module: RunModule) -> None:
    path = dest / EXTENSIONS["path"]
    path.parent.mkdir()
    path.write_text(THEIRS)
    path.chmod(0o600)
    before = tree(dest)
    assert run_module(main, **wish(dest, EXTENSIONS))["changed"]
    assert path.read_text() == '{\n  // mine\n  "recommendations": ["me.mine", "a.b"]\n}\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not run_module(main, **wish(dest, EXTENSIONS))["changed"]
    # what is wished no longer is not left behind
    other = {**EXTENSIONS, "content": '{"recommendations": ["c.d"]}'}
    run_module(main, **wish(dest, other))
    assert path.read_text() == '{\n  // mine\n  "recommendations": ["me.mine", "c.d"]\n}\n'
    run_module(main, **wish(dest, state="absent"))
    assert tree(dest) == before


def test_settings_that_were_changed_since_are_added_to_and_stay(dest: Path, run_module: RunModule) -> None:
    run_module(main, **wish(dest, EXTENSIONS))
    path = dest / EXTENSIONS["path"]
    path.write_text(THEIRS)
    assert run_module(main, **wish(dest, EXTENSIONS))["changed"]
    assert json.loads(path.read_text().replace("// mine", ""))["recommendations"] == ["me.mine", "a.b"]
    gone = run_module(main, **wish(dest, state="absent"))
    assert gone["kept"] == [EXTENSIONS["path"]] and "stays" in gone["notes"][0] and path.exists()


def test_own_values_stay_and_are_told(dest: Path, run_module: RunModule) -> None:
    path = dest / EXTENSIONS["path"]
    path.parent.mkdir()
    path.write_text('{"recommendations": "none"}')
    result = run_module(main, **wish(dest, EXTENSIONS))
    assert not result["changed"]
    assert result["notes"] == [".vscode/extensions.json: recommendations has a value of your own, which stays."]


@pytest.mark.parametrize("changed", [False, True])
def test_a_file_of_others_is_refused_or_kept(dest: Path, run_module: RunModule, changed: bool) -> None:
    if changed:
        run_module(main, **wish(dest, DOCKERFILE))
    (dest / ".ide").mkdir(exist_ok=True)
    (dest / ".ide/Dockerfile").write_text("FROM mine\n")
    before = tree(dest)
    new = {**DOCKERFILE, "content": "FROM ours\n"}
    refused = run_module(main, **wish(dest, EXTENSIONS, new))
    why = "was changed since" if changed else "is not ours"
    assert refused["msg"] == (
        f".ide/Dockerfile in {dest} {why}; move it away, or set foreign to keep and take over by hand what you need. "
        "Nothing was changed."
    )
    assert tree(dest) == before
    kept = run_module(main, **wish(dest, EXTENSIONS, new, foreign="keep"))
    assert kept["kept"] == [".ide/Dockerfile"] and kept["files"] == [EXTENSIONS["path"]]
    assert (dest / ".ide/Dockerfile").read_text() == "FROM mine\n"


def test_a_file_that_is_right_already_is_not_ours(dest: Path, run_module: RunModule) -> None:
    (dest / ".ide").mkdir()
    (dest / ".ide/Dockerfile").write_text(DOCKERFILE["content"])
    assert not run_module(main, **wish(dest, DOCKERFILE))["changed"]
    run_module(main, **wish(dest, state="absent"))
    assert (dest / ".ide/Dockerfile").exists()


def test_two_hosts_do_not_share_a_folder(dest: Path, run_module: RunModule) -> None:
    run_module(main, **wish(dest, DOCKERFILE))
    refused = run_module(main, **{**wish(dest, DOCKERFILE), "owner": "gpu02"})
    assert refused["msg"] == (
        f"{dest} holds the files of gpu01, not of gpu02; give each its own folder. Nothing was changed."
    )


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([{"path": "../x", "content": ""}], "is no path below the folder"),
        ([{"path": "/etc/x", "content": ""}], "is no path below the folder"),
        ([{"path": ".gpuready/originals/index.json", "content": ""}], "is no path below the folder"),
        ([{"path": "x", "content": "", "mode": "420"}], "four octal digits"),
        ([{"path": "x", "content": ""}, {"path": "x", "content": ""}], "stands twice"),
        ([{"path": "train.py/x", "content": ""}], "Cannot read"),
        ([{"path": "out/x", "content": ""}], "outside of"),
    ],
)
def test_paths_that_cannot_be_meant(dest: Path, run_module: RunModule, files: list[Any], why: str) -> None:
    (dest / "out").symlink_to("/tmp")
    assert why in run_module(main, **wish(dest, *files))["msg"]


def test_broken_settings_and_records_are_named(dest: Path, run_module: RunModule) -> None:
    (dest / ".vscode").mkdir()
    (dest / EXTENSIONS["path"]).write_text("{\n'a': 1}")
    assert "is no JSON (line 2: expected a key" in run_module(main, **wish(dest, EXTENSIONS))["msg"]
    store = dest / ".gpuready/originals"
    store.mkdir(parents=True)
    (store / "index.json").write_text("x")
    assert f"{dest}/.gpuready/originals/index.json" in run_module(main, **wish(dest, DOCKERFILE))["msg"]
    assert "no folder" in run_module(main, **wish(dest / "train.py", DOCKERFILE))["msg"]
    assert "absolute path" in run_module(main, **{**wish(dest), "dest": "project"})["msg"]


PATHS = st.sampled_from(["a", "b/c", "b/d", ".vscode/extensions.json"])
SETS = st.lists(
    st.tuples(PATHS, st.sampled_from(["{}", '{"x": [1]}', '{"x": [2], "y": 1}'])), unique_by=lambda file: file[0]
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=SETS, wishes=st.lists(SETS, min_size=1, max_size=3))
def test_whatever_is_wished_the_folder_comes_back(
    tmp_path_factory: pytest.TempPathFactory, run_module: RunModule, before: list[Any], wishes: list[list[Any]]
) -> None:
    dest = tmp_path_factory.mktemp("project")
    for path, content in before:
        (dest / path).parent.mkdir(exist_ok=True)
        (dest / path).write_text(content)
    was = tree(dest)
    for files in wishes:
        listed = [{"path": path, "content": content, "merge": path.startswith(".vscode")} for path, content in files]
        run_module(main, **wish(dest, *listed, foreign="keep"))
    run_module(main, **wish(dest, state="absent"))
    assert tree(dest) == was
