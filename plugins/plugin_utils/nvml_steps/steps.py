# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do on a machine so that its containers keep their GPUs: the conditions of the role's tasks.

Pure: snapshot and inputs in, plain data out. The role holds no decision of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps import (
    cgroups,
    containers,
    cure,
    files,
    links,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps.machine import Machine, read, section
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, render, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View


def steps(snapshot: Mapping[str, Any], inputs: Mapping[str, Any], language: str = "en") -> dict[str, Any]:
    """Raises ValueError for an input that there is not.

    inputs, of the role: `on_vulnerable`, `recreate`, `dev_char_links`, `cgroupfs`, `cgroup_v1`, `restart`,
    `restart_watched`; and `looked`: what device_rules returned in this run.
    """
    policy = str(inputs.get("on_vulnerable", "protect"))
    if policy not in containers.POLICIES:
        raise ValueError(f"nvml_stability_on_vulnerable must be one of {', '.join(containers.POLICIES)}, not {policy}")
    return _Steps(View(snapshot), inputs, policy, language).as_dict()


def reload_takes(snapshot: Mapping[str, Any]) -> bool:
    """Whether a reload of systemd would take GPUs from running containers, or may do so."""
    answers = steps(snapshot, {})
    return bool(answers["unjudged"] or answers["at_risk"])


class _Steps:
    """The answers for one machine."""

    def __init__(self, facts: View, inputs: Mapping[str, Any], policy: str, language: str) -> None:
        self.facts, self.inputs, self.policy, self.language = facts, inputs, policy, language
        self.machine: Machine = read(facts)
        self.daemon_json = section(facts, "daemon_json")
        self.files = section(facts, "files")
        self.noted = files.noted(self.files)
        self.cure = cure.choose(self.machine, self.daemon_json)
        self.choices = self._choices()
        self.undo = self.noted - self.choices
        self.looked: Mapping[str, Any] = inputs.get("looked") or {}
        self.at_risk = [] if self.machine.in_container else containers.at_risk(facts)
        self.candidates = containers.were_at_risk(facts, self.looked) if self.at_risk or self.looked else []

    def as_dict(self) -> dict[str, Any]:
        settings = self._settings()
        toolkit = cure.toolkit_settings(self.machine)
        found = {
            "cure": self.cure.kind,
            "advice": self._say(self.cure.advice),
            "refusal": self._refusal(),
            "settings": settings,
            "settings_right": self._settings_right(settings),
            "restart": self._restart(),
            "toolkit_settings": toolkit,
            "toolkit_right": not toolkit,
            **self._files(),
            "link": self._link(),
            "kernel": self._kernel(),
            "notes": [self._say(text) for text in self._notes()],
            **self._containers(),
        }
        return {**found, "todo": _todo(found), **self._way_back()}

    def _say(self, text: Text) -> str:
        return str(render(text, self.language))

    # -- choices -----------------------------------------------------------------------------------------------------
    def _choices(self) -> frozenset[str]:
        """What is set because somebody wishes it, or because this machine needs it: all that may have to be undone."""
        data = self._data()
        links_ = links.wanted(self.machine, str(self.inputs.get("dev_char_links", "auto")))
        v1 = self._asks("cgroup_v1") and cgroups.refuse_v1(self.machine) is None
        chosen = {
            "links": links_,
            "cgroupfs": self._asks("cgroupfs") and bool(cgroups.cgroupfs_settings(self.machine, data, self.noted)),
            "cgroup_v1": v1 and cgroups.v1_wanted(self.machine, self.noted),
        }
        return frozenset(name for name, value in chosen.items() if value)

    def _asks(self, name: str) -> bool:
        return bool(self.inputs.get(name, False))

    def _data(self) -> Mapping[str, Any]:
        data = self.daemon_json.get("data")
        return data if isinstance(data, Mapping) else {}

    def _refusal(self) -> str:
        reasons = [
            _other_engine(self.machine),
            cgroups.refuse_cgroupfs(self.machine) if self._asks("cgroupfs") else None,
            cgroups.refuse_v1(self.machine) if self._asks("cgroup_v1") else None,
            containers.refuse_recreate(self.candidates, self._named()) if self.policy == "recreate" else None,
        ]
        texts = [text for text in reasons if text is not None]
        return self._say(say("{reasons}. Nothing was changed.", reasons=texts)) if texts else ""

    def _named(self) -> list[str]:
        return [str(name) for name in self.inputs.get("recreate") or []]

    # -- daemon.json ---------------------------------------------------------------------------------------------------
    def _settings(self) -> dict[str, Any]:
        found = dict(self.cure.settings)
        if "cgroupfs" in self.choices:
            found |= cgroups.cgroupfs_settings(self.machine, self._data(), self.noted)
        return found

    def _settings_right(self, settings: Mapping[str, Any]) -> bool:
        wanted = settings.get("exec-opts")
        driver_right = "cgroupfs" not in self.undo and (wanted is None or self._data().get("exec-opts") == wanted)
        return self.cure.right and driver_right

    def _restart(self) -> bool:
        due = self.machine.restart_pending or bool(self.inputs.get("restart_watched"))
        return due and not self.machine.in_container and self.inputs.get("restart", "now") == "now"

    # -- files, kernel -------------------------------------------------------------------------------------------------
    def _files(self) -> dict[str, Any]:
        # noted before it is set, and until it is undone: a run that is killed in between must not lose it
        until = self.choices | self.undo
        return {
            "files": files.wanted(until),
            "stamp": files.stamp(until),
            "files_right": not until or files.all_right(until, self.files),
            "undo": sorted(self.undo),
            "files_after": files.wanted(self.choices),
            "stamp_after": files.stamp(self.choices),
        }

    def _link(self) -> str:
        return links.sign(self.facts) if "links" in self.choices and self.machine.toolkit else ""

    def _kernel(self) -> str:
        """present, absent, or '' where there is nothing to do."""
        if "cgroup_v1" in self.undo:
            return "absent"
        noted = "cgroup_v1" in self.noted
        return "present" if "cgroup_v1" in self.choices and not (noted and cgroups.v1_right(self.machine)) else ""

    def _notes(self) -> list[Text]:
        found = list(self.cure.notes)
        found += links.note(self.machine) if "links" in self.choices and not self.files_complete() else []
        due = cgroups.pending(self.machine)
        return [*found, due] if due is not None else found

    def files_complete(self) -> bool:
        return files.all_right(self.choices, self.files)

    # -- containers ----------------------------------------------------------------------------------------------------
    def _containers(self) -> dict[str, Any]:
        host = not self.machine.in_container
        left = containers.left(self.at_risk, self.looked) if host else []
        return {
            "at_risk": [one.name for one in self.at_risk],
            "at_risk_message": self._say(containers.sentence(self.at_risk, self.cure.advice)) if self.at_risk else "",
            "unjudged": host and containers.unjudged(self.facts),
            "vulnerable": [one.name for one in left],
            "message": self._say(containers.sentence(left, self.cure.advice)) if left else "",
            "recreate": containers.to_recreate(self.candidates, self._named()) if self.policy == "recreate" else [],
        }

    # -- absent --------------------------------------------------------------------------------------------------------
    def _way_back(self) -> dict[str, Any]:
        """What state absent gives back, whatever the inputs say now."""
        return {
            "back_toolkit": dict(cure.TOOLKIT_KEYS) if self.machine.toolkit_config else {},
            "back_kernel": "cgroup_v1" in self.noted,
        }


def _other_engine(machine: Machine) -> Text | None:
    if machine.desktop:
        return say("Docker Desktop keeps its settings and its containers in a machine of its own; use Docker Engine")
    if machine.snap:
        return say(
            "Docker from snap reads other files and sees no NVIDIA toolkit; use Docker Engine (role docker_engine)"
        )
    return None


def _todo(found: Mapping[str, Any]) -> bool:
    right = found["settings_right"] and found["toolkit_right"] and found["files_right"]
    due = (
        found["refusal"] or found["kernel"] or found["undo"] or found["restart"] or found["recreate"] or found["notes"]
    )
    return bool(due or not right or found["at_risk"] or found["unjudged"])
