# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: does the branch of the driver, and the flavour of its modules, fit the GPUs."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.common import (
    no_gpu,
    not_ours,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.packages import (
    driver_version,
    kernel_modules,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    ok,
    skip,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import Gpu, branch_of, too_old
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import gpu as known_gpu
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# What to name where a branch was planned that does not fit: the only one that serves Maxwell to Blackwell
USUAL_BRANCH = 580


def branch_fits(ctx: Context) -> list[Finding]:
    if nothing := no_gpu(ctx) or not_ours(ctx):
        return nothing
    known = [(gpu, known_gpu(gpu.text("device"))) for gpu in ctx.facts.views("pci.gpus")]
    models = [(gpu, model) for gpu, model in known if model is not None]
    old = _old(ctx, [gpu for gpu, _model in known if too_old(gpu.text("device"))], all_of_them=not models)
    if not models:
        return old or [skip(say("no GPU of a known model"))]
    branch = _branch(ctx)
    # the flavour matters only to models that are not indifferent to it
    flavour = _flavour(ctx) if any(model.modules != "either" for _gpu, model in models) else None
    if branch is None and flavour is None:
        return old or [skip(say("no driver is planned or installed yet"))]
    judged = [
        finding
        for gpu, model in models
        for finding in (_age(ctx, gpu, model, branch), _modules(ctx, gpu, model, flavour))
    ]
    return [*old, *(finding for finding in judged if finding is not None)] or [
        ok(say("driver branch {branch} fits the GPUs", branch=branch or say("(not named)")))
    ]


def _old(ctx: Context, gpus: list[View], all_of_them: bool) -> list[Finding]:
    """GPUs from before Maxwell. Beside a newer one such a card may drive a screen; CUDA does without it."""
    text = say("Take it out, or use a host with a GPU of Maxwell or newer.")
    return [
        fail(
            say(
                "GPU {bdf} ({device}) is too old: no driver that gets fixes supports what came before Maxwell",
                bdf=gpu.text("bdf"),
                device=gpu.text("device"),
            ),
            ctx.by_hand(text, "replace_hardware"),
            entity=gpu.text("bdf"),
            severity=None if all_of_them else Severity.MINOR,
            evidence=gpu.show("device"),
        )
        for gpu in gpus
    ]


def _branch(ctx: Context) -> int | None:
    """What the policy plans, else what is loaded, else what is installed."""
    planned = ctx.policy.driver_branch
    if planned is not None:
        return int(planned.split(".")[0])
    if ctx.facts.flag("driver.module.loaded"):
        loaded = branch_of(ctx.facts.text("driver.module.version"))
        if loaded is None:
            raise UnmeasuredError("driver.module.version")
        return loaded
    version = driver_version(ctx.facts.mapping("packages.installed"))
    return None if version is None else int(version.split(".")[0])


def _flavour(ctx: Context) -> str | None:
    planned = ctx.policy.driver_modules
    if planned is not None:
        return planned
    if ctx.facts.flag("driver.module.loaded"):
        return ctx.facts.text("driver.module.flavour")
    installed = kernel_modules(ctx.facts.mapping("packages.installed"))
    # both of them: PRE-MIXED-PKGS tells
    return next(iter(installed)) if len(installed) == 1 else None


def _age(ctx: Context, gpu: View, model: Gpu, branch: int | None) -> Finding | None:
    if branch is None:
        return None
    if model.last_branch is not None and branch > model.last_branch:
        message = say(
            "driver branch {branch} does not support {name} any more; {last} is the last one",
            branch=branch,
            name=model.name,
            last=model.last_branch,
        )
        remedy = _other_branch(ctx, min(model.last_branch, USUAL_BRANCH), model)
    elif branch < model.first_branch:
        message = say(
            "driver branch {branch} is too old for {name}; {first} is the first one",
            branch=branch,
            name=model.name,
            first=model.first_branch,
        )
        remedy = _other_branch(ctx, max(model.first_branch, USUAL_BRANCH), model)
    else:
        return None
    expected = {"first": model.first_branch, "last": model.last_branch}
    return fail(message, remedy, **_details(ctx, gpu), observed=branch, expected=expected)


def _modules(ctx: Context, gpu: View, model: Gpu, flavour: str | None) -> Finding | None:
    if flavour is None or model.modules in ("either", flavour):
        return None
    details = {**_details(ctx, gpu), "observed": flavour, "expected": model.modules}
    if model.modules == "open":
        text = say("Install the open kernel modules.")
        remedy = ctx.run.play(
            "nvidia_driver", text, None, nvidia_driver_modules="open", nvidia_driver_allow_change=True
        )
        return fail(say("{name} works with the open kernel modules only", name=model.name), remedy, **details)
    branch = _branch(ctx)
    if branch is not None and model.last_branch is not None and branch > model.last_branch:
        # both are wrong, and one run mends both
        remedy = _other_branch(ctx, min(model.last_branch, USUAL_BRANCH), model)
    else:
        text = say("Install the proprietary kernel modules.")
        remedy = ctx.run.play(
            "nvidia_driver", text, None, nvidia_driver_modules="proprietary", nvidia_driver_allow_change=True
        )
    return fail(say("{name} works with the proprietary kernel modules only", name=model.name), remedy, **details)


def _details(ctx: Context, gpu: View) -> dict[str, Any]:
    evidence = gpu.show("device") + ctx.facts.show("driver.module.version", "driver.module.flavour")
    return {"entity": gpu.text("bdf"), "evidence": evidence}


def _other_branch(ctx: Context, branch: int, model: Gpu) -> Remedy:
    """The role's plan finds a branch for all GPUs; one is named only where somebody has named a wrong one."""
    inputs: dict[str, Any] = {}
    if ctx.policy.driver_branch is not None:
        inputs["nvidia_driver_branch"] = str(branch)
    if ctx.policy.driver_modules is not None and model.modules != "either":
        inputs["nvidia_driver_modules"] = model.modules
    return ctx.run.play(
        "nvidia_driver",
        say("Install a branch of the driver that supports all GPUs of this host."),
        None,
        nvidia_driver_allow_change=True,
        **inputs,
    )
