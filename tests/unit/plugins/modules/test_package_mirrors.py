# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.docker_plan import DockerPlan
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
ARGS = {"apt": {"archive": [NEAR]}, "pip": {"index_url": INDEX}}
ALL = {
    "apt": {"archive": [NEAR, NEAR + "2"], "security": ["official", NEAR_SEC]},
    "pip": {"index_url": INDEX, "trusted_host": "near.example.org", "extra": {"timeout": 60}},
    "uv": {
        "index_url": INDEX,
        "python_mirror": "https://near.example.org/python",
        "indexes": [{"name": "torch", "url": "https://near.example.org/torch", "explicit": True, "format": "flat"}],
    },
    "conda": {"channels": {"conda-forge": "https://near.example.org/conda"}},
    "npm": {"registry": "https://near.example.org/npm"},
    "cargo": {"registry": "sparse+https://near.example.org/crates/"},
    "rustup": {"dist_server": "https://near.example.org/rust", "update_root": "https://near.example.org/rust/rustup"},
    "huggingface": {"endpoint": "https://near.example.org/hf"},
    "environment": {"NODE_MIRROR": "https://near.example.org/node"},
    "docker": {"registry_mirrors": ["https://near.example.org"]},
    "proxy": {"http": "http://proxy.example.org:3128", "https": "http://proxy.example.org:3128", "no_proxy": "a.lan"},
    "ca_bundle": "/etc/ssl/certs/lab.pem",
    "addresses": {"docker-ce": "https://near.example.org/docker-ce/linux", "cuda": ""},
    "user_files": ["ada"],
}
HOST = {
    "etc/uv/uv.toml": "native-tls = true\n",
    "etc/npmrc": "; mine\nfund=false\n",
    "etc/environment": 'PATH="/usr/bin"\n',
    "etc/gitconfig": "[user]\n\tname = Ada\n",
    "etc/docker/daemon.json": '{"debug": true}\n',
    "etc/dnf/dnf.conf": "[main]\ngpgcheck=1\n",
    "etc/passwd": f"root:x:0:0::/root:/bin/sh\nada:x:{os.getuid()}:{os.getgid()}:Ada:/home/ada:/bin/sh\n",
    "home/ada/.cargo/config.toml": "[build]\njobs = 2\n",
}


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
    """All files but those that are kept for the way back."""
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return {name: content for name, content in files.items() if not name.startswith("var/")}


@pytest.fixture
def host(root: Path) -> Path:
    for name, text in HOST.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_sets_both_and_nothing_else(root: Path, run_module: RunModule) -> None:
    before = etc(root)
    predicted = run_module(main, check=True, root=str(root), **ARGS)
    assert etc(root) == before and not (root / "var").exists()
    result = run_module(main, root=str(root), **ARGS)
    assert result["files"] == ["/" + DEBIAN, "/etc/pip.conf"] and result["update_cache"]
    assert predicted["diff"] == result["diff"] and not result["restart_needed"]
    assert (root / DEBIAN).read_text() == SOURCES.replace(FAR, NEAR)
    assert (root / "etc/pip.conf").read_text() == PIP + f"index-url = {INDEX}\n"
    assert (root / "etc/apt/sources.list.d/tool.list").read_text() == THIRD
    again = run_module(main, root=str(root), **ARGS)
    assert not again["changed"] and not again["update_cache"]


def test_all_tools_in_one_call_and_back(host: Path, run_module: RunModule) -> None:
    before = etc(host)
    predicted = run_module(main, check=True, root=str(host), **ALL)
    assert etc(host) == before and not (host / "var").exists()
    result = run_module(main, root=str(host), **ALL)
    assert not result.get("failed"), result["msg"]
    assert result["files"] == predicted["files"] and result["diff"] == predicted["diff"]
    assert {*(f"/{name}" for name in HOST if name != "etc/passwd"), "/etc/pip.conf", "/" + DEBIAN} < set(
        result["files"]
    )
    for path in set(result["files"]) - {"/" + DEBIAN, "/etc/dnf/dnf.conf", "/etc/gitconfig"}:
        text = (host / path[1:]).read_text()
        assert "near.example.org" in text or "gpuready" in path, path
    assert not run_module(main, root=str(host), **ALL)["changed"]
    back = run_module(main, root=str(host), state="absent")
    assert set(back["files"]) == set(result["files"]) and back["kept"] == []
    assert etc(host) == before and not (host / "var/lib/gpuready").exists()


def test_a_tool_that_is_wished_no_longer_goes_back_alone(host: Path, run_module: RunModule) -> None:
    run_module(main, root=str(host), **ALL)
    result = run_module(main, root=str(host), **{**ALL, "uv": {}, "cargo": {}})
    assert set(result["files"]) == {"/etc/uv/uv.toml", "/home/ada/.cargo/config.toml"}
    assert (host / "etc/uv/uv.toml").read_text() == HOST["etc/uv/uv.toml"]
    assert (host / "home/ada/.cargo/config.toml").read_text() == HOST["home/ada/.cargo/config.toml"]


def test_an_account_that_is_named_no_longer_gets_its_file_back(host: Path, run_module: RunModule) -> None:
    run_module(main, root=str(host), **ALL)
    result = run_module(main, root=str(host), **{**ALL, "user_files": []})
    assert result["files"] == ["/home/ada/.cargo/config.toml"]


@pytest.mark.parametrize("names", [["bob"], ["ada", "bob"]])
def test_an_unknown_account_is_refused(host: Path, run_module: RunModule, names: list[str]) -> None:
    result = run_module(main, root=str(host), user_files=names, cargo=ALL["cargo"])
    assert result["failed"] and "bob in user_files" in result["msg"]


@pytest.mark.parametrize("target", ["../../../etc/nologin", "../../../etc/environment"])
def test_a_link_in_a_home_is_not_followed_on_the_way_back(host: Path, run_module: RunModule, target: str) -> None:
    run_module(main, root=str(host), cargo=ALL["cargo"], user_files=["ada"])
    path = host / "home/ada/.cargo/config.toml"
    path.unlink()
    path.symlink_to(target)
    before = etc(host)
    result = run_module(main, root=str(host), state="absent")
    assert not result.get("failed") and result["kept"] == ["/home/ada/.cargo/config.toml"] and etc(host) == before
    assert "symbolic link" in str(result["warnings"])
    path.unlink()
    path.write_text("[build]\njobs = 3\n")
    assert not run_module(main, root=str(host), state="absent").get("failed")
    assert path.read_text() == "[build]\njobs = 3\n"


def test_a_link_in_a_home_is_not_followed(host: Path, run_module: RunModule) -> None:
    (host / "home/ada/.cargo/config.toml").unlink()
    (host / "home/ada/.cargo").rmdir()
    (host / "home/ada/.cargo").symlink_to(host / "etc/uv")
    before = etc(host)
    result = run_module(main, root=str(host), **ALL)
    assert result["failed"] and "symbolic link" in result["msg"] and etc(host) == before


@pytest.mark.parametrize("how", [{"state": "absent"}, {}])
def test_absent_or_empty_gives_back_every_byte(root: Path, run_module: RunModule, how: dict[str, str]) -> None:
    before = etc(root)
    run_module(main, root=str(root), apt={"archive": [NEAR], "security": [NEAR_SEC]}, pip={"index_url": INDEX})
    more = {"index_url": INDEX, "trusted_host": "near.example.org"}
    run_module(main, root=str(root), apt={"archive": [NEAR + "2"]}, pip=more)
    predicted = run_module(main, check=True, root=str(root), **how)
    result = run_module(main, root=str(root), **how)
    assert result["changed"] and predicted["diff"] == result["diff"]
    assert etc(root) == before and not (root / "var/lib/gpuready").exists()
    assert not run_module(main, root=str(root), **how)["changed"]


def test_security_goes_back_alone(root: Path, run_module: RunModule) -> None:
    run_module(main, root=str(root), apt={"archive": [NEAR], "security": [NEAR_SEC]})
    assert (root / DEBIAN).read_text() == SOURCES.replace(FAR, NEAR).replace(SEC, NEAR_SEC)
    run_module(main, root=str(root), apt={"archive": [NEAR], "security": ["official"]})
    assert (root / DEBIAN).read_text() == SOURCES.replace(FAR, NEAR)


def test_failover_keeps_the_first_way_and_goes_without_a_trace(root: Path, run_module: RunModule) -> None:
    before = etc(root)
    result = run_module(main, root=str(root), apt={"archive": [NEAR, NEAR + "2"]})
    archive = root / "etc/apt/mirrors/gpuready-archive.list"
    lines = archive.read_text().splitlines()[1:]
    assert lines == [f"{NEAR}\tpriority:1", f"{NEAR}2\tpriority:2", f"{FAR}\tpriority:3"]
    assert result["files"].index("/etc/apt/mirrors/gpuready-archive.list") < result["files"].index("/" + DEBIAN)
    # the list alone changes, and apt has to read anew all the same
    swapped = run_module(main, root=str(root), apt={"archive": [NEAR + "2", NEAR]})
    assert swapped["files"] == ["/etc/apt/mirrors/gpuready-archive.list"] and swapped["update_cache"]
    archive.write_text("https://human.example.org/debian\n")
    assert run_module(main, root=str(root), apt={"archive": [NEAR + "2", NEAR]})["changed"]
    single = run_module(main, root=str(root), apt={"archive": [NEAR, NEAR + "2"], "failover": False})
    assert NEAR in (root / DEBIAN).read_text() and not archive.exists()
    assert single["files"][0] == "/" + DEBIAN
    run_module(main, root=str(root), state="absent")
    assert etc(root) == before and not (root / "etc/apt/mirrors").exists()


@pytest.mark.parametrize("failover", [True, False])
def test_official_first_is_a_list_in_any_case(root: Path, run_module: RunModule, failover: bool) -> None:
    run_module(main, root=str(root), apt={"security": ["official", NEAR_SEC], "failover": failover})
    text = (root / "etc/apt/mirrors/gpuready-security.list").read_text()
    assert text.endswith(f"{SEC}\tpriority:1\n{NEAR_SEC}\tpriority:2\n")


def test_drift_is_mended(root: Path, run_module: RunModule) -> None:
    run_module(main, root=str(root), **ARGS)
    (root / DEBIAN).write_text(SOURCES)
    (root / "etc/pip.conf").unlink()
    mended = run_module(main, root=str(root), **ARGS)
    assert mended["files"] == ["/" + DEBIAN, "/etc/pip.conf"]
    assert NEAR in (root / DEBIAN).read_text() and INDEX in (root / "etc/pip.conf").read_text()


def test_human_edits_survive_the_way_back_and_are_told(root: Path, run_module: RunModule) -> None:
    run_module(main, root=str(root), **ARGS)
    (root / DEBIAN).write_text((root / DEBIAN).read_text().replace("Components: main", "Components: main contrib"))
    (root / "etc/pip.conf").write_text((root / "etc/pip.conf").read_text() + "retries = 9\n")
    assert not run_module(main, root=str(root), **ARGS)["changed"]
    result = run_module(main, root=str(root), state="absent")
    assert (root / DEBIAN).read_text() == SOURCES.replace("Components: main", "Components: main contrib")
    assert (root / "etc/pip.conf").read_text() == PIP + "retries = 9\n"
    assert result["kept"] == ["/" + DEBIAN, "/etc/pip.conf"] and "debian.sources" in str(result["warnings"])
    assert result["changed"] and not run_module(main, root=str(root), state="absent")["changed"]
    assert not (root / "var/lib/gpuready").exists()


def test_a_human_edit_under_failover_still_finds_the_system_s_own_address(root: Path, run_module: RunModule) -> None:
    args = {"apt": {"archive": [NEAR, NEAR + "2"]}}
    run_module(main, root=str(root), **args)
    (root / DEBIAN).write_text((root / DEBIAN).read_text() + "# by hand\n")
    assert not run_module(main, root=str(root), **args)["changed"]
    run_module(main, root=str(root), apt={"archive": [NEAR + "3", NEAR]})
    assert FAR in (root / "etc/apt/mirrors/gpuready-archive.list").read_text()
    run_module(main, root=str(root), state="absent")
    assert (root / DEBIAN).read_text() == SOURCES + "# by hand\n"
    assert not (root / "etc/apt/mirrors").exists()


def test_a_list_that_somebody_still_uses_is_not_deleted(root: Path, run_module: RunModule) -> None:
    run_module(main, root=str(root), apt={"archive": [NEAR, NEAR + "2"]})
    ours = "mirror+file:/etc/apt/mirrors/gpuready-archive.list"
    (root / "etc/apt/sources.list").write_text(f"deb-src {ours} trixie main\n")
    run_module(main, root=str(root), state="absent")
    assert (root / DEBIAN).read_text() == SOURCES
    assert (root / "etc/apt/mirrors/gpuready-archive.list").exists()


def test_a_mirror_that_a_human_set_since_is_not_overwritten(root: Path, run_module: RunModule) -> None:
    run_module(main, root=str(root), **ARGS)
    (root / DEBIAN).write_text(SOURCES.replace(FAR, "http://human.example.org/debian"))
    (root / "etc/pip.conf").write_text("[global]\nindex-url = https://human.example.org/simple\n")
    after = etc(root)
    result = run_module(main, root=str(root), state="absent")
    assert etc(root) == after and result["kept"] == ["/" + DEBIAN, "/etc/pip.conf"] and not result["changed"]


def test_one_line_format_and_new_pip_conf(root: Path, run_module: RunModule) -> None:
    (root / DEBIAN).unlink()
    (root / "etc/pip.conf").unlink()
    (root / "etc/apt/sources.list").write_text(f"deb {FAR} trixie main\ndeb {SEC} trixie-security main\n")
    before = etc(root)
    run_module(main, root=str(root), **ARGS)
    assert (root / "etc/apt/sources.list").read_text() == f"deb {NEAR} trixie main\ndeb {SEC} trixie-security main\n"
    run_module(main, root=str(root), state="absent")
    assert etc(root) == before


def test_nothing_wished_and_nothing_managed(tmp_path: Path, run_module: RunModule) -> None:
    assert not run_module(main, root=str(tmp_path))["changed"]


def test_no_entry_to_change_is_an_error(root: Path, run_module: RunModule) -> None:
    (root / "etc/os-release").write_text('NAME="Linux Mint"\nVERSION_CODENAME=wilma\n')
    before = etc(root)
    result = run_module(main, root=str(root), **ARGS)
    assert result["failed"] and "Linux Mint (wilma)" in result["msg"] and etc(root) == before


BROKEN = {
    "etc/pip.conf": ("index-url = x\n", "line 1"),
    DEBIAN: ("Types: deb\nnonsense\n", "line 2"),
    "etc/uv/uv.toml": ("a = 1\nb = \n", "line 2"),
    "etc/npmrc": ("a=1\n\xff\n", "line 2"),
    "etc/docker/daemon.json": ("{\n  debug\n}", "line 2"),
    "etc/gitconfig": ("[user]\n\tname = Ada\n[broken\n", "line 3"),
    "etc/dnf/dnf.conf": ("[main]\nnonsense\n", "line 2"),
    "home/ada/.cargo/config.toml": ("[build]\njobs =\n", "line 2"),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_broken_file_is_named_with_its_line_before_anything_changes(
    host: Path, run_module: RunModule, name: str
) -> None:
    text, line = BROKEN[name]
    (host / name).write_bytes(text.encode("latin-1"))
    before = etc(host)
    result = run_module(main, root=str(host), **ALL)
    assert result["failed"] and f"/{name}" in result["msg"] and line in result["msg"], result.get("msg")
    assert etc(host) == before and not (host / "var").exists()


def test_a_broken_third_party_file_only_warns(root: Path, run_module: RunModule) -> None:
    (root / "etc/apt/sources.list.d/bad.sources").write_text("nonsense\n")
    result = run_module(main, root=str(root), apt={"archive": [NEAR]})
    assert result["changed"] and "bad.sources" in str(result["warnings"])


def test_a_read_only_folder_is_noticed_before_the_first_write(
    host: Path, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = etc(host)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("/etc/uv") and access(path, mode))
    result = run_module(main, root=str(host), **ALL)
    assert result["failed"] and "/etc/uv/uv.toml" in result["msg"] and "read-only" in result["msg"]
    assert etc(host) == before and not result["changed"]


@pytest.mark.parametrize("first", [False, True])
def test_a_write_that_fails_takes_the_others_back(
    host: Path, run_module: RunModule, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    if not first:
        run_module(main, root=str(host), **ALL)
    before = etc(host)
    put = FileGate._put

    def fails(self: FileGate, path: str, *rest: Any) -> None:
        if path == "/etc/gitconfig":
            raise FileGateError("Cannot write /etc/gitconfig: Input/output error")
        put(self, path, *rest)

    monkeypatch.setattr(FileGate, "_put", fails)
    changed = {**ALL, "proxy": {"http": "http://other.example.org:1"}, "pip": {"index_url": INDEX + "2"}}
    result = run_module(main, root=str(host), **changed)
    assert result["failed"] and "/etc/gitconfig" in result["msg"] and not result["changed"]
    assert etc(host) == before
    monkeypatch.undo()
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    run_module(main, root=str(host), **changed)
    assert run_module(main, root=str(host), state="absent")["kept"] == []
    assert (host / "etc/pip.conf").read_text() == PIP and (host / DEBIAN).read_text() == SOURCES


def test_credentials_of_a_proxy_stay_hidden_and_in_files_for_root(host: Path, run_module: RunModule) -> None:
    before = etc(host)
    proxy = {
        "http": "http://ada:hush-hush@proxy.example.org:3128",
        "https": "http://ada:hush-hush@proxy.example.org:3128",
    }
    result = run_module(main, root=str(host), **{**ALL, "proxy": proxy})
    assert result["changed"] and "hush-hush" not in str(result)
    holders = [name for name, content in etc(host).items() if b"hush-hush" in content]
    assert {"etc/apt/apt.conf.d/95gpuready-proxy", "etc/docker/gpuready-proxy.env"} < set(holders)
    for name in holders:
        assert stat.S_IMODE((host / name).stat().st_mode) == 0o600, name
    assert "hush-hush" not in str(run_module(main, root=str(host), **{**ALL, "proxy": proxy}))
    without = run_module(main, root=str(host), **{**ALL, "proxy": {}})
    assert "hush-hush" not in str(without)
    assert stat.S_IMODE((host / "etc/environment").stat().st_mode) == 0o644
    run_module(main, root=str(host), state="absent")
    assert etc(host) == before


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"apt": {"archive": ["near.example.org/debian"]}}, "apt.archive"),
        ({"apt": {"security": ["https://me:hush@near.example.org/debian"]}}, "auth.conf.d"),
        ({"repositories": {"epel": ["https://hush@near.example.org/epel"]}}, "repositories.epel"),
        ({"pip": {"index_url": "https://me:hush@near.example.org/simple"}}, "netrc"),
        ({"pip": {"index_url": "https://near.example.org/a b"}}, "pip.index_url"),
        ({"pip": {"index_url": "official"}}, "pip.index_url"),
        ({"pip": {"trusted_host": "http://x/"}}, "pip.trusted_host"),
        ({"uv": {"indexes": [{"name": "a", "url": "b"}]}}, "uv.indexes.url"),
        ({"conda": {"channels": {"name": "b"}}}, "conda.channels.name"),
        ({"docker": {"registry_mirrors": ["near"]}}, "docker.registry_mirrors"),
        ({"proxy": {"http": "http://me:hush@near.example.org/path"}}, "http proxy"),
        ({"cargo": {"registry": "https://near.example.org/"}, "user_files": ["ada"]}, "sparse+"),
        ({"ca_bundle": "lab.pem"}, "ca_bundle"),
    ],
)
def test_bad_values_are_refused(host: Path, run_module: RunModule, args: dict[str, Any], word: str) -> None:
    before = etc(host)
    result = run_module(main, root=str(host), **args)
    assert result["failed"] and word in result["msg"] and "hush" not in result["msg"]
    assert etc(host) == before


def test_a_restart_that_is_due_is_said_once(host: Path, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DockerPlan, "restart_needed", property(lambda plan: True))
    said = str(run_module(main, root=str(host), **ARGS)["warnings"]).count("restart docker.service")
    # warnings of one process add up
    again = str(run_module(main, root=str(host), **ARGS)["warnings"]).count("restart docker.service")
    assert said == again >= 1
