# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PCIe links of the GPUs: width, generation, replays."""

from __future__ import annotations

import re

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.common import (
    after_module,
    each,
    hits,
    in_vm,
    integer_if_any,
    is_passed_through,
    label,
    log_unreadable,
    minutes_up,
    no_gpu,
    not_in_wsl,
    replace_it,
    same_device,
    text_if_any,
    usable,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    skip,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

# from this P-state on a GPU rests and its link is clocked down (P0 is the fastest)
IDLE_PSTATE = 5


@after_module
@not_in_wsl
def width(ctx: Context) -> list[Finding]:
    """Lanes in use against lanes of the board. They stay the same when the GPU rests."""
    gpus = [gpu for gpu in usable(ctx) if not (gpu.is_null("pcie.width_current") or gpu.is_null("pcie.width_max"))]
    if not gpus:
        return [skip(say("the driver does not tell the width of the link"))]
    return each(gpus, lambda gpu: _width(ctx, gpu), say("every GPU uses all its PCIe lanes"))


def _width(ctx: Context, gpu: View) -> list[Finding]:
    have, most = gpu.integer("pcie.width_current"), gpu.integer("pcie.width_max")
    name = gpu.text_or_none("name") or ""
    wish = next((int(lanes) for model, lanes in ctx.policy.pcie_width.items() if model.lower() in name.lower()), None)
    want = most if wish is None else min(wish, most)
    if have >= want:
        return []
    details = {"entity": label(gpu), "observed": have, "expected": want, "evidence": gpu.show("pcie", "virtualization")}
    message = say("PCIe link of {have} lanes, the board has {want}", have=have, want=want)
    if is_passed_through(gpu) or in_vm(ctx):
        # cloud providers show half of the lanes for GPUs that are sound (L40S and T4 of one of them)
        remedy = ctx.by_hand(say("Usual in virtual machines; measure the bandwidth if it matters."))
        return [fail(message, remedy, severity=Severity.MINOR, **details)]
    text = say("Reseat the board, look at riser and lane splitting; or set pcie_width in the policy for this slot.")
    return [fail(message, replace_it(ctx, text), **details)]


@after_module
@not_in_wsl
def generation(ctx: Context) -> list[Finding]:
    """A resting GPU runs at generation 1: then only what the link could do is judged."""
    gpus = usable(ctx)
    judged = [gpu for gpu in gpus if _wanted_gen(gpu) is not None]
    if not judged:
        return [skip(say("nothing tells which PCIe generation the slot can do"))] if gpus else [no_gpu()]
    return each(judged, lambda gpu: _generation(ctx, gpu), say("no slot slows a GPU down"))


def _resting(gpu: View) -> bool:
    match = re.fullmatch(r"P(\d+)", text_if_any(gpu, "pstate") or "")
    # not said: taken as resting, so that no link is blamed that only sleeps
    if match is None or gpu.is_null("idle"):
        return True
    return gpu.flag("idle") or int(match.group(1)) >= IDLE_PSTATE


def _wanted_gen(gpu: View) -> int | None:
    """min(GPU, host). A host maximum of 0 or below the link's own generation is wrong (seen on GB300)."""
    device = integer_if_any(gpu, "pcie.gen_device_max") or integer_if_any(gpu, "pcie.gen_max")
    host, now = integer_if_any(gpu, "pcie.gen_host_max"), integer_if_any(gpu, "pcie.gen_current")
    if host is not None and (host <= 0 or (now is not None and host < now)):
        host = None
    if device is None or (host is None and _resting(gpu)):
        return None
    return device if host is None else min(device, host)


def _generation(ctx: Context, gpu: View) -> list[Finding]:
    want = _wanted_gen(gpu) or 0
    field = "pcie.gen_max" if _resting(gpu) else "pcie.gen_current"
    have = gpu.integer(field)
    if have >= want:
        return []
    limits = [] if log_unreadable(ctx) else hits(ctx, "K_LIMIT")
    near = [hit for hit in limits if same_device(hit.text_or_none("bdf"), label(gpu))]
    evidence = (*gpu.show("pcie", "pstate"), *(item for hit in near[-1:] for item in hit.show("text")))
    text = say("Set the slot's PCIe generation in the firmware setup, or look at the riser.")
    message = say("PCIe generation {have}, GPU and host can do {want}", have=have, want=want)
    details = {"observed": have, "expected": want, "evidence": evidence}
    return [fail(message, ctx.by_hand(text, "firmware_setup"), entity=label(gpu), **details)]


@after_module
@not_in_wsl
def replays(ctx: Context) -> list[Finding]:
    """Packets sent again. The rate matters: sound 8 x H100 machines show 106 to 174 in total."""
    minutes = minutes_up(ctx)
    gpus = [gpu for gpu in usable(ctx) if not gpu.is_null("pcie.replays")]
    if minutes is None or not gpus:
        return [skip(say("the rate of PCIe replays is not known: no time of boot, or no counter"))]
    return each(gpus, lambda gpu: _replays(ctx, gpu, minutes), say("few PCIe replays"))


def _replays(ctx: Context, gpu: View, minutes: float) -> list[Finding]:
    count, limit = gpu.integer("pcie.replays"), ctx.policy.pcie_replays_per_minute_max
    # links are trained at boot: the first hour is not held against them
    if count <= limit * max(minutes, 60.0):
        return []
    remedy = replace_it(ctx, say("Reseat the board, look at riser and cables; then have it replaced."))
    message = say("{count} PCIe replays in {minutes} minutes", count=count, minutes=int(minutes))
    return [fail(message, remedy, entity=label(gpu), observed=count, evidence=gpu.show("pcie.replays"))]
