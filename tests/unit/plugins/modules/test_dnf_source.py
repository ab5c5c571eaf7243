# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import configparser
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules.dnf_source import main

KEYS = Path(__file__).parents[3] / "fixtures" / "keys"
ARCHIVE = "0C60716EFB39782D702F667DA415A6C3E9A67E86"
OTHER = "4A452AB4EDCE8724E173C03BA6BB0A094094A386"
RunModule = Callable[..., dict[str, Any]]
KEY = "etc/pki/rpm-gpg/gpuready-tool.asc"
REPO = "etc/yum.repos.d/gpuready-tool.repo"
STREAM = "etc/dnf/modules.d/nvidia-driver.module"


def wish(tmp_path: Path, **more: Any) -> dict[str, Any]:
    for folder in ("yum.repos.d", "dnf", "pki/rpm-gpg"):
        (tmp_path / "root/etc" / folder).mkdir(parents=True, exist_ok=True)
    return {
        "name": "tool",
        "baseurl": "https://mirror.example.org/rhel9/$basearch/",
        "key_url": f"file://{KEYS}/archive.asc",
        "fingerprints": [ARCHIVE],
        "root": str(tmp_path / "root"),
        **more,
    }


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes() if path.is_file() else b"")
        for path in sorted(root.rglob("*"))
        if not str(path.relative_to(root)).startswith("var")
    }


def section(path: Path, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text())
    return dict(parser.items(name))


def test_writes_key_and_repository(tmp_path: Path, run_module: RunModule) -> None:
    result = run_module(main, **wish(tmp_path, excludepkgs=["kmod-*", "x"], module_hotfixes=True))
    root = tmp_path / "root"
    assert result["changed"] and result["update_cache"] and result["key_downloaded"]
    assert result["repository"] == "gpuready-tool" and result["fingerprints"] == [ARCHIVE]
    assert (root / KEY).read_bytes() == (KEYS / "archive.asc").read_bytes()
    assert section(root / REPO, "gpuready-tool") == {
        "name": "tool (gpuready)",
        "baseurl": "https://mirror.example.org/rhel9/$basearch/",
        "enabled": "1",
        "gpgcheck": "1",
        "repo_gpgcheck": "0",
        "gpgkey": f"file:///{KEY}",
        "module_hotfixes": "1",
        "excludepkgs": "kmod-* x",
    }
    assert {stat.S_IMODE((root / path).stat().st_mode) for path in (KEY, REPO)} == {0o644}


def test_second_run_changes_nothing_and_downloads_nothing(tmp_path: Path, run_module: RunModule) -> None:
    stream = {"nvidia-driver": "580-open"}
    run_module(main, **wish(tmp_path, stream=stream))
    before = tree(tmp_path / "root")
    again = run_module(main, **wish(tmp_path, stream=stream, key_url="http://127.0.0.1:9/unreachable"))
    assert not again["changed"] and not again["key_downloaded"] and not again["update_cache"]
    assert tree(tmp_path / "root") == before


@pytest.mark.parametrize("state", ["present", "absent"])
def test_check_mode_predicts_exactly(tmp_path: Path, run_module: RunModule, state: str) -> None:
    args = wish(tmp_path, stream={"nvidia-driver": "580-open"}, repo_gpgcheck=True)
    if state == "absent":
        run_module(main, **args)
    before = tree(tmp_path / "root")
    predicted = run_module(main, check=True, **args, state=state)
    assert tree(tmp_path / "root") == before and predicted["changed"]
    done = run_module(main, **args, state=state)
    assert predicted["diff"] == done["diff"] and predicted["files"] == done["files"] and len(done["files"]) == 3


def test_absent_gives_back_the_tree(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path, stream={"nvidia-driver": "580-open"})
    before = tree(tmp_path / "root")
    run_module(main, **args)
    gone = run_module(main, name="tool", state="absent", root=args["root"])
    assert gone["changed"] and tree(tmp_path / "root") == before and not (tmp_path / "root/var/lib/gpuready").exists()
    assert not run_module(main, name="tool", state="absent", root=args["root"])["changed"]


def test_a_stream_keeps_the_profiles_of_others(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path)
    path = tmp_path / "root" / STREAM
    path.parent.mkdir(parents=True)
    text = "[nvidia-driver]\nname=nvidia-driver\nstream=570-dkms\nprofiles=default, ks\nstate=enabled\n"
    path.write_text(text)
    run_module(main, **args, stream={"nvidia-driver": "580-open"})
    assert path.read_text() == text.replace("570-dkms", "580-open")
    # dnf installs a profile and writes the file anew
    path.write_text("[nvidia-driver]\nname = nvidia-driver\nprofiles = src\nstate = enabled\nstream = 580-open\n")
    assert not run_module(main, **args, stream={"nvidia-driver": "580-open"})["changed"]
    result = run_module(main, **args)
    assert result["files"] == ["/" + STREAM] and path.read_text() == text


def test_a_stream_that_somebody_else_switched_is_kept(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path)
    run_module(main, **args, stream={"nvidia-driver": "580-open"})
    path = tmp_path / "root" / STREAM
    path.write_text(path.read_text().replace("580-open", "595-open"))
    gone = run_module(main, **wish(tmp_path, state="absent"))
    assert gone["kept"] == ["/" + STREAM] and "595-open" in path.read_text()


def test_a_stream_that_was_enabled_before_stays(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path, stream={"nvidia-driver": "580-open"})
    path = tmp_path / "root" / STREAM
    path.parent.mkdir(parents=True)
    path.write_text("[nvidia-driver]\nstream=580-open\nstate=enabled\n")
    before = tree(tmp_path / "root")
    assert "/" + STREAM not in run_module(main, **args)["files"]
    run_module(main, **wish(tmp_path, state="absent"))
    assert tree(tmp_path / "root") == before


@pytest.mark.parametrize("path", [KEY, REPO, STREAM])
@pytest.mark.parametrize("damage", ["delete", "edit", "mode"])
def test_drift_is_mended(tmp_path: Path, run_module: RunModule, path: str, damage: str) -> None:
    args = wish(tmp_path, stream={"nvidia-driver": "580-open"})
    run_module(main, **args)
    before, target = tree(tmp_path / "root"), tmp_path / "root" / path
    if damage == "delete":
        target.unlink()
    elif damage == "edit":
        target.write_text(target.read_text().replace("enabled", "disabled") + "\n# edited\n")
    else:
        target.chmod(0o600)
    mended = run_module(main, **args)
    assert mended["changed"] and mended["files"] == ["/" + path]
    assert tree(tmp_path / "root") == before


def test_wrong_fingerprint_changes_nothing(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path, fingerprints=[OTHER])
    before = tree(tmp_path / "root")
    for check in (True, False):
        result = run_module(main, check=check, **args)
        assert result["failed"] and not result["changed"] and ARCHIVE in result["msg"] and OTHER in result["msg"]
        assert "Nothing was changed" in result["msg"]
    assert tree(tmp_path / "root") == before


def test_unreachable_key_is_one_clear_error(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path, key_url="http://user:hush@127.0.0.1:9/key", hint="my_role_key_url")
    result = run_module(main, **args)
    assert result["failed"] and "my_role_key_url" in result["msg"] and "hush" not in result["msg"]
    predicted = run_module(main, check=True, **args)
    assert predicted["changed"] and predicted["warnings"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"name": "Bad.Name"}, "Bad.Name"),
        ({"fingerprints": []}, "fingerprints is empty"),
        ({"baseurl": []}, "baseurl"),
        ({"baseurl": ["mirror.example.org"]}, "mirror.example.org"),
        ({"baseurl": ["https://me:hush@mirror.example.org/"]}, "holds a password"),
        ({"key_url": ""}, "none of them"),
        ({"key_content": "x"}, "key_url, key_content"),
        ({"includepkgs": ["a\nb"]}, "includepkgs"),
        ({"excludepkgs": ["a b"]}, "excludepkgs"),
        ({"stream": {"../x": "1"}}, "in stream"),
        ({"stream": {"nvidia-driver": ""}}, "in stream"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, run_module: RunModule, more: dict[str, Any], word: str) -> None:
    args = wish(tmp_path, **more)
    before = tree(tmp_path / "root")
    result = run_module(main, **args)
    assert result["failed"] and word in result["msg"] and "hush" not in result["msg"]
    assert tree(tmp_path / "root") == before


def test_a_module_file_that_cannot_be_read_is_named(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path, stream={"nvidia-driver": "580-open"})
    (tmp_path / "root" / STREAM).parent.mkdir(parents=True)
    (tmp_path / "root" / STREAM).write_text("stream=1\n")
    result = run_module(main, **args)
    assert result["failed"] and "/" + STREAM in result["msg"] and not (tmp_path / "root" / REPO).exists()


BASE = f"baseurl=https://MIRROR.example.org/rhel9/{os.uname().machine}\n"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f"[cuda]\n{BASE}gpgcheck=0\n", "gpgcheck is off"),
        (f"[cuda]\n{BASE}", "gpgcheck is off"),
        (f"[cuda]\n{BASE}gpgcheck=1\ngpgkey=https://mirror.example.org/D42D0685.pub\n", "D42D0685.pub"),
        (f"[cuda]\n{BASE}gpgcheck=1\ngpgkey=file:///etc/pki/other.asc\n", "other.asc"),
    ],
)
def test_the_same_repository_unguarded_is_refused(tmp_path: Path, run_module: RunModule, text: str, word: str) -> None:
    args = wish(tmp_path)
    (tmp_path / "root/etc/pki/other.asc").write_bytes((KEYS / "other.asc").read_bytes())
    (tmp_path / "root/etc/yum.repos.d/cuda-rhel9.repo").write_text(text)
    result = run_module(main, **args)
    assert result["failed"] and word in result["msg"] and "[cuda] in /etc/yum.repos.d/cuda-rhel9.repo" in result["msg"]
    assert not (tmp_path / "root" / KEY).exists()
    assert run_module(main, **args, conflicts="ignore")["changed"]


@pytest.mark.parametrize(
    "text",
    [
        f"[cuda]\n{BASE}enabled=0\ngpgcheck=0\n",
        f"[cuda]\n{BASE}gpgcheck=1\n",
        f"[cuda]\n{BASE}gpgcheck=1\ngpgkey=file:///etc/pki/ours.asc\n",
        "[cuda]\nbaseurl=https://mirror.example.org/other\ngpgcheck=0\n",
        "no ini file\n",
    ],
)
def test_what_is_no_conflict(tmp_path: Path, run_module: RunModule, text: str) -> None:
    args = wish(tmp_path)
    (tmp_path / "root/etc/pki/ours.asc").write_bytes((KEYS / "archive.asc").read_bytes())
    (tmp_path / "root/etc/yum.repos.d/cuda-rhel9.repo").write_text(text)
    assert run_module(main, **args)["changed"]


def test_gpgcheck_may_be_on_for_all(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path)
    (tmp_path / "root/etc/dnf/dnf.conf").write_text("[main]\ngpgcheck=True\n")
    (tmp_path / "root/etc/yum.repos.d/cuda-rhel9.repo").write_text(f"[cuda]\n{BASE}")
    assert run_module(main, **args)["changed"]


def test_the_stamp_is_remembered_also_when_no_byte_changes(tmp_path: Path, run_module: RunModule) -> None:
    def remembered() -> Any:
        index = json.loads((tmp_path / "root/var/lib/gpuready/originals/index.json").read_text())
        return index["files"]["/" + REPO]["meta"]["stamp"]

    args = wish(tmp_path)
    run_module(main, **args, stamp="one")
    assert remembered() == "one" and not run_module(main, **args, stamp="two")["changed"]
    assert remembered() == "two"


def test_a_repository_in_a_folder_with_a_key_beside_it(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path, baseurl="file:///srv/repo", key_url="", key_path=str(KEYS / "archive.asc"))
    result = run_module(main, **args)
    assert result["changed"] and not result["key_downloaded"]
    assert section(tmp_path / "root" / REPO, "gpuready-tool")["baseurl"] == "file:///srv/repo"
