# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running containers that lose their GPUs when systemd reloads: which, why, and what recreates them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import docker_unread
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps.machine import section
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.container.nvml import compose_line
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

POLICIES = ("protect", "report", "fail", "recreate")
_COMPOSE = "com.docker.compose."
# more is a page, not a sentence
_SHOWN = 8


@dataclass(frozen=True)
class Container:
    """A container at risk. identity: its id; compose: arguments for Compose, None where Compose did not make it."""

    name: str
    identity: str
    reason: Text | str
    line: str
    compose: Mapping[str, Any] | None = None


def at_risk(facts: View) -> list[Container]:
    """Docker's running containers whose unit lacks a rule for a GPU node, by the facts."""
    docker = section(facts, "docker")
    return [_of_facts(one) for one in docker.get("containers") or [] if _loses(one, docker.get("cgroup_driver"))]


def were_at_risk(facts: View, looked: Mapping[str, Any]) -> list[Container]:
    """Those at risk, and those that device_rules has protected in this run, which lasts until they start again."""
    docker, protected = section(facts, "docker"), set(looked.get("protected") or [])
    here = [one for one in docker.get("containers") or [] if f"docker-{one.get('id')}.scope" in protected]
    found = {one.identity: one for one in [*at_risk(facts), *map(_of_facts, here)]}
    return list(found.values())


def _loses(container: Mapping[str, Any], driver: Any) -> bool:
    gpu = container.get("gpu") or {}
    running = container.get("state") == "running" and gpu.get("requested") is True
    # a privileged container may open every device
    if not running or container.get("privileged") is True:
        return False
    # with the cgroupfs driver systemd has no rules, but for containers from before, which live-restore keeps
    guessed = gpu.get("rules_ok") is None and gpu.get("via") == "hook" and driver != "cgroupfs"
    return gpu.get("rules_ok") is False or guessed


def _of_facts(container: Mapping[str, Any]) -> Container:
    name, labels, gpu = str(container.get("name")), container.get("labels") or {}, container.get("gpu") or {}
    lacking = gpu.get("missing") or []
    if gpu.get("via") == "hook" or not lacking:
        reason = say("it got the GPU by the legacy hook")
    else:
        reason = say("its device rules lack {devices}", devices=names(lacking, 3))
    line = compose_line(labels) or f"docker stop {shlex.quote(name)}"
    return Container(name, str(container.get("id") or ""), reason, line, _compose(labels))


def _compose(labels: Mapping[str, Any]) -> dict[str, Any] | None:
    """Arguments of community.docker.docker_compose_v2 for the one service of a container."""
    values = {key: labels.get(_COMPOSE + key) for key in ("project", "service", "project.working_dir")}
    if not all(isinstance(value, str) and value for value in values.values()):
        return None
    listed = {
        "files": _listed(labels, "project.config_files"),
        "env_files": _listed(labels, "project.environment_file"),
    }
    plain = {"project": values["project"], "service": values["service"], "folder": values["project.working_dir"]}
    return {**plain, **listed}


def _listed(labels: Mapping[str, Any], key: str) -> list[str]:
    told = labels.get(_COMPOSE + key)
    return [path for path in told.split(",") if path] if isinstance(told, str) else []


def unjudged(facts: View) -> bool:
    """Whether there may be containers at risk that the facts cannot judge, but device_rules, which looks into each.

    Processes of a container that Docker does not know hold a GPU; or Docker gave no answer, in all or for a container.
    """
    docker, found = section(facts, "docker"), section(facts, "processes").get("gpu") or []
    elsewhere = any(one.get("container") and not one.get("container_name") for one in found)
    unread = docker_unread.unread({"docker": docker, "services": section(facts, "services")})
    return elsewhere or bool(unread) or any(_is_undescribed(one) for one in docker.get("containers") or [])


def _is_undescribed(container: Mapping[str, Any]) -> bool:
    """Whether Docker listed a running container and could not be asked for more: it may have a GPU."""
    return container.get("state") == "running" and (container.get("gpu") or {}).get("requested") is None


def left(candidates: Sequence[Container], looked: Mapping[str, Any]) -> list[Container]:
    """Who still loses its GPU after device_rules has looked.

    looked: what that module returned, {} where it did not run. It sees what is in the container, the facts what should
    be there: so it has the last word.
    """
    protected = set(looked.get("protected") or [])
    verdicts = looked.get("containers") or []
    safe = {str(one.get("id")) for one in verdicts if _is_safe(one, protected)}
    known = {one.identity for one in candidates}
    others = [one for one in verdicts if str(one.get("id")) not in known and _still_loses(one, protected)]
    return [*(one for one in candidates if one.identity not in safe), *map(_of_verdict, others)]


def _is_safe(verdict: Mapping[str, Any], protected: set[str]) -> bool:
    # in check mode a scope is named that would be protected. not_applicable: systemd's rules do not decide there, or it
    # never got a GPU; a reload takes nothing from it
    done = verdict.get("healed") is True or str(verdict.get("scope")) in protected
    return done or verdict.get("verdict") in ("keeps", "not_applicable")


def _still_loses(verdict: Mapping[str, Any], protected: set[str]) -> bool:
    return verdict.get("verdict") in ("loses", "lost") and not _is_safe(verdict, protected)


def _of_verdict(verdict: Mapping[str, Any]) -> Container:
    name = str(verdict.get("name") or verdict.get("scope"))
    told = verdict.get("reason")
    reason = str(told) if told else say("its device rules lack {devices}", devices="?")
    return Container(name, str(verdict.get("id") or ""), reason, str(verdict.get("recreate") or ""))


def refuse_recreate(candidates: Sequence[Container], chosen: Sequence[str]) -> Text | None:
    """A container that `docker run` made cannot be made again faithfully: nobody knows all its options."""
    plain = [one.name for one in candidates if one.name in chosen and one.compose is None]
    if not plain:
        return None
    return say(
        "{names}: not made by Docker Compose, so that it cannot be recreated faithfully; start it again with its own"
        " command line, and take it out of nvml_stability_recreate",
        names=names(plain),
    )


def to_recreate(candidates: Sequence[Container], chosen: Sequence[str]) -> list[dict[str, Any]]:
    return [{"name": one.name, **one.compose} for one in candidates if one.compose and one.name in chosen]


def sentence(containers: Sequence[Container], advice: Text) -> Text:
    """What a reload would break, and the command that recreates each."""
    shown: list[Any] = [_said(one) for one in containers[:_SHOWN]]
    if len(containers) > _SHOWN:
        shown.append(say("{count} more", count=len(containers) - _SHOWN))
    return say(
        "When systemd reloads and then starts a unit, these containers lose their GPUs (Failed to initialize NVML:"
        " Unknown Error): {containers}. When no job runs in it, recreate each, and {advice}.",
        containers=shown,
        advice=advice,
    )


def _said(container: Container) -> Text:
    if not container.line:
        return say("{name} ({reason})", name=container.name, reason=container.reason)
    return say("{name} ({reason}; {command})", name=container.name, reason=container.reason, command=container.line)
