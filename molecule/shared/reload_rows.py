# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix: ways by which a container gets its GPU, and which nodes each host takes away from it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

# Docker 26, runc 1.1.15, systemd 257 · Docker 20.10, runc 1.1.5, systemd 252 · the same on a cgroup v1 tree
TRIXIE, BOOKWORM, BOOKWORM_V1 = "mol-reload", "mol-reload-12", "mol-reload-12-v1"
HOSTS = (TRIXIE, BOOKWORM, BOOKWORM_V1)
V2 = (TRIXIE, BOOKWORM)
NODES = ("nvidia-uvm", "nvidia-uvm-tools", "nvidia0", "nvidiactl")
# CUDA does not need it: gpu_facts leaves it out, device_rules does not
OPTIONAL = "nvidia-uvm-tools"
NONE: tuple[str, ...] = ()
GPUS = "--gpus all"
RUNTIME = "--runtime nvidia -e NVIDIA_VISIBLE_DEVICES=all"
CARD = "--device /dev/nvidiactl --device /dev/nvidia0"
DEVICES = f"{CARD} --device /dev/nvidia-uvm --device /dev/nvidia-uvm-tools"
WILDCARD = "--device-cgroup-rule 'c 195:* rwm' --device-cgroup-rule 'c 241:* rwm'"


class Row(NamedTuple):
    """One way, and what a hit takes from it on each host that can walk it.

    `before` and `after` are steps of files/rows.sh around the start. A `linked` row starts when /dev/char is there.
    """

    name: str
    options: str
    lost: Mapping[str, tuple[str, ...]]
    before: str = ""
    after: str = ""
    linked: bool = False

    @property
    def steps(self) -> list[str]:
        return [step for step in (self.before, f"start {self.name} {self.options}", self.after) if step]

    @property
    def updated(self) -> bool:
        """Whether it is updated before the first hit."""
        return self.name.startswith("update-")


def everywhere(lost: tuple[str, ...], *hosts: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(hosts or V2, lost)


# runc 1.1.3 to 1.1.6 leaves out of the unit what has no link in /dev/char: there no way of naming devices helps
UNLINKED = {TRIXIE: NONE, BOOKWORM: NODES}

ROWS = (
    # the negative control: behind the back of runc and systemd
    Row("gpus", GPUS, {**everywhere(NODES), BOOKWORM_V1: NONE}),
    Row("runtime-legacy", RUNTIME, everywhere(NODES), before="mode legacy", after="mode auto"),
    Row("runtime", RUNTIME, {**UNLINKED, BOOKWORM_V1: NONE}),
    Row("runtime-gpus", f"--runtime nvidia {GPUS}", UNLINKED),
    Row("cdi", "--device nvidia.com/gpu=all", everywhere(NONE, TRIXIE)),
    Row("devices", DEVICES, {**UNLINKED, BOOKWORM_V1: NONE}),
    Row("gpus-devices", f"{GPUS} {DEVICES}", UNLINKED),
    # who names the card alone keeps the card, and CUDA fails all the same
    Row("gpus-card-only", f"{GPUS} {CARD}", {TRIXIE: ("nvidia-uvm", "nvidia-uvm-tools"), BOOKWORM: NODES}),
    # the number has no name in /proc/devices: runc cannot write the rule into the unit, though config.json has it
    Row("wildcard", f"{GPUS} {WILDCARD}", everywhere(NODES)),
    Row("wildcard-named", f"{GPUS} {WILDCARD}", everywhere(NONE), before="names"),
    Row("linked-gpus", GPUS, everywhere(NODES, BOOKWORM), linked=True),
    Row("linked-devices", DEVICES, everywhere(NONE, BOOKWORM), linked=True),
    Row("linked-runtime", RUNTIME, everywhere(NONE, BOOKWORM), linked=True),
    Row("linked-runtime-gpus", f"--runtime nvidia {GPUS}", everywhere(NONE, BOOKWORM), linked=True),
    # docker update, which needs no reload at all
    Row("update-gpus", GPUS, {**everywhere(NODES), BOOKWORM_V1: NONE}),
    Row("update-devices", DEVICES, everywhere(NONE, TRIXIE, BOOKWORM_V1)),
    Row("update-linked-devices", DEVICES, everywhere(NONE, BOOKWORM), linked=True),
)
# Started under another cgroup driver than the engine has when everything else starts
CGROUPFS = Row("cgroupfs", GPUS, everywhere(NONE))
SURVIVOR = Row("survivor", GPUS, everywhere(NODES))
# Hook containers that device_rules protects in advance
PROTECTED = Row("protected", GPUS, everywhere(NONE))
PROTECTED_UPDATE = Row("update-protected", GPUS, everywhere(NONE))


def of(host: str) -> Iterator[Row]:
    """The rows of a host in the order in which they start: those without links first, the one with names last."""
    mine = [*ROWS, PROTECTED, PROTECTED_UPDATE]
    yield from sorted((row for row in mine if host in row.lost), key=lambda row: (row.linked, row.before == "names"))


def all_of(host: str) -> list[Row]:
    return [row for row in (CGROUPFS, SURVIVOR) if host in row.lost] + list(of(host))
