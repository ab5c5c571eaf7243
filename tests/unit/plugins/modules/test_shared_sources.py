# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several modules and the same package sources: what one has set, no other one takes back, in any order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules import dnf_source, other_sources, package_mirrors

RunModule = Callable[..., dict[str, Any]]
Step = Callable[..., dict[str, Any]]
KEYS = Path(__file__).parents[3] / "fixtures" / "keys"
ARCHIVE = "0C60716EFB39782D702F667DA415A6C3E9A67E86"
TOOL, OTHER = "https://nvidia.github.io/libnvidia-container", "https://old.example.org/tool"
NEAR = "https://mirror.example.org"
LINES = f"deb http://archive.ubuntu.com/ubuntu noble main\ndeb {TOOL}/stable/deb/amd64 /\ndeb {OTHER} /\n"
STANZAS = (
    "Types: deb\nURIs: http://archive.ubuntu.com/ubuntu\nSuites: noble\nComponents: main\n\n"
    f"Types: deb\nURIs: {TOOL}/stable/deb/amd64\nSuites: /\nEnabled: yes\n\nTypes: deb\nURIs: {OTHER}\nSuites: /\n"
)
LISTS = {"sources.list": LINES, "sources.list.d/ubuntu.sources": STANZAS}
# a file of its own is what NVIDIA's instructions make
OWN = {"sources.list": LINES.partition("\n")[0] + "\n", "sources.list.d/toolkit.list": LINES.partition("\n")[2]}


class Roles:
    """What the roles mirrors and nvidia_container_toolkit call, and a second caller of other_sources."""

    def __init__(self, root: Path, run_module: RunModule) -> None:
        self.root, self.run = str(root), run_module

    def mirrors(self, *, absent: bool = False, url: str = f"{NEAR}/ubuntu") -> dict[str, Any]:
        wish: dict[str, Any] = {"state": "absent"} if absent else {"apt": {"archive": [url] if url else []}}
        return self.run(package_mirrors.main, root=self.root, **wish)

    def no_mirrors(self, *, absent: bool = False) -> dict[str, Any]:
        """The road's own call on a host whose addresses are the distribution's."""
        return self.mirrors(absent=absent, url="")

    def toolkit(self, *, absent: bool = False) -> dict[str, Any]:
        return self._other("toolkit", TOOL, absent)

    def somebody(self, *, absent: bool = False) -> dict[str, Any]:
        return self._other("somebody", OTHER, absent)

    def _other(self, name: str, url: str, absent: bool) -> dict[str, Any]:
        wish: dict[str, Any] = {"state": "absent"} if absent else {"addresses": [url.removeprefix("https://")]}
        return self.run(other_sources.main, root=self.root, name=name, **wish)


@pytest.fixture(params=[LISTS, OWN], ids=["shared", "apart"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    release = 'NAME="Ubuntu"\nID=ubuntu\nVERSION_CODENAME=noble\n'
    for name, text in {"os-release": release, **{f"apt/{name}": text for name, text in request.param.items()}}.items():
        path = tmp_path / "root/etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "root"


def tree(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def live(root: Path, url: str) -> bool:
    """Whether apt would ask an address."""
    lines = [line for name, text in tree(root).items() if name.endswith(".list") for line in text.splitlines()]
    stanzas = [part for name, text in tree(root).items() if name.endswith(".sources") for part in text.split("\n\n")]
    return any(line.startswith(f"deb {url}") for line in lines) or any(
        f"URIs: {url}" in part and "Enabled: no" not in part for part in stanzas
    )


@pytest.mark.parametrize("first", ["mirrors", "no_mirrors", "toolkit"])
def test_a_second_run_changes_nothing(root: Path, run_module: RunModule, first: str) -> None:
    roles = Roles(root, run_module)
    order: list[Step] = [roles.toolkit, roles.mirrors] if first == "toolkit" else [getattr(roles, first), roles.toolkit]
    assert [step()["changed"] for step in order] == [first != "no_mirrors", True]
    after = tree(root)
    assert not live(root, TOOL) and live(root, OTHER) and live(root, NEAR) is (first != "no_mirrors")
    assert [step()["changed"] for step in order] == [False, False]
    assert tree(root) == after


@pytest.mark.parametrize("there", list(itertools.permutations(["mirrors", "toolkit", "somebody"])), ids="-".join)
@pytest.mark.parametrize("back", list(itertools.permutations(["mirrors", "toolkit", "somebody"])), ids="-".join)
def test_each_gives_back_its_own_and_the_last_one_every_byte(
    root: Path, run_module: RunModule, there: tuple[str, ...], back: tuple[str, ...]
) -> None:
    roles, before = Roles(root, run_module), tree(root)
    for name in there:
        getattr(roles, name)()
    left = set(there)
    for name in back:
        result = getattr(roles, name)(absent=True)
        left.discard(name)
        assert not result.get("failed") and result["changed"] and result["kept"] == []
        assert [live(root, NEAR), live(root, TOOL), live(root, OTHER)] == [
            "mirrors" in left,
            "toolkit" not in left,
            "somebody" not in left,
        ]
    assert tree(root) == before


def test_what_somebody_edited_in_a_shared_file_is_told(root: Path, run_module: RunModule) -> None:
    roles = Roles(root, run_module)
    roles.mirrors()
    roles.toolkit()
    for path in (root / "etc/apt").rglob("*"):
        if path.is_file() and "libnvidia" in path.read_text():
            path.write_text(path.read_text().replace("libnvidia-container/stable", "libnvidia-container/mine"))
    mine = tree(root)
    result = roles.toolkit(absent=True)
    assert result["kept"] and result["warnings"] and tree(root) == {**mine, **_store(root)}


def _store(root: Path) -> dict[str, str]:
    return {name: text for name, text in tree(root).items() if name.startswith("var")}


@pytest.mark.parametrize("archive", [{}, {"rocky": [f"{NEAR}/rocky"]}], ids=["official", "mirror"])
def test_repositories_of_other_roles_stay(tmp_path: Path, run_module: RunModule, archive: dict[str, Any]) -> None:
    """Once removed at each run, and made anew by their roles."""
    root = tmp_path / "root"
    for folder in ("yum.repos.d", "dnf", "pki/rpm-gpg"):
        (root / "etc" / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/os-release").write_text('NAME="Rocky Linux"\nID=rocky\nVERSION_ID="9.6"\n')
    tool = {"name": "tool", "baseurl": f"{NEAR}/tool", "key_url": f"file://{KEYS}/archive.asc"}
    args: dict[str, Any] = {**tool, "fingerprints": [ARCHIVE], "root": str(root)}
    made = run_module(dnf_source.main, **args)
    assert made.get("changed"), made
    before = tree(root)
    result = run_module(package_mirrors.main, root=str(root), repositories=archive)
    assert not result["changed"] and tree(root) == before
    assert not run_module(package_mirrors.main, root=str(root), state="absent")["changed"] and tree(root) == before
