# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment of conda as an archive and back, with stand-ins for conda-pack and the container engine.

molecule/dev_container/tests/test_conda_pack.py does the same with conda-pack itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.modules import dev_env_export, dev_env_import

RunModule = Callable[..., dict[str, Any]]
# "installs" a conda-pack that packs the prefix, or refuses; its conda-unpack notes where it ran
UV = """\
#!/bin/sh
[ "$1" = --version ] && exit 0
echo "uv $@ index: $UV_INDEX" >> "{calls}"
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/conda_pack" && cp "{cli}" "$2/conda_pack/cli.py" && : > "$2/conda_pack/__init__.py"
cat >> "{calls}"
"""
CLI = """\
import os, sys, tarfile

def main():
    given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    if os.path.exists("{broken}"):
        sys.exit("CondaPackError: \\nFiles managed by conda were found to have been deleted/overwritten in the\\n"
                 "following packages:\\n\\n- numpy 2.5:\\n    lib/numpy.py\\n")
    with tarfile.open(given["--output"], "w:gz") as tar:
        tar.add(given["--prefix"], arcname=".")
        tar.add("{unpack}", arcname="bin/conda-unpack")
"""
UNPACK = """\
import os, sys
if os.path.exists("{broken}"):
    sys.exit("no space left")
with open(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "unpacked"), "w") as stream:
    stream.write(sys.executable)
"""
DOCKER = """\
#!/bin/sh
echo "docker $@" >> "{calls}"
[ "$1" = cp ] && exec cp "${{2#lab:}}" "${{3#lab:}}"
while [ "$1" != lab ]; do shift; done
shift
exec "$@"
"""
NUMPY = {"name": "numpy", "version": "2.5", "build": "py312_0"}


@pytest.fixture
def env(tmp_path: Path) -> Path:
    prefix = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta" / "numpy-2.5-py312_0.json").write_text(json.dumps(NUMPY))
    return prefix


@pytest.fixture
def options(env: Path, tmp_path: Path) -> dict[str, str]:
    names = {name: tmp_path / name for name in ("calls", "broken", "cli", "unpack")}
    for name, text in (("uv", UV), ("docker", DOCKER), ("cli", CLI), ("unpack", UNPACK)):
        (tmp_path / name).write_text(text.format(**names))
        (tmp_path / name).chmod(0o755)
    programs = {name: str(tmp_path / name) for name in ("uv", "docker")}
    return {**programs, "prefix": str(env), "archive": str(tmp_path / "env.tar.gz")}


def calls(tmp_path: Path) -> str:
    return (tmp_path / "calls").read_text() if (tmp_path / "calls").exists() else ""


def left(tmp_path: Path) -> list[str]:
    """Files that should have gone again."""
    return [name for name in os.listdir(tmp_path) if name.endswith(".part")]


def test_there_and_back(options: dict[str, str], run_module: RunModule, tmp_path: Path) -> None:
    archive, other = Path(options["archive"]), str(tmp_path / "other")
    predicted = run_module(dev_env_export.main, check=True, **options)
    assert predicted["changed"] and not archive.exists() and calls(tmp_path) == ""
    done = run_module(dev_env_export.main, **options)
    assert done["changed"] and done["conda"] == ["numpy=2.5=py312_0"]
    assert archive.stat().st_mode & 0o777 == 0o600 and left(tmp_path) == []
    assert "--require-hashes" in calls(tmp_path) and "conda-pack==0.9.2 --hash=sha256:" in calls(tmp_path)
    given = {"archive": str(archive), "prefix": other}
    assert run_module(dev_env_import.main, check=True, **given)["changed"] and not Path(other).exists()
    made = run_module(dev_env_import.main, **given)
    assert (made["changed"], made["installed"]) == (True, ["numpy=2.5=py312_0"])
    assert (Path(other) / "unpacked").read_text() == f"{other}/bin/python"
    assert not run_module(dev_env_import.main, **given)["changed"]
    # known by its sum, the archive need not even be there
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.unlink()
    assert not run_module(dev_env_import.main, sha256=digest, **given)["changed"] and left(tmp_path) == []


def test_in_a_container_all_goes_through_its_engine(
    options: dict[str, str], run_module: RunModule, tmp_path: Path
) -> None:
    url = "https://reader:s3cret@mirror.example.org/simple"
    done = run_module(dev_env_export.main, container="lab", index_url=url, **options)
    assert done["changed"] and "s3cret" not in str(done), done
    lines = calls(tmp_path).splitlines()
    assert any("docker cp lab:/var/tmp/gpuready." in line for line in lines)
    assert not [line for line in lines if line.startswith("docker") and "s3cret" in line]
    assert any(line.startswith("uv pip install") and line.endswith(f"index: {url}") for line in lines)
    other = {**options, "prefix": str(tmp_path / "other")}
    other.pop("uv")
    made = run_module(dev_env_import.main, container="lab", **other)
    assert made["installed"] == ["numpy=2.5=py312_0"], made
    assert (tmp_path / "other" / "unpacked").exists()


def test_what_conda_pack_refuses_comes_in_its_own_words(
    options: dict[str, str], run_module: RunModule, tmp_path: Path
) -> None:
    (tmp_path / "broken").touch()
    result = run_module(dev_env_export.main, **options)
    words = "Files managed by conda were found to have been deleted/overwritten in the following packages: - numpy 2.5:"
    assert result["msg"] == f"conda-pack could not pack {options['prefix']}: {words} lib/numpy.py."
    assert not Path(options["archive"]).exists() and left(tmp_path) == []


def test_what_an_interrupted_run_left_is_made_anew(
    options: dict[str, str], run_module: RunModule, tmp_path: Path
) -> None:
    run_module(dev_env_export.main, **options)
    given = {"archive": options["archive"], "prefix": str(tmp_path / "other")}
    (tmp_path / "broken").touch()
    assert "conda-unpack could not rewrite the prefix: no space left" in run_module(dev_env_import.main, **given)["msg"]
    (tmp_path / "broken").unlink()
    assert run_module(dev_env_import.main, **given)["changed"]
    assert not run_module(dev_env_import.main, **given)["changed"]


def test_an_environment_of_somebody_is_not_replaced(
    options: dict[str, str], run_module: RunModule, tmp_path: Path
) -> None:
    run_module(dev_env_export.main, **options)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "work").touch()
    result = run_module(dev_env_import.main, archive=options["archive"], prefix=str(theirs))
    assert result["failed"] and f"{theirs} holds files of others" in result["msg"]
    assert os.listdir(theirs) == ["work"]


@pytest.mark.parametrize("by_sum", [True, False])
def test_an_environment_of_another_archive_is_not_replaced(
    by_sum: bool, options: dict[str, str], run_module: RunModule, tmp_path: Path
) -> None:
    run_module(dev_env_export.main, **options)
    given = {"archive": options["archive"], "prefix": str(tmp_path / "other")}
    assert run_module(dev_env_import.main, **given)["changed"]
    (tmp_path / "other" / "mine").touch()
    (tmp_path / "other" / ".gpuready-archive").write_text("1" * 64 + "\n")
    if by_sum:
        given["sha256"] = hashlib.sha256(Path(options["archive"]).read_bytes()).hexdigest()
    result = run_module(dev_env_import.main, **given)
    assert result["failed"] and "was made from another archive" in result["msg"]
    assert (tmp_path / "other" / "mine").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "0" * 64}, "has another SHA-256 sum than 0000"),
        ({"archive": "/nowhere/env.tar.gz"}, "/nowhere/env.tar.gz cannot be read"),
        ({"lock": "x==1 --hash=sha256:00"}, "mutually exclusive"),
    ],
)
def test_bad_input(
    change: dict[str, str], said: str, options: dict[str, str], run_module: RunModule, tmp_path: Path
) -> None:
    run_module(dev_env_export.main, **options)
    given = {"archive": options["archive"], "prefix": str(tmp_path / "other"), **change}
    assert said in run_module(dev_env_import.main, **given)["msg"]
    assert not (tmp_path / "other").exists()


def test_an_environment_without_conda_has_its_lock(options: dict[str, str], run_module: RunModule, env: Path) -> None:
    (env / "conda-meta" / "numpy-2.5-py312_0.json").unlink()
    assert "is no environment of conda; its lock is enough" in run_module(dev_env_export.main, **options)["msg"]
