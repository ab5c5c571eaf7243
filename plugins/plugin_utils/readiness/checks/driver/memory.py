# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of the GPUs: ECC, remapped rows, retired pages. Null sections mean that the board has no such thing."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.common import (
    after_module,
    board,
    each,
    label,
    no_gpu,
    replace_it,
    reset_gpu,
    usable,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    skip,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View


def _having(ctx: Context, section: str, without: Text) -> tuple[list[View], list[Finding]]:
    """The GPUs that have a section; where none has, the finding that says so."""
    gpus = usable(ctx)
    having = [gpu for gpu in gpus if not gpu.is_null(section)]
    return having, ([] if having else [skip(without) if gpus else no_gpu()])


@after_module
def ecc_mode(ctx: Context) -> list[Finding]:
    gpus, none = _having(ctx, "ecc", say("these GPUs have no ECC"))
    return none or each(gpus, lambda gpu: _ecc_mode(ctx, gpu), say("the ECC mode is as wanted"))


def _ecc_mode(ctx: Context, gpu: View) -> list[Finding]:
    on = gpu.flag("ecc")
    pending = on if gpu.is_null("ecc_pending") else gpu.flag("ecc_pending")
    details = {"entity": label(gpu), "evidence": gpu.show("ecc", "ecc_pending")}
    if pending != on:
        text = say("Reset the GPU or reboot: the change of the ECC mode waits for it.")
        return [fail(say("a change of the ECC mode waits for a reset"), reset_gpu(ctx, label(gpu), text), **details)]
    wish, row = ctx.policy.ecc, board(ctx, gpu)
    on_wanted = wish == "on" or (wish == "datacenter" and row is not None and row.board == "datacenter")
    if on_wanted and not on:
        text = say("Switch ECC on, then reboot; or say in the policy that it may be off.")
        remedy = ctx.run.shell_line(f"nvidia-smi -i {label(gpu)} -e 1", text)
        return [fail(say("ECC is off: memory errors go unnoticed"), remedy, expected=True, **details)]
    if wish == "off" and on:
        text = say("Switch ECC off, then reboot; or correct the policy.")
        remedy = ctx.run.shell_line(f"nvidia-smi -i {label(gpu)} -e 0", text)
        return [fail(say("ECC is on, the policy wants it off"), remedy, expected=False, **details)]
    return []


@after_module
def ecc_uncorrectable(ctx: Context) -> list[Finding]:
    gpus, none = _having(ctx, "ecc_errors", say("these GPUs count no memory errors"))
    return none or each(gpus, lambda gpu: _uncorrectable(ctx, gpu), say("no uncorrectable memory errors"))


def _uncorrectable(ctx: Context, gpu: View) -> list[Finding]:
    errors = gpu.view("ecc_errors")
    details = {"entity": label(gpu), "evidence": gpu.show("ecc_errors")}
    counts = [_count(errors, "volatile", name) for name in ("sram_uncorrectable", "dram_uncorrectable")]
    since_boot = sum(count for count in counts if count is not None)
    if since_boot > 0:
        text = say("Stop what uses the GPU and reset it; if errors come back, ask for a replacement.")
        message = say("{count} uncorrectable memory errors since the driver was loaded", count=since_boot)
        return [fail(message, reset_gpu(ctx, label(gpu), text), observed=since_boot, expected=0, **details)]
    if errors.is_true("sram_threshold_exceeded"):
        message = say("the board has more SRAM errors than NVIDIA allows")
        return [fail(message, replace_it(ctx, say("Have the GPU replaced.")), **details)]
    if errors.is_true("channel_repair_pending") or errors.is_true("tpc_repair_pending"):
        text = say("Stop what uses the GPU and reset it: the repair is made then.")
        return [fail(say("a repair of the memory waits for a reset"), reset_gpu(ctx, label(gpu), text), **details)]
    total, limit = _count(errors, "aggregate", "sram_uncorrectable"), ctx.policy.ecc_sram_uncorrectable_max
    if total is not None and total > limit:
        message = say("{count} uncorrectable SRAM errors in the board's life (limit {limit})", count=total, limit=limit)
        return [
            fail(message, replace_it(ctx, say("Have the GPU replaced.")), observed=total, expected=limit, **details)
        ]
    # not asked at all is unknown, "not reported by this board" is not
    for name in ("sram_threshold_exceeded", "channel_repair_pending", "tpc_repair_pending"):
        errors.is_null(name)
    if all(count is None for count in counts):
        errors.integer("volatile.dram_uncorrectable")
    return []


def _count(errors: View, life: str, name: str) -> int | None:
    return None if errors.is_null(f"{life}.{name}") else errors.integer(f"{life}.{name}")


@after_module
def ecc_correctable(ctx: Context) -> list[Finding]:
    gpus, none = _having(ctx, "ecc_errors", say("these GPUs count no memory errors"))
    return none or each(gpus, lambda gpu: _correctable(ctx, gpu), say("few correctable memory errors"))


def _correctable(ctx: Context, gpu: View) -> list[Finding]:
    errors = gpu.view("ecc_errors")
    findings = []
    for kind, name, limit in (
        ("DRAM", "dram_correctable", ctx.policy.ecc_dram_correctable_max),
        ("SRAM", "sram_correctable", ctx.policy.ecc_sram_correctable_max),
    ):
        count = _count(errors, "volatile", name)
        if count is not None and count > limit:
            message = say("{count} correctable {kind} errors since the driver was loaded", count=count, kind=kind)
            remedy = ctx.by_hand(say("Watch the GPU: they were corrected, but they are many."), "wait")
            details = {"entity": label(gpu), "observed": count, "expected": limit}
            findings.append(fail(message, remedy, evidence=errors.show(f"volatile.{name}"), **details))
    return findings


@after_module
def remapped_rows(ctx: Context) -> list[Finding]:
    gpus, none = _having(ctx, "remapped_rows", say("these GPUs do not remap memory rows"))
    return none or each(gpus, lambda gpu: _remapped(ctx, gpu), say("no row of memory waits to be remapped"))


def _remapped(ctx: Context, gpu: View) -> list[Finding]:
    rows, limit = gpu.view("remapped_rows"), ctx.policy.remapped_rows_max
    details = {"entity": label(gpu), "evidence": gpu.show("remapped_rows")}
    # failure first: a reset does not mend it
    if rows.flag("failure"):
        message = say("remapping of a bad memory row failed: the spare rows are used up")
        return [fail(message, replace_it(ctx, say("Have the GPU replaced.")), **details)]
    if rows.flag("pending"):
        text = say("Stop what uses the GPU and reset it: the bad row is replaced then.")
        return [fail(say("a bad memory row waits for a reset"), reset_gpu(ctx, label(gpu), text), **details)]
    count = rows.integer("uncorrectable")
    if count >= limit:
        message = say(
            "{count} memory rows were remapped after uncorrectable errors (limit {limit})", count=count, limit=limit
        )
        return [
            fail(message, replace_it(ctx, say("Have the GPU replaced.")), observed=count, expected=limit, **details)
        ]
    return []


@after_module
def retired_pages(ctx: Context) -> list[Finding]:
    gpus, none = _having(ctx, "retired_pages", say("these GPUs do not retire memory pages"))
    return none or each(gpus, lambda gpu: _retired(ctx, gpu), say("few memory pages are retired"))


def _retired(ctx: Context, gpu: View) -> list[Finding]:
    pages, policy = gpu.view("retired_pages"), ctx.policy
    count = pages.integer("single_bit") + pages.integer("double_bit")
    details = {"entity": label(gpu), "observed": count, "evidence": gpu.show("retired_pages")}
    if count >= policy.retired_pages_max:
        message = say("{count} memory pages are retired: the table is full", count=count)
        return [fail(message, replace_it(ctx, say("Have the GPU replaced.")), **details)]
    if not pages.is_null("pending") and pages.flag("pending"):
        remedy = ctx.run.reboot(say("Reboot: the bad page is taken out of use then."))
        return [fail(say("a bad memory page waits for a reboot ({count} retired)", count=count), remedy, **details)]
    if count >= policy.retired_pages_warn:
        remedy = ctx.by_hand(say("Watch the GPU; NVIDIA replaces it when the table is full."), "wait")
        return [warn(say("{count} memory pages are retired", count=count), remedy, **details)]
    return []
