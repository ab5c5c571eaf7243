# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules.apt_source import main

KEYS = Path(__file__).parents[3] / "fixtures" / "keys"
ARCHIVE = "0C60716EFB39782D702F667DA415A6C3E9A67E86"
OTHER = "4A452AB4EDCE8724E173C03BA6BB0A094094A386"
RunModule = Callable[..., dict[str, Any]]
SOURCE = "etc/apt/sources.list.d/gpuready-tool.sources"
KEY = "etc/apt/keyrings/gpuready-tool.asc"
PIN = "etc/apt/preferences.d/gpuready-tool"


def wish(tmp_path: Path, **more: Any) -> dict[str, Any]:
    (tmp_path / "root" / "etc/apt/sources.list.d").mkdir(parents=True, exist_ok=True)
    return {
        "name": "tool",
        "uris": ["https://repo.example.org/deb/$(ARCH)"],
        "suites": ["/"],
        "key_url": f"file://{KEYS}/archive.asc",
        "fingerprints": [ARCHIVE],
        "root": str(tmp_path / "root"),
        **more,
    }


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder: mode and content."""
    found = {}
    for path in sorted(root.rglob("*")):
        content = path.read_bytes() if path.is_file() else b"(dir)"
        found[str(path.relative_to(root))] = (stat.S_IMODE(path.stat().st_mode), content)
    return found


def test_writes_key_source_and_pins(tmp_path: Path, run_module: RunModule) -> None:
    pins = [{"packages": ["tool", "tool-base"], "version": "1.20.0-1"}]
    result = run_module(main, **wish(tmp_path, pin=pins))
    root = tmp_path / "root"
    assert result["changed"] and result["update_cache"] and result["key_downloaded"]
    assert result["fingerprints"] == [ARCHIVE]
    assert (root / KEY).read_bytes() == (KEYS / "archive.asc").read_bytes()
    assert (root / SOURCE).read_text().splitlines()[1:] == [
        "Types: deb",
        "URIs: https://repo.example.org/deb/$(ARCH)",
        "Suites: /",
        "Signed-By: /etc/apt/keyrings/gpuready-tool.asc",
    ]
    assert "Package: tool tool-base\nPin: version 1.20.0-1\nPin-Priority: 1001\n" in (root / PIN).read_text()
    assert {stat.S_IMODE((root / p).stat().st_mode) for p in (KEY, SOURCE, PIN)} == {0o644}


def test_second_run_changes_nothing_and_downloads_nothing(tmp_path: Path, run_module: RunModule) -> None:
    run_module(main, **wish(tmp_path))
    before = tree(tmp_path / "root")
    again = run_module(main, **wish(tmp_path, key_url="http://127.0.0.1:9/unreachable"))
    assert not again["changed"] and not again["key_downloaded"] and not again["update_cache"]
    assert tree(tmp_path / "root") == before


def test_check_mode_predicts_exactly(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path, pin=[{"packages": ["tool"], "version": "1.*", "priority": 500}])
    predicted = run_module(main, check=True, **args)
    assert not any((tmp_path / "root" / p).exists() for p in (KEY, SOURCE, PIN, "var"))
    done = run_module(main, **args)
    assert predicted["diff"] == done["diff"] and predicted["files"] == done["files"]


def test_absent_gives_back_the_tree(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path, pin=[{"packages": ["tool"], "version": "1.*"}])
    before = tree(tmp_path / "root")
    run_module(main, **args)
    predicted = run_module(main, check=True, name="tool", state="absent", root=args["root"])
    gone = run_module(main, name="tool", state="absent", root=args["root"])
    assert gone["changed"] and predicted["diff"] == gone["diff"]
    assert {k: v for k, v in tree(tmp_path / "root").items() if not k.startswith("var")} == before
    assert not run_module(main, name="tool", state="absent", root=args["root"])["changed"]


@pytest.mark.parametrize("path", [KEY, SOURCE, PIN])
@pytest.mark.parametrize("damage", ["delete", "edit", "mode"])
def test_drift_is_mended(tmp_path: Path, run_module: RunModule, path: str, damage: str) -> None:
    args = wish(tmp_path, pin=[{"packages": ["tool"], "version": "1.*"}])
    run_module(main, **args)
    before, target = tree(tmp_path / "root"), tmp_path / "root" / path
    if damage == "delete":
        target.unlink()
    elif damage == "edit":
        target.write_bytes(target.read_bytes() + b"\n# edited\n")
    else:
        target.chmod(0o600)
    mended = run_module(main, **args)
    assert mended["changed"] and mended["files"] == ["/" + path]
    assert tree(tmp_path / "root") == before


def test_dropping_pins_removes_the_file(tmp_path: Path, run_module: RunModule) -> None:
    run_module(main, **wish(tmp_path, pin=[{"packages": ["tool"], "version": "1.*"}]))
    result = run_module(main, **wish(tmp_path))
    assert result["files"] == ["/" + PIN] and not result["update_cache"]
    assert not (tmp_path / "root" / PIN).exists()


def test_wrong_fingerprint_changes_nothing(tmp_path: Path, run_module: RunModule) -> None:
    for check in (True, False):
        result = run_module(main, check=check, **wish(tmp_path, fingerprints=[OTHER]))
        assert result["failed"] and not result["changed"]
        assert ARCHIVE in result["msg"] and OTHER in result["msg"] and "archive.asc" in result["msg"]
    assert tree(tmp_path / "root") == tree(tmp_path / "root") and not (tmp_path / "root/etc/apt/keyrings").exists()


def test_a_second_key_in_the_file_is_refused(tmp_path: Path, run_module: RunModule) -> None:
    both = (KEYS / "archive.asc").read_text() + (KEYS / "other.asc").read_text()
    refused = run_module(main, **wish(tmp_path, key_url="", key_content=both))
    assert refused["failed"] and OTHER in refused["msg"]
    accepted = run_module(main, **wish(tmp_path, key_url="", key_content=both, fingerprints=[ARCHIVE, OTHER]))
    assert accepted["changed"]


def test_unreachable_key_is_one_clear_error(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path, key_url="http://user:hush@127.0.0.1:9/key", hint="my_role_key_url")
    result = run_module(main, **args)
    assert result["failed"] and "http://***@127.0.0.1:9/key" in result["msg"] and "my_role_key_url" in result["msg"]
    assert "hush" not in result["msg"] and not (tmp_path / "root" / SOURCE).exists()
    predicted = run_module(main, check=True, **args)
    assert predicted["changed"] and predicted["warnings"]


@pytest.mark.parametrize("uri", ["file:/srv/repo", "file:///srv/repo"])
def test_a_repository_in_a_folder_with_a_key_beside_it(tmp_path: Path, run_module: RunModule, uri: str) -> None:
    args = wish(tmp_path, uris=[uri], suites=["./"], key_url="", key_path=str(KEYS / "archive.asc"))
    predicted = run_module(main, check=True, **args)
    result = run_module(main, **args)
    assert result["changed"] and not result["key_downloaded"] and predicted["diff"] == result["diff"]
    assert f"URIs: {uri}\nSuites: ./\n" in (tmp_path / "root" / SOURCE).read_text()
    assert not run_module(main, **args)["changed"]


def test_missing_key_file_is_named(tmp_path: Path, run_module: RunModule) -> None:
    result = run_module(main, **wish(tmp_path, key_url="", key_path="/nowhere/key.asc"))
    assert result["failed"] and "/nowhere/key.asc" in result["msg"] and "No such file" in result["msg"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"name": "Bad.Name"}, "Bad.Name"),
        ({"fingerprints": []}, "fingerprints is empty"),
        ({"fingerprints": ["E9A67E86"]}, "not a full key fingerprint"),
        ({"uris": []}, "uris"),
        ({"uris": ["repo.example.org"]}, "repo.example.org"),
        ({"uris": ["https://me:hush@repo.example.org/"]}, "auth.conf.d"),
        ({"components": ["main"]}, "components"),
        ({"suites": ["stable"]}, "components"),
        ({"key_url": ""}, "none of them"),
        ({"key_content": "x"}, "key_url, key_content"),
        ({"key_url": "ftp://example.org/key"}, "neither http"),
        ({"pin": [{"packages": ["a"], "version": "1\n\nPackage: *"}]}, "cannot stand"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, run_module: RunModule, more: dict[str, Any], word: str) -> None:
    result = run_module(main, **wish(tmp_path, **more))
    assert result["failed"] and word in result["msg"] and "hush" not in result["msg"]
    assert not (tmp_path / "root/etc/apt/keyrings").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "old.list",
            "deb [arch=amd64 signed-by=/usr/share/keyrings/old.gpg] https://repo.example.org/deb/$(ARCH)/ ./\n",
        ),
        ("old.sources", "Types: deb\nURIs: https://repo.example.org/deb/$(ARCH)/\nSuites: /\nSigned-By: /old.gpg\n"),
    ],
)
def test_signed_by_conflict(tmp_path: Path, run_module: RunModule, name: str, text: str) -> None:
    args = wish(tmp_path)
    other = tmp_path / "root/etc/apt/sources.list.d" / name
    other.write_text(text)
    result = run_module(main, **args)
    assert result["failed"] and f"/etc/apt/sources.list.d/{name}" in result["msg"]
    assert not (tmp_path / "root" / KEY).exists()
    assert run_module(main, **args, conflicts="ignore")["changed"]


@pytest.mark.parametrize(
    "text",
    [
        "#deb [signed-by=/old.gpg] https://repo.example.org/deb/$(ARCH) /\n",
        "deb https://repo.example.org/deb/$(ARCH) /\n",
        "deb [signed-by=/old.gpg] https://repo.example.org/other /\n",
        "deb [signed-by=/old.gpg] https://repo.example.org/deb/$(ARCH) stable main\n",
    ],
)
def test_what_is_no_conflict(tmp_path: Path, run_module: RunModule, text: str) -> None:
    args = wish(tmp_path)
    (tmp_path / "root/etc/apt/sources.list.d/old.list").write_text(text)
    assert run_module(main, **args)["changed"]


def test_signed_by_uses_an_existing_keyring(tmp_path: Path, run_module: RunModule) -> None:
    args = wish(tmp_path, key_url="", signed_by="/usr/share/keyrings/a.asc")
    keyring = tmp_path / "root/usr/share/keyrings/a.asc"
    assert "does not exist" in run_module(main, **args)["msg"]
    keyring.parent.mkdir(parents=True)
    keyring.write_bytes((KEYS / "other.asc").read_bytes())
    assert "does not hold" in run_module(main, **args)["msg"]
    keyring.write_bytes((KEYS / "archive.asc").read_bytes())
    assert run_module(main, **args)["files"] == ["/" + SOURCE]
    assert "Signed-By: /usr/share/keyrings/a.asc" in (tmp_path / "root" / SOURCE).read_text()


def test_the_stamp_is_remembered_also_when_no_byte_changes(tmp_path: Path, run_module: RunModule) -> None:
    def remembered() -> Any:
        index = json.loads((Path(args["root"]) / "var/lib/gpuready/originals/index.json").read_text())
        return index["files"]["/etc/apt/sources.list.d/gpuready-tool.sources"]["meta"]["stamp"]

    args = wish(tmp_path)
    run_module(main, **args, stamp="one")
    assert remembered() == "one"
    assert not run_module(main, check=True, **args, stamp="two")["changed"]
    assert remembered() == "one"
    assert not run_module(main, **args, stamp="two")["changed"]
    assert remembered() == "two"
