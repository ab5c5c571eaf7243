# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: the GPUs as the PCI bus shows them. Needs no driver."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tiers
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.common import (
    MAKERS,
    foreign_gpus,
    given_away,
    no_gpu,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    ok,
    skip,
    unknown,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import gpu as known_gpu
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import too_old
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import counted_gpus, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import Evidence, View

# what PRE-NOUVEAU tells already
_NOUVEAU = ("nouveau", "nova", "nova_core", "nova-core")
# the driver's own services; they stop with it. The kernel cuts a name after 15 characters (TASK_COMM_LEN).
_OWN_SERVICES = ("nvidia-persiste", "nv-fabricmanage", "nvidia-fabricma", "nvidia-powerd", "nv-hostengine")


def other_makers(ctx: Context) -> list[Finding]:
    if ctx.facts.flag("virt.wsl"):
        return [skip(say("WSL shows the GPU through /dev/dxg, not on the PCI bus"))]
    others = foreign_gpus(ctx)
    listed = [say("{maker} {bdf}", maker=MAKERS[gpu.text("vendor")], bdf=gpu.text("bdf")) for gpu in others]
    if not others:
        return [ok(say("no GPU of AMD or Intel"))]
    if ctx.facts.views("pci.gpus"):
        return [ok(say("GPUs of other makers are left alone: {listed}", listed=listed))]
    remedy = ctx.policy_remedy(
        say("Use a host with an NVIDIA GPU; if one is in it, seat it again; for a CPU-only host expect no GPU."),
        expected_gpus=0,
    )
    message = say("the GPUs of this host are not supported, only those of NVIDIA are: {listed}", listed=listed)
    return [fail(message, remedy, observed=[gpu.text("bdf") for gpu in others])]


def gpu_on_pci(ctx: Context) -> list[Finding]:
    if ctx.facts.flag("virt.wsl"):
        return [skip(say("WSL shows the GPU through /dev/dxg, not on the PCI bus"))]
    if ctx.facts.is_true("virt.jetson"):
        return [skip(say("the GPU of a Jetson is no PCI device"), caused_by="PRE-SCOPE")]
    gpus, expected = ctx.facts.views("pci.gpus"), ctx.policy.expected_gpus
    count = len(gpus)
    details = {"observed": count, "expected": "at least 1" if expected is None else expected}
    if not gpus:
        remedy = ctx.policy_remedy(
            say("Seat the GPU or ask the provider; for a CPU-only host expect no GPU."), expected_gpus=0
        )
        return [fail(say("no NVIDIA GPU on the PCI bus"), remedy, **details)]
    listed = names([gpu.text("bdf") for gpu in gpus], 8)
    if expected in (None, count):
        return [ok(say("{count} NVIDIA GPU on the PCI bus: {listed}", count=count, listed=listed), **details)]
    message = say("{gpus} on the PCI bus, {expected} expected", gpus=counted_gpus(count), expected=expected)
    evidence = {"evidence": tuple(item for gpu in gpus[:8] for item in gpu.show("bdf"))}
    if expected is not None and count < expected:
        remedy = ctx.by_hand(
            say("Find the missing GPU (power, riser, slot, firmware), or correct expected_gpus in the policy."),
            "replace_hardware",
        )
    else:
        remedy = ctx.policy_remedy(say("Correct the number."), expected_gpus=count)
    return [fail(message, remedy, **details, **evidence)]


def gpu_answers(ctx: Context) -> list[Finding]:
    if nothing := no_gpu(ctx):
        return nothing
    gpus = ctx.facts.views("pci.gpus")
    dead = [gpu for gpu in gpus if not gpu.flag("config_readable")]
    remedy = ctx.run.reboot(say("Reboot; a GPU that stays silent has to be reseated or replaced."))
    return [
        fail(
            say("GPU {bdf} does not answer on PCIe (its config space reads ff)", bdf=gpu.text("bdf")),
            remedy,
            entity=gpu.text("bdf"),
            evidence=gpu.show("config_readable"),
        )
        for gpu in dead
    ] or [ok(say("GPUs that answer on PCIe: {count}", count=len(gpus)))]


def gpu_known(ctx: Context) -> list[Finding]:
    if nothing := no_gpu(ctx):
        return nothing
    gpus = ctx.facts.views("pci.gpus")
    strangers = [gpu for gpu in gpus if known_gpu(gpu.text("device")) is None and not too_old(gpu.text("device"))]
    remedy = ctx.by_hand(say("Update the collection; until then nothing is judged that depends on the model."))
    seen = sorted({known.name for gpu in gpus if (known := known_gpu(gpu.text("device")))})
    if not strangers and not seen:
        return [skip(say("these GPUs are too old to be listed"), caused_by="PRE-BRANCH-FIT")]
    return [
        warn(
            say("GPU {bdf} has the unknown device id {device}", bdf=gpu.text("bdf"), device=gpu.text("device")),
            remedy,
            entity=gpu.text("bdf"),
            evidence=gpu.show("device", "subsystem"),
        )
        for gpu in strangers
    ] or [ok(say("GPUs of known models: {seen}", seen=seen))]


def gpu_binding(ctx: Context) -> list[Finding]:
    if nothing := no_gpu(ctx):
        return nothing
    bound = [(gpu, None if gpu.is_null("driver") else gpu.text("driver")) for gpu in ctx.facts.views("pci.gpus")]
    wrong = [
        _wrong_driver(ctx, gpu, driver)
        for gpu, driver in bound
        if driver is not None and driver != "nvidia" and driver not in _NOUVEAU
    ]
    if wrong:
        return wrong
    if any(driver in _NOUVEAU for _gpu, driver in bound):
        return [skip(say("nouveau has the GPU, see PRE-NOUVEAU"), caused_by="PRE-NOUVEAU")]
    if any(driver is None for _gpu, driver in bound):
        return [ok(say("no other driver has a GPU"))]
    return [ok(say("the NVIDIA driver has every GPU"))]


def _wrong_driver(ctx: Context, gpu: View, driver: str) -> Finding:
    bdf = gpu.text("bdf")
    details = {"entity": bdf, "observed": driver, "expected": "nvidia", "evidence": gpu.show("driver")}
    if given_away(gpu):
        remedy = ctx.by_hand(
            say(
                "Take the GPU back from the virtual machine (unbind it from {driver}), or judge it there.",
                driver=driver,
            )
        )
        message = say("GPU {bdf} is bound to {driver}: it is given to a virtual machine", bdf=bdf, driver=driver)
        # where others stay here and no number is asked for, that may be as it is meant
        some_stay = any(not given_away(other) for other in ctx.facts.views("pci.gpus"))
        meant = some_stay and ctx.policy.expected_gpus is None
        return (warn if meant else fail)(message, remedy, **details)
    remedy = ctx.by_hand(
        say("Blacklist {driver} in /etc/modprobe.d, make the initramfs anew and reboot.", driver=driver), "reboot"
    )
    message = say("GPU {bdf} is bound to {driver}, not to the NVIDIA driver", bdf=bdf, driver=driver)
    return fail(message, remedy, severity=Severity.MAJOR, **details)


def tier(ctx: Context) -> list[Finding]:
    wanted = ctx.policy.tier
    if wanted is None:
        return [skip(say("the policy names no tier"))]
    found = tiers.match(wanted, ctx.facts)
    if found:
        return [ok(say("this machine is of tier {tier}", tier=wanted))]
    actual = tiers.tier_of(ctx.facts)
    details = {"expected": str(found.wanted), "observed": str(found.found), "evidence": _devices(ctx)}
    message = say("{wanted} is what the policy says; this machine has {found}", wanted=found.wanted, found=found.found)
    if actual is None:
        remedy = ctx.by_hand(say("Correct the tier in the policy, or take it out."))
    else:
        text = say("Correct the tier, or look for what is missing in this machine.")
        remedy = ctx.policy_remedy(text, tier=str(actual["id"]))
    return [fail(message, remedy, **details)]


def _devices(ctx: Context) -> Evidence:
    where = "gpus" if ctx.in_container or ctx.facts.is_true("virt.wsl") else "pci.gpus"
    shown = "name" if where == "gpus" else "device"
    found = tuple(item for gpu in ctx.facts.views(where)[:8] for item in gpu.show(shown))
    return found or ctx.facts.show("scope", "virt.wsl")


def gpu_busy(ctx: Context) -> list[Finding]:
    if not ctx.policy.driver_change_planned:
        return [skip(say("no change of the driver is planned"))]
    users = [item for item in ctx.facts.views("processes.gpu") if not item.text("comm").startswith(_OWN_SERVICES)]
    if not users and ctx.facts.text("probes.processes.status") != "ok":
        return [unknown(say("not all processes could be looked at"), evidence=ctx.facts.show("probes.processes"))]
    if not users and ctx.facts.integer("collector.euid") != 0:
        return [unknown(say("only root sees which processes use the GPU"))]
    if not users:
        return [ok(say("no process uses the GPU"))]
    listed = [say("{comm} (pid {pid})", comm=item.text("comm"), pid=item.integer("pid")) for item in users[:6]]
    remedy = ctx.by_hand(
        say("Stop these processes or their containers first: the driver cannot be changed under them."), "check_app"
    )
    evidence = tuple(entry for item in users[:4] for entry in item.show("pid", "comm"))
    message = say(
        "{count} processes use the GPU while its driver is to be changed: {listed}", count=len(users), listed=listed
    )
    return [fail(message, remedy, observed=len(users), expected=0, evidence=evidence)]


def bar_mapped(ctx: Context) -> list[Finding]:
    if ctx.facts.is_null("kernel_log.source"):
        return [skip(say("the kernel log cannot be read here"))]
    hits = [hit for hit in ctx.facts.views("kernel_log.hits") if hit.text("signature") == "bar"]
    remedy = ctx.by_hand(
        say("In the firmware setup, turn on Above 4G Decoding and, if it is there, Resizable BAR."), "firmware_setup"
    )
    return [
        warn(
            say("the firmware did not map the memory of a GPU (BAR)"),
            remedy,
            entity=bdf,
            evidence=hit.show("signature", "text"),
        )
        for bdf, hit in {hit.text_or_none("bdf"): hit for hit in hits}.items()
    ] or [ok(say("the kernel log tells of no GPU memory left unmapped"))]
