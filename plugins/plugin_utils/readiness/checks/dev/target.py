# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dev checks look at: each dev container, and the machine itself where it is a container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Union

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    DevWish,
    Finding,
    skip,
    unknown,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

HERE = "this machine"


@dataclass(frozen=True)
class Target:
    """A dev container, seen from inside and by Docker; `engine` is None for the machine itself."""

    entity: str
    name: Text | str
    inside: View
    engine: View | None = None

    def remedy(self, by_role: Remedy, by_person: Remedy) -> Remedy:
        """The role builds and changes our dev container; in a machine that is a container itself a person does it."""
        return by_person if self.engine is None else by_role


Judge = Callable[[Target], Union[Finding, "list[Finding]"]]


def names_asked(ctx: Context) -> list[str]:
    """The dev containers to judge: those asked for, else those of the snapshot; none in a container without Docker."""
    if ctx.in_container and not ctx.facts.is_true("docker.reachable"):
        return []
    if ctx.dev_requested is not None:
        return [wish.name for wish in ctx.dev_requested]
    return [item.text("name") for item in ctx.facts.views("dev.containers")]


def wish_of(ctx: Context, name: str) -> DevWish | None:
    return next((wish for wish in ctx.dev_requested or () if wish.name == name), None)


def engine_view(ctx: Context, name: str) -> View | None:
    return next((c for c in ctx.facts.views("docker.containers") if c.text("name") == name), None)


def _container(ctx: Context, name: str) -> Target | Finding:
    engine = engine_view(ctx, name)
    if engine is None or engine.text("state") != "running":
        return skip(say("container {name} does not run", name=name), entity=name, caused_by="DEV-RUNNING")
    inside = next((c for c in ctx.facts.views("dev.containers") if c.text("name") == name), None)
    if inside is None:
        raise UnmeasuredError(f"dev.containers: {name}")
    return Target(name, name, inside, engine)


def each(ctx: Context, judge: Judge) -> list[Finding]:
    """Judge every target; one that cannot be judged, or does not run, does not hide the others."""
    findings: list[Finding] = []

    def add(name: str, look: Callable[[], Target | Finding]) -> None:
        try:
            target = look()
            said = judge(target) if isinstance(target, Target) else target
        except UnmeasuredError as gap:
            said = unknown(say("not measured: {path}", path=gap.path), entity=name)
        findings.extend(said if isinstance(said, list) else [said])

    for name in names_asked(ctx):
        add(name, partial(_container, ctx, name))
    if ctx.in_container:
        add(HERE, lambda: Target(HERE, say("this machine"), ctx.facts.view("dev.here")))
    return findings or [skip(say("no dev container is configured"))]


def without_gpu(ctx: Context, target: Target) -> Finding | None:
    """A target that is meant to have no GPU, or was started without one: its CUDA is not judged."""
    if not ctx.policy.dev_gpu_wanted:
        return skip(say("the policy wants no GPU in {name}", name=target.name), entity=target.entity)
    if target.engine is not None and not target.engine.flag("gpu.requested"):
        return skip(say("{name} has no GPU", name=target.name), entity=target.entity, caused_by="DEV-GPU")
    return None


def is_false(view: View, path: str) -> bool:
    """Measured, and false."""
    try:
        return not view.flag(path)
    except UnmeasuredError:
        return False
