# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first commands that a stranger runs: what they find, what they refuse, and what they say then."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers import ROOT

from tools import bootstrap, role_readmes, sanity, timed

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout on a machine without any Python."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    (tmp_path / "bin").mkdir()
    for name, value in (("ROOT", "."), ("VENV", ".venv"), ("COLLECTIONS", ".collections"), ("CACHE", ".cache")):
        monkeypatch.setattr(bootstrap, name, tmp_path / value)
    monkeypatch.setattr(bootstrap, "TREE", tmp_path / ".collections" / "ansible_collections")
    return tmp_path


def test_a_shim_without_a_python_behind_it_is_passed_over(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "PREFERRED", ("9.9", HERE))
    script(checkout / "bin" / "python9.9", "echo 'pyenv: python9.9: command not found' >&2; exit 127")
    script(checkout / "bin" / f"python{HERE}", f'exec {sys.executable} "$@"')
    assert bootstrap.find_python() == (str(checkout / "bin" / f"python{HERE}"), HERE, "")


def test_a_python_that_only_pyenv_knows_is_found(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "PREFERRED", (HERE,))
    folder = checkout / "pyenv" / "versions" / f"{HERE}.0" / "bin"
    path = script(folder / f"python{HERE}", f'exec {sys.executable} "$@"')
    assert bootstrap.find_python().path == str(path)


def test_no_python_is_one_clear_error(checkout: Path) -> None:
    with pytest.raises(SystemExit, match=r"no Python 3\.13, 3\.12, 3\.11, 3\.14 was found on PATH .*apt-get install"):
        bootstrap.find_python()


def test_without_root_a_missing_venv_module_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    python = bootstrap.Python("/usr/bin/python3.13", "3.13", "No module named 'ensurepip'")
    with pytest.raises(SystemExit, match=r"ensurepip.*sudo apt-get install python3\.13-venv"):
        bootstrap.complete_python([python])


def test_a_failing_pip_is_named_with_its_cause_and_the_way_to_a_mirror(checkout: Path) -> None:
    pip = script(checkout / "python", "echo 'ERROR: No matching distribution found for x'; exit 1")
    with pytest.raises(SystemExit) as raised:
        bootstrap.pip(pip, "installing x", ["install", "x"])
    message = str(raised.value)
    for part in (f"`{pip} -m pip install x` gave 1", "No matching distribution found for x", "PIP_INDEX_URL"):
        assert part in message


def test_a_wheel_with_another_digest_is_refused_and_removed(checkout: Path) -> None:
    wheel = checkout / ".cache" / "wheels" / "ansible-1.0-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(b"not it")
    with pytest.raises(SystemExit, match=r"has sha256 [0-9a-f]{64}, expected 0000"):
        bootstrap.fetch_wheel("1.0", "0" * 64)
    assert not wheel.exists()


def test_only_the_wanted_collections_are_unpacked(tmp_path: Path) -> None:
    wheel = tmp_path / "ansible.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("ansible/posix", "ansible/posix_more", "community/docker", "community/general"):
            archive.writestr(f"ansible_collections/{name}/MANIFEST.json", "{}")
    bootstrap.unpack(wheel, tmp_path / "out")
    found = {str(path.parent.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("MANIFEST.json")}
    assert found == {"ansible_collections/ansible/posix", "ansible_collections/community/docker"}


def test_the_link_makes_the_checkout_a_collection(checkout: Path) -> None:
    bootstrap.link_checkout()
    bootstrap.link_checkout()
    assert (bootstrap.TREE / "gpuready" / "bootstrap").resolve() == checkout.resolve()


def test_a_copy_in_the_links_place_is_refused(checkout: Path) -> None:
    (bootstrap.TREE / "gpuready" / "bootstrap").mkdir(parents=True)
    with pytest.raises(SystemExit, match="is a copy and would hide this checkout"):
        bootstrap.link_checkout()


def test_requirements_are_installed_once_for_each_content(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "pip", lambda python, what, arguments: calls.append(arguments))
    (checkout / ".venv").mkdir()
    for content in ("a==1", "a==1", "a==2"):
        (checkout / "r.txt").write_text(content, encoding="utf-8")
        bootstrap.install(bootstrap.read_stamp(), "requirements", ["r.txt"])
    assert len(calls) == 2


def test_every_pin_is_exact_and_has_its_reason() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        block_has_reason = False
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            block_has_reason = bool(line.strip()) and (block_has_reason or "#" in line)
            if line and not line.startswith("#"):
                assert "==" in line, f"{name}: {line}"
                assert block_has_reason, f"{name}: {line}"


def test_the_pip_that_ansible_test_wants_can_be_read_from_it() -> None:
    assert sanity.pinned_pip()[0].isdigit()


def test_a_failing_step_fails_the_run_but_not_the_steps_after_it(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("good:\n\t@echo fine\nbad:\n\t@exit 3\n", encoding="utf-8")
    argv = [sys.executable, str(ROOT / "tools" / "timed.py"), "bad", "good"]
    result = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "fine" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()[-4:]]
    assert [(row[0], row[-1]) for row in rows[:3]] == [("step", "result"), ("bad", "(2)"), ("good", "ok")]


def test_the_tables_in_the_readmes_are_those_of_the_argument_specifications() -> None:
    argv = [sys.executable, str(ROOT / "tools" / "role_readmes.py"), "--check"]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}run python3 tools/role_readmes.py"


@pytest.mark.parametrize(
    ("markup", "markdown"),
    [
        ("C(/dev/shm) and V(8gb\\))", "`/dev/shm` and `8gb)`"),
        (r"V($(ARCH\)) stands for it (O(a) or V(b))", "`$(ARCH)` stands for it (`a` or `b`)"),
        (["One.", "Two | three."], r"One. Two \| three."),
        ("GPU(s) stay as they are", "GPU(s) stay as they are"),
    ],
)
def test_semantic_markup_becomes_markdown(markup: str | list[str], markdown: str) -> None:
    assert role_readmes.plain(markup) == markdown


def test_the_table_has_a_total() -> None:
    text = timed.table([timed.Outcome("lint", 1.25, "ok"), timed.Outcome("unit", 2.25, "ok")], 3.5)
    assert text.splitlines()[-1].split() == ["total", "3.5"]


def test_steps_side_by_side_keep_their_output_together(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(
        "one:\n\t@echo one-a; sleep 1; echo one-b\ntwo:\n\t@echo two-a; sleep 1; echo two-b; exit 1\n", encoding="utf-8"
    )
    argv = [sys.executable, str(ROOT / "tools" / "timed.py"), "one,two"]
    result = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    lines = [line for line in result.stdout.splitlines() if line.startswith(("one-", "two-"))]
    assert sorted(lines[:2]) in (["one-a", "one-b"], ["two-a", "two-b"])
    total = next(line for line in result.stdout.splitlines() if line.startswith("total"))
    assert float(total.split()[1]) < 1.9, "they ran side by side"
