# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the boards of a machine allow: branches, the oldest version, kernel modules. Facts: data/gpus.yml."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import GpuFound, Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least, version_key

# NVIDIA gives ids roughly in the order of the chips: the open modules begin with Turing (1e00), and nothing else serves
# Blackwell (from 2900 on). Source: README of NVIDIA/open-gpu-kernel-modules and pci.ids.
_FIRST_OPEN = 0x1E00
_OPEN_ONLY = 0x2900
# Before this branch the open modules served GeForce and workstation boards only with a setting of their own,
# NVreg_OpenRmEnableUnsupportedGpus=1 (README of open-gpu-kernel-modules 535).
OPEN_FOR_ALL = 545


def floor(board: tables.Gpu) -> str | None:
    """The first version that knows a board, where it is not the first one of its branch."""
    row = tables.table("gpus")["boards"][board.board][board.device]
    version: str | None = row.get("min_version")
    return version


def floor_of(boards: Iterable[tables.Gpu], branch: int) -> str | None:
    """The oldest version of a branch that knows all boards; None where the whole branch does."""
    floors = [found for found in map(floor, boards) if found and tables.branch_of(found) == branch]
    return max(floors, key=version_key, default=None)


def serves(board: tables.Gpu, branch: int, newest: str | None) -> bool:
    """Whether a branch, with its newest version, knows a board."""
    if branch < board.first_branch or (board.last_branch is not None and branch > board.last_branch):
        return False
    oldest = floor(board)
    return oldest is None or tables.branch_of(oldest) != branch or newest is None or version_at_least(newest, oldest)


def unserved(machine: Machine, branch: int, newest: str | None) -> list[tables.Gpu]:
    """The known boards that a branch does not serve, each model once."""
    return [board for board in dict.fromkeys(machine.boards) if not serves(board, branch, newest)]


def unknown(machine: Machine) -> list[GpuFound]:
    """The GPUs whose ids are in no table, and that are not from before Maxwell."""
    return [gpu for gpu in machine.served if gpu.board is None and not tables.too_old(gpu.device)]


def too_old(machine: Machine) -> list[GpuFound]:
    return [gpu for gpu in machine.served if tables.too_old(gpu.device)]


def modules(machine: Machine) -> dict[str, str]:
    """Flavour of kernel modules -> a GPU that cannot do with the other one. {}: both serve; two: none serves all."""
    needed: dict[str, str] = {}
    for gpu in machine.served:
        if gpu.board is not None and gpu.board.modules != "either":
            needed.setdefault(gpu.board.modules, gpu.name)
        elif gpu.board is None and not tables.too_old(gpu.device):
            guess = _guess(gpu.device)
            if guess is not None:
                needed.setdefault(guess, gpu.name)
    return needed


def _guess(device: str | None) -> str | None:
    """What an unknown id most likely needs."""
    try:
        number = int(device or "", 16)
    except ValueError:
        return None
    if number < _FIRST_OPEN:
        return "proprietary"
    return "open" if number >= _OPEN_ONLY else None


def prefers_open(machine: Machine, branch: int) -> bool:
    """Whether the open modules of a branch serve all boards without a setting of their own."""
    ids = [gpu.device for gpu in machine.served if gpu.board is None and not tables.too_old(gpu.device)]
    if any(device is None for device in ids):
        return False
    return branch >= OPEN_FOR_ALL or (not ids and all(board.board == "datacenter" for board in machine.boards))
