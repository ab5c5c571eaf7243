# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bugs that users of other switchers met; each test names the report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules.package_mirrors import main

RunModule = Callable[..., dict[str, Any]]
FIXTURES = Path(__file__).parents[3] / "fixtures/mirrors"
NEAR = "https://mirror.example.org"
RELEASES = {
    "noble": 'NAME="Ubuntu"\nID=ubuntu\nVERSION_CODENAME=noble\n',
    "jammy": 'NAME="Ubuntu"\nID=ubuntu\nVERSION_CODENAME=jammy\n',
    "trixie": 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_CODENAME=trixie\n',
    "bookworm": 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_CODENAME=bookworm\n',
    "wilma": 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_CODENAME=wilma\n',
    "zorin": 'NAME="Zorin OS"\nID=zorin\nID_LIKE="ubuntu debian"\nVERSION_CODENAME=noble\n',
}


def system(tmp_path: Path, codename: str, files: dict[str, str]) -> Path:
    root = tmp_path / "root"
    for name, text in {"etc/os-release": RELEASES[codename], **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("layout", ["debian12_container", "debian13_container", "debian12_installer"])
def test_chsrc_319_debian_is_not_the_beginning_of_debian_security(
    layout: str, tmp_path: Path, run_module: RunModule
) -> None:
    """The archive's address was put before "-security", too."""
    root = tmp_path / "root"
    shutil.copytree(FIXTURES / layout / "before", root)
    run_module(main, root=str(root), apt={"archive": [f"{NEAR}/debian/"]})
    texts = "".join(path.read_text() for path in (root / "etc/apt").rglob("*") if path.is_file())
    assert f"{NEAR}/debian/ " in texts or f"{NEAR}/debian/\n" in texts
    assert "example.org/debian-security" in texts and f"{NEAR}/debian-security" not in texts
    assert "/debian/-security" not in texts


@pytest.mark.parametrize("report", [40, 43])
def test_chsrc_40_and_43_a_custom_address_twice(report: int, tmp_path: Path, run_module: RunModule) -> None:
    """An address that does not end with /ubuntu was not found again, so that the second one was added to the first."""
    line = "deb https://mirrors.tuna.tsinghua.edu.cn/ubuntu/ noble main restricted universe multiverse\n"
    root = system(tmp_path, "noble", {"etc/apt/sources.list": line})
    sources = root / "etc/apt/sources.list"
    first, second = (f"{NEAR}/nexus/repository/ubuntu{number}.04" for number in (22, 24))
    for address in (first, second, second):
        result = run_module(main, root=str(root), apt={"archive": [address]})
        assert sources.read_text() == f"deb {address} noble main restricted universe multiverse\n"
    assert not result["changed"]
    run_module(main, root=str(root), state="absent")
    assert sources.read_text() == line


def test_chsrc_40_a_custom_address_that_somebody_else_wrote(tmp_path: Path, run_module: RunModule) -> None:
    """Without a keyring, a record and a usual path it is known by what it serves."""
    old = f"{NEAR}/nexus/repository/ubuntu22.04"
    text = f"deb {old} noble main universe\ndeb {old} noble-updates main universe\ndeb {NEAR}/tool noble main\n"
    root = system(tmp_path, "noble", {"etc/apt/sources.list": text})
    run_module(main, root=str(root), apt={"archive": [f"{NEAR}/ubuntu"]})
    assert (root / "etc/apt/sources.list").read_text() == text.replace(old, f"{NEAR}/ubuntu")


@pytest.mark.parametrize("form", ["deb822", "line"])
def test_chsrc_334_335_arm64_gets_its_own_host_back(form: str, tmp_path: Path, run_module: RunModule) -> None:
    """The way back wrote the host of amd64, and a slash inside the path."""
    root = tmp_path / "root"
    shutil.copytree(FIXTURES / "ubuntu_ports" / "before", root)
    if form == "line":
        (root / "etc/apt/sources.list.d/ubuntu.sources").unlink()
        lines = [f"deb http://ports.ubuntu.com/ubuntu-ports/ {suite} main\n" for suite in ("noble", "noble-security")]
        (root / "etc/apt/sources.list").write_text("".join(lines))
    before = tree(root)
    run_module(main, root=str(root), apt={"archive": [f"{NEAR}/ubuntu-ports", f"{NEAR}/2/ubuntu-ports"]})
    assert (
        "http://ports.ubuntu.com/ubuntu-ports/\tpriority:3"
        in (root / "etc/apt/mirrors/gpuready-archive.list").read_text()
    )
    run_module(main, root=str(root), state="absent")
    assert tree(root) == before
    wrong = run_module(main, root=str(root), apt={"archive": [f"{NEAR}/ubuntu"]})
    assert "ubuntu-ports" in str(wrong["warnings"])


@pytest.mark.parametrize(("codename", "name"), [("wilma", "Linux Mint (wilma)"), ("zorin", "Zorin OS (noble)")])
def test_chsrc_167_a_derivative_is_refused(codename: str, name: str, tmp_path: Path, run_module: RunModule) -> None:
    """Every address of Linux Mint's file was replaced, so that apt could read nothing any more."""
    text = (
        "deb http://packages.mint.example.org wilma main upstream import backport\n\n"
        "deb http://archive.ubuntu.com/ubuntu noble main restricted universe multiverse\n"
        "deb http://security.ubuntu.com/ubuntu/ noble-security main restricted universe multiverse\n"
    )
    root = system(tmp_path, codename, {"etc/apt/sources.list.d/official-package-repositories.list": text})
    before = tree(root)
    result = run_module(main, root=str(root), apt={"archive": [f"{NEAR}/ubuntu"], "security": [f"{NEAR}/ubuntu"]})
    assert result["failed"] and name in result["msg"] and tree(root) == before


CDROM = (
    "deb cdrom:[Debian GNU/Linux 12.7.0 _Bookworm_ - Official amd64 DVD Binary-1 with firmware 20240831-10:40]/ "
    "bookworm contrib main non-free-firmware\n"
)


def test_chsrc_110_a_system_with_nothing_but_a_cdrom(tmp_path: Path, run_module: RunModule) -> None:
    """The change seemed to work, and nothing was different. There is nothing to change, and that is said."""
    root = system(tmp_path, "bookworm", {"etc/apt/sources.list": CDROM})
    before = tree(root)
    result = run_module(main, root=str(root), apt={"archive": [f"{NEAR}/debian"]})
    assert result["failed"] and "write the entry first" in result["msg"] and tree(root) == before


def test_chsrc_185_a_cdrom_line_before_the_others_stays(tmp_path: Path, run_module: RunModule) -> None:
    text = CDROM + "deb http://archive.example.org/debian/ bookworm main\n"
    root = system(tmp_path, "bookworm", {"etc/apt/sources.list": text})
    run_module(main, root=str(root), apt={"archive": [f"{NEAR}/debian"]})
    assert (root / "etc/apt/sources.list").read_text() == CDROM + f"deb {NEAR}/debian bookworm main\n"


def test_chsrc_368_sources_in_a_file_of_their_own_follow(tmp_path: Path, run_module: RunModule) -> None:
    """deb-src stood in deb-src.list, with the suite "stable", and went on to load from far away."""
    far = "http://archive.example.org/debian"
    files = {
        "etc/apt/sources.list.d/debian.sources": f"Types: deb\nURIs: {far}\nSuites: trixie trixie-updates\n"
        "Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
        "etc/apt/sources.list.d/deb-src.list": f"deb-src {far} stable main\ndeb-src {far} trixie-updates main\n",
    }
    root = system(tmp_path, "trixie", files)
    run_module(main, root=str(root), apt={"archive": [f"{NEAR}/debian"]})
    for name, text in files.items():
        assert (root / name).read_text() == text.replace(far, f"{NEAR}/debian")
    run_module(main, root=str(root), state="absent")
    assert all((root / name).read_text() == text for name, text in files.items())


@pytest.mark.parametrize("path", ["debian", "debian/", "deb/debian"])
def test_others_that_call_their_suite_stable_are_left_alone(tmp_path: Path, run_module: RunModule, path: str) -> None:
    """Half of all third parties have a path that ends with /debian, a suite "stable" and the component main."""
    third = f"deb [arch=amd64] https://third.example.org/{path} stable main\n"
    far = "http://archive.example.org/debian"
    files = {
        "etc/apt/sources.list": f"deb {far} trixie main\ndeb {far} trixie-updates main\n",
        "etc/apt/sources.list.d/third.list": third,
    }
    root = system(tmp_path, "trixie", files)
    result = run_module(main, root=str(root), apt={"archive": [f"{NEAR}/debian"]})
    assert result["files"] == ["/etc/apt/sources.list"]
    assert (root / "etc/apt/sources.list.d/third.list").read_text() == third


def test_chsrc_s_greedy_pattern_leaves_others_alone(tmp_path: Path, run_module: RunModule) -> None:
    """Whatever ended with /ubuntu was taken for the archive (reference: lists of third parties in sources.list)."""
    others = (
        "deb https://download.docker.com/linux/ubuntu jammy stable\n"
        "deb https://ppa.launchpadcontent.net/a/b/ubuntu jammy main\n"
        "deb http://packages.robots.example.org/ros/ubuntu jammy main\n"
        "deb https://esm.ubuntu.com/apps/ubuntu jammy-apps-security main\n"
        "deb https://esm.ubuntu.com/infra/ubuntu jammy-infra-updates main\n"
        "deb [signed-by=/usr/share/keyrings/cuda-archive-keyring.gpg] "
        "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2204/x86_64/ /\n"
    )
    own = "deb http://archive.ubuntu.com/ubuntu jammy main universe\n"
    root = system(tmp_path, "jammy", {"etc/apt/sources.list": others + own})
    run_module(main, root=str(root), apt={"archive": [f"{NEAR}/ubuntu"], "security": [f"{NEAR}/ubuntu"]})
    assert (root / "etc/apt/sources.list").read_text() == others + f"deb {NEAR}/ubuntu jammy main universe\n"


def test_linuxmirrors_101_no_folder_for_further_sources(tmp_path: Path, run_module: RunModule) -> None:
    """Without sources.list.d (and without the folder of apt's lists) nothing else fails."""
    text = "deb http://archive.ubuntu.com/ubuntu jammy main\n"
    root = system(tmp_path, "jammy", {"etc/apt/sources.list": text})
    args = {"apt": {"archive": [f"{NEAR}/ubuntu", f"{NEAR}/2/ubuntu"]}}
    before = tree(root)
    assert run_module(main, root=str(root), **args)["changed"]
    assert not (root / "etc/apt/sources.list.d").exists()
    run_module(main, root=str(root), state="absent")
    assert tree(root) == before and not (root / "etc/apt/mirrors").exists()


def test_linuxmirrors_120_docker_keeps_engine_and_data(tmp_path: Path, run_module: RunModule) -> None:
    """A change of mirrors upgraded the engine, and the images of its former home were gone."""
    far = ["https://far.example.org"]
    config = {"data-root": "/srv/docker", "registry-mirrors": far, "runtimes": {"a": {"path": "a"}}}
    text = json.dumps(config)
    files = {
        "etc/apt/sources.list": "deb http://archive.ubuntu.com/ubuntu jammy main\n",
        "etc/docker/daemon.json": text,
        "var/snap/docker/current/config/daemon.json": '{"storage-driver": "overlay2"}\n',
        "srv/docker/image/overlay2/repositories.json": "{}",
    }
    root = system(tmp_path, "jammy", files)
    before = tree(root)
    result = run_module(main, root=str(root), docker={"registry_mirrors": [NEAR]})
    assert result["files"] == ["/etc/docker/daemon.json"]
    now = json.loads((root / "etc/docker/daemon.json").read_text())
    assert now == {**config, "registry-mirrors": [NEAR]}
    run_module(main, root=str(root), state="absent")
    assert tree(root) == before


@pytest.mark.parametrize("place", ["etc/apt/apt.conf.d/90snapshot", "etc/apt/apt.conf"])
def test_a_left_over_of_snapshot_images_is_told(place: str, tmp_path: Path, run_module: RunModule) -> None:
    files = {
        "etc/apt/sources.list": "deb http://archive.example.org/debian trixie main\n",
        place: 'Acquire::Check-Valid-Until "false";\n',
        "etc/apt/apt.conf.d/10fine": '// Acquire::Check-Valid-Until "false";\nAcquire::Check-Valid-Until "true";\n',
    }
    root = system(tmp_path, "trixie", files)
    result = run_module(main, root=str(root), apt={"archive": [f"{NEAR}/debian"]})
    assert f"/{place}" in str(result["warnings"]) and "10fine" not in str(result["warnings"])


def test_two_keyrings_for_one_address_are_refused_before_apt_refuses_all(tmp_path: Path, run_module: RunModule) -> None:
    stanza = "Types: {kind}\nURIs: {uri}\nSuites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/{key}\n"
    files = {
        "etc/apt/sources.list.d/debian.sources": stanza.format(
            kind="deb", uri="http://archive.example.org/debian", key="debian-archive-keyring.pgp"
        ),
        "etc/apt/sources.list.d/src.sources": stanza.format(
            kind="deb-src", uri="http://sources.example.org/debian", key="debian-archive-keyring.gpg"
        ),
    }
    root = system(tmp_path, "trixie", files)
    before = tree(root)
    result = run_module(main, root=str(root), apt={"archive": [f"{NEAR}/debian"]})
    assert result["failed"] and "debian.sources" in result["msg"] and "src.sources" in result["msg"]
    assert "keyring" in result["msg"] and tree(root) == before
