# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel side of the driver: hung calls, the module, its device nodes."""

from __future__ import annotations

import re

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.common import (
    after_module,
    driver_packages,
    hits,
    is_simulated,
    is_wsl,
    log_unreadable,
    not_in_wsl,
    text_if_any,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.common import given_away
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.remedies import (
    boot,
    key_for_secure_boot,
    newer,
    role_keeps,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    ok,
    skip,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import Evidence, UnmeasuredError, View

# threads and programs of the driver in /proc/*/stat
_OURS = re.compile(r"nvidia|nv_|nv-|UVM", re.IGNORECASE)
_ASKS_DRIVER = re.compile(r"nvidia|cuda|\bnvlink|nvml", re.IGNORECASE)


def no_hang(ctx: Context) -> list[Finding]:
    """A hung call never returns an error: the collector's time limit speaks for it."""
    if not is_wsl(ctx) and not ctx.facts.flag("driver.module.loaded"):
        return [skip(say("no module is loaded that could hang"))]
    _asked(ctx)
    hung = []
    for name, probe in ctx.facts.mapping("probes").items():
        seen = View({"probe": probe}, "probes", ctx.facts.trace)
        asks_driver = _ASKS_DRIVER.search(name) or _ASKS_DRIVER.search(seen.text_or_none("probe.source") or "")
        if asks_driver and seen.text("probe.status") == "timeout":
            hung.append(name)
    stuck = [f"{it.text('comm')} ({it.integer('pid')})" for it in ctx.facts.views("processes.stuck")]
    stuck = [name for name in stuck if _OURS.search(name)]
    remedy = ctx.run.reboot(say("Reboot: a call that hangs in the kernel cannot be ended. Then look for Xid messages."))
    evidence = ctx.facts.show(*(f"probes.{name}" for name in hung), "processes.stuck")
    if hung and stuck:
        message = say("{probes} did not return in time; stuck in the kernel: {stuck}", probes=hung, stuck=names(stuck))
        return [fail(message, remedy, observed=hung, evidence=evidence)]
    if hung:
        message = say("{probes} did not return in time", probes=hung)
        return [fail(message, remedy, observed=hung, evidence=evidence)]
    if stuck:
        # one look cannot tell a process that hangs from one that waits for a moment
        message = say("processes of the driver wait in the kernel: {stuck}", stuck=names(stuck))
        text = say("Look again in a minute; if they are still there, reboot.")
        return [warn(message, ctx.by_hand(text, "wait"), observed=stuck, evidence=evidence)]
    return [ok(say("every call to the driver returned"))]


def _asked(ctx: Context) -> None:
    """Raises where the report of a call that was made is missing: it might have hung."""
    if not ctx.facts.is_null("driver.smi.present") and ctx.facts.flag("driver.smi.present"):
        ctx.facts.text("probes.nvidia_smi.status")
    if not is_simulated(ctx) and ctx.facts.is_null("cuda.rc"):
        ctx.facts.text("probes.cuda.status")


@after_module
@not_in_wsl
def module_loaded(ctx: Context) -> list[Finding]:
    if ctx.facts.flag("driver.module.loaded"):
        version = ctx.facts.text_or_none("driver.module.version") or say("of unknown version")
        flavour = ctx.facts.text_or_none("driver.module.flavour") or say("flavour unknown")
        message = say("kernel module nvidia {version} is loaded ({flavour})", version=version, flavour=flavour)
        return [ok(message)]
    try:
        cause, remedy, evidence = _why(ctx)
    except UnmeasuredError:
        # that it is not loaded is known, even where its reason is not
        cause, remedy, evidence = _unexplained(ctx)
    return [fail(say("kernel module nvidia is not loaded: {cause}", cause=cause), remedy, evidence=evidence)]


_Why = tuple[Text, Remedy, tuple[dict[str, object], ...]]


def _why(ctx: Context) -> _Why:
    """(cause, remedy, evidence). What the kernel said comes first: it is no guess."""
    if not driver_packages(ctx) and not _has_module(ctx):
        remedy = ctx.run.play("nvidia_driver", say("Install the driver."))
        return say("no driver is installed"), remedy, ctx.facts.show("driver.module", "kernel.running")
    return _said_by_kernel(ctx) or _by_state(ctx)


def _has_module(ctx: Context) -> bool:
    """Is there a module file for any kernel: a .run file leaves no package."""
    return any(not kernel.is_null("nvidia") for kernel in ctx.facts.views("kernel.installed"))


def _said_by_kernel(ctx: Context) -> _Why | None:
    if log_unreadable(ctx):
        return None
    for signature, make in (
        ("K_KEY", _key),
        ("K_BAR", _bar),
        ("K_PROBE", _owned),
        ("K_API", _mismatch),
        ("K_GSP", _gsp),
        ("K_RMINIT", _no_start),
        ("K_NONE", _unsupported),
    ):
        found = hits(ctx, signature)
        if found:
            cause, remedy = make(ctx, found[-1].text("text"))
            return cause, remedy, found[-1].show("text", "time")
    return None


def _key(ctx: Context, _line: str) -> tuple[Text, Remedy]:
    return say("Secure Boot refused its signature"), key_for_secure_boot(ctx)


def _bar(ctx: Context, _line: str) -> tuple[Text, Remedy]:
    text = say("Switch on Above 4G Decoding (and Resizable BAR, where offered) in the firmware setup.")
    return say("the firmware gave the GPU no memory window"), ctx.by_hand(text, "firmware_setup")


def _owned(ctx: Context, _line: str) -> tuple[Text, Remedy]:
    remedy = boot(ctx, say("Reboot: the other driver leaves the GPU only then."))
    return say("another driver has the GPU"), remedy


def _mismatch(ctx: Context, _line: str) -> tuple[Text, Remedy]:
    return say("its version differs from that of the libraries"), boot(ctx, say("Reboot."))


def _gsp(ctx: Context, _line: str) -> tuple[Text, Remedy]:
    remedy = ctx.run.reboot(say("Switch the machine off and on; if it happens again, take another driver version."))
    return say("the GPU's own processor (GSP) did not start"), remedy


def _no_start(ctx: Context, _line: str) -> tuple[Text, Remedy]:
    remedy = ctx.run.reboot(say("Reboot; if the GPU does not start then either, have it replaced."))
    return say("the GPU did not start (RmInitAdapter)"), remedy


def _unsupported(ctx: Context, line: str) -> tuple[Text, Remedy]:
    text = say("Install a branch and a kind of module that support this GPU; a virtual GPU needs NVIDIA's GRID driver.")
    remedy = ctx.run.play("nvidia_driver", text, nvidia_driver_allow_change=True)
    return say("it supports none of the GPUs: {line}", line=line[:160]), remedy


def _by_state(ctx: Context) -> _Why:
    facts = ctx.facts
    if facts.is_true("driver.nouveau.loaded"):
        remedy = boot(ctx, say("Reboot: nouveau leaves the GPU only then."))
        return say("nouveau has the GPU"), remedy, facts.show("driver.nouveau")
    running = facts.text("kernel.running")
    kernels = {kernel.text("release"): kernel for kernel in facts.views("kernel.installed")}
    if running in kernels and kernels[running].is_null("nvidia"):
        return _not_built(ctx, running, kernels)
    if facts.is_true("firmware.secure_boot") and not facts.is_true("firmware.mok.enrolled"):
        evidence = facts.show("firmware.secure_boot", "firmware.mok")
        if facts.is_true("firmware.mok.pending"):
            cause = say("a key of this machine waits to be enrolled at the console")
        else:
            cause = say("Secure Boot may have refused it")
        return cause, key_for_secure_boot(ctx), evidence
    if facts.is_true("kernel.reboot_required"):
        remedy = ctx.run.reboot(say("Reboot into the kernel it was built for."))
        return say("a reboot is pending"), remedy, facts.show("kernel.reboot_required", "kernel.running")
    return _unexplained(ctx)


def _unexplained(ctx: Context) -> _Why:
    remedy = ctx.run.play("nvidia_driver", say("Let the role load it; if that fails, `modprobe nvidia` says why."))
    return say("nothing tells why"), remedy, ctx.facts.show("driver.module", "kernel.running")


def build_failure(ctx: Context, release: str) -> tuple[Text, Evidence] | None:
    """Why dkms could not build the module for a kernel, by the first error of its make.log."""
    for build in ctx.facts.views("driver.dkms"):
        if build.text("status") != "broken" or text_if_any(build, "kernel") not in (release, None):
            continue
        named = {"name": build.text("name"), "version": build.text("version"), "kernel": release}
        errors = [] if build.is_null("log") else build.strings("log.errors")
        evidence = build.show("version", "kernel", "status", "log")
        if errors:
            return say(
                "{name} {version} does not compile for kernel {kernel}: {error}", error=errors[0], **named
            ), evidence
        return say("{name} {version} was not built for kernel {kernel}, and no log tells why", **named), evidence
    return None


def build_remedy(ctx: Context) -> Remedy:
    text = say("Take a newer version of the driver, which may compile for this kernel; or boot an older kernel.")
    loaded = next((build.text_or_none("version") for build in ctx.facts.views("driver.dkms")), None)
    return newer(ctx, text, loaded=loaded)


def _not_built(ctx: Context, running: str, kernels: dict[str, View]) -> _Why:
    evidence = kernels[running].show("release", "nvidia", "headers")
    others = [release for release, kernel in kernels.items() if not kernel.is_null("nvidia")]
    if others:
        remedy = ctx.run.reboot(say("Reboot into the kernel it was built for."))
        cause = say("it was built for {others}, not for the running kernel {running}", others=others, running=running)
        return cause, remedy, evidence
    failed = build_failure(ctx, running)
    if failed is not None:
        cause, told = failed
        return cause, build_remedy(ctx), (*told, *evidence)
    remedy = ctx.run.play("nvidia_driver", say("Let the role install the headers and build the module."))
    if not kernels[running].flag("headers"):
        return say("the headers of the running kernel {running} are missing", running=running), remedy, evidence
    return say("it was not built for the running kernel {running}", running=running), remedy, evidence


@after_module
@not_in_wsl
def device_nodes(ctx: Context) -> list[Finding]:
    nodes = {node.text("path"): node.text("mode") for node in ctx.facts.views("driver.devnodes")}
    numbered = sorted(path for path in nodes if re.fullmatch(r"/dev/nvidia\d+", path))
    # a GPU that was handed to a virtual machine gets no node here
    wanted = len([gpu for gpu in ctx.facts.views("pci.gpus") if not given_away(gpu)])
    text = say("Let the driver make its nodes (nvidia-modprobe, nvidia-persistenced).")
    remedy = (
        ctx.run.play("nvidia_driver", text) if role_keeps(ctx) else ctx.run.shell_line("nvidia-modprobe -u -c=0", text)
    )
    details = {"observed": sorted(nodes), "expected": wanted, "evidence": ctx.facts.show("driver.devnodes")}
    if "/dev/nvidiactl" not in nodes:
        message = say(
            "/dev/nvidiactl is missing; {have} of {wanted} GPU nodes exist", have=len(numbered), wanted=wanted
        )
        return [fail(message, remedy, **details)]
    if len(numbered) < wanted:
        if _fewer_in_driver(ctx, len(numbered)):
            reason = say("the driver has no more GPUs than nodes")
            return [skip(reason, caused_by="DRV-GPU-COUNT")]
        message = say("{have} of {wanted} GPU device nodes exist", have=len(numbered), wanted=wanted)
        return [fail(message, remedy, **details)]
    closed = [path for path in [*numbered, "/dev/nvidiactl"] if nodes[path][-1:] not in ("6", "7")]
    if closed:
        text = say("Set NVreg_DeviceFileMode=0666, or put the users into the group of the nodes.")
        message = say("only root or a group may use {paths}", paths=names(closed))
        return [warn(message, ctx.by_hand(text), **details)]
    return [ok(say("{count} GPU device nodes and /dev/nvidiactl exist", count=len(numbered)))]


def _fewer_in_driver(ctx: Context, nodes: int) -> bool:
    """nvidia-smi answers and shows just as many GPUs as there are nodes: then the GPU is missing, not its node."""
    return ctx.facts.integer_or_none("driver.smi.rc") == 0 and 0 < nodes == len(ctx.facts.views("gpus"))


@after_module
@not_in_wsl
def uvm_node(ctx: Context) -> list[Finding]:
    if any(node.text("path") == "/dev/nvidia-uvm" for node in ctx.facts.views("driver.devnodes")):
        return [ok(say("/dev/nvidia-uvm exists"))]
    remedy = ctx.run.shell_line("nvidia-modprobe -u -c 0", say("Load nvidia-uvm and make its node."))
    evidence = ctx.facts.show("driver.devnodes", "driver.uvm_loaded")
    message = say("/dev/nvidia-uvm is missing: CUDA in containers fails with error 999")
    if ctx.facts.integer_or_none("cuda.rc") == 0:
        # CUDA on the host makes it when it starts; only containers that start earlier go without
        return [warn(message, remedy, evidence=evidence)]
    return [fail(message, remedy, evidence=evidence)]
