# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment of conda goes from a container to a machine without conda, by conda-pack itself.

With a stand-in for the environment (shared/conda_stand_in.py), since no channel may be in reach.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wheel_index
from dev_login import says
from machine import PROJECT, Machine
from testinfra.host import Host

# what the first test has started; the end of the scenario, or the next index, stops it
SEEN: dict[str, str] = {}
THERE, HERE = "/home/dev/envs/lab", "/srv/envs/lab"
MAKE = (PROJECT / "molecule" / "shared" / "conda_stand_in.py").read_text()
SOURCE = (PROJECT / "plugins" / "module_utils" / "_conda_pack.py").read_text()


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


@pytest.fixture
def index(machine: Machine, tmp_path: Path) -> str:
    """conda-pack by its sum, as this machine's pip finds it; the container knows no index of its own."""
    if SEEN:
        return SEEN["index"]
    locked = re.search(r"^LOCK = \"(conda-pack==.*)\\n\"$", SOURCE, re.MULTILINE)
    assert locked
    (tmp_path / "lock").write_text(locked.group(1))
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--require-hashes",
        "-r",
        str(tmp_path / "lock"),
    ]
    subprocess.run([*argv, "-d", str(tmp_path / "wheels")], check=True, timeout=120)
    wheels = {path.name: path.read_bytes() for path in (tmp_path / "wheels").iterdir()}
    SEEN["index"] = wheel_index.serve(machine, {"conda-pack": wheels})
    return SEEN["index"]


@pytest.fixture
def environment(machine: Machine) -> Iterator[str]:
    says(machine.host, f"/usr/bin/python3 - {THERE}", stdin=MAKE)
    yield THERE
    says(machine.host, f"rm -rf {THERE}")
    machine.sh(f"rm -rf {HERE}")


def test_it_is_packed_and_starts_elsewhere(machine: Machine, environment: str, index: str, tmp_path: Path) -> None:
    wished: dict[str, Any] = {"export_env_container": "gpuready-dev", "export_env_prefix": environment}
    wished |= {"export_env_pack": True, "export_env_dir": str(tmp_path), "export_env_index_url": index}
    packed = machine.play("playbooks/export_env.yml", **wished)
    assert packed.rc == 0, packed.output[-3000:]
    archive = tmp_path / machine.name / "conda-env.tar.gz"
    assert archive.stat().st_mode & 0o077 == 0
    # nothing came from an index: there is no lock, and none is named
    assert "lock" not in (archive.parent / "dev.yml").read_text()
    run = machine.play("playbooks/import_env.yml", import_env_archive=str(archive), import_env_prefix=HERE)
    assert run.rc == 0, run.output[-3000:]
    # the machine has no such Python of its own there, and nothing names the old prefix
    assert machine.sh(f"{HERE}/bin/python -I {HERE}/bin/hello") == f"hello from {HERE}"
    assert machine.sh(f"cat {HERE}/etc/hello.conf") == f"data={HERE}/share/hello"
    # but for the list of what was rewritten
    assert machine.rc(f"grep -rIl --exclude=conda-unpack {environment} {HERE}") != 0
    again = machine.play("playbooks/import_env.yml", import_env_archive=str(archive), import_env_prefix=HERE)
    assert (again.rc, again.changed) == (0, []), again.output[-3000:]
    # nothing is left on the way
    assert machine.sh("ls /var/tmp | sed -n /^gpuready-[ei][xm]port/p") == ""
    assert says(machine.host, "ls /var/tmp | sed -n /^gpuready/p") == ""


def test_what_conda_pack_refuses_comes_in_its_own_words(machine: Machine, environment: str, index: str) -> None:
    says(machine.host, f"rm {environment}/bin/hello")
    place = {"container": "gpuready-dev", "prefix": environment, "index_url": index}
    result = machine.module("dev_env_export", archive="/var/tmp/lab.tar.gz", **place)
    assert result["failed"]
    assert f"conda-pack could not pack {environment} in container gpuready-dev: Files managed by conda" in result["msg"]
    assert "- hello 1.0: bin/hello" in result["msg"] and "\n" not in result["msg"]
    assert machine.rc("ls /var/tmp/lab.tar.gz*") != 0
