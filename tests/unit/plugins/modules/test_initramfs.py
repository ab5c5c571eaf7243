# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in of update-initramfs and dracut writes images into a tree; the decisions around it are the module's."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _initramfs
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.modules import initramfs
from ansible_collections.gpuready.bootstrap.plugins.modules.initramfs import main

RunModule = Callable[..., dict[str, Any]]
OLD, NEW = "6.1.0-9-amd64", "6.1.0-50-amd64"
INPUT = "/etc/modprobe.d/gpuready-nouveau.conf"
STAMP = "var/lib/gpuready/initramfs.json"
LONG_AGO = 1_600_000_000


class Host:
    """A tree with two kernels and a tool; `calls` are the commands that were run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[list[str]] = []
        self.fails: dict[str, str] = {}
        self.silent = self.half_written = False
        for folder in ("boot", "etc/modprobe.d", "usr/sbin", "proc/sys/kernel"):
            (root / folder).mkdir(parents=True)
        (root / "proc/sys/kernel/osrelease").write_text(OLD + "\n")
        for release in (OLD, NEW):
            self.install(release)

    def tool(self, *names: str) -> Host:
        for name in names:
            (self.root / "usr/sbin" / name).write_text("#!/bin/sh\n")
            (self.root / "usr/sbin" / name).chmod(0o755)
        return self

    def install(self, release: str, image: str | None = "initrd.img-{}") -> None:
        (self.root / "lib/modules" / release).mkdir(parents=True)
        (self.root / f"boot/vmlinuz-{release}").write_text("kernel")
        if image:
            path = self.root / "boot" / image.format(release)
            path.write_text("image of the installation")
            os.utime(path, (LONG_AGO, LONG_AGO))

    def wants(self, text: str | None) -> None:
        path = self.root / INPUT[1:]
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)

    def image(self, release: str) -> Path:
        return self.root / f"boot/initrd.img-{release}"

    def stamp(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / STAMP).read_text())
        return found

    def run(self, argv: list[str], **_options: Any) -> tuple[int, bytes, bytes]:
        name, release = Path(argv[0]).name, argv[-1]
        self.calls.append([name, *argv[1:]])
        path = self.image(release) if name == "update-initramfs" else self.root / f"boot/initramfs-{release}.img"
        if release in self.fails:
            if self.half_written:
                Path(f"{path}.new").write_text("half")
            return 1, b"some progress\n", self.fails[release].encode()
        if not self.silent:
            path.write_text("built " + (self.root / INPUT[1:]).name)
        return 0, b"", b""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path / "root")

    def runner(_module: Any) -> Runner:
        return Runner(found.run, search=[str(tmp_path / "root/usr/sbin")])

    monkeypatch.setattr(initramfs, "make_runner", runner)
    return found


def wish(host: Host, **more: Any) -> dict[str, Any]:
    return {"inputs": [INPUT], "root": str(host.root), **more}


def files(host: Host) -> dict[str, bytes]:
    return {str(p.relative_to(host.root)): p.read_bytes() for p in host.root.rglob("*") if p.is_file()}


def test_builds_for_the_running_and_the_newest_kernel_and_remembers(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("blacklist nouveau\n")
    result = run_module(main, **wish(host))
    assert result["changed"] and result["rebuilt"] == [OLD, NEW] and result["notes"] == []
    assert result["tool"] == "update-initramfs" and result["images"][NEW] == f"/boot/initrd.img-{NEW}"
    assert host.calls == [["update-initramfs", "-u", "-k", release] for release in (OLD, NEW)]
    stamp, info = host.stamp(), host.image(NEW).stat()
    assert set(stamp) == {"schema", "inputs", "kernels"} and len(stamp["inputs"][INPUT]) == 64
    assert stamp["kernels"][NEW] == {"size": info.st_size, "mtime": int(info.st_mtime)}


def test_second_run_does_nothing(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("blacklist nouveau\n")
    run_module(main, **wish(host))
    host.calls.clear()
    before = files(host)
    again = run_module(main, **wish(host))
    assert not again["changed"] and again["rebuilt"] == [] and again["reason"] == "" and again["diff"] == []
    assert host.calls == [] and files(host) == before


@pytest.mark.parametrize("text", ["blacklist nouveau\n# more\n", None])
def test_another_content_is_built_in(host: Host, run_module: RunModule, text: str | None) -> None:
    host.tool("update-initramfs").wants("blacklist nouveau\n")
    run_module(main, **wish(host))
    host.wants(text)
    result = run_module(main, **wish(host))
    assert result["rebuilt"] == [OLD, NEW] and INPUT in result["reason"]
    assert (host.stamp()["inputs"][INPUT] is None) == (text is None)


def test_check_mode_predicts_exactly_and_runs_nothing(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("blacklist nouveau\n")
    before = files(host)
    predicted = run_module(main, check=True, **wish(host))
    assert host.calls == [] and files(host) == before and predicted["changed"]
    done = run_module(main, **wish(host))
    same = ("changed", "rebuilt", "reason", "diff", "images", "notes")
    assert {key: predicted[key] for key in same} == {key: done[key] for key in same}


def test_a_missing_image_is_created(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("x")
    host.image(NEW).unlink()
    assert run_module(main, **wish(host, kernels=[NEW]))["rebuilt"] == [NEW]
    assert host.calls == [["update-initramfs", "-c", "-k", NEW]]


def test_only_the_image_that_is_wrong_is_built(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("x")
    run_module(main, **wish(host))
    host.calls.clear()
    os.utime(host.image(OLD), (LONG_AGO, LONG_AGO))  # restored from a backup
    result = run_module(main, **wish(host))
    assert result["rebuilt"] == [OLD] and OLD in result["reason"] and NEW not in result["reason"]


def test_an_image_that_was_built_since_is_right(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("x")
    run_module(main, **wish(host))
    later = time.time() + 100
    host.image(OLD).write_text("built by a package")
    os.utime(host.image(OLD), (later, later))
    newest = "6.12.0-1-amd64"
    host.install(newest)
    os.utime(host.image(newest), (later, later))
    result = run_module(main, **wish(host))
    assert not result["changed"] and host.stamp()["kernels"][newest]["mtime"] == int(later)
    assert NEW in host.stamp()["kernels"]  # it still holds the inputs


def test_a_new_kernel_with_an_old_image_is_built(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("x")
    run_module(main, **wish(host))
    host.install("6.12.0-1-amd64")
    assert run_module(main, **wish(host))["rebuilt"] == ["6.12.0-1-amd64"]


def test_dracut_where_there_is_no_update_initramfs(host: Host, run_module: RunModule) -> None:
    host.tool("dracut").wants("x")
    for release in (OLD, NEW):
        host.image(release).rename(host.root / f"boot/initramfs-{release}.img")
    result = run_module(main, **wish(host))
    assert host.calls == [["dracut", "--force", "--kver", release] for release in (OLD, NEW)]
    assert result["images"][OLD] == f"/boot/initramfs-{OLD}.img" and not run_module(main, **wish(host))["changed"]


def test_no_tool_is_a_clear_error(host: Host, run_module: RunModule) -> None:
    host.wants("x")
    for check in (True, False):
        result = run_module(main, check=check, **wish(host))
        assert result["failed"] and "install initramfs-tools or dracut" in result["msg"]
    assert not (host.root / STAMP).exists()


def test_a_kernel_without_modules_is_left_out(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("x")
    (host.root / "lib/modules" / OLD).rmdir()
    result = run_module(main, **wish(host))
    assert result["rebuilt"] == [NEW] and f"/lib/modules/{OLD}" in result["notes"][0]


def test_a_host_without_any_kernel_needs_no_tool(host: Host, run_module: RunModule) -> None:
    host.wants("x")
    for release in (OLD, NEW):
        (host.root / "lib/modules" / release).rmdir()
    result = run_module(main, **wish(host))
    assert not result["changed"] and result["rebuilt"] == [] and len(result["notes"]) == 2
    assert host.stamp()["kernels"] == {}


def test_too_little_room_is_refused_before_anything(
    host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.tool("update-initramfs").wants("x")
    monkeypatch.setattr(_initramfs.Boot, "free", lambda _self, _path: 9 * _initramfs.MIB)
    before = files(host)
    for check in (True, False):
        result = run_module(main, check=check, **wish(host))
        assert result["failed"] and "/boot has 9 MiB free" in result["msg"] and "needs 11 MiB" in result["msg"]
        assert "Nothing was changed" in result["msg"]
    assert host.calls == [] and files(host) == before
    assert run_module(main, **wish(host, free_mib_min=5))["changed"]


@pytest.mark.parametrize("half", [True, False])
def test_a_failing_tool(host: Host, run_module: RunModule, half: bool) -> None:
    host.tool("update-initramfs").wants("x")
    theirs = host.root / f"boot/initrd.img-{NEW}.tmp"
    theirs.write_text("of somebody else")
    host.fails[NEW] = "1\n2\nE: first reason\ngzip: stdout: No space left on device\nupdate-initramfs: failed\n"
    host.half_written = half
    result = run_module(main, **wish(host))
    assert result["failed"] and result["changed"] and result["rebuilt"] == [OLD]
    assert "No space left on device | update-initramfs: failed" in result["msg"] and "| 2" not in result["msg"]
    assert "the old image is unchanged" in result["msg"] and OLD in result["msg"]
    assert not Path(f"{host.image(NEW)}.new").exists() and theirs.exists() and not (host.root / STAMP).exists()
    host.fails.clear()
    assert run_module(main, **wish(host))["rebuilt"] == [OLD, NEW]


def test_a_failure_leaves_the_stamp_as_it_was(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("x")
    run_module(main, **wish(host))
    before = (host.root / STAMP).read_bytes()
    host.wants("y")
    host.fails[OLD] = "broken\n"
    assert "Nothing was changed" in run_module(main, **wish(host))["msg"]
    assert (host.root / STAMP).read_bytes() == before


def test_a_tool_that_does_nothing_is_found_out(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("x")
    host.silent = True
    result = run_module(main, **wish(host))
    assert result["failed"] and "update-initramfs.conf" in result["msg"] and not (host.root / STAMP).exists()


def test_a_damaged_stamp_means_build_again(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("x")
    run_module(main, **wish(host))
    (host.root / STAMP).write_text("{")
    assert run_module(main, **wish(host))["rebuilt"] == [OLD, NEW]


def test_absent_builds_again_and_forgets(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs")
    names = set(files(host))
    host.wants("x")
    run_module(main, **wish(host))
    host.wants(None)
    third = "6.1.0-30-amd64"
    host.install(third)
    host.image(third).write_text("built by its package, with our inputs")
    predicted = run_module(main, check=True, **wish(host, state="absent"))
    gone = run_module(main, root=str(host.root), state="absent")
    assert gone["changed"] and gone["rebuilt"] == [OLD, NEW, third] and predicted["rebuilt"] == gone["rebuilt"]
    assert predicted["diff"] == gone["diff"]
    after = set(files(host)) - {f"boot/vmlinuz-{third}", f"boot/initrd.img-{third}"}
    assert after == names and not (host.root / "var/lib/gpuready").exists()
    assert not run_module(main, **wish(host, state="absent"))["changed"]


def test_absent_builds_nothing_where_the_images_hold_the_inputs(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("x")
    run_module(main, **wish(host))
    host.calls.clear()
    gone = run_module(main, **wish(host, state="absent"))
    assert gone["changed"] and gone["rebuilt"] == [] and host.calls == [] and not (host.root / STAMP).exists()


def test_absent_that_fails_keeps_the_stamp(host: Host, run_module: RunModule) -> None:
    host.tool("update-initramfs").wants("x")
    run_module(main, **wish(host))
    host.wants(None)
    host.fails[NEW] = "broken\n"
    assert run_module(main, **wish(host, state="absent"))["failed"] and (host.root / STAMP).exists()


@pytest.mark.parametrize(("more", "word"), [({"inputs": []}, "inputs is empty"), ({"kernels": ["../x"]}, "'../x'")])
def test_bad_input_is_refused(host: Host, run_module: RunModule, more: dict[str, Any], word: str) -> None:
    result = run_module(main, **wish(host, **more))
    assert result["failed"] and word in result["msg"]


def test_another_root_runs_no_command(host: Host, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    host.tool("update-initramfs").wants("x")
    monkeypatch.undo()
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    result = run_module(main, **wish(host))
    assert result["failed"] and "no command is run for root" in result["msg"]
