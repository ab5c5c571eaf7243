# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""sandbox/build.sh beside a stand-in for docker: the base comes from a registry that answers, else from mmdebstrap."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parents[3] / "sandbox" / "build.sh"
# An engine without images: what is pulled, imported or built exists from then on
DOCKER = """
echo "docker $*" >> "$LOG"
case "$1 $2" in
  "image inspect")
    for last; do :; done
    [ -e "$IMAGES/$(echo "$last" | tr '/:' '__')" ] || exit 1
    echo sha256:1234 ;;
  "pull -q") [ -n "$REGISTRY" ] ;;
  "tag "*) touch "$IMAGES/$(echo "$3" | tr '/:' '__')" ;;
  "import "*) for last; do :; done; touch "$IMAGES/$(echo "$last" | tr '/:' '__')" ;;
  "build "*) touch "$IMAGES/built" ;;
  "save -o") echo saved > "$3" ;;
  "run --rm") echo 0123456789ABCDEF ;;
esac
"""
MMDEBSTRAP = 'echo "mmdebstrap $*" >> "$LOG"'
APT_GET = "echo http://mirror.example.org/debian/"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").touch()
    return tmp_path / "log"


def build(
    tmp_path: Path, log: Path, registry: bool, image: str = "trixie", **programs: str
) -> subprocess.CompletedProcess[str]:
    folder, images = tmp_path / "bin", tmp_path / "images"
    folder.mkdir(exist_ok=True)
    images.mkdir(exist_ok=True)
    for name, body in {"docker": DOCKER, "mmdebstrap": MMDEBSTRAP, "apt-get": APT_GET, **programs}.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return subprocess.run(
        [str(BUILD), image],
        env={
            "PATH": f"{folder}:/usr/bin:/bin",
            "LOG": str(log),
            "IMAGES": str(images),
            "REGISTRY": "1" if registry else "",
            "SANDBOX_STATE": str(tmp_path / "state"),
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_registry_that_answers_gives_the_base(tmp_path: Path, log: Path) -> None:
    done = build(tmp_path, log, registry=True)
    assert done.returncode == 0, done.stderr
    assert "docker tag debian:trixie gpuready-sandbox/base:trixie" in log.read_text()
    assert "mmdebstrap" not in log.read_text()


def test_without_a_registry_the_machines_own_mirror_gives_it(tmp_path: Path, log: Path) -> None:
    done = build(tmp_path, log, registry=False)
    assert done.returncode == 0, done.stderr
    made = next(line for line in log.read_text().splitlines() if line.startswith("mmdebstrap "))
    assert "deb http://mirror.example.org/debian/ trixie main" in made
    assert "docker import" in log.read_text()
    assert "no image registry answers" in done.stdout


def test_without_a_registry_and_a_debian_mirror_there_is_one_clear_error(tmp_path: Path, log: Path) -> None:
    done = build(tmp_path, log, registry=False, **{"apt-get": "exit 0"})
    assert done.returncode == 1
    assert "ERROR: no Debian archive found" in done.stderr and "SANDBOX_DEBIAN_ARCHIVE" in done.stderr


def test_what_molecule_and_the_inventory_need_is_left_behind(tmp_path: Path, log: Path) -> None:
    assert build(tmp_path, log, registry=True).returncode == 0
    left = {path.name for path in (tmp_path / "state").iterdir()}
    assert left >= {"image-trixie", "repository-fingerprint-trixie", "id_ed25519", "machine.json", "images"}


def test_a_variant_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path, log: Path) -> None:
    done = build(tmp_path, log, registry=True, image="trixie-nothing")
    assert done.returncode == 1
    assert "'nothing'" in done.stderr and "ubuntu_identity" in done.stderr and "rhel_identity" in done.stderr
    assert "docker build" not in log.read_text()


def test_a_variant_is_built_on_the_host_of_its_suite(tmp_path: Path, log: Path) -> None:
    assert build(tmp_path, log, registry=True, image="trixie-rhel_identity").returncode == 0
    built = [line for line in log.read_text().splitlines() if line.startswith("docker build ")]
    assert ["--build-arg HOST=" in line for line in built] == [False, True]
    names = {path.name for path in (tmp_path / "state").iterdir()}
    assert names >= {"image-trixie", "image-trixie-rhel_identity", "repository-fingerprint-trixie-rhel_identity"}
    left = (tmp_path / "state" / "image-trixie").read_text().strip()
    assert f"HOST={left}" in built[1]
