# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""torch and Python environments by their files."""

from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import torch_files
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "version", "cuda"),
    [
        (
            "__version__ = '2.9.0+cu130'\ndebug = False\ncuda: Optional[str] = '13.0'\nhip = None\n",
            "2.9.0+cu130",
            "13.0",
        ),
        ("__version__ = '2.9.0+cpu'\ncuda: Optional[str] = None\n", "2.9.0+cpu", None),
        ('__version__ = "1.13.1"\ncuda = "11.7"\n', "1.13.1", "11.7"),
        (
            "__version__ = '2.9.0+rocm6.4'\ncuda: Optional[str] = None\nhip: Optional[str] = '6.4'\n",
            "2.9.0+rocm6.4",
            None,
        ),
        ("not_cuda = '1'\n", None, None),
    ],
)
def test_version_files(text: str, version: str | None, cuda: str | None) -> None:
    assert torch_files.torch_version_file(text) == {"version": version, "cuda": cuda}


def test_packages_by_their_folders() -> None:
    names = ["torch-2.9.0+cu130.dist-info", "torchvision-0.24.0.dist-info", "Jupyter_Server-2.1.dist-info", "torch"]
    assert torch_files.dist_info_version(names, "torch") == "2.9.0+cu130"
    assert torch_files.dist_info_version(names, "jupyter-server") == "2.1"
    assert torch_files.dist_info_version(["old-1.0-py3.11.egg-info"], "old") == "1.0"
    assert torch_files.dist_info_version(names, "jupyterlab") is None


def test_conda_records() -> None:
    names = ["history", "pytorch-cuda-12.4-hc786d27_7.json", "pytorch-2.5.1-py3.12_cuda12.4_cudnn9.1.0_0.json"]
    assert torch_files.conda_record(names, "pytorch") == ("2.5.1", "py3.12_cuda12.4_cudnn9.1.0_0")
    assert torch_files.conda_record(["pytorch-2.9.0-cpu_generic_py312_h1_0.json"], "pytorch") == (
        "2.9.0",
        "cpu_generic_py312_h1_0",
    )
    assert torch_files.conda_record(["python-dateutil-2.9.0-x_0.json"], "python") is None


def test_pyvenv() -> None:
    assert torch_files.pyvenv_config("home = /usr/bin\nUV = 0.13\nnoise\n") == {"home": "/usr/bin", "uv": "0.13"}


@given(st.text(), st.lists(st.text()))
def test_any_text_is_taken(text: str, names: list[str]) -> None:
    torch_files.torch_version_file(text)
    torch_files.pyvenv_config(text)
    torch_files.dist_info_version(names, "torch")
    torch_files.conda_record(names, "pytorch")
