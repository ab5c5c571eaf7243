# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs that programs on a machine will compute on, with what decides which code runs on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables, tiers
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# where the driver is somebody else's, and what it gives is what there is
GIVEN = ("rented", "wsl2")


@dataclass(frozen=True)
class Card:
    """A GPU by its name. `capability` is '8.9', or None where neither the tables nor CUDA tell it.

    maybe_old: an unknown GPU whose id lies among those from before Turing.
    """

    name: str
    capability: str | None
    maybe_old: bool = False

    @property
    def short(self) -> str:
        return self.name.removeprefix("NVIDIA ").removeprefix("GeForce ")

    def __str__(self) -> str:
        return f"{self.short} (sm {self.capability})" if self.capability else self.short


def read(machine: Machine, facts: View) -> tuple[Card, ...] | None:
    """The GPUs of a machine, without those of its virtual machines; None where the snapshot does not tell."""
    try:
        found = tiers.found_gpus(facts)
        if not found and _probe_failed(facts):
            return None
    except UnmeasuredError:
        return None
    told = _told_by_cuda(facts)
    if machine.platform in GIVEN:
        return tuple(_card(str(gpu), gpu.device, gpu.name, told) for gpu in found)
    return tuple(_card(gpu.name, gpu.device, None, told) for gpu in machine.served)


def of_machine(machine: Machine) -> tuple[Card, ...]:
    """The GPUs as far as the machine alone tells them: without the driver's own words."""
    return tuple(_card(gpu.name, gpu.device, None, {}) for gpu in machine.served)


def capabilities(cards: Sequence[Card]) -> tuple[str, ...]:
    """The known compute capabilities, each once."""
    return tuple(dict.fromkeys(card.capability for card in cards if card.capability is not None))


def named(cards: Sequence[Card]) -> Text:
    """GPUs in words, each model once."""
    return say("{gpus}", gpus=list(dict.fromkeys(map(str, cards))))


def _card(name: str, device: str | None, driver_name: str | None, told: Mapping[str, str]) -> Card:
    board = tables.gpu(device) or _by_name().get(driver_name or name)
    if board is not None:
        return Card(board.name, board.compute_capability)
    return Card(name, told.get(name), name not in told and _before_turing(device))


def _before_turing(device: str | None) -> bool:
    """pci.ids: no GPU from before Turing has an id of 1e00 or higher."""
    try:
        return int(device or "", 16) < 0x1E00
    except ValueError:
        return True


@cache
def _by_name() -> Mapping[str, tables.Gpu]:
    """Boards by the name that the driver gives them: WSL2 shows no PCI ids."""
    boards = [tables.gpu(device) for device in tables.gpu_ids()]
    return {board.name: board for board in boards if board is not None}


def _told_by_cuda(facts: View) -> dict[str, str]:
    """Name -> compute capability, of GPUs that CUDA has seen."""
    try:
        devices = facts.views("cuda.devices")
    except UnmeasuredError:
        return {}
    pairs = [(device.text_or_none("name"), device.text_or_none("compute_capability")) for device in devices]
    return {name: capability for name, capability in pairs if name and capability and _is_capability(capability)}


def _is_capability(text: str) -> bool:
    major, dot, minor = text.partition(".")
    return bool(dot) and major.isdecimal() and minor.isdecimal()


def _probe_failed(facts: View) -> bool:
    """Whether the bus could not be read: the list is then empty, and means nothing."""
    status = facts.text_or_none("probes.pci.status")
    return status is not None and status != "ok"
