# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Export and import of a real, empty environment, with a stand-in for uv and for the container engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules import dev_env_export, dev_env_import

RunModule = Callable[..., dict[str, Any]]
LOCK = "gizmo==1.1 \\\n    --hash=sha256:aa\nother==1 ; implementation_name == 'pypy' \\\n    --hash=sha256:bb\n"
# "installs" what it reads from standard input, and writes down how it was called
UV = """\
#!/bin/sh
[ "$1" = --version ] && exit 0
echo "$@" >> "{calls}"
echo "index: $UV_INDEX" >> "{calls}"
[ -e "{broken}" ] && {{ cat > /dev/null; echo "error: Hash mismatch for gizmo" >&2; exit 2; }}
for place in "{prefix}"/lib/python*/site-packages; do
  mkdir -p "$place/gizmo-1.1.dist-info"
  printf 'Metadata-Version: 2.1\\nName: gizmo\\nVersion: 1.1\\n' > "$place/gizmo-1.1.dist-info/METADATA"
done
cat >> "{calls}"
"""
DOCKER = """\
#!/bin/sh
echo "docker $@" >> "{calls}"
while [ "$1" != lab ]; do shift; done
shift
exec "$@"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("env") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    return prefix


@pytest.fixture
def options(made: Path, tmp_path: Path) -> dict[str, str]:
    for old in made.glob("lib/python*/site-packages/gizmo*/METADATA"):
        old.unlink()
        old.parent.rmdir()
    names = {"calls": tmp_path / "calls", "broken": tmp_path / "broken", "prefix": made}
    for name, text in (("uv", UV), ("docker", DOCKER)):
        (tmp_path / name).write_text(text.format(**names))
        (tmp_path / name).chmod(0o755)
    return {"prefix": str(made), "uv": str(tmp_path / "uv"), "lock": LOCK, "docker": str(tmp_path / "docker")}


def calls(tmp_path: Path) -> str:
    return (tmp_path / "calls").read_text() if (tmp_path / "calls").exists() else ""


def test_a_lock_is_installed_once(options: dict[str, str], run_module: RunModule, tmp_path: Path) -> None:
    predicted = run_module(dev_env_import.main, check=True, **options)
    assert predicted["changed"] and calls(tmp_path) == ""
    done = run_module(dev_env_import.main, **options)
    assert done["installed"] == predicted["installed"] == ["gizmo 1.1"]
    first = calls(tmp_path)
    assert "--require-hashes" in first and "--no-deps" in first and LOCK in first
    assert not run_module(dev_env_import.main, **options)["changed"] and calls(tmp_path) == first


def test_in_a_container_all_goes_through_its_engine(
    options: dict[str, str], run_module: RunModule, tmp_path: Path
) -> None:
    url = "https://reader:s3cret@mirror.example.org/whl/cu126"
    done = run_module(dev_env_import.main, container="lab", torch_index_url=url, **options)
    assert done["installed"] == ["gizmo 1.1"] and "s3cret" not in str(done)
    lines = calls(tmp_path).splitlines()
    installed = next(line for line in lines if "docker exec -e UV_INDEX" in line)
    assert " -i lab " in installed and "s3cret" not in installed and f"index: {url}" in lines
    exported = run_module(dev_env_export.main, container="lab", prefix=options["prefix"], docker=options["docker"])
    assert exported["requirements"] == ["gizmo==1.1"] and not exported["changed"]


def test_a_failed_installation_is_one_sentence(options: dict[str, str], run_module: RunModule, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    result = run_module(dev_env_import.main, **options)
    assert result["msg"].endswith(f"could not be installed into {options['prefix']}: Hash mismatch for gizmo.")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lock": "gizmo==1.1\n"}, "no package with a version and a hash"),
        ({"prefix": "/nowhere"}, "there is no Python to ask at /nowhere"),
    ],
)
def test_bad_input(
    change: dict[str, str], said: str, options: dict[str, str], run_module: RunModule, tmp_path: Path
) -> None:
    assert said in run_module(dev_env_import.main, **{**options, **change})["msg"]
    assert calls(tmp_path) == ""


def test_an_export_of_nothing_there_is_one_sentence(run_module: RunModule) -> None:
    result = run_module(dev_env_export.main, prefix="/nowhere")
    assert result["failed"] and "/nowhere/bin/python: no such program" in result["msg"]
