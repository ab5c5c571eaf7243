# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tier of the policy's table a machine is, and what it is good for. The rows are in data/tiers.yml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, render, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

NVIDIA = "10de"


@dataclass(frozen=True)
class Found:
    """One GPU of a machine: its PCI id or the driver's name for it, and its memory. None: not known."""

    device: str | None
    name: str | None
    memory_mib: int | None

    def __str__(self) -> str:
        board = tables.gpu(self.device)
        return str(self.name or (board.name if board else None) or self.device or "GPU")


@dataclass(frozen=True)
class Match:
    """How a machine compares with a tier: the answer, what the tier wants and what is there."""

    fits: bool
    wanted: Text
    found: Text

    def __bool__(self) -> bool:
        return self.fits


def tier_ids() -> tuple[str, ...]:
    return tuple(_tiers())


def tier_title(tier_id: str) -> Text:
    """Raises KeyError for an unknown tier, as all functions here that take one."""
    return Text(_tiers()[tier_id]["title"])


def tier_policy(tier_id: str) -> Mapping[str, Any]:
    """The policy keys that a tier sets."""
    policy: Mapping[str, Any] = _tiers()[tier_id]["policy"]
    return policy


def tier_of(facts: View) -> dict[str, Any] | None:
    """The tier that the GPUs of the snapshot make; None where no row fits or the GPUs are not known."""
    for tier_id in _tiers():
        try:
            if match(tier_id, facts):
                return _as_dict(tier_id)
        except UnmeasuredError:
            return None
    return None


def matches(tier_id: str, facts: View) -> bool:
    return match(tier_id, facts).fits


def match(tier_id: str, facts: View) -> Match:
    """Holds a machine against a tier. Raises UnmeasuredError where the snapshot does not tell."""
    row = _tiers()[tier_id]
    wsl = facts.flag("virt.wsl")
    gpus = found_gpus(facts)
    fits = wsl == row["wsl"] and len(gpus) == row["count"] and all(_belongs(gpu, row) for gpu in gpus)
    return Match(fits, Text(row["title"]), describe(gpus, wsl))


def found_gpus(facts: View) -> list[Found]:
    """The NVIDIA GPUs of a machine. Raises UnmeasuredError where the snapshot does not tell.

    On a host the PCI bus says what is there, even where the driver is missing or has lost one. A container and WSL2
    have what the driver gives them: a container sees the whole bus of its host, WSL2 sees no NVIDIA device on its own.
    """
    in_driver = facts.text("scope") == "container" or facts.flag("virt.wsl")
    if not in_driver:
        return [_on_bus(gpu, facts) for gpu in facts.views("pci.gpus") if gpu.text("vendor") == NVIDIA]
    gpus = facts.views("gpus")
    if not gpus and _hidden(facts):
        raise UnmeasuredError("gpus")
    devices = _devices(facts)
    return [_from_driver(gpu, devices.get(gpu.text_or_none("bdf") or "")) for gpu in gpus]


def describe(gpus: list[Found], wsl: bool) -> Text:
    """What a machine has, in words."""
    counted = Counter(str(gpu) for gpu in gpus)
    what: list[Text] = [say("{count} x {name}", count=count, name=name) for name, count in counted.items()]
    if not what:
        return say("no NVIDIA GPU, under WSL2") if wsl else say("no NVIDIA GPU")
    return say("{gpus}, under WSL2", gpus=what) if wsl else say("{gpus}", gpus=what)


def _tiers() -> Mapping[str, Mapping[str, Any]]:
    rows: Mapping[str, Mapping[str, Any]] = tables.table("tiers")["tiers"]
    return rows


def _as_dict(tier_id: str) -> dict[str, Any]:
    said: dict[str, Any] = {"id": tier_id}
    for key in ("title", "good_for"):
        text = Text(_tiers()[tier_id][key])
        said[key] = render(text, "en")
        said[f"{key}_zh"] = render(text, "zh")
    return said


def _belongs(gpu: Found, row: Mapping[str, Any]) -> bool:
    """A GPU of the row's models with enough memory: a slice of one, or a smaller version, is not of the tier."""
    if gpu.device is not None and tables.gpu(gpu.device) is not None:
        known = gpu.device in row["devices"]
    else:
        name = (gpu.name or "").removeprefix("NVIDIA ").removeprefix("GeForce ")
        known = name in row["names"]
    board = tables.gpu(gpu.device)
    memory = gpu.memory_mib if gpu.memory_mib is not None else (board.memory_mib if board else None)
    return known and memory is not None and memory >= row["memory_min_mib"]


def _hidden(facts: View) -> bool:
    """Whether there may be GPUs that the driver could not show."""
    if facts.is_true("driver.smi.present") and facts.integer_or_none("driver.smi.rc") != 0:
        return True
    return bool(_devices(facts))


def _devices(facts: View) -> dict[str, str]:
    """PCI id by bus address, as far as the snapshot tells."""
    try:
        gpus = [gpu for gpu in facts.views("pci.gpus") if gpu.text_or_none("vendor") == NVIDIA]
    except UnmeasuredError:
        return {}
    return {gpu.text_or_none("bdf") or "": gpu.text_or_none("device") or "" for gpu in gpus}


def _on_bus(gpu: View, facts: View) -> Found:
    try:
        drivers = [item for item in facts.views("gpus") if item.text_or_none("bdf") == gpu.text("bdf")]
    except UnmeasuredError:
        drivers = []
    name = drivers[0].text_or_none("name") if drivers else None
    memory = drivers[0].integer_or_none("memory_total_mib") if drivers else None
    return Found(gpu.text("device"), name, memory)


def _from_driver(gpu: View, device: str | None) -> Found:
    return Found(device or None, gpu.text("name"), gpu.integer_or_none("memory_total_mib"))
