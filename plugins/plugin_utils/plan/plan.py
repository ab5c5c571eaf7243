# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole plan of a machine as plain data: choices with reasons, or the refusal of what cannot work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import cards as gpus
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import driver as drivers
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import machine as machines
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import software
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import GpuFound, Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import Choice, Nearest, RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, render, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

PLAN_SCHEMA = "gpuready.plan/1"
# the rungs above the driver
SOFTWARE = ("image", "torch", "torch_archs", "torch_index", "python")
# too long for a plan, or kept for people elsewhere in it
_LEFT_OUT = ("installed", "made", "stays")


def make_plan(snapshot: Mapping[str, Any], wishes: Wishes, host: str = "") -> dict[str, Any]:
    """Plan a machine. Never raises on a snapshot with holes; what cannot be planned safely is a refusal."""
    facts = View(snapshot)
    machine = machines.read(facts)
    cards = gpus.read(machine, facts)
    choices: list[Choice] = []
    notes = _notes(machine)
    driver, refusal = None, None
    try:
        _hold_known(machine, cards)
        driver = drivers.choose(machine, wishes, choices)
        for step in software.steps(machine, driver, wishes, facts, cards):
            if isinstance(step, Choice):
                choices.append(step)
            else:
                notes.append(step)
    except RefusedError as error:
        refusal = _refusal(_that_work(error, machine, wishes), host)
    return {
        "schema": PLAN_SCHEMA,
        "host": host,
        "collected_at": facts.text_or_none("collected_at"),
        "simulated": machine.simulated,
        "machine": _machine(machine, cards),
        "driver": None if driver is None else _plain(driver),
        "choices": [choice.as_dict() for choice in choices],
        "refusal": refusal,
        "notes": [_both("text", note) for note in notes],
    }


def choice(plan: Mapping[str, Any], choice_id: str) -> Any:
    """The value of one choice; None where the plan has none of that id, or nothing is needed."""
    return next((item["value"] for item in plan["choices"] if item["id"] == choice_id), None)


def _hold_known(machine: Machine, cards: tuple[gpus.Card, ...] | None) -> None:
    """No GPU and an unread GPU are not the same: on the latter nothing can be planned."""
    if machine.platform == "jetson" or cards is not None:
        return
    read = Nearest(say("read the machine again as root, with the sections pci and gpus"))
    if machine.platform in gpus.GIVEN:
        read = Nearest(say("make nvidia-smi answer, then read the machine again"))
    raise RefusedError("gpus", say("the snapshot does not tell which GPUs are here"), [read])


def _notes(machine: Machine) -> list[Text]:
    found = []
    if machine.simulated:
        found.append(say("the GPUs of this machine are simulated"))
    strange = [f"{gpu.bdf} (10de:{gpu.device or '????'})" for gpu in machine.served if gpu.board is None]
    if strange:
        found.append(say("{gpus}: no board of our table; the plan takes the safest for it", gpus=strange))
    return found


def _that_work(error: RefusedError, machine: Machine, wishes: Wishes) -> RefusedError:
    """Without another driver branch that this machine cannot go to."""

    def works(nearest: Nearest) -> bool:
        branch = nearest.vars.get("nvidia_driver_branch")
        if error.rung not in SOFTWARE or branch is None:
            return True
        other = replace(wishes, driver_branch=branch, driver_version="", driver_allow_change=True)
        try:
            drivers.choose(machine, other)
        except RefusedError:
            return False
        return True

    return RefusedError(error.rung, error.reason, [nearest for nearest in error.nearest if works(nearest)])


def _refusal(error: RefusedError, host: str) -> dict[str, Any]:
    message = _both("message", _message(error, host))
    return {**error.as_dict(), **{name: _one_line(text) for name, text in message.items()}}


def _one_line(text: str) -> str:
    """Names in a message may be foreign, and hold line breaks or terminal controls."""
    return "".join(char if char.isprintable() else " " for char in text)


def _message(error: RefusedError, host: str) -> Text:
    """One sentence: what is wished and cannot work, and what would."""
    values: dict[str, Any] = {"host": host or say("this machine"), "reason": error.reason}
    if not error.nearest:
        return say("{host} is not planned: {reason}. Nothing was changed.", **values)
    works = [nearest.with_vars() for nearest in error.nearest]
    if len(works) == 1:
        return say(
            "{host} is not planned: {reason}; what works: {works}. Nothing was changed.", works=works[0], **values
        )
    return say(
        "{host} is not planned: {reason}; what works: {works}, or {last}. Nothing was changed.",
        works=works[:-1],
        last=works[-1],
        **values,
    )


def _machine(machine: Machine, cards: tuple[gpus.Card, ...] | None) -> dict[str, Any]:
    """`cards`: the GPUs that programs compute on; None where they are not known."""
    known = None if cards is None else [{"name": each.name, "compute_capability": each.capability} for each in cards]
    return {**_plain(machine), "cards": known}


def _plain(value: Any) -> Any:
    """Data of ours as JSON holds it."""
    if isinstance(value, GpuFound):
        return {**_gpu(value.board), "bdf": value.bdf, "device": value.device, "name": value.name,
                "passthrough": value.passthrough}  # fmt: skip
    if isinstance(value, Text):
        return _both("text", value)
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value) if item.name not in _LEFT_OUT}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _gpu(board: tables.Gpu | None) -> dict[str, Any]:
    if board is None:
        return {"known": False, "architecture": None, "compute_capability": None}
    return {"known": True, "architecture": board.architecture, "compute_capability": board.compute_capability}


def _both(name: str, text: Text) -> dict[str, str]:
    return {name: str(render(text, "en")), f"{name}_zh": str(render(text, "zh"))}
