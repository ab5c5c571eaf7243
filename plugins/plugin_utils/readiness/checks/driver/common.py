# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several driver checks ask: which GPUs answer, what the kernel log holds, what kind of machine this is."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from functools import wraps

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight import registry as preflight
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.remedies import NO_DRIVER
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    CheckFunction,
    Context,
    Finding,
    Severity,
    Stage,
    Status,
    ok,
    skip,
    unknown,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import Gpu
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import gpu as board_of
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# what keeps a driver that is installed from loading; each has its own red line in preflight
EXPLAINS_NO_MODULE = (
    "PRE-GPU-PCI",
    "PRE-GPU-ALIVE",
    "PRE-BOUND-DRIVER",
    "PRE-NOUVEAU",
    "PRE-RUNFILE",
    "PRE-SECURE-BOOT",
    # red only where the policy says so: else the role installs them
    "PRE-HEADERS",
    "PRE-BRANCH-FIT",
    "PRE-BIOS-BAR",
)
DRIVER_PACKAGES = (
    "nvidia-driver",
    "nvidia-open",
    "nvidia-kernel",
    "nvidia-dkms",
    "cuda-drivers",
    "nvidia-headless",
    "linux-modules-nvidia",
    "kmod-nvidia",
    "akmod-nvidia",
    "xorg-x11-drv-nvidia",
)


def label(gpu: View) -> str:
    return gpu.text_or_none("bdf") or f"GPU {gpu.integer('index')}"


def usable(ctx: Context) -> list[View]:
    """The GPUs that answer; a lost one has its own red line, and its other readings mean nothing."""
    return [gpu for gpu in ctx.facts.views("gpus") if gpu.text("state") == "ok"]


def all_good(gpus: list[View], message: Text) -> list[Finding]:
    """One line for all GPUs, when none of them has anything to say."""
    return [ok(message)] if gpus else [no_gpu()]


def each(gpus: Sequence[View], judge: Callable[[View], list[Finding]], good: Text) -> list[Finding]:
    """Judge GPU by GPU: one that cannot be measured does not hide what is wrong with another. `good`: nothing found."""
    findings = []
    for gpu in gpus:
        try:
            findings += judge(gpu)
        except UnmeasuredError as gap:
            findings.append(unknown(say("not measured: {path}", path=gap.path), entity=label(gpu)))
    return findings or all_good(list(gpus), good)


def no_gpu() -> Finding:
    return skip(say("the driver shows no GPU"))


def text_if_any(view: View, path: str) -> str | None:
    """The text, or None where the collector found none. Raises when it did not look: a gap is no null."""
    return None if view.is_null(path) else view.text(path)


def integer_if_any(view: View, path: str) -> int | None:
    return None if view.is_null(path) else view.integer(path)


def board(ctx: Context, gpu: View) -> Gpu | None:
    """The row of the GPU table for a GPU of nvidia-smi, found by its address on the bus."""
    bdf = text_if_any(gpu, "bdf")
    for function in ctx.facts.views("pci.gpus"):
        if bdf is not None and function.text("bdf") == bdf:
            return board_of(text_if_any(function, "device"))
    return None


def hits(ctx: Context, *signatures: str) -> list[View]:
    """Lines of the kernel log by signature, as §2.7 of the catalogue names them: K_XID, K_BUS and so on."""
    wanted = {_plain(name) for name in signatures}
    return [hit for hit in ctx.facts.views("kernel_log.hits") if _plain(hit.text("signature")) in wanted]


def _plain(signature: str) -> str:
    name = signature.lower()
    return name[2:] if name.startswith("k_") else name


def log_unreadable(ctx: Context) -> bool:
    """The collector looked and found no kernel log that it may read. Raises when it did not look."""
    return ctx.facts.is_null("kernel_log.source")


def same_device(one: str | None, other: str | None) -> bool:
    """The kernel log names a GPU without its function: 0000:53:00 is 0000:53:00.0."""
    return one is not None and other is not None and one.partition(".")[0].lower() == other.partition(".")[0].lower()


def fell_off(ctx: Context) -> list[View]:
    """Kernel messages that say a GPU has gone from the bus (Xid 79). Empty where the log cannot be read."""
    if log_unreadable(ctx):
        return []
    return hits(ctx, "K_BUS") + [hit for hit in hits(ctx, "K_XID") if hit.integer("code") == 79]


def lost(ctx: Context) -> list[str | None]:
    """Addresses of the GPUs that are lost, by the driver or by the kernel log."""
    gone = [gpu.text_or_none("bdf") for gpu in ctx.facts.views("gpus") if gpu.text("state") != "ok"]
    return gone + [hit.text_or_none("bdf") for hit in fell_off(ctx)]


def is_wsl(ctx: Context) -> bool:
    return not ctx.facts.is_null("virt.wsl") and ctx.facts.flag("virt.wsl")


def is_simulated(ctx: Context) -> bool:
    return ctx.facts.is_true("simulated.gpu")


def in_vm(ctx: Context) -> bool:
    """A virtual machine: its PCIe topology is the hypervisor's invention."""
    return ctx.facts.text("virt.kind") == "vm"


def is_passed_through(gpu: View) -> bool:
    """The driver's own word that a hypervisor stands between it and the GPU."""
    return (text_if_any(gpu, "virtualization") or "").lower() in ("pass-through", "vgpu")


def is_vgpu(gpu: View) -> bool:
    """A slice of a GPU that the hypervisor made."""
    return (text_if_any(gpu, "virtualization") or "").lower() == "vgpu"


def has_mig(gpu: View) -> bool:
    """null: the board cannot be sliced."""
    return not gpu.is_null("mig") and gpu.flag("mig")


def driver_packages(ctx: Context) -> list[str]:
    installed = ctx.facts.mapping("packages.installed")
    return [name for name in installed if name.startswith(DRIVER_PACKAGES) and not NO_DRIVER.match(name)]


def moment(text: str | None) -> datetime.datetime | None:
    """'2026-11-21T10:00:00Z' as a time with a zone; None for what is no time."""
    try:
        found = datetime.datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)


def minutes_up(ctx: Context) -> float | None:
    """Minutes since the kernel log begins, which is the boot; None where the log or a time cannot be read."""
    now = moment(ctx.facts.text("collected_at"))
    since = None if ctx.facts.is_null("kernel_log.since") else moment(ctx.facts.text("kernel_log.since"))
    if now is None or since is None or now <= since:
        return None
    return (now - since).total_seconds() / 60


def reset_gpu(ctx: Context, gpu: str | None, text: Text) -> Remedy:
    target = "" if gpu is None or not re.match(r"[0-9a-f]{4,8}:", gpu) else f" -i {gpu}"
    return ctx.run.shell_line(f"nvidia-smi --gpu-reset{target}", text, action="reset_gpu")


def replace_it(ctx: Context, text: Text) -> Remedy:
    return ctx.by_hand(text, "replace_hardware")


# --- what a whole check is not asked ---


def after_module(function: CheckFunction) -> CheckFunction:
    """Ask the check only where the module is loaded, or where nothing in preflight says why it is not."""

    @wraps(function)
    def judge(ctx: Context) -> list[Finding]:
        cause = no_module_because(ctx)
        # what preflight's checks have read is no evidence of this one
        ctx.facts.trace.clear()
        if cause is None:
            return function(ctx)
        return [skip(say("the module is not loaded because {cause} fails", cause=cause), caused_by=cause)]

    return judge


def not_in_wsl(function: CheckFunction) -> CheckFunction:
    @wraps(function)
    def judge(ctx: Context) -> list[Finding]:
        return [skip(say("under WSL2 this belongs to Windows"))] if is_wsl(ctx) else function(ctx)

    return judge


def not_simulated(function: CheckFunction) -> CheckFunction:
    """The sandbox's GPU has no kernel behind it."""

    @wraps(function)
    def judge(ctx: Context) -> list[Finding]:
        return [skip(say("the GPU is simulated and has no such part"))] if is_simulated(ctx) else function(ctx)

    return judge


def no_module_because(ctx: Context) -> str | None:
    """The preflight check that fails and thereby explains that the module is not loaded; it has the red line.

    A check that is switched off, waived or only a warning has no red line and so explains nothing here.
    """
    loaded = ctx.facts.data.get("driver") if isinstance(ctx.facts.data, dict) else None
    if Stage.PREFLIGHT not in ctx.stages or ctx.in_container or not isinstance(loaded, dict):
        return None
    if not isinstance(loaded.get("module"), dict) or loaded["module"].get("loaded") is not False:
        return None
    explains = (*EXPLAINS_NO_MODULE, "PRE-SCOPE") if ctx.facts.is_true("virt.jetson") else EXPLAINS_NO_MODULE
    for check in preflight.CHECKS:
        if check.id in explains and _has_red_line(ctx, check.id, check.severity, check.function):
            return check.id
    return None


def _has_red_line(ctx: Context, check_id: str, severity: Severity, function: CheckFunction) -> bool:
    quiet = (Severity.MINOR, Severity.INFO)
    if check_id in ctx.policy.skip or any(waiver.get("id") == check_id for waiver in ctx.policy.waive):
        return False
    if Severity(ctx.policy.severity.get(check_id, severity)) in quiet:
        return False
    try:
        findings = function(ctx)
    except UnmeasuredError:
        return False
    return any(finding.status is Status.FAIL and finding.severity not in quiet for finding in findings)
