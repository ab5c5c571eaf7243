# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment: its definition gives a build context, with the versions that everything else uses.

The image itself needs a registry, which not every machine reaches: it is not built here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import ROOT, load_yaml, tool

FOLDER = ROOT / "execution-environment"
DEFINITION = load_yaml(FOLDER / "execution-environment.yml")
GALAXY = load_yaml(ROOT / "galaxy.yml")
TARBALL = f"gpuready-bootstrap-{GALAXY['version']}.tar.gz"


def pins(path: Path) -> dict[str, str]:
    """Package -> version, for the newest Python."""
    found = re.findall(
        r"^([A-Za-z0-9-]+)==([0-9.]+)(?!.*python_version <)", path.read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(found)


def names(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if line and not line.startswith("#")}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `ansible-builder create` makes of a checkout in which the collection was built."""
    checkout = tmp_path_factory.mktemp("checkout")
    shutil.copytree(FOLDER, checkout / FOLDER.name)
    shutil.copy(ROOT / "requirements.txt", checkout)
    (checkout / "dist").mkdir()
    (checkout / "dist" / TARBALL).write_bytes(b"the collection")
    argv = [tool("ansible-builder"), "create", "-f", f"{FOLDER.name}/execution-environment.yml", "-c", "context"]
    done = subprocess.run(
        [*argv, "--output-filename", "Containerfile"],
        cwd=checkout,
        env={**os.environ, "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout / "context"


def test_the_definition_gives_a_build_context(context: Path) -> None:
    text = (context / "Containerfile").read_text(encoding="utf-8")
    assert f'ARG EE_BASE_IMAGE="{DEFINITION["images"]["base_image"]["name"]}"' in text
    assert "ansible-galaxy collection install" in text
    assert (context / "_build" / "collections" / TARBALL).read_bytes() == b"the collection"
    assert f"/build/collections/{TARBALL}" in (context / "_build" / "requirements.yml").read_text(encoding="utf-8")


def test_its_python_packages_are_the_pinned_ones(context: Path) -> None:
    pinned = pins(ROOT / "requirements.txt")
    assert {"ansible-core", "ansible-runner", "PyYAML", "requests", "rich", "uv"} <= set(pinned)
    assert pins(context / "_build" / "requirements.txt") == pinned
    for key, name in (("ansible_core", "ansible-core"), ("ansible_runner", "ansible-runner")):
        assert DEFINITION["dependencies"][key]["package_pip"] == f"{name}=={pinned[name]}"


def test_it_takes_the_collection_of_this_version() -> None:
    (file,) = DEFINITION["additional_build_files"]
    assert file["src"] == f"../dist/{TARBALL}"


def test_its_system_packages_are_more_than_the_collections_own() -> None:
    rpm = {name for name in names(ROOT / "meta" / "ee-bindep.txt") if not name.endswith("-client")}
    assert rpm <= names(FOLDER / "bindep.txt")


def test_the_collection_says_what_it_needs() -> None:
    needed = load_yaml(ROOT / "meta" / "execution-environment.yml")["dependencies"]
    assert all((ROOT / path).is_file() for path in needed.values())
    python = names(ROOT / needed["python"])
    assert python < set(pins(ROOT / "requirements.txt")), "names that the controller's requirements pin, no versions"
    # Ansible and its runner are the image's own matter
    assert not python & {"ansible-core", "ansible-runner"}


def test_no_address_of_a_python_index_and_no_secret_is_in_it(context: Path) -> None:
    for path in [*FOLDER.iterdir(), context / "Containerfile"]:
        assert not re.search(r"(?i)(password|token|secret|index-url)", path.read_text(encoding="utf-8")), path
