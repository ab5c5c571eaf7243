# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Matrices and links, as nvidia-smi prints them."""

from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import topology
from hypothesis import given
from hypothesis import strategies as st

# the first line is underlined even when the output is no terminal
MATRIX = (
    "\t\x1b[4mGPU0\tGPU1\tNIC0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\x1b[0m\n"
    "GPU0\t X \tNV12\tPXB\t0-63\t0\t\tN/A\n"
    "GPU1\tNV12\t X \tSYS\t64-127\t1\t\tN/A\n"
    "NIC0\tPXB\tSYS\t X \t\t\t\t\n"
    "\nLegend:\n\n  X    = Self\n\nNIC Legend:\n\n  NIC0: mlx5_0\n"
)
P2P = " \tGPU0\tGPU1\t\n GPU0\tX\tCNS\t\n GPU1\tCNS\tX\t\n\nLegend:\n\n  X    = Self\n  CNS  = Chipset not supported\n"


def test_matrix_leaves_out_what_is_no_device() -> None:
    assert topology.matrix(MATRIX) == {
        "labels": ["GPU0", "GPU1", "NIC0"],
        "rows": [["X", "NV12", "PXB"], ["NV12", "X", "SYS"], ["PXB", "SYS", "X"]],
    }


def test_one_gpu() -> None:
    text = "\t\x1b[4mGPU0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\x1b[0m\nGPU0\t X \t0-23\t0\t\tN/A\n"
    assert topology.matrix(text) == {"labels": ["GPU0"], "rows": [["X"]]}


def test_p2p() -> None:
    assert topology.p2p(P2P) == {"labels": ["GPU0", "GPU1"], "read": [["X", "CNS"], ["CNS", "X"]]}


def test_blanks_in_the_place_of_tabs() -> None:
    text = "        GPU0    GPU1\n GPU0   X       OK\n GPU1   OK      X\nLegend:\n"
    assert topology.p2p(text) == {"labels": ["GPU0", "GPU1"], "read": [["X", "OK"], ["OK", "X"]]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ERROR: Option -m is missing its value. Please run 'nvidia-smi -h' for help.\n",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
        MATRIX.replace("GPU1\tNV12", "XXXX\tNV12"),
        "Legend:\n" + MATRIX,
        "\tGPU0\tGPU1\nGPU0\tX\n",
    ],
)
def test_no_matrix(text: str) -> None:
    assert topology.matrix(text) is None


def links(count: int, inactive: int = 0) -> str:
    lines = [f"\t Link {number}: 26.562 GB/s" for number in range(count)]
    return "\n".join(lines[: count - inactive] + [f"\t Link {number}: <inactive>" for number in range(inactive)]) + "\n"


def test_links() -> None:
    text = f"GPU 0: NVIDIA H100 (UUID: GPU-1)\n{links(18)}GPU 1: NVIDIA H100 (UUID: GPU-2)\n{links(18, 1)}"
    assert topology.nvlink(text) == (
        [{"index": 0, "active": 18, "inactive": 0}, {"index": 1, "active": 17, "inactive": 1}],
        None,
    )


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Device does not have or support Nvlink", None),
        ("Nvlink queries are not supported for Devices in MIG mode", None),
        (
            "NVML: Unable to retrieve Nvlink information as all links are inActive",
            [{"index": 6, "active": 0, "inactive": 0}],
        ),
        (
            "NVML: Unable to retrieve NVLink information as all links are inactive",
            [{"index": 6, "active": 0, "inactive": 0}],
        ),
    ],
)
def test_messages_in_the_place_of_links(line: str, found: list[dict[str, int]] | None) -> None:
    assert topology.nvlink(f"GPU 6: NVIDIA A100-SXM4-80GB (UUID: GPU-1)\n{line}\n") == (found, line)


def test_one_gpu_in_mig_mode_among_others() -> None:
    text = (
        f"GPU 0: A (UUID: x)\n{links(2)}GPU 1: A (UUID: y)\nNvlink queries are not supported for Devices in MIG mode\n"
    )
    assert topology.nvlink(text) == (
        [{"index": 0, "active": 2, "inactive": 0}],
        "Nvlink queries are not supported for Devices in MIG mode",
    )


@given(st.text(), st.integers(0, 200), st.integers(0, 200))
def test_damage_never_raises(noise: str, start: int, end: int) -> None:
    for text in (MATRIX, P2P, f"GPU 0: A (UUID: x)\n{links(3, 1)}"):
        broken = text[:start] + noise + text[end:]
        found = topology.matrix(broken)
        assert found is None or {len(row) for row in found["rows"]} == {len(found["labels"])}
        topology.p2p(broken)
        topology.nvlink(broken)
