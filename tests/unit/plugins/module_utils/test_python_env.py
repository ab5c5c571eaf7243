# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _python_env as envs

PURE = "Wheel-Version: 1.0\nTag: py3-none-any\n"
MANY = "Wheel-Version: 1.0\nTag: cp312-cp312-manylinux_2_28_x86_64\n"
HERE = "Wheel-Version: 1.0\nTag: cp312-cp312-linux_x86_64\n"


def package(name: str, version: str, wheel: str = PURE, direct: Any = None, installer: str = "uv") -> dict[str, Any]:
    return {"name": name, "version": version, "wheel": wheel, "direct": direct, "installer": installer}


def found(*packages: dict[str, Any], conda: list[dict[str, str]] | None = None) -> dict[str, Any]:
    return {"python": "3.12.3", "machine": "x86_64", "prefix": "/p", "packages": list(packages), "conda": conda or []}


def test_this_python_answers() -> None:
    out = subprocess.run([sys.executable, "-I", "-c", envs.ASK], capture_output=True, text=True, check=True).stdout
    made = envs.transfer(json.loads(out))
    assert made["python"].startswith("3.") and any(line.startswith("pytest==") for line in made["requirements"])
    assert not [line for line in made["requirements"] if line.startswith("pip==")]


def test_what_comes_from_an_index_is_exact_and_torch_tells_its_build() -> None:
    made = envs.transfer(found(package("Torch", "2.14.0+cu126", MANY), package("my_pkg", "1.0"), package("pip", "26")))
    assert made["requirements"] == ["my-pkg==1.0", "torch==2.14.0"]
    assert (made["torch_backend"], made["source_builds"], made["left_out"]) == ("cu126", [], [])
    assert envs.transfer(found(package("torch", "2.15.0", MANY)))["torch_backend"] == "auto"


def test_what_was_compiled_here_is_a_source_build() -> None:
    made = envs.transfer(found(package("flash_attn", "2.8.3", HERE)))
    assert (made["source_builds"], made["requirements"]) == (["flash-attn==2.8.3"], [])


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (package("a", "1", direct={"url": "file:///src/a", "dir_info": {"editable": True}}), "for editing"),
        (package("a", "1", direct={"url": "https://example.org/a", "vcs_info": {"vcs": "git"}}), "from a repository"),
        (
            package("a", "1", direct={"url": "https://example.org/a.whl", "archive_info": {}}),
            "from a file or an address",
        ),
        (package("a", "1+ours"), "local part +ours"),
        (package("torch", "2.9.0+rocm6.4"), "local part +rocm6.4"),
    ],
)
def test_what_no_index_has_is_left_out_with_its_reason(row: dict[str, Any], why: str) -> None:
    made = envs.transfer(found(row))
    assert made["requirements"] == [] and why in made["left_out"][0]["why"]


def test_the_second_metadata_of_an_editable_package_is_not_taken_for_one_of_an_index() -> None:
    editable = package("a", "1", direct={"url": "file:///src/a", "dir_info": {"editable": True}})
    made = envs.transfer(found(editable, package("A", "1", wheel="", installer="")))
    assert made["requirements"] == [] and len(made["left_out"]) == 1


def test_conda_packages_go_into_a_file_for_conda_at_its_own_address() -> None:
    row = {
        "name": "numpy",
        "version": "2.5",
        "build": "py312_0",
        "subdir": "linux-64",
        "fn": "numpy-2.5-py312_0.conda",
        "channel": "https://mirror.example.org/anaconda/cloud/conda-forge/linux-64",
        "sha256": "ab" * 32,
    }
    made = envs.transfer(found(package("numpy", "2.5", installer="conda"), package("x", "1"), conda=[row]))
    assert made["conda_explicit"] == (
        f"@EXPLICIT\nhttps://conda.anaconda.org/conda-forge/linux-64/numpy-2.5-py312_0.conda#{'ab' * 32}\n"
    )
    assert made["conda"] == ["numpy=2.5=py312_0"] and made["requirements"] == ["x==1"]


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        ([package("A.b", "1"), package("c", "3")], []),
        ([package("a-b", "1")], []),
        ([package("a-b", "2"), package("c", "3")], ["a-b 1 (has 2)"]),
        ([package("a-b", "1"), package("c", "1")], ["c 2 or 3 (has 1)"]),
        ([], ["a-b 1"]),
    ],
)
def test_what_a_lock_has_and_an_environment_has_not(packages: list[dict[str, Any]], said: list[str]) -> None:
    rows = [("a-b==1", "aa"), ("c==2 ; x < '1'", "bb"), ("c==3 ; x >= '1'", "cc")]
    lock = "".join(f"{pin} \\\n    --hash=sha256:{digest}\n" for pin, digest in rows)
    assert envs.missing(found(*packages), lock) == said


def test_a_container_is_asked_through_its_engine() -> None:
    place = envs.Place("/opt/venv/", "lab", "docker")
    assert place.command(place.python, stdin=True) == ["docker", "exec", "-i", "lab", "/opt/venv/bin/python"]
    assert envs.Place("/opt/venv", "", "docker").command("x") == ["x"]
