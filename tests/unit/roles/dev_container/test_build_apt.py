# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""build-apt.sh on trees as images have them: the archive's addresses in a copy, everything else as it was."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[4]
SCRIPT = PROJECT / "roles" / "dev_container" / "files" / "image" / "build-apt.sh"
LAYOUTS = PROJECT / "tests" / "fixtures" / "mirrors"
MIRRORS = "debian https://near.example.org/debian\nubuntu https://near.example.org/ubuntu\n"
# what the fixtures of these layouts name, but for security
ARCHIVES = (
    "http://archive.ubuntu.com/ubuntu/",
    "http://archive.ubuntu.com/ubuntu",
    "http://archive.example.org/debian",
)
THIRD = (
    "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/ubuntu noble stable\n"
    "deb https://ppa.example.org/a/b/c noble main\n"
    "deb http://archive.example.org/debian sid main\n"
    "# deb http://archive.ubuntu.com/ubuntu noble main\n"
)


def run(root: Path) -> list[str]:
    """The options for apt, one a line; dpkg is a stand-in for an amd64 image."""
    (root / "bin").mkdir(exist_ok=True)
    (root / "bin" / "dpkg").write_text("#!/bin/sh\necho amd64\n")
    (root / "bin" / "dpkg").chmod(0o755)
    script = f'. {SCRIPT}; printf "%s\\n" "${{apt_options[@]}}"'
    environment = {"APT_ROOT": str(root), "PATH": f"{root}/bin:/usr/bin:/bin"}
    argv = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


def tree(folder: Path, layout: str, mirrors: str = MIRRORS, certificates: bool = True) -> Path:
    shutil.copytree(LAYOUTS / layout / "before", folder / "root")
    root = folder / "root"
    (root / "run" / "secrets").mkdir(parents=True)
    (root / "run" / "secrets" / "apt_mirrors").write_text(mirrors)
    if certificates:
        bundle = root / "etc/ssl/certs/ca-certificates.crt"
        bundle.parent.mkdir(parents=True)
        bundle.write_text("x\n")
    return root


def sources(root: Path) -> dict[str, str]:
    """The entries of a tree, or of a copy, without blank lines: those only part stanzas."""
    files = [*root.glob("sources.list"), *root.glob("sources.list.d/*"), *root.glob("parts/*")]
    return {path.name: "\n".join(line for line in path.read_text().splitlines() if line) for path in sorted(files)}


@pytest.mark.parametrize("layout", ["debian12_container", "debian13_container", "ubuntu2204", "ubuntu2404"])
def test_the_archive_comes_from_the_mirror(layout: str, tmp_path: Path) -> None:
    root = tree(tmp_path, layout)
    before = sources(root / "etc" / "apt")
    options = run(root)
    copy = root / "run" / "apt-mirror"
    assert options == [
        "-o",
        "APT::Update::Error-Mode=any",
        "-o",
        f"Dir::Etc::sourcelist={copy}/sources.list",
        "-o",
        f"Dir::Etc::sourceparts={copy}/parts",
    ]
    near = "https://near.example.org/" + ("debian" if layout.startswith("debian") else "ubuntu")
    expected = {name: expected_of(text, near) for name, text in before.items()}
    assert sources(copy) == {"sources.list": "", **expected}
    assert near in "".join(expected.values())
    assert sources(root / "etc" / "apt") == before


def expected_of(text: str, near: str) -> str:
    """Every line that names the archive, but for the lines about security and comments."""
    lines = []
    for line in text.splitlines():
        far = next((url for url in ARCHIVES if url in line.split()), "")
        ours = far and "-security" not in line and not line.startswith("#")
        lines.append(line.replace(far, near) if ours else line)
    return "\n".join(lines)


def test_a_stanza_that_holds_security_updates_stays_as_it_is(tmp_path: Path) -> None:
    root = tree(tmp_path, "ubuntu2604")
    before = sources(root / "etc" / "apt")
    run(root)
    assert sources(root / "run" / "apt-mirror") == {"sources.list": "", **before}


def test_others_stay_and_so_does_security(tmp_path: Path) -> None:
    root = tree(tmp_path, "ubuntu2404")
    (root / "etc/apt/sources.list.d/third.list").write_text(THIRD)
    run(root)
    copy = sources(root / "run" / "apt-mirror")
    assert copy["third.list"] == THIRD.rstrip("\n")
    stanzas = copy["ubuntu.sources"].split("Types: deb\n")
    assert ["near.example.org" in stanza for stanza in stanzas if "URIs:" in stanza] == [True, False]


@pytest.mark.parametrize("mirrors", ["", "debian https://near.example.org/debian\n"], ids=["none", "another's"])
def test_without_an_address_apt_is_left_alone(mirrors: str, tmp_path: Path) -> None:
    root = tree(tmp_path, "ubuntu2404", mirrors)
    assert run(root) == ["-o", "APT::Update::Error-Mode=any"]
    assert not (root / "run" / "apt-mirror").exists()


def test_an_image_without_certificates_asks_by_http(tmp_path: Path) -> None:
    root = tree(tmp_path, "debian13_container", certificates=False)
    run(root)
    assert "URIs: http://near.example.org/debian\n" in sources(root / "run" / "apt-mirror")["debian.sources"] + "\n"
