# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a killed installation leaves, and that the next one goes on: with the controller's uv and a wheel made here."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import read

# of JupyterLab's wheel: what a wheel has for the environment's share/ lies in NAME-VERSION.data first
SHARED = "data/share/probe/one.json"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def mend(prefix: Path) -> str:
    env = {"PATH": os.environ["PATH"], "DEV_PREFIX": str(prefix), "DEV_PYTHON_MANAGER": "uv"}
    argv = ["bash", "-c", read("dev_inplace/mend.sh")]
    return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout


def test_half_installed_packages_are_found_and_whole_ones_stay(tmp_path: Path) -> None:
    packages = tmp_path / "lib/python3.13/site-packages"
    records = {"whole-1": "whole/__init__.py,,\nwhole-1.dist-info/INSTALLER,,\n", "half-1": "half/__init__.py,,\n"}
    for name, record in {**records, "less-1": None}.items():
        (packages / f"{name}.dist-info").mkdir(parents=True)
        if record is not None:
            (packages / f"{name}.dist-info/RECORD").write_text(record)
    for name in ("half-1.data/data/share", "half", "my.data"):
        (packages / name).mkdir(parents=True)
    told = mend(tmp_path).splitlines()
    assert sorted(path.name for path in packages.iterdir()) == ["half", "my.data", "whole-1.dist-info"]
    assert len(told) == 3 and all("is half installed" in line for line in told)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with the wheel of a package that has a file for share/."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    files = {
        "probe.py": "",
        f"probe-1.0.data/{SHARED}": "{}",
        "probe-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n",
        "probe-1.0.dist-info/WHEEL": WHEEL,
    }
    record = "".join(f"{name},,\n" for name in (*files, "probe-1.0.dist-info/RECORD"))
    with zipfile.ZipFile(folder / "probe-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in {**files, "probe-1.0.dist-info/RECORD": record}.items():
            wheel.writestr(name, text)
    return folder


def uv(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """uv of the controller, with a cache of its own and no network."""
    program = Path(sys.executable).parent / "uv"
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "UV_OFFLINE": "1", "UV_LINK_MODE": "copy"}
    return subprocess.run([program, *argv], env=env, cwd=folder, check=False, capture_output=True, text=True)


def test_uv_goes_on_after_it_was_killed_while_it_placed_a_wheels_data(tmp_path: Path, wheels: Path) -> None:
    """As after SIGKILL in the middle of JupyterLab's schemas: half a copied file in NAME-VERSION.data, no INSTALLER."""
    prefix = tmp_path / "venv"
    python = str(prefix / "bin/python")
    install = ["pip", "install", "--python", python, "--no-index", "--find-links", str(wheels), "probe"]
    assert uv(tmp_path, "venv", "--python", sys.executable, str(prefix)).returncode == 0
    packages = next(prefix.glob("lib/python*/site-packages"))
    left = packages / f"probe-1.0.data/{SHARED}"
    left.parent.mkdir(parents=True)
    left.with_name(".tmpTu2nov").touch()
    refused = uv(tmp_path, *install)
    # the fault that is mended; when uv mends it itself one day, this line says so
    assert refused.returncode == 2 and "`RECORD` file doesn't match" in refused.stderr, refused.stderr
    mend(prefix)
    done = uv(tmp_path, *install)
    assert done.returncode == 0, done.stderr
    assert (prefix / "share/probe/one.json").read_text() == "{}" and not list(packages.glob("*.data"))
    assert mend(prefix) == ""
