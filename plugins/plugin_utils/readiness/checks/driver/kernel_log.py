# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel log says about the GPUs: Xid, SXid, PCIe errors (AER).

The collector keeps the lines of this boot only. What to do for an Xid comes from NVIDIA's catalogue (tables.xid), the
policy may say otherwise per code, and the driver's own word in the text of Xid 154 wins over both.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.common import (
    after_module,
    hits,
    in_vm,
    log_unreadable,
    lost,
    moment,
    not_in_wsl,
    not_simulated,
    replace_it,
    reset_gpu,
    same_device,
    text_if_any,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    ok,
    skip,
    unknown,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

RECOVERY_CHANGED = 154
HARMLESS = ("ignore", "check_app", "restart_app")
# the worst first: one GPU has one thing to do
_WORST = ("replace_hardware", "reboot", "restart_vm", "reset_gpu", "contact", "workflow", "update", "unknown")
# a double-bit error is dealt with when the driver also says that it was contained or remapped (Xid workflow for 48)
_DOUBLE_BIT, _CONTAINED = 48, (63, 94)
# "GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)": the last one in brackets holds
_IN_BRACKETS = re.compile(r"\(([A-Za-z0-9 -]+)\)")
# by the words of the recovery action
_RECOVERY = (("none", "ignore"), ("reboot", "reboot"), ("reset", "reset_gpu"), ("drain", "reset_gpu"))

_TODO: Mapping[str, Text] = {
    "reset_gpu": say("Stop what uses the GPU and reset it; if that fails, reboot."),
    "reboot": say("Reboot; if it happens again, have the GPU replaced."),
    "restart_vm": say("Stop the virtual machine and start it again."),
    "replace_hardware": say("Look at the power cables and the seat of the board; then have it replaced."),
    "contact": say("Send the kernel log and nvidia-bug-report to the vendor."),
    "workflow": say(
        "Follow NVIDIA's steps for this Xid: look at the other messages of the same time, then reset the GPU."
    ),
    "update": say("Bring driver and firmware to the versions that belong together."),
    "unknown": say("Look the code up in NVIDIA's Xid catalogue."),
}


def no_log() -> Finding:
    return unknown(say("the kernel log cannot be read"))


@after_module
@not_in_wsl
@not_simulated
def xid(ctx: Context) -> list[Finding]:
    if log_unreadable(ctx):
        # in a rented container it is always closed: said, but no reason to doubt the machine
        return [unknown(no_log().message, severity=Severity.INFO)] if ctx.in_container else [no_log()]
    of_gpu: dict[str, list[View]] = {}
    for hit in hits(ctx, "K_XID"):
        if _recent(ctx, hit):
            of_gpu.setdefault(text_if_any(hit, "bdf") or "", []).append(hit)
    gone = [] if ctx.in_container else lost(ctx)
    findings, noted = [], []
    for bdf, its in of_gpu.items():
        if any(same_device(bdf, gpu) for gpu in gone) or (gone and not bdf):
            findings.append(skip(say("the GPU is lost"), entity=bdf or None, caused_by="DRV-GPU-LOST"))
        elif any(same_device(bdf, gpu) for gpu in _asking(ctx)):
            findings.append(skip(say("the driver asks for an action"), entity=bdf, caused_by="DRV-RECOVERY"))
        else:
            found = _judge(ctx, bdf, its)
            findings += found
            noted += [] if found else sorted({hit.integer("code") for hit in its})
    if not findings and noted:
        return [ok(say("no Xid that asks for an action; noted: {codes}", codes=noted))]
    return findings or [ok(say("no Xid in the last {hours} hours", hours=ctx.policy.xid_hours))]


def _asking(ctx: Context) -> list[str | None]:
    """Addresses of the GPUs for which DRV-RECOVERY has the red line."""
    if ctx.in_container:
        return []
    words = [(gpu.text_or_none("bdf"), gpu.text_or_none("recovery_action")) for gpu in ctx.facts.views("gpus")]
    return [bdf for bdf, word in words if word is not None and word.lower() not in ("none", "no", "n/a")]


def _recent(ctx: Context, hit: View) -> bool:
    """An entry without a time counts as new."""
    now, seen = moment(ctx.facts.text("collected_at")), moment(text_if_any(hit, "time"))
    return now is None or seen is None or now - seen <= datetime.timedelta(hours=ctx.policy.xid_hours)


def _judge(ctx: Context, bdf: str, its: list[View]) -> list[Finding]:
    codes = [hit.integer("code") for hit in its]
    said = [hit for hit in its if hit.integer("code") == RECOVERY_CHANGED]
    own = _own_word(said[-1].text("text")) if said else None
    if own is not None:
        action = own
    else:
        actions = [_action(ctx, code) for code in codes if not _settled(code, codes)]
        serious = [action for action in actions if action not in HARMLESS]
        action = min(serious, key=_WORST.index) if serious else "ignore"
    if action in HARMLESS:
        return []
    shown = [hit for hit in its if own is not None or _action(ctx, hit.integer("code")) not in HARMLESS]
    details = {
        "entity": bdf or None,
        "observed": sorted({hit.integer("code") for hit in shown}),
        "evidence": tuple(item for hit in shown[-4:] for item in hit.show("text", "time")),
        # a code that nobody has explained is no reason to stop
        "severity": Severity.MINOR if action == "unknown" else None,
    }
    return [fail(_message(bdf, shown, its), _remedy(ctx, action, bdf), **details)]


def _message(bdf: str, shown: list[View], its: list[View]) -> Text:
    last: dict[int, View] = {hit.integer("code"): hit for hit in shown}
    items = [
        _item(hit, sum(it.integer("count") for it in its if it.integer("code") == code)) for code, hit in last.items()
    ]
    return say("{items} on {gpu}", items=items, gpu=bdf or say("a GPU of unknown address"))


def _item(hit: View, count: int) -> Text:
    code = hit.integer("code")
    known = tables.xid(code)
    meaning = known.meaning if known else say("not in our table")
    when = hit.text_or_none("time") or say("time unknown")
    return say("Xid {code}: {meaning} (count {count}, last {time})", code=code, meaning=meaning, count=count, time=when)


def _settled(code: int, codes: list[int]) -> bool:
    return code == _DOUBLE_BIT and any(other in codes for other in _CONTAINED)


def _action(ctx: Context, code: int) -> str:
    wishes = ctx.policy.xid_actions
    wish = next((str(wishes[key]) for key in wishes if str(key) == str(code)), None)
    known = tables.xid(code)
    return wish or (known.action if known else "unknown")


def _own_word(text: str) -> str | None:
    """The recovery action that the driver names in Xid 154; None where the text is of another form."""
    words = _IN_BRACKETS.findall(text)
    # the first pair of brackets may be the address: "Xid (PCI:0000:18:00): 154, ..." has colons and does not match
    last = words[-1].lower() if words else ""
    return next((action for word, action in _RECOVERY if word in last), None)


def _remedy(ctx: Context, action: str, bdf: str) -> Remedy:
    text = _TODO[action]
    if action == "reset_gpu":
        return reset_gpu(ctx, bdf or None, text)
    if action == "reboot":
        return ctx.run.reboot(text)
    kinds = {"replace_hardware": "replace_hardware", "contact": "contact_provider", "restart_vm": "contact_provider"}
    return ctx.by_hand(text, kinds.get(action, "none"))


@after_module
@not_in_wsl
def sxid(ctx: Context) -> list[Finding]:
    """Errors of the NVSwitches: 'nvidia-nvswitch3: SXid (PCI:0000:c3:00.0): 20034, Fatal, Link 30 ...'."""
    if not ctx.facts.views("pci.nvswitches"):
        return [skip(say("there is no NVSwitch"))]
    if log_unreadable(ctx):
        return [no_log()]
    fatal = [hit for hit in hits(ctx, "K_SXID") if re.search(r"(?<![-\w])fatal\b", hit.text("text"), re.IGNORECASE)]
    findings = []
    for bdf in dict.fromkeys(hit.text_or_none("bdf") for hit in fatal):
        its = [hit for hit in fatal if hit.text_or_none("bdf") == bdf]
        codes = sorted({hit.integer("code") for hit in its})
        remedy = ctx.run.reboot(say("Reboot; if it happens again, send the kernel log to the vendor."))
        message = say("fatal NVSwitch errors: SXid {codes}", codes=codes)
        findings.append(fail(message, remedy, entity=bdf, observed=codes, evidence=its[-1].show("text", "time")))
    return findings or [ok(say("no fatal NVSwitch error"))]


@not_in_wsl
@not_simulated
def aer(ctx: Context) -> list[Finding]:
    """Counters of PCIe's advanced error reporting, and what the kernel printed about them."""
    if in_vm(ctx):
        return [skip(say("in a virtual machine the host sees these errors"))]
    gpus = ctx.facts.views("pci.gpus")
    counted = [gpu for gpu in gpus if not gpu.is_null("aer")]
    remedy = replace_it(ctx, say("Reseat the board, look at riser and cables; then have it replaced."))
    printed = [] if log_unreadable(ctx) else hits(ctx, "K_AER")
    findings = []
    for gpu in counted:
        bdf, limit = gpu.text("bdf"), ctx.policy.aer_correctable_max
        near = [hit for hit in printed if _is_at(hit, bdf, text_if_any(gpu, "bridge"))]
        worse = [hit for hit in near if "uncorrect" in hit.text("text").lower()]
        fatal = sum(_number(gpu, name) for name in ("aer.fatal", "aer.nonfatal"))
        corrected = _number(gpu, "aer.correctable")
        evidence = (*gpu.show("aer"), *(item for hit in worse[-2:] for item in hit.show("text", "time")))
        details = {"entity": bdf, "evidence": evidence}
        if fatal or worse:
            message = say("PCIe errors that could not be corrected: {count}", count=max(fatal, len(worse)))
            findings.append(fail(message, remedy, observed=fatal, expected=0, **details))
        elif corrected > limit:
            message = say("{count} corrected PCIe errors since boot (limit {limit})", count=corrected, limit=limit)
            findings.append(fail(message, remedy, observed=corrected, expected=limit, **details))
    if not counted:
        return [skip(say("this machine does not count PCIe errors"))]
    return findings or [ok(say("no PCIe errors that matter"))]


def _is_at(hit: View, *places: str | None) -> bool:
    return any(same_device(text_if_any(hit, "bdf"), place) for place in places)


def _number(view: View, path: str) -> int:
    return 0 if view.is_null(path) else view.integer(path)
