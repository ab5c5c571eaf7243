# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which source, branch and kernel modules: the ones that serve all GPUs, or a refusal with what would work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import boards
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import Nearest, RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.packages import Offer
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least, version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say

# The long-term branch, and the last one for Maxwell, Pascal and Volta: what is taken where every GPU can.
USUAL = 580


@dataclass(frozen=True)
class Picked:
    """A source, a branch and a flavour that go together. `wished`: the user named the branch."""

    offer: Offer
    branch: int
    modules: str
    wished: bool = False


def wanted(wishes: Wishes) -> int | None:
    """The branch that the user names, by itself or in an exact version."""
    return tables.branch_of(wishes.driver_version or wishes.driver_branch or None)


def pick(machine: Machine, wishes: Wishes, order: Sequence[Offer], others: Sequence[Offer]) -> Picked:
    """The first source of `order` that has what is wished. `others` are looked at for what would work instead."""
    refused: RefusedError | None = None
    for offer in order:
        try:
            return _from(machine, wishes, offer)
        except RefusedError as error:
            refused = refused or error
    if refused is None:
        raise ValueError("no source to pick from")
    found = [*refused.nearest, *_instead(machine, wishes, [*order, *others])]
    distinct = {tuple(sorted(map(str, near.vars.items()))): near for near in reversed(found)}
    raise RefusedError(refused.rung, refused.reason, list(reversed(list(distinct.values()))))


def check_modules(machine: Machine) -> Mapping[str, str]:
    """The flavours that some GPU insists on. Raises RefusedError where two GPUs exclude each other."""
    needed = boards.modules(machine)
    if len(needed) > 1:
        raise RefusedError(
            "driver_modules",
            say(
                "{old} works with the proprietary kernel modules only, {new} with the open ones only:"
                " no driver serves both",
                old=needed["proprietary"],
                new=needed["open"],
            ),
            [Nearest(say("take one of the two out of this machine, or give it to a virtual machine (vfio-pci)"))],
        )
    return needed


def _from(machine: Machine, wishes: Wishes, offer: Offer) -> Picked:
    """What one source has for the wishes. Raises RefusedError."""
    needed = check_modules(machine)
    _check_wished_modules(wishes, needed)
    branch = wanted(wishes)
    if branch is not None:
        _check_branch(machine, offer, branch)
        _check_version(machine, wishes, branch)
        modules = _modules(machine, wishes, offer, branch, needed)
        _check_fabric(machine, wishes, offer, branch)
        return Picked(offer, branch, modules, wished=True)
    refused: RefusedError | None = None
    for branch in _in_order(machine, offer):
        try:
            modules = _modules(machine, wishes, offer, branch, needed)
            _check_fabric(machine, wishes, offer, branch)
            return Picked(offer, branch, modules)
        except RefusedError as error:
            refused = refused or error
    raise refused or _nothing(machine, offer)


def _in_order(machine: Machine, offer: Offer) -> list[int]:
    """The branches of a source that serve all known boards and compile, best first."""
    ranks = {"supported": 0, "unconfirmed": 1}

    def rank(number: int) -> tuple[bool, int, int]:
        known = tables.driver_branch(number)
        state = ranks.get(known.state, 2) if known else 2
        # among those that get no fixes any more the newest is the least bad
        return number != USUAL, state, number if state < 2 else -number

    return sorted((b for b in _serving(machine, offer) if not offer.broken(b)), key=rank)


def _serving(machine: Machine, offer: Offer) -> list[int]:
    return [number for number in offer.branches if not boards.unserved(machine, number, offer.newest(number))]


def _nothing(machine: Machine, offer: Offer) -> RefusedError:
    """No branch of a source serves all boards: name the source's limits, or the boards that exclude each other."""
    for number in _serving(machine, offer):
        reason = say(
            "{place} has only branch {branch} for these GPUs, and its modules do not compile against the kernel of"
            " {system}",
            place=place(offer),
            branch=number,
            system=offer.system,
        )
        return RefusedError("driver_source", reason)
    first = max(machine.boards, key=lambda board: board.first_branch)
    ended = [board for board in machine.boards if board.last_branch is not None]
    last = min(ended, key=lambda board: board.last_branch or 0, default=None)
    if last is not None and (last.last_branch or 0) < first.first_branch:
        reason = say(
            "{new} needs branch {first} or newer, {old} branch {last} or older: no driver serves both",
            new=first.name,
            first=first.first_branch,
            old=last.name,
            last=last.last_branch,
        )
        return RefusedError("driver_branch", reason)
    served = next(
        (b for b in machine.boards if not any(boards.serves(b, n, offer.newest(n)) for n in offer.branches)), first
    )
    reason = say(
        "{place} has the branches {branches} for {system}, and none of them serves {name}",
        place=place(offer),
        branches=names(offer.branches),
        system=offer.system,
        name=served.name,
    )
    return RefusedError("driver_source", reason)


def _check_branch(machine: Machine, offer: Offer, branch: int) -> None:
    known = tables.table("drivers")["branches"]
    if branch not in known and branch < max(known):
        raise RefusedError("driver_branch", say("there is no branch {branch} of NVIDIA's driver", branch=branch))
    out = boards.unserved(machine, branch, offer.newest(branch))
    for board in out:
        raise RefusedError("driver_branch", why_unserved(board, branch))
    if not offer.has(branch):
        reason = say(
            "{place} does not have branch {branch} for {system}; it has {branches}",
            place=place(offer),
            branch=branch,
            system=offer.system,
            branches=names(offer.branches, 12),
        )
        raise RefusedError("driver_source", reason)


def why_unserved(board: tables.Gpu, branch: int) -> Text:
    """Why a branch is none for a board."""
    if board.last_branch is not None and branch > board.last_branch:
        return say(
            "{name} works with branch {last} at most; {branch} does not know it any more",
            name=board.name,
            last=board.last_branch,
            branch=branch,
        )
    oldest = boards.floor(board)
    if oldest is not None and tables.branch_of(oldest) == branch:
        return say(
            "{name} needs driver {oldest} or newer, which this source does not have in branch {branch}",
            name=board.name,
            oldest=oldest,
            branch=branch,
        )
    return say(
        "{name} needs branch {first} or newer; {branch} does not know it yet",
        name=board.name,
        first=board.first_branch,
        branch=branch,
    )


def _check_version(machine: Machine, wishes: Wishes, branch: int) -> None:
    oldest = boards.floor_of(machine.boards, branch)
    if not wishes.driver_version or oldest is None or version_at_least(wishes.driver_version, oldest):
        return
    board = next(board for board in machine.boards if boards.floor(board) == oldest)
    fixed = tables.driver_branch(branch)
    better = fixed.security_floor if fixed and fixed.security_floor else oldest
    version = max(oldest, better, key=version_key)
    raise RefusedError(
        "driver_version",
        say(
            "{name} needs driver {oldest} or newer; nvidia_driver_version is {version}",
            name=board.name,
            oldest=oldest,
            version=wishes.driver_version,
        ),
        [Nearest(say("driver {version}", version=version), {"nvidia_driver_version": version})],
    )


def only(gpu: str, flavour: str) -> Text:
    """That a GPU insists on a flavour of the modules."""
    if flavour == "open":
        return say("{gpu} works with the open kernel modules only", gpu=gpu)
    return say("{gpu} works with the proprietary kernel modules only", gpu=gpu)


def _check_wished_modules(wishes: Wishes, needed: Mapping[str, str]) -> None:
    for flavour, gpu in needed.items():
        if wishes.driver_modules not in ("auto", flavour):
            raise RefusedError("driver_modules", only(gpu, flavour))


def _modules(machine: Machine, wishes: Wishes, offer: Offer, branch: int, needed: Mapping[str, str]) -> str:
    """The flavour of the kernel modules. Raises RefusedError where wish, boards and source do not agree."""
    there = offer.flavours(branch)
    wish = wishes.driver_modules
    allowed = [flavour for flavour in there if flavour in (needed or there) and wish in ("auto", flavour)]
    if not allowed:
        reason = say(
            "{place} has branch {branch} without the kernel modules that are needed here ({flavour})",
            place=place(offer),
            branch=branch,
            flavour=wish if wish != "auto" else next(iter(needed)),
        )
        raise RefusedError("driver_modules", reason)
    if len(allowed) == 1:
        return allowed[0]
    return "open" if boards.prefers_open(machine, branch) else "proprietary"


def has_fabric(machine: Machine, wishes: Wishes, offer: Offer, branch: int) -> bool:
    """Whether a source has what the machine's NVLink switches need; true of a machine that needs nothing."""
    switch = machine.switch or ("nvswitch" if wishes.fabric_manager == "present" else None)
    return switch is None or wishes.fabric_manager == "absent" or offer.fabric(switch, branch, machine.arch) is not None


def _check_fabric(machine: Machine, wishes: Wishes, offer: Offer, branch: int) -> None:
    if has_fabric(machine, wishes, offer, branch):
        return
    reason = say(
        "{place} does not have all that the NVLink switches of this machine need (fabric manager and its companions)",
        place=place(offer),
    )
    raise RefusedError("fabric_manager", reason)


def place(offer: Offer) -> Text:
    return say("NVIDIA's repository") if offer.source == "nvidia" else say("the distribution's archive")


def _instead(machine: Machine, wishes: Wishes, offers: Sequence[Offer]) -> list[Nearest]:
    """What would work: the same branch from another source, then free choices of every source."""
    free = replace(wishes, driver_branch="", driver_version="", driver_modules="auto")
    tries = [replace(wishes, driver_modules="auto"), replace(free, driver_modules=wishes.driver_modules), free]
    found = []
    for wish in tries:
        for offer in offers:
            try:
                picked = _from(machine, wish, offer)
            except RefusedError:
                continue
            found.append(near(picked))
    return found


def near(picked: Picked) -> Nearest:
    """A working choice as the inputs that make it."""
    inputs: dict[str, Any] = {
        "nvidia_driver_source": picked.offer.source,
        "nvidia_driver_branch": str(picked.branch),
        "nvidia_driver_modules": picked.modules,
    }
    text = say(
        "branch {branch} with {modules} kernel modules from {place}",
        branch=picked.branch,
        modules=flavour_text(picked.modules),
        place=place(picked.offer),
    )
    return Nearest(text, inputs)


def flavour_text(modules: str) -> Text:
    return say("open") if modules == "open" else say("proprietary")
