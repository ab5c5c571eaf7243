# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines to look at: copies of tests/fixtures/roots, and trees made on the spot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures"


def _device(root: Path, device: dict[str, Any]) -> None:
    folder = root / "sys/bus/pci/devices" / device["bdf"]
    folder.mkdir(parents=True)
    for name in ("vendor", "device", "class", "subsystem_vendor", "subsystem_device", "numa_node"):
        if name in device:
            (folder / name).write_text(device[name] + "\n")
    (folder / "config").write_bytes(bytes.fromhex(device["config"]))
    if device["driver"]:
        driver = root / "sys/bus/pci/drivers" / device["driver"]
        driver.mkdir(parents=True, exist_ok=True)
        (folder / "driver").symlink_to(f"../../../../bus/pci/drivers/{device['driver']}")


def build(name: str, root: Path) -> Path:
    """Copy a tree of tests/fixtures/roots to `root` and finish it by its tree.json."""
    shutil.copytree(FIXTURES / "roots" / name, root)
    for path in list(root.rglob("*.fixture")):
        path.rename(path.with_suffix(""))
    manifest = root / "tree.json"
    tree = json.loads(manifest.read_text())
    manifest.unlink()
    for device in tree.get("pci", []):
        _device(root, device)
    for path, target in tree.get("links", {}).items():
        link = root / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    if "smi" in tree:
        stub(root, (FIXTURES / "nvidia_smi" / tree["smi"]).read_text())
    return root


def stub(root: Path, output: str, rc: int = 0) -> None:
    """Put a stand-in nvidia-smi below `root`."""
    program = root / "bin/nvidia-smi"
    program.parent.mkdir(parents=True, exist_ok=True)
    (root / "bin/output").write_text(output)
    program.write_text(f'#!/bin/sh\ncat "${{0%/*}}/output"\nexit {rc}\n')
    program.chmod(0o755)


def run_command(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
    """Do what AnsibleModule.run_command does with the arguments that Runner gives it."""
    import os
    import subprocess

    done = subprocess.run(
        argv, env={**os.environ, **options["environ_update"]}, capture_output=True, check=False, timeout=30
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def runner() -> Runner:
    return Runner(run_command, 5)


@pytest.fixture
def root_of(tmp_path: Path) -> Callable[[str], Path]:
    """Return a finished copy of a tree of tests/fixtures/roots."""
    return lambda name: build(name, tmp_path / name)


@pytest.fixture
def root_into() -> Callable[[str, Path], Path]:
    """Make a finished copy of a tree in a folder of the caller's choice."""
    return build


@pytest.fixture
def host_of(tmp_path: Path, runner: Runner) -> Callable[[dict[str, str | bytes]], Host]:
    """Return a host with these files."""

    def make(files: dict[str, str | bytes]) -> Host:
        root = tmp_path / "host"
        root.mkdir(exist_ok=True)
        for path, content in files.items():
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Host(str(root), runner)

    return make


@pytest.fixture
def live(runner: Runner) -> Host:
    """Return this machine; for what has its own sockets and fake commands."""
    return Host("/", runner)


@pytest.fixture
def xml() -> Callable[[str], str]:
    """Return a document of tests/fixtures/nvidia_smi."""
    return lambda name: (FIXTURES / "nvidia_smi" / f"{name}.xml").read_text()
