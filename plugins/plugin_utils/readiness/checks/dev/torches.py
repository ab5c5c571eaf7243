# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dev container: every torch in it, and one for the CPU that somebody chose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.target import (
    Target,
    each,
    wish_of,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    skip,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View


@dataclass(frozen=True)
class Torch:
    """One installed torch; `env` says where."""

    env: Text | str
    facts: View
    manager: str | None = None

    @property
    def version(self) -> str:
        return self.facts.text("version")

    @property
    def conda_build(self) -> str | None:
        """Conda's build string; None for a wheel. The default Python's torch is always one of the environments."""
        if self.manager is None or self.facts.is_null("conda_build"):
            return None
        return self.facts.text("conda_build")

    @property
    def kind(self) -> str:
        """What it was built for: cuda, cpu, or the local part of the version (rocm6.4, xpu)."""
        local = self.version.partition("+")[2]
        if local and not local.startswith(("cu", "cpu")):
            return local
        if local.startswith("cpu"):
            return "cpu"
        if not self.facts.is_null("cuda"):
            self.facts.text("cuda")
            return "cuda"
        return "cpu"


def installed(target: Target) -> list[Torch]:
    """Every torch: of each environment, and of the default Python where it is none of them."""
    found = [
        Torch(env.text("path"), env.view("torch"), env.text("manager"))
        for env in target.inside.views("envs")
        if not env.is_null("torch")
    ]
    if not target.inside.is_null("torch"):
        default = Torch(say("the default Python"), target.inside.view("torch"))
        if default.version not in [item.version for item in found]:
            found.append(default)
    return found


def _wished(ctx: Context, target: Target) -> bool:
    """Whether a torch for the CPU is right there: by the policy everywhere, by its own specification."""
    wish = wish_of(ctx, target.entity)
    return ctx.policy.torch_cpu_accepted or (wish is not None and wish.torch_cpu_accepted)


def accepted(ctx: Context, target: Target, item: Torch) -> bool:
    """A torch for the CPU that somebody chose; one for other GPUs than NVIDIA's is still the wrong one."""
    return item.kind == "cpu" and _wished(ctx, target)


def as_accepted(target: Target, item: Torch) -> Finding:
    message = say("torch {version} in {env} is a CPU build, as accepted", version=item.version, env=item.env)
    return skip(message, entity=target.entity)


def told_as_accepted(ctx: Context, target: Target, item: Torch) -> Finding:
    """One line for it, so that a year later nobody wonders why the GPU idles; the verdict stays as it is."""
    message = say(
        "torch {version} in {env} of {name} is a CPU build, as accepted: it cannot use the GPU",
        version=item.version,
        env=item.env,
        name=target.name,
    )
    text = say("If the GPU is to be used, take dev_torch.cpu_accepted out, and build anew.")
    remedy = target.remedy(ctx.run.play("dev_container", text, "set_var"), ctx.by_hand(text, "set_var"))
    seen = item.facts.show("version", "cuda")
    return warn(message, remedy, entity=target.entity, observed=item.version, evidence=seen, severity=Severity.INFO)


def cpu_only(ctx: Context, target: Target) -> Finding | None:
    """Nothing can be computed on a GPU where every torch is an accepted CPU build."""
    if not _wished(ctx, target):
        return None
    found = installed(target)
    return as_accepted(target, found[0]) if found and all(item.kind == "cpu" for item in found) else None


def each_torch(ctx: Context, judge: Callable[[Target, Torch], Finding]) -> list[Finding]:
    def look(target: Target) -> list[Finding]:
        found = installed(target)
        if not found:
            return [no_torch(target)]
        return [judge(target, item) for item in found]

    return each(ctx, look)


def no_torch(target: Target) -> Finding:
    inside, name = target.inside, target.name
    if inside.is_null("python") or inside.is_null("python.version"):
        reason = say("no Python environment answers in {name}", name=name)
        return skip(reason, entity=target.entity, caused_by="DEV-PYTHON")
    return skip(say("torch is not installed in {name}", name=name), entity=target.entity)
