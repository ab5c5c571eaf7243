# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _fstab, _storage_entry, _storage_host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_host import Mounted
from ansible_collections.gpuready.bootstrap.plugins.modules.storage_mounts import main

RunModule = Callable[..., dict[str, Any]]
OTHERS = "tmpfs   /theirs  tmpfs noauto 0 0\n# no line feed"


class Host:
    """fstab in a folder; a stand-in mount keeps a list of what is mounted."""

    def __init__(self, root: Path) -> None:
        self.root, self.fstab, self.list = root, root / "fstab", root / "mounted"
        self.fstab.write_text(OTHERS)
        self.list.touch()

    def mounted(self) -> dict[str, Mounted]:
        paths = self.list.read_text().split()
        return {path: Mounted(path, "nfs4", "nas:/export/x", "0:50", "/") for path in paths}

    def mount(self, **more: Any) -> dict[str, Any]:
        path = str(self.root / "data" / "models")
        return {"name": "models", "type": "nfs", "source": "nas:/export/x", "path": path, **more}


@pytest.fixture
def disks(tmp_path: Path, store: Path, programs: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path)
    refused = f"[ ! -e {tmp_path}/broken ] || {{ echo refused >&2; exit 32; }}"
    mount = f'for path; do :; done; echo "$path" >> {host.list}; {refused}'
    umount = f'[ ! -e {tmp_path}/busy ] || {{ echo target is busy >&2; exit 32; }}; sed -i "\\#^$1\\$#d" {host.list}'
    programs(**{"mount": mount, "umount": umount, "mount.nfs": ":"})
    monkeypatch.setattr(_fstab, "PATH", str(host.fstab))
    monkeypatch.setattr(_storage_entry, "SECRETS", str(tmp_path / "secrets"))
    for name, answer in {
        "mounted": host.mounted,
        "automounts": set,
        "knows": lambda *_: "",
        "silent": lambda *_: "",
    }.items():
        monkeypatch.setattr(_storage_host, name, answer)
    return host


def test_mounted_remembered_and_given_back(disks: Host, run_module: RunModule, store: Path) -> None:
    predicted = run_module(main, check=True, mounts=[disks.mount()])
    assert predicted["changed"] and disks.fstab.read_text() == OTHERS and not disks.list.read_text()
    result = run_module(main, mounts=[disks.mount()])
    assert result["mounted"] == predicted["mounted"] == [disks.mount()["path"]] and result["diff"] == predicted["diff"]
    assert disks.fstab.read_text().startswith(OTHERS + "\n# gpuready.bootstrap.storage_mounts models\nnas:/export/x ")
    assert not run_module(main, mounts=[disks.mount()])["changed"]
    result = run_module(main, mounts=[disks.mount(read_only=True)])
    assert result["mounted"] == result["unmounted"] and " ro," in disks.fstab.read_text().replace("nfs ro", "nfs  ro")
    result = run_module(main, state="absent")
    assert result["changed"] and disks.fstab.read_text() == OTHERS and not disks.list.read_text()
    assert not (disks.root / "data").exists() and not store.exists()
    assert not run_module(main, state="absent")["changed"]


def test_a_mount_that_fails_leaves_nothing(disks: Host, run_module: RunModule) -> None:
    (disks.root / "broken").touch()
    ceph = disks.mount(name="c", type="cephfs", source="mon:/v", path=str(disks.root / "c"), secret_key="QUJD")
    (disks.root / "bin" / "mount.ceph").symlink_to("/bin/true")
    result = run_module(main, mounts=[ceph])
    assert result["failed"] and "cannot be mounted" in result["msg"] and "refused" in result["msg"]
    assert "Nothing was changed" in result["msg"] and disks.fstab.read_text() == OTHERS
    assert not (disks.root / "secrets").exists() and not (disks.root / "c").exists()


@pytest.fixture
def refusing(disks: Host) -> Callable[[str], None]:
    """Let the stand-in mount refuse tables with a word, and then mount nothing."""

    def refuse(word: str) -> None:
        program = disks.root / "bin" / "mount"
        program.write_text(
            f"#!/bin/sh\nif grep -q {word} $2; then echo refused >&2; exit 32; fi\necho $3 >> {disks.list}\n"
        )

    return refuse


@pytest.mark.parametrize("more", [{"options": ["vers=9"]}, {"name": "new", "options": ["vers=9"]}])
def test_what_was_mounted_is_mounted_again_after_a_failure(
    disks: Host, run_module: RunModule, refusing: Callable[[str], None], more: dict[str, Any]
) -> None:
    run_module(main, mounts=[disks.mount()])
    fstab = disks.fstab.read_text()
    refusing("vers=9")
    path = str(disks.root / "new") if "name" in more else disks.mount()["path"]
    result = run_module(main, mounts=[disks.mount(**{**more, "path": path})])
    assert result["failed"] and result["msg"].endswith(": refused. Nothing was changed.")
    assert disks.list.read_text().split() == [disks.mount()["path"]] and disks.fstab.read_text() == fstab
    assert not (disks.root / "new").exists()


def test_what_does_not_come_back_is_said(disks: Host, run_module: RunModule, refusing: Callable[[str], None]) -> None:
    run_module(main, mounts=[disks.mount()])
    refusing("nas")
    result = run_module(main, mounts=[disks.mount(options=["vers=9"])])
    path = disks.mount()["path"]
    assert result["failed"] and "Nothing was changed" not in result["msg"] and not disks.list.read_text()
    assert f"{path}, which was mounted before, could not be mounted again (refused): run mount {path}." in result["msg"]


def test_a_former_secret_comes_back_after_a_failure(
    disks: Host, run_module: RunModule, refusing: Callable[[str], None]
) -> None:
    (disks.root / "bin" / "mount.ceph").symlink_to("/bin/true")
    ceph = disks.mount(name="c", type="cephfs", source="mon:/v", path=str(disks.root / "c"), secret_key="QUJD")
    run_module(main, mounts=[ceph])
    secrets = {path: path.read_text() for path in (disks.root / "secrets").iterdir()}
    refusing("vers=9")
    result = run_module(main, mounts=[{**ceph, "secret_key": "REVG"}, disks.mount(options=["vers=9"])])
    assert result["failed"] and {path: path.read_text() for path in (disks.root / "secrets").iterdir()} == secrets


def test_what_is_busy_stays_and_is_said(disks: Host, run_module: RunModule) -> None:
    run_module(main, mounts=[disks.mount()])
    (disks.root / "busy").touch()
    result = run_module(main, state="absent")
    assert "stays mounted as it is" in result["notes"][0] and disks.fstab.read_text() == OTHERS
    assert disks.list.read_text()


def test_one_that_is_not_named_any_more_goes(disks: Host, run_module: RunModule) -> None:
    other = disks.mount(name="other", path=str(disks.root / "other"))
    run_module(main, mounts=[disks.mount(), other])
    result = run_module(main, mounts=[other])
    assert result["unmounted"] == [disks.mount()["path"]] and "models\n" not in disks.fstab.read_text()


def test_lines_that_others_add_stay(disks: Host, run_module: RunModule) -> None:
    run_module(main, mounts=[disks.mount()])
    disks.fstab.write_text(disks.fstab.read_text() + "tmpfs /later tmpfs noauto 0 0\n")
    run_module(main, mounts=[disks.mount(options=["timeo=100"])])
    run_module(main, state="absent")
    assert disks.fstab.read_text() == OTHERS + "\ntmpfs /later tmpfs noauto 0 0\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"source": "nas"}, "mount models: source 'nas' is not SERVER:/EXPORT"),
        ({"path": "/theirs"}, "line 1 of"),
        (
            {"type": "s3", "url": "http://s3", "source": "models", "user": "a", "secret_key": "b"},
            "packages s3fs are missing",
        ),
    ],
)
def test_what_cannot_be_done_is_said(disks: Host, run_module: RunModule, more: dict[str, Any], said: str) -> None:
    (disks.root / "bin" / "dpkg").symlink_to("/bin/true")
    result = run_module(main, mounts=[disks.mount(**more)])
    assert result["failed"] and said in result["msg"] and disks.fstab.read_text() == OTHERS, result["msg"]


def test_files_are_not_hidden_and_needs_are_named(disks: Host, run_module: RunModule) -> None:
    Path(disks.mount()["path"]).mkdir(parents=True)
    (Path(disks.mount()["path"]) / "thesis.tex").touch()
    assert "holds files (thesis.tex)" in run_module(main, mounts=[disks.mount()])["msg"]
    (disks.root / "bin" / "mount.nfs").unlink()
    result = run_module(main, mounts=[disks.mount()], packages="ask")
    assert len(result["needs"]) == 1 and not result["changed"]


def test_a_layout_and_its_room(disks: Host, run_module: RunModule) -> None:
    layout = {"path": str(disks.root / "lay"), "folders": ["models", "cache"], "owner": "0", "mode": "0750"}
    budget = [{"path": str(disks.root / "lay"), "gb": 10.0**9}]
    result = run_module(main, layout=layout, budget=budget)
    assert (disks.root / "lay" / "cache").stat().st_mode & 0o777 == 0o750 and "are planned" in result["notes"][0]
    assert not run_module(main, layout=layout)["changed"]
    assert "are planned" in run_module(main, layout=layout, budget=budget, on_shortage="fail")["msg"]
