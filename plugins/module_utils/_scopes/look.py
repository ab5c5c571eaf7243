# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at all containers of this machine that have NVIDIA devices, and say which keep them.

Nothing runs in a container, nothing is opened there but folders, and nothing is changed. All that is read stands in
control groups, /proc, the kernel's device programs, and one `systemctl show`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes import names, nodes, programs, rules
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes.cgroups import Group, Hierarchy, Process
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import systemctl
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import char_majors

KEEPS, LOSES, LOST, NOT_APPLICABLE = "keeps", "loses", "lost", "not_applicable"
_PROPERTIES = "Id,LoadState,ActiveState,DevicePolicy,DeviceAllow"

NO_SCOPE = (
    "systemd has no unit for its control group (cgroupfs driver, or a group that its engine manages itself), so a "
    "reload changes nothing"
)
VERSION_1 = (
    "control groups of version 1: device rules stand in files there, and this cure was only shown on version 2; "
    "nothing was changed"
)
OF_USER = "a rootless engine: the systemd of a user sets no device rules, so nothing is lost by them and nothing healed"
NO_UNIT = "the systemd of this machine has no such unit; it belongs to another one, or has just ended"
NEVER_GIVEN = (
    "its engine never allowed it these devices (for example a bound /dev, or no-cgroups = true in the toolkit's "
    "config.toml); rights for systemd alone cannot give them: start it anew with a GPU"
)


class ScopesError(Exception):
    """Containers cannot be looked at; the text is one sentence for the user."""


@dataclass
class Container:
    """A container with NVIDIA devices, and what was found. `judgement` is None where no unit decides."""

    group: Group
    process: Process
    there: Sequence[nodes.Node]
    nvidia: Sequence[nodes.Node]
    verdict: str = KEEPS
    reason: str = ""
    judgement: rules.Judgement | None = None
    healed: bool = False
    known: names.Known | None = None

    def as_dict(self) -> dict[str, Any]:
        found = self.judgement or rules.Judgement()
        return {
            "scope": self.group.scope,
            "engine": self.group.engine,
            "id": self.group.id,
            "name": self.known.name if self.known else None,
            "pid": self.process.pid,
            "nodes": _paths(self.nvidia),
            "missing": _paths(found.missing),
            "others": _paths(found.others),
            "denied": _paths(found.denied),
            "verdict": self.verdict,
            "reason": self.reason,
            "healed": self.healed,
            "recreate": self.known.recreate if self.known else None,
        }


def _paths(found: Sequence[nodes.Node]) -> list[str]:
    return [node.path for node in found]


class Lookout:
    """Looks at this machine, or at a tree with /proc, /dev and /sys below `root`."""

    def __init__(self, runner: Runner, root: str = "/") -> None:
        self.runner, self.root = runner, root
        self.hierarchy = Hierarchy(root)

    def containers(self, wanted: Sequence[str]) -> list[Container]:
        """Containers with NVIDIA devices; `wanted` are names of scopes, all if empty."""
        machine = self._machine()
        found = []
        for group in self.hierarchy.containers():
            container = self._container(group, machine) if not wanted or group.scope in wanted else None
            if container is not None:
                found.append(container)
        self._judge(found, machine)
        # what has ended since has no verdict
        found = [container for container in found if self.hierarchy.exists(container.group)]
        known = names.of_engines({container.group.engine for container in found}, self.runner)
        for container in found:
            container.known = known.get(container.group.id)
        return found

    def still_denied(self, container: Container) -> bool:
        """Whether the kernel still denies what it denied when the container was judged, or that cannot be read."""
        effective = self._programs(container.process.path, effective=True)
        denied = container.judgement.denied if container.judgement else []
        return effective is None or any(rules.is_denied(effective, node) for node in denied)

    # -- reading ---------------------------------------------------------------------------------------------
    def _machine(self) -> rules.Machine:
        try:
            with open(f"{self.root.rstrip('/')}/proc/devices", encoding="utf-8") as handle:
                majors = char_majors(handle.read())
        except OSError:
            majors = {}
        own = {node.number for node in nodes.below(self.root) if node.path.startswith("/dev/nvidia")}
        return rules.Machine(majors, self._number_of, own)

    def _number_of(self, path: str) -> tuple[str, int, int] | None:
        try:
            status = os.stat(self.root.rstrip("/") + path)
        except OSError:
            return None
        kind = "char" if stat.S_ISCHR(status.st_mode) else "block" if stat.S_ISBLK(status.st_mode) else None
        return None if kind is None else (kind, os.major(status.st_rdev), os.minor(status.st_rdev))

    def _container(self, group: Group, machine: rules.Machine) -> Container | None:
        for _turn in range(3):
            process = self.hierarchy.first(group)
            if process is None:
                return None
            try:
                there = nodes.of_process(process.pid, self.root)
            except PermissionError as error:
                raise ScopesError(
                    f"the devices of process {process.pid} ({group.scope or group.path}) cannot be looked at: "
                    f"{error.strerror}; this needs root (become: true)"
                ) from error
            except OSError:
                continue
            # the number may belong to another process by now
            if process.pid in self.hierarchy.pids(process.path):
                nvidia = rules.nvidia_nodes(there, machine)
                return Container(group, process, there, nvidia) if nvidia else None
        return None

    def _programs(self, path: str, effective: bool = False) -> list[programs.Program] | None:
        """The programs of one group; None if the kernel does not tell."""
        try:
            return programs.attached(self.hierarchy.folder(path), effective)
        except OSError:
            return None

    def _own(self, container: Container) -> list[programs.Program] | None:
        """The programs between the scope and its first process: crun and nested managers use a group below."""
        found: list[programs.Program] = []
        path, top = container.process.path, container.group.path
        while True:
            here = self._programs(path)
            if here is None:
                return None
            found += here
            if path == top or not path.startswith(top):
                return found
            path = os.path.dirname(path)

    def _units(self, scopes: Sequence[str]) -> dict[str, systemctl.Block]:
        if not scopes:
            return {}
        result = self.runner.run(["systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", *scopes])
        if result.status != "ok":
            raise ScopesError(f"systemd does not tell the device rules of the containers: {result.error}")
        return systemctl.by_name(systemctl.show(result.stdout))

    # -- judging ---------------------------------------------------------------------------------------------
    def _judge(self, found: Sequence[Container], machine: rules.Machine) -> None:
        asked = [c.group.scope for c in found if c.group.scope and not c.group.of_user and self.hierarchy.version == 2]
        units = self._units(asked)
        for container in found:
            self._judge_one(container, units.get(container.group.scope or "", {}), machine)

    def _judge_one(self, container: Container, unit: systemctl.Block, machine: rules.Machine) -> None:
        group = container.group
        loaded = systemctl.first(unit, "LoadState") == "loaded" and systemctl.first(unit, "ActiveState") == "active"
        if group.of_user:
            container.verdict, container.reason = NOT_APPLICABLE, OF_USER
        elif group.scope is None:
            container.reason = NO_SCOPE
            self._look_at_programs(container, rules.Rules("auto", [], None, None), machine)
        elif self.hierarchy.version == 1:
            container.verdict, container.reason = NOT_APPLICABLE, VERSION_1
        elif not loaded:
            container.verdict, container.reason = NOT_APPLICABLE, NO_UNIT
        else:
            policy = systemctl.first(unit, "DevicePolicy")
            self._look_at_programs(container, rules.Rules(policy, unit.get("DeviceAllow", []), None, None), machine)

    def _look_at_programs(self, container: Container, listed: rules.Rules, machine: rules.Machine) -> None:
        if self.hierarchy.version == 2:
            own, effective = self._own(container), self._programs(container.process.path, effective=True)
            listed = rules.Rules(listed.policy, listed.entries, own, effective)
        found = container.judgement = rules.judge(container.there, listed, machine)
        if not found.given:
            container.verdict, container.reason = NOT_APPLICABLE, NEVER_GIVEN
        elif found.denied:
            container.verdict, container.reason = LOST, _why_lost(found)
        elif found.missing:
            container.verdict, container.reason = LOSES, _why_loses(found, listed)
        elif not container.reason:
            container.reason = "DeviceAllow of its scope has all of its devices"


def _why_lost(found: rules.Judgement) -> str:
    shown = ", ".join(_paths(found.denied))
    if all(node in found.missing for node in found.denied):
        return f"the kernel denies {shown}: systemd has put its device rules back, and DeviceAllow lacks them"
    return f"the kernel denies {shown}, though DeviceAllow has them: another device program says no; start it anew"


def _why_loses(found: rules.Judgement, listed: rules.Rules) -> str:
    shown = ", ".join(_paths(found.missing))
    unseen = f" ({rules.UNSEEN})" if listed.effective is None else ""
    return f"DeviceAllow lacks {shown}: they are lost when systemd puts its device rules back{unseen}"
