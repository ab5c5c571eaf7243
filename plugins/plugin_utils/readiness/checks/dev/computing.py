# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dev container: a computation with torch on each GPU, and one over all of them."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.target import HERE, Target, each
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.torches import cpu_only, installed
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    ok,
    skip,
    unknown,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say


def torch_computes(ctx: Context) -> list[Finding]:
    def one(target: Target) -> Finding | list[Finding]:
        if target.inside.is_null("torch_run"):
            return _not_run(ctx, target, "torch_run", say("a computation with torch was not asked for"))
        accepted = cpu_only(ctx, target)
        if accepted is not None:
            return accepted
        runs = target.inside.views("torch_run")
        if not runs:
            return unknown(
                say("the computation with torch gave no result in {name}", name=target.name), entity=target.entity
            )
        bad = [run for run in runs if not run.flag("ok")]
        if not bad:
            return ok(
                say("torch computes right on every GPU of {name} ({count})", name=target.name, count=len(runs)),
                entity=target.entity,
            )
        text = say("Read the error; run it alone on that GPU, and look for Xid messages in the kernel log.")
        return [
            fail(
                say(
                    "torch fails on GPU {index} of {name}: {error}",
                    index=run.integer("index"),
                    name=target.name,
                    error=run.text_or_none("error") or say("no message"),
                ),
                ctx.by_hand(text, "check_app"),
                entity=target.entity,
                evidence=run.show("index", "ok", "error"),
            )
            for run in bad
        ]

    return each(ctx, one)


def nccl(ctx: Context) -> list[Finding]:
    def one(target: Target) -> Finding:
        if target.inside.is_null("nccl"):
            return _not_run(ctx, target, "nccl", say("an all_reduce with NCCL was not asked for"))
        accepted = cpu_only(ctx, target)
        if accepted is not None:
            return accepted
        run = target.inside.view("nccl")
        seen = run.show("ok", "busbw_gbs", "error")
        text = say(
            "Look at /dev/shm, at PCIe ACS and at NCCL_DEBUG=INFO; NCCL_P2P_DISABLE=1 tells whether P2P is the cause."
        )
        remedy = ctx.by_hand(text, "check_app")
        if not run.flag("ok"):
            error = run.text_or_none("error") or say("no message")
            message = say("an all_reduce over all GPUs of {name} fails: {error}", name=target.name, error=error)
            return fail(message, remedy, entity=target.entity, evidence=seen)
        speed, floor = run.number("busbw_gbs"), ctx.policy.nccl_min_gbs
        details = {"entity": target.entity, "observed": speed, "expected": f">= {floor}", "evidence": seen}
        if speed < floor:
            message = say(
                "an all_reduce over all GPUs of {name} reaches {speed} GB/s of {floor}",
                name=target.name,
                speed=speed,
                floor=floor,
            )
            return fail(message, remedy, **details)
        return ok(
            say("an all_reduce over all GPUs of {name} reaches {speed} GB/s", name=target.name, speed=speed), **details
        )

    return each(ctx, one)


def _not_run(ctx: Context, target: Target, test: str, unasked: Text) -> Finding:
    """A test without a result: nobody asked for it, it has nothing to run with, or it did not come to its end."""
    error = ctx.probe_error(f"dev.{'here' if target.entity == HERE else target.entity}.{test}")
    if error is None:
        return skip(unasked, entity=target.entity)
    if not installed(target):
        return skip(say("asked for, but torch is not installed in {name}", name=target.name), entity=target.entity)
    count = target.inside.view("gpu").integer_or_none("count")
    if test == "nccl" and count is not None and count < 2:
        message = say(
            "asked for, but an all_reduce needs two GPUs, and {name} has {count}", name=target.name, count=count
        )
        return skip(message, entity=target.entity)
    return unknown(
        say("asked for, but it gave no result in {name}: {error}", name=target.name, error=error), entity=target.entity
    )
