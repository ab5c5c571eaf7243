# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""File layouts of distributions, byte for byte: set, again, another mirror, back."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules.package_mirrors import main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RunModule = Callable[..., dict[str, Any]]
FIXTURES = Path(__file__).parents[3] / "fixtures/mirrors"
LAYOUTS = sorted(path.parent.name for path in FIXTURES.glob("*/args.json"))
OTHER = "other.example.org"


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def moved(text: str) -> str:
    """Every mirror of a text at another host."""
    return re.sub(
        r"https://mirrors\.(?!rockylinux|almalinux|fedoraproject)([a-z]+)[a-z.]+", rf"https://\1.{OTHER}", text
    )


def asked(layout: str, other: bool = False) -> dict[str, Any]:
    text = (FIXTURES / layout / "args.json").read_text()
    args: dict[str, Any] = json.loads(moved(text) if other else text)
    return args


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(layout: str, tmp_path: Path) -> Path:
    shutil.copytree(FIXTURES / layout / "before", tmp_path / "root")
    return tmp_path / "root"


def test_there_are_all_layouts() -> None:
    assert len(LAYOUTS) == 16


def test_set_again_other_and_back(layout: str, root: Path, run_module: RunModule) -> None:
    before, after = tree(root), tree(FIXTURES / layout / "after")
    predicted = run_module(main, check=True, root=str(root), **asked(layout))
    assert tree(root) == before
    result = run_module(main, root=str(root), **asked(layout))
    assert {path: text for path, text in tree(root).items() if path.startswith("etc/")} == after
    assert result["changed"] and result["diff"] == predicted["diff"] and result["files"] == predicted["files"]
    assert not run_module(main, root=str(root), **asked(layout))["changed"]

    run_module(main, root=str(root), **asked(layout, other=True))
    expected = {path: moved(text.decode()) for path, text in after.items()}
    assert {path: text.decode() for path, text in tree(root).items() if path.startswith("etc/")} == expected
    assert not run_module(main, root=str(root), **asked(layout, other=True))["changed"]

    back = run_module(main, check=True, root=str(root), state="absent")
    assert run_module(main, root=str(root), state="absent")["diff"] == back["diff"]
    assert tree(root) == before
    assert not run_module(main, root=str(root), state="absent")["changed"]


def test_a_system_that_somebody_moved_to_a_mirror_before(layout: str, tmp_path: Path, run_module: RunModule) -> None:
    root = tmp_path / "root"
    shutil.copytree(FIXTURES / layout / "after", root)
    if any("gpuready" in path for path in tree(root)):
        pytest.skip("this layout holds files of ours")
    before = tree(root)
    result = run_module(main, root=str(root), **asked(layout, other=True))
    assert {path[1:] for path in result["files"]} == {
        path for path, text in before.items() if OTHER in moved(text.decode())
    }
    run_module(main, root=str(root), state="absent")
    assert tree(root) == before


LINES = st.sampled_from(
    [
        "\n",
        "# a comment\n",
        "deb https://tool.example.org/debian stable main\n",
        "deb cdrom:[Debian]/ bookworm main\n",
        "deb [arch=amd64] http://archive.example.org/debian bookworm main # ours\n",
        "Types: deb\n",
        "URIs: http://archive.example.org/debian\n",
        "Suites: noble noble-security\n",
        "Components: main\n",
        "[baseos]\n",
        "baseurl=https://far.example.org/rocky/9/BaseOS/x86_64/os/\n",
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9\n",
        "metalink=https://mirrors.example.org/metalink?repo=epel-9\n",
        "https://archive.example.org/debian\tpriority:3\n",
        "nonsense",
        "\r\n",
    ]
)
EDITS = st.lists(st.tuples(st.integers(0, 40), st.booleans(), LINES), max_size=6)


@given(name=st.sampled_from(LAYOUTS), edits=EDITS, cut=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_survives_set_set_restore(
    name: str, edits: list[tuple[int, bool, str]], cut: bool, run_module: RunModule
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        shutil.copytree(FIXTURES / name / "before", root)
        for path in root.rglob("*"):
            if path.is_file() and path.name != "os-release":
                lines = path.read_text().splitlines(keepends=True)
                for place, instead, line in edits:
                    lines[place : place + instead] = [line]
                path.write_bytes("".join(lines).encode()[: -1 if cut else None])
        before = tree(root)
        result = run_module(main, root=str(root), **asked(name))
        if result.get("failed"):
            assert tree(root) == before
            return
        assert not run_module(main, root=str(root), **asked(name))["changed"]
        run_module(main, root=str(root), **asked(name, other=True))
        run_module(main, root=str(root), state="absent")
        assert tree(root) == before


NOTES = st.sampled_from(["# by hand\n", "\n", "deb https://tool.example.org/debian stable main\n", "enabled=0\n"])


@given(name=st.sampled_from(LAYOUTS), edits=st.lists(st.tuples(st.integers(0, 40), NOTES), min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_later_edits_of_people_are_kept_and_told(
    name: str, edits: list[tuple[int, str]], run_module: RunModule
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        shutil.copytree(FIXTURES / name / "before", root)
        changed = [root / path[1:] for path in run_module(main, root=str(root), **asked(name))["files"]]
        edited = [path for path in changed if "gpuready" not in path.name]
        for path in edited:
            lines = path.read_text().splitlines(keepends=True)
            for place, line in edits:
                lines.insert(place, line)
            path.write_text("".join(lines))
        first = run_module(main, root=str(root), **asked(name))
        if first.get("failed"):
            return
        assert not run_module(main, root=str(root), **asked(name))["changed"]
        texts = {path: path.read_text() for path in edited}
        result = run_module(main, root=str(root), state="absent")
        told = {root / path[1:] for path in result["kept"]}
        for path in edited:
            before = (FIXTURES / name / "before" / path.relative_to(root)).read_text()
            assert path.read_text() == before or path in told
            for _place, line in edits:
                assert path.read_text().count(line) >= min(1, texts[path].count(line))
        assert not run_module(main, root=str(root), state="absent")["changed"]
        # a blank line in the middle of a stanza is an edit that leaves our list in use
        used = any("mirror+file:/etc/apt/mirrors/gpuready" in path.read_text() for path in edited)
        assert used == (root / "var/lib/gpuready").exists()
