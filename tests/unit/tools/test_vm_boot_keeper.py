# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that keeps the virtual machine of molecule/vm_boot, without a virtual machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def keeper(load_program: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    program = load_program("molecule/vm_boot/keeper.py")
    monkeypatch.setattr(program, "KEEPERS", tmp_path / "keepers")
    monkeypatch.setattr(program.machines, "SANDBOX", tmp_path / "sandbox")
    return program


def kept(keeper: ModuleType, name: str, *argv: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(argv)
    # the command line of a process is there a moment after the process
    while not Path(f"/proc/{process.pid}/cmdline").read_bytes().endswith(argv[-1].encode() + b"\0"):
        time.sleep(0.01)
    (keeper.KEEPERS / name).mkdir(parents=True)
    (keeper.KEEPERS / name / "keeper.pid").write_text(str(process.pid))
    return process


def test_ends_its_own_process(keeper: ModuleType) -> None:
    process = kept(keeper, "one", *SLEEP, str(Path(keeper.__file__).resolve()), "keep", "one")
    keeper.down("one")
    assert process.wait(timeout=10) != 0 and not (keeper.KEEPERS / "one").exists()


def test_leaves_another_process_of_the_same_number_alone(keeper: ModuleType) -> None:
    process = kept(keeper, "one", *SLEEP)
    try:
        keeper.down("one")
        assert process.poll() is None and not (keeper.KEEPERS / "one").exists()
    finally:
        process.kill()
        process.wait()


def test_a_machine_that_was_never_there_is_down(keeper: ModuleType) -> None:
    keeper.down("one")


def test_ssh_finds_the_machine(keeper: ModuleType, tmp_path: Path) -> None:
    keeper.write_ssh("one", 2222, tmp_path / "known_hosts")
    argv = ["ssh", "-G", "-F", str(tmp_path / "sandbox" / "ssh_config"), "one"]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {"hostname 127.0.0.1", "port 2222", "user root", "stricthostkeychecking true"} <= set(told)


def test_shares_the_file_system_with_the_tests_of_the_driver(keeper: ModuleType, load_program: Load) -> None:
    """The same name for the same content: it takes a minute to make."""
    path = keeper.SOURCES / "rootfs.sh"
    assert keeper.digest(path) == load_program("tests/driver/conftest.py")._digest(path)
