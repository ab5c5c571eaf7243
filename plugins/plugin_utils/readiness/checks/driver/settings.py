# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the GPUs and of what surrounds them: persistence, MIG, compute mode, users, environment, vGPU."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.common import (
    after_module,
    all_good,
    each,
    is_vgpu,
    label,
    no_gpu,
    not_in_wsl,
    reset_gpu,
    text_if_any,
    usable,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.remedies import by_role
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    ok,
    skip,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

# Variables that change how every CUDA program runs (NVIDIA/DCGM nvvs/src/Software.cpp), and those that hide GPUs
DISTURBING = (
    "NSIGHT_CUDA_DEBUGGER",
    "CUDA_INJECTION32_PATH",
    "CUDA_INJECTION64_PATH",
    "CUDA_AUTO_BOOST",
    "CUDA_ENABLE_COREDUMP_ON_EXCEPTION",
    "CUDA_COREDUMP_FILE",
    "CUDA_DEVICE_WAITS_ON_EXCEPTION",
    "CUDA_PROFILE",
    "COMPUTE_PROFILE",
    "OPENCL_PROFILE",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_LAUNCH_BLOCKING",
)


@after_module
@not_in_wsl
def persistence(ctx: Context) -> list[Finding]:
    gpus = usable(ctx)
    if gpus and all(is_vgpu(gpu) for gpu in gpus):
        return [skip(say("for a virtual GPU the host decides this"))]
    off = [label(gpu) for gpu in gpus if not is_vgpu(gpu) and not gpu.flag("persistence")]
    if not off:
        return all_good(gpus, say("persistence mode is on"))
    remedy = by_role(
        ctx,
        say("Let the role start nvidia-persistenced."),
        say("Install nvidia-persistenced of the driver's version, from where the driver came, and start it."),
    )
    message = say("persistence mode is off on {gpus}: every start of CUDA costs seconds", gpus=names(off, 8))
    evidence = tuple(item for gpu in gpus[:4] for item in gpu.show("bdf", "persistence"))
    return [fail(message, remedy, evidence=evidence)]


@after_module
def mig(ctx: Context) -> list[Finding]:
    gpus = usable(ctx)
    able = [gpu for gpu in gpus if not gpu.is_null("mig")]
    if not able:
        return [skip(say("these GPUs cannot be divided (MIG)"))] if gpus else [no_gpu()]
    return each(able, lambda gpu: _mig(ctx, gpu), say("MIG is as wanted"))


def _mig(ctx: Context, gpu: View) -> list[Finding]:
    on, wish = gpu.flag("mig"), ctx.policy.mig
    pending = on if gpu.is_null("mig_pending") else gpu.flag("mig_pending")
    details = {"entity": label(gpu), "observed": on, "evidence": gpu.show("mig", "mig_pending")}
    if pending != on:
        text = say("Stop what uses the GPU and reset it: the change of the MIG mode waits for it.")
        return [fail(say("a change of the MIG mode waits for a reset"), reset_gpu(ctx, label(gpu), text), **details)]
    if wish == "off" and on:
        text = say(
            "Say in the policy that it is meant (mig: any); or switch it off when nobody works on the slices"
            " (nvidia-smi -mig 0)."
        )
        # somebody has made the slices, and may work on them: switching off is not for a line to copy
        remedy = ctx.policy_remedy(text, mig="any")
        return [fail(say("MIG is on: programs see slices of the GPU"), remedy, expected=False, **details)]
    if wish == "on" and not on:
        remedy = ctx.run.shell_line(f"nvidia-smi -i {label(gpu)} -mig 1", say("Switch MIG on, or correct the policy."))
        return [fail(say("MIG is off, the policy wants it on"), remedy, expected=True, **details)]
    return []


@after_module
def compute_mode(ctx: Context) -> list[Finding]:
    gpus = usable(ctx)
    known = [gpu for gpu in gpus if not gpu.is_null("compute_mode")]
    if not known:
        return [skip(say("these GPUs report no compute mode"))] if gpus else [no_gpu()]
    return each(known, lambda gpu: _compute_mode(ctx, gpu), say("the compute mode is as wanted"))


def _compute_mode(ctx: Context, gpu: View) -> list[Finding]:
    have, want = gpu.text("compute_mode"), ctx.policy.compute_mode
    if have.lower() == want.lower():
        return []
    text = say("Set the mode, or say in the policy which one is meant (compute_mode).")
    remedy = ctx.run.shell_line(f"nvidia-smi -i {label(gpu)} -c {want.upper()}", text)
    message = say("compute mode {have}: several programs cannot share the GPU as with {want}", have=have, want=want)
    return [fail(message, remedy, entity=label(gpu), observed=have, expected=want, evidence=gpu.show("compute_mode"))]


@after_module
def idle(ctx: Context) -> list[Finding]:
    if ctx.policy.gpus_in_use_allowed:
        return [skip(say("the policy allows programs on the GPUs"))]
    return each(usable(ctx), lambda gpu: _in_use(ctx, gpu), say("no program uses a GPU"))


def _in_use(ctx: Context, gpu: View) -> list[Finding]:
    # G and C+G: programs of a workstation's screen, which is normal; C computes, M+C does so through MPS
    busy = [process for process in gpu.views("processes") if text_if_any(process, "type") not in ("G", "C+G")]
    # in a virtual machine of one user other users' programs have no number
    pids = [process.integer("pid") for process in busy if not process.is_null("pid")]
    used, limit = gpu.integer("memory_used_mib"), ctx.policy.gpu_memory_used_max_mib
    details = {"entity": label(gpu), "observed": used, "evidence": gpu.show("memory_used_mib", "processes")}
    remedy = ctx.by_hand(say("End them if they are forgotten, or set gpus_in_use_allowed in the policy."), "check_app")
    if busy:
        message = say("programs hold {used} MiB of the GPU (processes {pids})", used=used, pids=names(pids))
        return [fail(message, remedy, **details)]
    if used > limit and not gpu.views("processes"):
        message = say("{used} MiB are in use, but no program shows: another container or user", used=used)
        return [fail(message, remedy, expected=limit, **details)]
    return []


def environment(ctx: Context) -> list[Finding]:
    """Settings for all users that change or break every CUDA program."""
    findings = []
    for variable in ctx.facts.views("environment.variables"):
        name, file = variable.text("name"), variable.text("file")
        bad_path = name in ("LD_LIBRARY_PATH", "LD_PRELOAD") and "stubs" in variable.text("value")
        if name in DISTURBING or bad_path:
            remedy = ctx.by_hand(say("Take {name} out of {file}.", name=name, file=file))
            message = say("{name} is set for everybody in {file}", name=name, file=file)
            findings.append(fail(message, remedy, entity=name, evidence=variable.show("name", "value", "file")))
    stubs = ctx.facts.strings("environment.stub_dirs")
    if stubs:
        remedy = ctx.by_hand(say("Take the folder `stubs` out of LD_LIBRARY_PATH and the loader's configuration."))
        message = say("the loader searches folders of stub libraries: {folders}", folders=names(stubs))
        findings.append(fail(message, remedy, evidence=ctx.facts.show("environment.stub_dirs")))
    return findings or [ok(say("no variable disturbs CUDA programs"))]


@after_module
def vgpu(ctx: Context) -> list[Finding]:
    """A guest with a slice of a GPU (NVIDIA vGPU): without a licence it slows down after 20 minutes."""
    gpus = usable(ctx)
    virtual = [gpu for gpu in gpus if is_vgpu(gpu)]
    if not virtual:
        return [skip(say("there is no virtual GPU (vGPU)"))] if gpus else [no_gpu()]
    return each(
        virtual, lambda gpu: _vgpu(ctx, gpu), say("the virtual GPU (vGPU) is licensed; its driver is the GRID one")
    )


def _vgpu(ctx: Context, gpu: View) -> list[Finding]:
    details = {"entity": label(gpu), "evidence": gpu.show("virtualization", "license")}
    if gpu.is_null("license"):
        text = say("Install NVIDIA's GRID driver for guests; the host's owner has it.")
        message = say("virtual GPU (vGPU) without a licence state: this is not the GRID driver for guests")
        return [fail(message, ctx.by_hand(text, "contact_provider"), severity=Severity.MINOR, **details)]
    state = gpu.text("license")
    if state.lower().startswith("licensed"):
        return []
    text = say("Put the client token into /etc/nvidia/ClientConfigToken, then restart nvidia-gridd.")
    remedy = ctx.run.adhoc("systemd_service", "name=nvidia-gridd state=restarted", text, "restart_service")
    message = say("the virtual GPU (vGPU) has no licence ({state}): it is slowed down after some minutes", state=state)
    return [fail(message, remedy, observed=state, **details)]
