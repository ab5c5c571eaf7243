# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.modules import package_candidates
from ansible_collections.gpuready.bootstrap.plugins.modules.package_candidates import main

RunModule = Callable[..., dict[str, Any]]
Programs = Callable[..., None]
NAMES = ["nvidia-open", "nowhere"]
APT = """
[ "$*" = "madison nvidia-open nowhere" ] || exit 77
echo "nvidia-open | 580.178.04-1 | https://mirror.example.org/x Packages"
echo "nvidia-open | 580.159.03-1 | https://mirror.example.org/x Packages"
echo "N: Unable to locate package nowhere" >&2
"""
DPKG = 'echo "nvidia-open|installed|580.159.03-1"; echo "dpkg-query: no packages found" >&2; exit 1'
ARCH = os.uname().machine
DNF = f"""
[ "$1 $2 $3" = "--quiet repoquery --showduplicates" ] || exit 77
echo "nvidia-open|3:580.95.05-1|{ARCH}"; echo; echo "nvidia-open|3:580.178.04-1|{ARCH}"
"""
RPM = f'echo "nvidia-open|3:580.95.05-1|{ARCH}"; echo "package nowhere is not installed"; exit 1'


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    path = tmp_path / "os-release"
    monkeypatch.setattr(package_candidates, "OS_RELEASE", str(path))

    def write(text: str) -> None:
        path.write_text(text)

    return write


@pytest.mark.parametrize("check", [True, False])
def test_apt(run_module: RunModule, programs: Programs, check: bool) -> None:
    programs(**{"apt-cache": APT, "dpkg-query": DPKG, "dnf": DNF})
    result = run_module(main, check=check, names=[*NAMES, "nvidia-open"])
    assert result["versions"] == {"nvidia-open": ["580.178.04-1", "580.159.03-1"], "nowhere": []}
    assert result["installed"] == {"nvidia-open": "580.159.03-1"}
    assert result["manager"] == "apt" and not result["changed"]


@pytest.mark.parametrize("check", [True, False])
def test_dnf(run_module: RunModule, programs: Programs, system: Callable[[str], None], check: bool) -> None:
    system('ID="rocky"\nID_LIKE="rhel centos fedora"\n')
    programs(**{"apt-cache": APT, "dnf": DNF, "rpm": RPM})
    result = run_module(main, check=check, names=NAMES)
    assert result["versions"] == {"nvidia-open": ["3:580.178.04-1", "3:580.95.05-1"], "nowhere": []}
    assert result["installed"] == {"nvidia-open": "3:580.95.05-1"}
    assert result["manager"] == "dnf" and not result["changed"]


def test_dnf_can_be_wished_for_on_any_system(run_module: RunModule, programs: Programs) -> None:
    programs(**{"apt-cache": APT, "dpkg-query": DPKG, "dnf": DNF, "rpm": RPM})
    assert run_module(main, names=NAMES, manager="dnf")["manager"] == "dnf"


def test_apt_that_knows_no_name_is_no_error(run_module: RunModule, programs: Programs) -> None:
    programs(**{"apt-cache": 'echo "E: Unable to locate package a" >&2; exit 100', "dpkg-query": "exit 1"})
    assert run_module(main, names=["a"])["versions"] == {"a": []}


def test_no_names(run_module: RunModule, programs: Programs) -> None:
    programs(**{"apt-cache": "exit 1"})
    result = run_module(main, names=[])
    assert result["versions"] == {} and "failed" not in result


@pytest.mark.parametrize(
    ("scripts", "words"),
    [
        ({"apt-cache": "echo 'E: The package lists are damaged' >&2; exit 100"}, ["lists are damaged", "update"]),
        ({"apt-cache": APT, "dpkg-query": "echo 'error: no database' >&2; exit 2"}, ["dpkg-query", "no database"]),
        ({"apt-cache": "sleep 5"}, ["within 1 s"]),
    ],
)
def test_apt_failures(run_module: RunModule, programs: Programs, scripts: dict[str, str], words: list[str]) -> None:
    programs(**scripts)
    result = run_module(main, names=NAMES, timeout=1, manager="apt")
    assert result["failed"] and all(word in result["msg"] for word in words)


@pytest.mark.parametrize(
    ("scripts", "words"),
    [
        ({"dnf": "echo warning >&2; echo 'Error: no mirror left' >&2; exit 1"}, ["no mirror left", "makecache"]),
        ({"dnf": DNF, "rpm": "sleep 5"}, ["rpm -q", "within 1 s"]),
    ],
)
def test_dnf_failures(run_module: RunModule, programs: Programs, scripts: dict[str, str], words: list[str]) -> None:
    programs(**scripts)
    result = run_module(main, names=NAMES, timeout=1, manager="dnf")
    assert result["failed"] and all(word in result["msg"] for word in words)


@pytest.mark.parametrize("name", ["nvidia*", "--version", "", "a b"])
def test_only_names_are_taken(run_module: RunModule, programs: Programs, name: str) -> None:
    programs(**{"apt-cache": "exit 0", "dpkg-query": "exit 0"})
    result = run_module(main, names=[name])
    assert result["failed"] and repr(name) in result["msg"]


def test_a_manager_that_is_not_there(
    run_module: RunModule, programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs(**{"other": "exit 0"})
    monkeypatch.setattr(package_candidates, "Runner", lambda run, limit: Runner(run, limit, [str(tmp_path / "bin")]))
    assert "neither apt-cache nor dnf" in run_module(main, names=NAMES)["msg"]
    assert "manager is dnf" in run_module(main, names=NAMES, manager="dnf")["msg"]
