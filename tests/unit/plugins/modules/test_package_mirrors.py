# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules.package_mirrors import main

RunModule = Callable[..., dict[str, Any]]
DEBIAN = "etc/apt/sources.list.d/debian.sources"
FAR, SEC = "http://far.example.org/debian", "http://sec.example.org/debian-security"
NEAR, NEAR_SEC = "http://near.example.org:8098/pool", "http://near.example.org:8098/pool-security"
INDEX = "https://near.example.org/simple"
SOURCES = f"""# system
Types: deb
URIs: {FAR}
Suites: trixie trixie-updates
Components: main

Types: deb
URIs: {SEC}
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
THIRD = "deb [signed-by=/etc/apt/keyrings/tool.asc] https://tool.example.org/debian trixie main\n"
PIP = "# mine\n[global]\ntimeout = 30\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc/apt/sources.list.d").mkdir(parents=True)
    (root / "etc/os-release").write_text('ID=debian\nVERSION_CODENAME="trixie"\n')
    (root / DEBIAN).write_text(SOURCES)
    (root / "etc/apt/sources.list.d/tool.list").write_text(THIRD)
    (root / "etc/pip.conf").write_text(PIP)
    return root


def etc(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in (root / "etc").rglob("*") if path.is_file()}


def test_sets_both_and_nothing_else(root: Path, run_module: RunModule) -> None:
    args = {"root": str(root), "apt_url": NEAR, "pip_index_url": INDEX}
    before = etc(root)
    predicted = run_module(main, check=True, **args)
    assert etc(root) == before and not (root / "var").exists()
    result = run_module(main, **args)
    assert result["files"] == ["/" + DEBIAN, "/etc/pip.conf"] and result["update_cache"]
    assert predicted["diff"] == result["diff"]
    assert (root / DEBIAN).read_text() == SOURCES.replace(FAR, NEAR)
    assert (root / "etc/pip.conf").read_text() == PIP + f"index-url = {INDEX}\n"
    assert (root / "etc/apt/sources.list.d/tool.list").read_text() == THIRD
    again = run_module(main, **args)
    assert not again["changed"] and not again["update_cache"]


@pytest.mark.parametrize("how", [{"state": "absent"}, {}])
def test_absent_or_empty_gives_back_every_byte(root: Path, run_module: RunModule, how: dict[str, str]) -> None:
    before = etc(root)
    run_module(main, root=str(root), apt_url=NEAR, apt_security_url=NEAR_SEC, pip_index_url=INDEX)
    run_module(main, root=str(root), apt_url=NEAR + "2", pip_index_url=INDEX, pip_trusted_host="near.example.org")
    predicted = run_module(main, check=True, root=str(root), **how)
    result = run_module(main, root=str(root), **how)
    assert result["changed"] and predicted["diff"] == result["diff"]
    assert etc(root) == before and not (root / "var/lib/gpuready").exists()
    assert not run_module(main, root=str(root), **how)["changed"]


def test_security_goes_back_alone(root: Path, run_module: RunModule) -> None:
    run_module(main, root=str(root), apt_url=NEAR, apt_security_url=NEAR_SEC)
    assert (root / DEBIAN).read_text() == SOURCES.replace(FAR, NEAR).replace(SEC, NEAR_SEC)
    run_module(main, root=str(root), apt_url=NEAR)
    assert (root / DEBIAN).read_text() == SOURCES.replace(FAR, NEAR)


def test_drift_is_mended(root: Path, run_module: RunModule) -> None:
    args = {"root": str(root), "apt_url": NEAR, "pip_index_url": INDEX}
    run_module(main, **args)
    (root / DEBIAN).write_text(SOURCES)
    (root / "etc/pip.conf").unlink()
    mended = run_module(main, **args)
    assert mended["files"] == ["/" + DEBIAN, "/etc/pip.conf"]
    assert NEAR in (root / DEBIAN).read_text() and INDEX in (root / "etc/pip.conf").read_text()


def test_human_edits_survive_the_way_back(root: Path, run_module: RunModule) -> None:
    run_module(main, root=str(root), apt_url=NEAR, pip_index_url=INDEX)
    (root / DEBIAN).write_text((root / DEBIAN).read_text().replace("Components: main", "Components: main contrib"))
    (root / "etc/pip.conf").write_text((root / "etc/pip.conf").read_text() + "retries = 9\n")
    result = run_module(main, root=str(root), state="absent")
    assert (root / DEBIAN).read_text() == SOURCES.replace("Components: main", "Components: main contrib")
    assert (root / "etc/pip.conf").read_text() == PIP + "retries = 9\n"
    assert result["changed"] and not run_module(main, root=str(root), state="absent")["changed"]
    assert not (root / "var/lib/gpuready").exists()


def test_a_mirror_that_a_human_set_since_is_not_overwritten(root: Path, run_module: RunModule) -> None:
    run_module(main, root=str(root), apt_url=NEAR, pip_index_url=INDEX)
    (root / DEBIAN).write_text(SOURCES.replace(FAR, "http://human.example.org/debian"))
    (root / "etc/pip.conf").write_text("[global]\nindex-url = https://human.example.org/simple\n")
    after = etc(root)
    run_module(main, root=str(root), state="absent")
    assert etc(root) == after


def test_one_line_format_and_new_pip_conf(root: Path, run_module: RunModule) -> None:
    (root / DEBIAN).unlink()
    (root / "etc/pip.conf").unlink()
    (root / "etc/apt/sources.list").write_text(f"deb {FAR} trixie main\ndeb {SEC} trixie-security main\n")
    before = etc(root)
    run_module(main, root=str(root), apt_url=NEAR, pip_index_url=INDEX)
    assert (root / "etc/apt/sources.list").read_text() == f"deb {NEAR} trixie main\ndeb {SEC} trixie-security main\n"
    run_module(main, root=str(root), state="absent")
    assert etc(root) == before


def test_nothing_wished_and_nothing_managed(tmp_path: Path, run_module: RunModule) -> None:
    assert not run_module(main, root=str(tmp_path))["changed"]


def test_no_entry_to_change_is_an_error(root: Path, run_module: RunModule) -> None:
    (root / "etc/os-release").write_text("VERSION_CODENAME=wilma\n")
    before = etc(root)
    result = run_module(main, root=str(root), apt_url=NEAR, pip_index_url=INDEX)
    assert result["failed"] and "wilma" in result["msg"] and etc(root) == before


def test_broken_files_are_refused_before_anything_changes(root: Path, run_module: RunModule) -> None:
    (root / "etc/pip.conf").write_text("index-url = x\n")
    before = etc(root)
    result = run_module(main, root=str(root), apt_url=NEAR, pip_index_url=INDEX)
    assert result["failed"] and "/etc/pip.conf" in result["msg"] and "line 1" in result["msg"] and etc(root) == before
    (root / DEBIAN).write_text("Types: deb\nnonsense\n")
    result = run_module(main, root=str(root), apt_url=NEAR)
    assert result["failed"] and "debian.sources" in result["msg"] and "line 2" in result["msg"]


def test_a_broken_third_party_file_only_warns(root: Path, run_module: RunModule) -> None:
    (root / "etc/apt/sources.list.d/bad.sources").write_text("nonsense\n")
    result = run_module(main, root=str(root), apt_url=NEAR)
    assert result["changed"] and "bad.sources" in str(result["warnings"])


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"apt_url": "near.example.org/debian"}, "apt_url"),
        ({"apt_url": "https://me:hush@near.example.org/debian"}, "auth.conf.d"),
        ({"pip_index_url": "https://me:hush@near.example.org/simple"}, "netrc"),
        ({"pip_index_url": "https://near.example.org/a b"}, "pip_index_url"),
        ({"pip_trusted_host": "http://x/"}, "pip_trusted_host"),
    ],
)
def test_bad_addresses_are_refused(root: Path, run_module: RunModule, args: dict[str, str], word: str) -> None:
    result = run_module(main, root=str(root), **args)
    assert result["failed"] and word in result["msg"] and "hush" not in result["msg"]
