# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: kernel, its headers and compiler, Secure Boot, nouveau."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.common import (
    kernel_not_ours,
    no_gpu,
    not_ours,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.packages import (
    driver_packages,
    precompiled,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.remedies import (
    boot,
    key_for_secure_boot,
    role_keeps,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    ok,
    skip,
    unknown,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import Evidence, View


def nouveau(ctx: Context) -> list[Finding]:
    if nothing := no_gpu(ctx):
        return nothing
    loaded, blacklisted = ctx.facts.flag("driver.nouveau.loaded"), ctx.facts.flag("driver.nouveau.blacklisted")
    installed = driver_packages(ctx)
    # nova_core is nouveau's successor for GPUs with a GSP, in the kernel since 6.15
    module = ctx.facts.text_or_none("driver.nouveau.module") or "nouveau"
    remedy = ctx.run.play("nvidia_driver", say("Install the driver, which blacklists nouveau, and reboot."))
    evidence = ctx.facts.show("driver.nouveau.loaded", "driver.nouveau.module", "driver.nouveau.blacklisted")
    if loaded and installed and ctx.policy.driver_reboot_planned:
        message = say("{module} is loaded; the reboot that is planned brings the NVIDIA driver", module=module)
        return [warn(message, remedy, evidence=evidence)]
    if loaded and installed:
        reboot = boot(ctx, say("Reboot: {module} leaves the GPU only then.", module=module))
        message = say("{module} is loaded and keeps the GPU from the NVIDIA driver", module=module)
        return [fail(message, reboot, evidence=evidence)]
    if loaded:
        message = say("{module} is loaded; installing the driver will need a reboot", module=module)
        return [warn(message, remedy, evidence=evidence)]
    if installed and not blacklisted:
        message = say("nouveau is not blacklisted and may take the GPU at the next boot")
        return [warn(message, remedy, evidence=evidence)]
    return [ok(say("nouveau is not loaded and blacklisted") if blacklisted else say("nouveau is not loaded"))]


def secure_boot(ctx: Context) -> list[Finding]:
    if nothing := not_ours(ctx):
        return nothing
    locked = not ctx.facts.is_null("firmware.lockdown") and ctx.facts.text("firmware.lockdown") != "none"
    efi = ctx.facts.flag("firmware.efi")
    on = efi and ctx.facts.flag("firmware.secure_boot")
    if not on and not locked:
        if not efi:
            return [ok(say("legacy boot: modules need no signature"))]
        setup = ctx.facts.is_true("firmware.setup_mode")
        return [ok(say("Secure Boot is in setup mode and enforces nothing") if setup else say("Secure Boot is off"))]
    if ctx.facts.is_true("driver.module.loaded"):
        return [ok(say("the kernel asks for signed modules and accepted the NVIDIA module"))]
    return [_not_loaded(ctx) or _planned(ctx, on) or _refused(ctx, on)]


def _evidence(ctx: Context) -> Evidence:
    return ctx.facts.show("firmware.secure_boot", "firmware.lockdown", "firmware.mok_keys", "firmware.mok")


def _not_loaded(ctx: Context) -> Finding | None:
    """Modules need a signature, and that of NVIDIA is not loaded: what is known for sure."""
    evidence, remedy = _evidence(ctx), key_for_secure_boot(ctx)
    said = next((hit for hit in _log_hits(ctx) if hit.text_or_none("signature") == "key"), None)
    if said is not None:
        message = say("the kernel refused a module because of its key: {text}", text=said.text("text"))
        return fail(message, remedy, evidence=said.show("text") + evidence)
    if precompiled(ctx.facts.mapping("packages.installed"), ctx.facts.text("kernel.running")):
        reboot = ctx.run.reboot(say("Reboot, or load the module; it is signed with the key of the distribution."))
        return warn(
            say("the distribution's signed NVIDIA module is installed but not loaded"), reboot, evidence=evidence
        )
    if ctx.facts.is_true("firmware.mok.pending"):
        message = say("a key of this machine waits to be enrolled: the next boot asks for it at the console")
        return fail(message, remedy, evidence=evidence)
    if ctx.facts.is_true("firmware.mok.enrolled"):
        # the log would tell that the kernel refused the module all the same
        for hit in ctx.facts.views("kernel_log.hits"):
            hit.text("signature")
        return ok(say("the key that signs the modules built here is enrolled"))
    return None


def _planned(ctx: Context, on: bool) -> Finding | None:
    """What the driver role is going to do about it; the policy tells."""
    if not on:
        return None
    if ctx.policy.driver_secure_boot == "signed":
        return ok(say("Secure Boot is on, and the modules to be installed are signed with a key that it knows"))
    if ctx.policy.driver_secure_boot == "enrol":
        text = say("Nothing to do yet: the role stops when the key waits, and says what to do at the console.")
        message = say(
            "Secure Boot is on: the role gives the firmware a key, which the next boot asks for at the console"
        )
        return warn(message, ctx.run.play("nvidia_driver", text), evidence=_evidence(ctx))
    return None


def _refused(ctx: Context, on: bool) -> Finding:
    evidence, remedy, signer = _evidence(ctx), key_for_secure_boot(ctx), _signer(ctx)
    if signer and ctx.facts.integer("firmware.mok_keys") > 0:
        message = say(
            "the NVIDIA module is signed by {signer}; whether that key is enrolled shows when it loads", signer=signer
        )
        return warn(message, remedy, evidence=evidence)
    if signer:
        message = say("the NVIDIA module is signed by {signer}, and no machine owner key is enrolled", signer=signer)
        return fail(message, remedy, evidence=evidence)
    if on:
        return fail(say("Secure Boot is on and would refuse an unsigned NVIDIA module"), remedy, evidence=evidence)
    mode = ctx.facts.text("firmware.lockdown")
    message = say("the kernel is locked down ({mode}) and would refuse an unsigned NVIDIA module", mode=mode)
    loosen = ctx.by_hand(say("Take lockdown= out of the kernel command line and reboot, or sign the module."), "reboot")
    return fail(message, loosen, evidence=evidence)


def _log_hits(ctx: Context) -> list[View]:
    """Only to name the cause of a failure better; without them it is still a failure."""
    log = ctx.facts.data.get("kernel_log")
    return ctx.facts.views("kernel_log.hits") if isinstance(log, dict) and log.get("hits") else []


def _signer(ctx: Context) -> str | None:
    running = ctx.facts.text("kernel.running")
    for kernel in ctx.facts.views("kernel.installed"):
        if kernel.text("release") == running:
            return kernel.text_or_none("nvidia.signer")
    return None


def _install(ctx: Context, deb: str, rpm: str, text: Text) -> Remedy:
    if ctx.facts.text("packages.manager") == "dnf":
        return ctx.run.adhoc("dnf", f"name={rpm}", text)
    return ctx.run.adhoc("apt", f"name={deb} update_cache=true", text)


def kernel_headers(ctx: Context) -> list[Finding]:
    if nothing := kernel_not_ours(ctx):
        return nothing
    release = ctx.facts.text("kernel.running")
    if ctx.facts.flag("kernel.headers"):
        return [ok(say("headers of the running kernel {release} are installed", release=release))]
    if precompiled(ctx.facts.mapping("packages.installed"), release):
        return [ok(say("kernel {release} has a precompiled NVIDIA module; no headers needed", release=release))]
    remedy = _headers(ctx, release)
    if ctx.facts.is_true("driver.module.loaded"):
        message = say("no headers for kernel {release}: the next driver update cannot be built", release=release)
        return [warn(message, remedy)]
    message = say("no headers for the running kernel {release}: the driver cannot be built", release=release)
    complain = fail if ctx.policy.headers_missing == "fail" else warn
    return [complain(message, remedy, observed=release)]


def _headers(ctx: Context, release: str) -> Remedy:
    # the policy says fail where the driver is installed by other means
    if role_keeps(ctx) and ctx.policy.headers_missing != "fail":
        text = say("Let the role install them; if the archive has them no more, upgrade the kernel and reboot.")
        return ctx.run.play("nvidia_driver", text)
    text = say("Install them; if the archive has them no more, upgrade the kernel and reboot.")
    return _install(ctx, f"linux-headers-{release}", f"kernel-devel-{release}", text)


def compiler(ctx: Context) -> list[Finding]:
    if nothing := kernel_not_ours(ctx):
        return nothing
    release = ctx.facts.text("kernel.running")
    if precompiled(ctx.facts.mapping("packages.installed"), release):
        return [skip(say("the NVIDIA module of this kernel is precompiled"))]
    name, major = ctx.facts.text("kernel.compiler.name"), ctx.facts.integer("kernel.compiler.major")
    here = ctx.facts.strings("kernel.compilers")
    wanted = f"{name}-{major}"
    details = {"observed": here, "expected": wanted}
    if wanted in here:
        return [ok(say("{wanted}, which built the kernel, is installed", wanted=wanted), **details)]
    if not here:
        # DKMS depends on a compiler: it comes with the driver
        return [ok(say("no compiler yet; {wanted} built the kernel", wanted=wanted), **details)]
    numbered = [item for item in here if item.rpartition("-")[2].isdigit()]
    majors = [int(item.rpartition("-")[2]) for item in numbered if item.startswith(f"{name}-")]
    if not numbered:
        return [unknown(say("of which version {here} is, is not known", here=here), **details)]
    remedy = _install(ctx, wanted, name, say("Install the compiler that built the kernel."))
    message = say("the kernel was built with {wanted}, here is only {here}", wanted=wanted, here=numbered)
    evidence = ctx.facts.show("kernel.compiler.name", "kernel.compiler.major", "kernel.compilers")
    # a newer compiler builds the modules nearly always; an older one lacks options that the kernel asks for
    built = ctx.facts.is_true("driver.module.loaded") or any(have > major for have in majors)
    return [(warn if built else fail)(message, remedy, evidence=evidence, **details)]


def newest_kernel(ctx: Context) -> list[Finding]:
    if nothing := kernel_not_ours(ctx):
        return nothing
    running = ctx.facts.text("kernel.running")
    if ctx.facts.is_null("kernel.newest"):
        return [skip(say("no kernel is installed on this machine; it is started from outside"))]
    newest = ctx.facts.text("kernel.newest")
    details = {"observed": running, "expected": newest, "evidence": ctx.facts.show("kernel.running", "kernel.newest")}
    if newest == running:
        return [ok(say("kernel {running} is the newest one installed", running=running), **details)]
    remedy = ctx.run.reboot(say("Reboot into the newest kernel first, when no job is running."))
    loaded = ctx.facts.is_true("driver.module.loaded")
    if loaded and ctx.facts.is_true("kernel.reboot_required"):
        return [skip(say("the pending reboot starts the newest kernel"), caused_by="PRE-REBOOT")]
    if loaded:
        message = say("kernel {newest} is installed and will run after the next boot", newest=newest)
        return [warn(message, remedy, **details)]
    message = say(
        "kernel {running} runs, {newest} is installed: the driver would be built for a kernel you will leave",
        running=running,
        newest=newest,
    )
    return [fail(message, remedy, **details)]


def reboot_pending(ctx: Context) -> list[Finding]:
    if ctx.facts.is_null("kernel.reboot_required") and ctx.facts.text("packages.manager") == "dnf":
        return [skip(say("a system with dnf marks no pending reboot; PRE-KERNEL-NEWEST tells of a newer kernel"))]
    if not ctx.facts.flag("kernel.reboot_required"):
        return [ok(say("no reboot is pending"))]
    reasons = ctx.facts.strings("kernel.reboot_packages")
    remedy = ctx.run.reboot(say("Reboot when no job is running."))
    evidence = ctx.facts.show("kernel.reboot_required", "kernel.reboot_packages")
    if not reasons:
        return [warn(say("a reboot is pending"), remedy, evidence=evidence)]
    message = say("a reboot is pending ({reasons})", reasons=names(reasons))
    return [warn(message, remedy, observed=reasons, evidence=evidence)]
