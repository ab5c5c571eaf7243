# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Will a container keep its NVIDIA devices, has it lost them, and which rights does it lack? Pure.

Two things decide (reference: losing the GPU at daemon-reload, executed with runc, systemd and the kernel):

- systemd's list, DevicePolicy and DeviceAllow of the scope. systemd turns it into a device program of its own at the
  next daemon-reload (252), or at the next unit start in the slice after one (257). What is not in it is lost then.
- the device programs that the kernel asks now. The engine's own, which the prestart hook may have widened, stays
  beside systemd's; all of them must say yes. So rights that are added to systemd's list give a container nothing that
  its engine or hook did not give it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes import instructions
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes.nodes import Node
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes.programs import SYSTEMD, Program
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.device_rules import systemd_allows

Number = tuple[int, int]
# what libnvidia-container grants; the right to make nodes (m) is not needed to use one
ACCESS = "rw"
# Documentation/admin-guide/devices.txt: 195 is NVIDIA's; the others are given out when the modules are loaded
_MAJOR = 195
_NVIDIA = re.compile(r"/dev/nvidia[^/]*|/dev/nvidia-caps(?:-imex-channels)?/[^/]+")

UNSEEN = "whether the kernel denies something now could not be read"


@dataclass(frozen=True)
class Machine:
    """What the host says of numbers: majors by /proc/devices, and the number behind a path of the host's /dev."""

    majors: Mapping[int, str]
    number_of: Callable[[str], tuple[str, int, int] | None]
    own: Collection[Number] = ()

    def is_nvidia(self, node: Node) -> bool:
        """A root user in a container may make any node under any name: the number must be NVIDIA's, too."""
        if node.kind != "char" or not _NVIDIA.fullmatch(node.path):
            return False
        known = node.major == _MAJOR or self.majors.get(node.major, "").startswith("nvidia")
        return known or node.number in self.own


@dataclass(frozen=True)
class Rules:
    """What decides about one container. `entries`: systemd's DeviceAllow; programs are None where they cannot be read.

    `own` are the programs of the container's own group, `effective` all that the kernel asks.
    """

    policy: str | None
    entries: Sequence[str]
    own: Sequence[Program] | None
    effective: Sequence[Program] | None


@dataclass(frozen=True)
class Judgement:
    """What is wrong with a container's devices; everything empty if nothing is."""

    missing: list[Node] = field(default_factory=list)  # NVIDIA's that systemd's list lacks
    others: list[Node] = field(default_factory=list)  # other devices that it lacks, too
    denied: list[Node] = field(default_factory=list)  # NVIDIA's that the kernel denies now
    forbidden: list[Node] = field(default_factory=list)  # NVIDIA's that engine and hook never allowed
    given: bool = True  # whether engine or hook allowed any of NVIDIA's

    @property
    def add(self) -> list[str]:
        """The entries for DeviceAllow, one for each number."""
        return list(dict.fromkeys(f"{node.spec} {ACCESS}" for node in [*self.missing, *self.others]))


def nvidia_nodes(nodes: Sequence[Node], machine: Machine) -> list[Node]:
    return [node for node in nodes if machine.is_nvidia(node)]


def judge(nodes: Sequence[Node], rules: Rules, machine: Machine) -> Judgement:
    """Judge a container whose group is a scope of PID 1's systemd, with control groups of version 2."""
    theirs = None if rules.own is None else [program for program in rules.own if program.name != SYSTEMD]
    entries = by_number(rules.entries, machine)

    def lacks(node: Node) -> bool:
        majors = machine.majors if node.kind == "char" else {}
        return not systemd_allows(rules.policy, entries, "", node.number, majors, node.kind)

    nvidia = nvidia_nodes(nodes, machine)
    forbidden = [node for node in nvidia if not _granted(theirs, node)]
    granted = [node for node in nvidia if node not in forbidden]
    missing = [node for node in granted if lacks(node)]
    # A change of the list takes effect at once. What else the engine gave, and systemd does not know of (runc 1.1.3 to
    # 1.1.6 without /dev/char), would go with it: so it is added, too. Without programs nobody can say what was given.
    rest = [node for node in nodes if node not in nvidia] if missing and theirs else []
    others = [node for node in rest if lacks(node) and _granted(theirs, node)]
    denied = [node for node in granted if is_denied(rules.effective, node)]
    return Judgement(missing, others, denied, forbidden, bool(granted))


def by_number(entries: Sequence[str], machine: Machine) -> list[str]:
    """DeviceAllow with every path written by its number, as systemd takes it; paths that are not there are left out."""
    found = []
    for entry in entries:
        specifier, _blank, access = entry.strip().partition(" ")
        if specifier.startswith("/") and not re.match(r"/dev/(?:char|block)/\d+:\d+$", specifier):
            number = machine.number_of(specifier)
            if number is None:
                continue
            specifier = "/dev/{}/{}:{}".format(*number)
        found.append(f"{specifier} {access}".strip())
    return found


def _granted(programs: Sequence[Program] | None, node: Node) -> bool:
    """Whether engine or hook let the node be used. True where that cannot be read, or nothing is attached."""
    if not programs:
        return True
    return any(_answer(program, node) is not False for program in programs)


def is_denied(programs: Sequence[Program] | None, node: Node) -> bool:
    """Whether the kernel denies the node now; false where that cannot be told."""
    return any(_answer(program, node) is False for program in programs or ())


def _answer(program: Program, node: Node) -> bool | None:
    return instructions.allows(program.code, node.kind, node.major, node.minor)
