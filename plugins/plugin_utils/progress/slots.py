# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's own objects tell of a play before it runs: tasks in blocks in blocks, and its variables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.state import Plan, Slot
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.titles import key_of, task_title


def walk(block: Any, meta: Collection[str]) -> Iterator[Any]:
    """The tasks of a block in their order, without `meta`, and without those of its rescue, which are for bad days."""
    for entry in [*block.block, *block.always]:
        if hasattr(entry, "rescue"):
            yield from walk(entry, meta)
        elif not entry.implicit and entry.action not in meta:
            yield entry


def step_of(task: Any) -> str:
    """The outermost thing with a name that a task belongs to: the import of a role, a block, the role itself."""
    # a role that is included is a step of its own; what it does is not known yet
    found = task.name if str(task.action).rpartition(".")[2] == "include_role" else ""
    parent = task._parent
    while parent is not None:
        found = parent.name or found
        parent = parent._parent
    if not found and task._role is not None:
        found = task._role.get_name()
    return task_title(found)


def slots_of(blocks: list[Any], meta: Collection[str]) -> tuple[list[Slot], list[str]]:
    """What is known of a play before it runs: its tasks, and the steps that they belong to."""
    slots: list[Slot] = []
    steps: list[str] = []
    times: dict[str, int] = {}
    for block in blocks:
        for task in walk(block, meta):
            step = step_of(task) or "Tasks"
            if not steps or steps[-1] != step:
                steps.append(step)
            key = key_of(task)
            times[key] = times.get(key, 0) + 1
            # a role may be taken twice in a play
            slots.append(Slot(task._uuid, key if times[key] == 1 else f"{key}#{times[key]}", len(steps) - 1))
    return slots, steps


def plan_of(
    name: str,
    blocks: list[Any],
    variables: Mapping[str, Any],
    place: tuple[int, int],
    forks: int,
    strategy: str,
    meta: Collection[str],
) -> Plan:
    """A play as it begins. place: which play it is, of how many. meta: actions that are no work."""
    slots, steps = slots_of(blocks, meta)
    return Plan(
        name=name,
        hosts=tuple(variables.get("ansible_play_batch") or ()),
        slots=tuple(slots),
        steps=tuple(steps),
        number=place[0],
        of=place[1],
        all_hosts=tuple(variables.get("ansible_play_hosts_all") or ()),
        forks=forks,
        free=strategy.rpartition(".")[2] in ("free", "host_pinned"),
    )
