# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import multiprocessing
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _files, _store_lock
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from hypothesis import given, settings
from hypothesis import strategies as st


class Module:
    """The part of AnsibleModule that the gate uses; `broken` makes moves (there) fail like a full disk."""

    _diff = False

    def __init__(self, tmpdir: Path, check_mode: bool = False, broken: bool | str = False) -> None:
        self.tmpdir, self.check_mode, self.broken = str(tmpdir), check_mode, broken

    def atomic_move(self, source: str, target: str) -> None:
        if self.broken is True or (self.broken and target.endswith(self.broken)):
            raise OSError(28, "No space left on device")
        if os.path.exists(target):
            os.chmod(source, stat.S_IMODE(os.stat(target).st_mode))
            os.rename(source, target)
            return
        os.rename(source, target)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(target, 0o666 & ~umask)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "etc").mkdir(parents=True)
    return tmp_path / "root"


def gate(root: Path, **kind: Any) -> FileGate:
    return FileGate(Module(root.parent, **kind), str(root))  # type: ignore[arg-type]


def etc(root: Path) -> dict[str, tuple[int, bytes]]:
    paths = sorted((root / "etc").rglob("*"))
    return {str(p): (stat.S_IMODE(p.stat().st_mode), p.read_bytes() if p.is_file() else b"") for p in paths}


def test_write_makes_parents_and_restore_takes_them_away(root: Path) -> None:
    one = gate(root)
    assert one.write("/etc/a/b/c.conf", "x\n") and one.changed and one.paths == ["/etc/a/b/c.conf"]
    assert one.write("/etc/a/b/d.conf", "y\n")
    assert stat.S_IMODE((root / "etc/a").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "etc/a/b/c.conf").stat().st_mode) == 0o644
    two = gate(root)
    assert two.restore("/etc/a/b/c.conf") and (root / "etc/a/b/d.conf").exists()
    assert two.restore("/etc/a/b/d.conf")
    assert etc(root) == {} and not (root / "var/lib/gpuready").exists()


def test_originals_are_private(root: Path) -> None:
    (root / "etc/s.conf").write_text("secret\n")
    gate(root).write("/etc/s.conf", "other\n")
    kept = [path for path in (root / "var/lib/gpuready").rglob("*") if path.is_file()]
    assert len(kept) == 2 and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)
    assert stat.S_IMODE((root / "var/lib/gpuready/originals").stat().st_mode) == 0o700


def test_mode_of_an_existing_file_is_kept_unless_given(root: Path) -> None:
    target = root / "etc/f"
    target.write_text("a")
    target.chmod(0o600)
    gate(root).write("/etc/f", "b")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    third = gate(root)
    assert third.write("/etc/f", "b", mode=0o640) and "mode: 0600" in third.diffs[0]["before"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o640 and not gate(root).write("/etc/f", "b", mode=0o640)
    gate(root).restore("/etc/f")
    assert (stat.S_IMODE(target.stat().st_mode), target.read_text()) == (0o600, "a")


def test_first_original_survives_many_writes(root: Path) -> None:
    (root / "etc/f").write_bytes(b"\xff\x00first")
    for text in ("one", "two", "three"):
        gate(root).write("/etc/f", text)
    assert gate(root).original("/etc/f") == b"\xff\x00first"
    assert gate(root).restore("/etc/f") and (root / "etc/f").read_bytes() == b"\xff\x00first"


def test_restore_leaves_a_later_human_edit_alone(root: Path) -> None:
    (root / "etc/f").write_text("first")
    gate(root).write("/etc/f", "ours")
    (root / "etc/f").write_text("human")
    last = gate(root)
    assert not last.restorable("/etc/f") and not last.restore("/etc/f") and last.kept == ["/etc/f"]
    assert (root / "etc/f").read_text() == "human" and not last.changed


def test_edit_between_two_shared_writes_forbids_the_restore(root: Path) -> None:
    (root / "etc/f").write_text("first")
    gate(root).write("/etc/f", "ours", shared=True)
    (root / "etc/f").write_text("human")
    gate(root).write("/etc/f", "human and ours", shared=True)
    assert not gate(root).restore("/etc/f") and (root / "etc/f").read_text() == "human and ours"


def test_a_file_with_our_name_goes_even_when_edited(root: Path) -> None:
    gate(root).write("/etc/gpuready-x", "ours")
    (root / "etc/gpuready-x").write_text("human")
    assert gate(root).restore("/etc/gpuready-x", ours=True) and etc(root) == {}


def test_removed_file_comes_back(root: Path) -> None:
    (root / "etc/f").write_text("first")
    assert gate(root).remove("/etc/f") and not gate(root).remove("/etc/f")
    assert gate(root).restore("/etc/f") and (root / "etc/f").read_text() == "first"


@pytest.mark.parametrize("act", ["write", "remove", "restore"])
def test_check_mode_touches_nothing_and_gives_the_same_diff(root: Path, act: str) -> None:
    (root / "etc/f").write_text("first\n")
    if act == "restore":
        gate(root).write("/etc/f", "ours\n")
    args = ("/etc/f", "new\n") if act == "write" else ("/etc/f",)
    before = {str(p): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    dry, wet = gate(root, check_mode=True), gate(root)
    assert getattr(dry, act)(*args)
    assert {str(p): p.read_bytes() for p in root.rglob("*") if p.is_file()} == before
    assert getattr(wet, act)(*args) and wet.diffs == dry.diffs and wet.paths == dry.paths


def test_secret_diff_is_hidden(root: Path) -> None:
    writer = gate(root)
    writer.write("/etc/token", "hush\n", mode=0o600, secret=True)
    assert "hush" not in json.dumps(writer.diffs) and writer.diffs[0]["after"] == _files.HIDDEN
    assert stat.S_IMODE((root / "etc/token").stat().st_mode) == 0o600


def test_full_disk_is_one_sentence_and_leaves_the_old_file(root: Path) -> None:
    (root / "etc/f").write_text("first")
    before = etc(root)
    with pytest.raises(FileGateError, match=r"Cannot write .*No space left on device"):
        gate(root, broken=True).write("/etc/f", "new")
    assert etc(root) == before and not list(root.parent.glob("gpuready-*"))


def test_run_killed_between_record_and_write_is_mended(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "etc/f").write_text("first")
    real = FileGate._put

    def killed(self: FileGate, path: str, content: bytes, mode: int | None) -> None:
        if path == "/etc/f":
            raise KeyboardInterrupt
        real(self, path, content, mode)

    monkeypatch.setattr(FileGate, "_put", killed)
    with pytest.raises(KeyboardInterrupt):
        gate(root).write("/etc/f", "new")
    monkeypatch.undo()
    assert gate(root).write("/etc/f", "new") and gate(root).restore("/etc/f")
    assert (root / "etc/f").read_text() == "first" and not (root / "var/lib/gpuready").exists()


def test_links_stay_links_and_do_not_leave_the_root(root: Path) -> None:
    (root / "etc/real").write_text("a")
    (root / "etc/link").symlink_to("real")
    gate(root).write("/etc/link", "b")
    assert (root / "etc/link").is_symlink() and (root / "etc/real").read_text() == "b"
    (root / "etc/out").symlink_to(root.parent / "outside")
    with pytest.raises(FileGateError, match="symbolic link"):
        gate(root).write("/etc/out", "b")
    (root / "etc/dir").mkdir()
    with pytest.raises(FileGateError, match="not a regular file"):
        gate(root).write("/etc/dir", "b")


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "x", "files": {}}', '{"schema": 1, "files": {"a": {}}}'])
def test_damaged_index_is_refused(root: Path, text: str) -> None:
    (root / "var/lib/gpuready/originals").mkdir(parents=True)
    (root / "var/lib/gpuready/originals/index.json").write_text(text)
    (root / "etc/f").write_text("a")
    with pytest.raises(FileGateError, match=r"index\.json"):
        gate(root).write("/etc/f", "b")
    assert (root / "etc/f").read_text() == "a"


def test_damaged_original_is_refused(root: Path) -> None:
    (root / "etc/f").write_text("a")
    gate(root).write("/etc/f", "b")
    next((root / "var/lib/gpuready/originals/objects").iterdir()).write_text("broken")
    with pytest.raises(FileGateError, match="missing or damaged"):
        gate(root).restore("/etc/f")
    assert (root / "etc/f").read_text() == "b"


@settings(deadline=None, max_examples=50)  # fsync takes its time on a busy machine
@given(st.lists(st.tuples(st.sampled_from(["/etc/a", "/etc/d/b", "/etc/d/e/c"]), st.binary(max_size=8)), max_size=6))
def test_any_writes_then_restore_give_back_the_tree(writes: list[tuple[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        (root / "etc").mkdir(parents=True)
        (root / "etc/a").write_bytes(b"original")
        before = etc(root)
        for path, content in writes:
            gate(root).write(path, content)
        for path in {path for path, _content in writes}:
            gate(root).restore(path)
        assert etc(root) == before and not (root / "var/lib/gpuready").exists()


@pytest.mark.parametrize("before", [None, b"first\n"])
def test_a_write_that_fails_leaves_no_record(root: Path, before: bytes | None) -> None:
    path = root / "etc/f"
    if before is not None:
        path.write_bytes(before)
        gate(root).write("/etc/f", "second\n")
    with pytest.raises(FileGateError):
        gate(root, broken="/etc/f").write("/etc/f", "never\n")
    path.write_text("an edit\n")
    one = gate(root)
    assert one.record("/etc/f") is None or one.record("/etc/f").sha256_written == _files.sha256(b"second\n")
    one.write("/etc/f", "third\n")
    gate(root).restore("/etc/f")
    assert path.read_bytes() == (before or b"an edit\n")


@pytest.mark.parametrize("text", ["a", "b"])
def test_restore_gives_mode_and_owner_back_where_the_content_is_the_original(root: Path, text: str) -> None:
    path = root / "etc/f"
    path.write_text("a")
    path.chmod(0o640)
    owner = (1234, 1235) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    gate(root).write("/etc/f", text, mode=0o604)
    path.write_text("a")  # the user, or we: nothing but mode and owner are left of ours
    dry, wet = gate(root, check_mode=True), gate(root)
    assert dry.restore("/etc/f") and wet.restore("/etc/f") and dry.diffs == wet.diffs and wet.paths == ["/etc/f"]
    info = path.stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o640, *owner)
    assert wet.record("/etc/f") is None and not gate(root).restore("/etc/f")


def test_a_secret_is_never_in_a_file_that_others_may_read(root: Path) -> None:
    path = root / "etc/f"
    path.write_text("open")
    path.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(path, 1234, 1235)
    seen = []

    class Watched(Module):
        def atomic_move(self, source: str, target: str) -> None:
            super().atomic_move(source, target)
            seen.append((target, stat.S_IMODE(os.stat(target).st_mode)))

    with pytest.raises(FileGateError):
        gate(root, broken="/etc/f").write("/etc/f", "hush", mode=0o600, secret=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 and path.stat().st_uid in (1234, os.geteuid())
    FileGate(Watched(root.parent), str(root)).write("/etc/f", "hush", mode=0o600, secret=True)  # type: ignore[arg-type]
    assert [mode for target, mode in seen if target == str(path)] == [0o600] and path.stat().st_uid == os.geteuid()


def test_runs_at_the_same_time_keep_all_originals(root: Path) -> None:
    names = [f"/etc/{number}" for number in range(12)]
    for name in names:
        (root / name[1:]).write_text(f"first {name}")
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.starmap(written, [(root, name) for name in names], chunksize=1)
    one = gate(root)
    assert [name for name in names if one.record(name) is None] == []
    assert all(one.restore(name) for name in names)
    assert [(root / name[1:]).read_text() for name in names] == [f"first {name}" for name in names]
    assert not (root / "var/lib/gpuready").exists()


def written(root: Path, path: str) -> None:
    """What another process does."""
    module = Module(root.parent)
    index = FileGate._index
    slow = type("Slow", (FileGate,), {"_index": lambda self: (index(self), time.sleep(0.01))[0]})
    slow(module, str(root)).write(path, "second")


def test_a_lock_that_is_not_to_be_had_stops_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate(root).write("/etc/a", "x")
    monkeypatch.setattr(_store_lock, "PATIENCE_S", 0.05)
    with _store_lock.held(f"{root}{_files.STORE}"):
        assert gate(root).write("/etc/b", "x")

    def no_locks(*arguments: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    assert gate(root).write("/etc/c", "x") and gate(root).restore("/etc/c", ours=True)


TOKENS = """HF_TOKEN=hf_hush
OPENAI_API_KEY="sk-hush x"
//npm.corp/:_authToken=npm_hush
index-url = https://hush@pypi.corp/simple
extra-index-url = https://__token__:hush/x@pypi.corp/s
token = "hush"
extraHeader = Authorization: Basic hush
[url "https://oauth2:hush@gitlab.corp/"]
proxy_password=hush
{"HF_TOKEN": "hush", "auths": {"a": {"auth": "hush"}}}
"""


def test_what_others_keep_secret_in_a_file_is_in_no_diff(root: Path) -> None:
    (root / "etc/environment").write_text(TOKENS)
    one = gate(root)
    one.write("/etc/environment", TOKENS + "OURS=1\n", shared=True)
    assert "hush" not in json.dumps(one.diffs)
    assert one.diffs[0]["after"].endswith("OURS=1\n") and "https://***@pypi.corp/simple" in one.diffs[0]["after"]
    one.remove("/etc/environment")
    assert "hush" not in json.dumps(one.diffs)


def test_a_result_holds_the_diff_only_where_it_is_asked_for(root: Path) -> None:
    one = gate(root)
    one.write("/etc/f", "x\n")
    assert "diff" not in one.result()
    one.module._diff = True
    assert one.result()["diff"] == one.diffs
