# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""sandbox/engine.sh on machines made of stand-in programs: what it uses, what it installs, what it says."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[3] / "sandbox" / "engine.sh"
# what the script itself needs; nothing of the real machine's Docker is within reach
REAL = ("awk", "cat", "sh", "sleep")
Machine = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in REAL:
        (folder / name).symlink_to(
            next(path for path in (Path("/usr/bin") / name, Path("/bin") / name) if path.exists())
        )

    def run(root: bool, environment: dict[str, str] | None = None, **programs: str) -> subprocess.CompletedProcess[str]:
        for name, body in {"id": f"echo {0 if root else 1000}", "ssh": ":", "ssh-keygen": ":", **programs}.items():
            (folder / name).write_text(f"#!/bin/sh\n{body}\n")
            (folder / name).chmod(0o755)
        return subprocess.run(
            [str(ENGINE)],
            env={"PATH": str(folder), "LOG": str(tmp_path / "log"), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    return run


def test_an_engine_that_answers_is_used_as_it_is(machine: Machine) -> None:
    done = machine(root=False, docker='[ "$1" = info ] || echo 29.7.2')
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ">> Docker engine answers: 29.7.2\n"


def test_without_root_and_without_an_engine_there_is_one_clear_error(machine: Machine) -> None:
    done = machine(root=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no Docker engine answers and only root can install one" in done.stderr


def test_an_engine_named_by_docker_host_is_never_replaced(machine: Machine) -> None:
    done = machine(root=True, environment={"DOCKER_HOST": "tcp://192.0.2.1:2375"}, docker="exit 1")
    assert done.returncode == 1
    assert "DOCKER_HOST=tcp://192.0.2.1:2375" in done.stderr


def test_root_on_another_kind_of_system_is_told_what_is_missing(machine: Machine) -> None:
    done = machine(root=True)
    assert done.returncode == 1
    assert "docker.io" in done.stderr and "not a Debian-like system" in done.stderr


def test_root_installs_the_distributions_engine(machine: Machine) -> None:
    apt = 'echo "$@" >> "$LOG"; printf "#!/bin/sh\\n[ \\$1 = info ] || echo 26.1.5\\n" > "${PATH}/docker"; exit 0'
    done = machine(root=True, **{"apt-get": apt, "docker": "exit 1", "setsid": ":", "systemctl": ":"})
    assert done.returncode == 0, done.stderr
    assert "installing" in done.stdout and "docker.io" in done.stdout
    assert "Docker engine answers: 26.1.5" in done.stdout
