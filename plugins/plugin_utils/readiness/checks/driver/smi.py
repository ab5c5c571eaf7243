# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the driver answer: nvidia-smi, cuInit, how many GPUs, none lost, none that asks for a reset."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.common import (
    after_module,
    all_good,
    board,
    each,
    fell_off,
    has_mig,
    hits,
    is_simulated,
    is_vgpu,
    is_wsl,
    label,
    lost,
    reset_gpu,
    same_device,
    usable,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.common import given_away
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.remedies import by_role
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    ok,
    skip,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, counted_gpus, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import Evidence, UnmeasuredError, View

# Exit status of nvidia-smi -> (meaning, what to do). 17 and 18 are not in its manual page; measured with 550.163.01.
_SMI_CODES: dict[int, tuple[Text, Text]] = {
    4: (say("no permission to talk to the driver"), say("Read the facts as root.")),
    9: (say("it cannot reach the kernel module"), say("Load the module: reboot, or install the driver again.")),
    10: (say("the driver did not answer in time"), say("Reboot; look for Xid messages in the kernel log.")),
    11: (say("a GPU has an interrupt problem"), say("Reboot; then look at the firmware's PCI settings.")),
    12: (say("libnvidia-ml.so.1 is missing"), say("Install the driver's libraries.")),
    14: (say("the InfoROM of a GPU is damaged"), say("Ask the vendor for a replacement.")),
    15: (say("a GPU is lost"), say("Reboot; replace the GPU if it happens again.")),
    17: (
        say("the operating system or a cgroup blocks the device"),
        say("Recreate the container so that it gets its devices."),
    ),
    18: (say("driver and library versions differ"), say("Reboot.")),
}
_BY_ROLE = (9, 12)
# Where the driver is not the role's
_PARTS = say("Install the missing part in the version of the driver that is loaded, from where the driver came.")
_BY_HAND = {4: "none", 14: "replace_hardware", 17: "recreate_container"}


@after_module
def smi_answers(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("driver.smi.present"):
        if ctx.in_container:
            return [skip(say("this container has no nvidia-smi; CUDA itself is asked instead"))]
        remedy = by_role(ctx, say("Install the driver's tools."), _PARTS)
        return [fail(say("nvidia-smi is not installed"), remedy, evidence=ctx.facts.show("driver.smi"))]
    evidence = ctx.facts.show("driver.smi.rc", "driver.smi.message", "probes.nvidia_smi.status")
    if ctx.facts.text_or_none("probes.nvidia_smi.status") == "timeout":
        remedy = ctx.run.reboot(say("Reboot; look for Xid messages in the kernel log."))
        return [fail(say("nvidia-smi did not return in time"), remedy, evidence=evidence)]
    code = ctx.facts.integer("driver.smi.rc")
    if code == 0:
        return [ok(say("nvidia-smi answers"))]
    if code == 14 and ctx.facts.views("gpus"):
        return [ok(say("nvidia-smi answers, and warns of an InfoROM"))]
    if code == 15 and not ctx.in_container:
        return [skip(say("nvidia-smi ends with status 15: a GPU is lost"), caused_by="DRV-GPU-LOST")]
    said = ctx.facts.text_or_none("driver.smi.message") or say("no message")
    # 255 stands for several causes; only its text tells
    first = said.splitlines()[0] if isinstance(said, str) else said
    meaning, text = _SMI_CODES.get(code, (first, say("See the message; then reboot.")))
    message = say("nvidia-smi ends with status {code}: {meaning}", code=code, meaning=meaning)
    return [fail(message, _smi_remedy(ctx, code, text), observed=code, expected=0, evidence=evidence)]


def _smi_remedy(ctx: Context, code: int, text: Text) -> Remedy:
    if code in _BY_HAND:
        return ctx.by_hand(text, _BY_HAND[code])
    return by_role(ctx, text, _PARTS) if code in _BY_ROLE else ctx.run.reboot(text)


# cuInit's codes as the CUDA driver API documents them (CUresult) -> (what it means here, what to do)
_CUDA_CODES: dict[int, tuple[Text, Text]] = {
    3: (say("the driver is not initialised"), say("Load the module and nvidia-uvm, then judge again.")),
    34: (
        say("the loader finds a stub library that is only for linking"),
        say("Take the folder `stubs` out of LD_LIBRARY_PATH and the loader's configuration."),
    ),
    46: (
        say("no GPU is free: exclusive compute mode, or another program holds them"),
        say("End the program that holds the GPU, or set the compute mode to Default."),
    ),
    100: (
        say("it sees no GPU: device nodes, the cgroup, or CUDA_VISIBLE_DEVICES hide them"),
        say("Look for CUDA_VISIBLE_DEVICES, and at the devices that the container was given."),
    ),
    101: (say("the GPU named to it does not exist"), say("Correct CUDA_VISIBLE_DEVICES.")),
    802: (
        say("the NVLink fabric is not ready"),
        say("Start the fabric manager (nvidia-fabricmanager) of the driver's version."),
    ),
    803: (say("driver and CUDA library differ"), say("Reboot; in a container, recreate it.")),
    804: (
        say("the image brings compatibility libraries that this board does not support"),
        say("Take an image without cuda-compat, or with a CUDA version that the driver knows."),
    ),
    999: (say("unknown error: mostly nvidia-uvm is missing"), say("Load nvidia-uvm and make its node.")),
}
_CUDA_ACTIONS = {46: "check_app", 802: "restart_service", 804: "change_image"}


@after_module
def cuda_starts(ctx: Context) -> list[Finding]:
    """cuInit is what every CUDA program meets first."""
    facts = ctx.facts
    if is_simulated(ctx) and facts.is_null("cuda.rc"):
        return [skip(say("a simulated GPU has no CUDA library"))]
    if ctx.in_container and not facts.views("gpus") and _no_library(ctx):
        return [skip(say("no GPU was given to this container"), caused_by="DRV-GPU-COUNT")]
    evidence = facts.show("cuda.rc", "cuda.name", "cuda.library")
    if facts.is_true("cuda.stub"):
        return [_cuda_failure(ctx, 34, evidence)]
    if facts.is_null("cuda.rc") and facts.text_or_none("probes.cuda.status") == "missing" and _no_library(ctx):
        text = say("Install the driver's CUDA library (libcuda.so.1).")
        message = say("libcuda.so.1 is not installed: no CUDA program can start")
        remedy = by_role(ctx, text, _PARTS)
        return [fail(message, remedy, evidence=(*evidence, *facts.show("driver.libraries.cuda")))]
    code = facts.integer("cuda.rc")
    if code == 0:
        return [ok(say("cuInit succeeds"))]
    return [_cuda_failure(ctx, code, evidence)]


def _no_library(ctx: Context) -> bool:
    return ctx.facts.is_null("cuda.library") and ctx.facts.is_null("driver.libraries.cuda")


def _cuda_failure(ctx: Context, code: int, evidence: tuple[dict[str, object], ...]) -> Finding:
    name = ctx.facts.text_or_none("cuda.name") or say("no name")
    meaning, text = _CUDA_CODES.get(code, (say("see the CUDA documentation"), say("Reboot; then judge again.")))
    message = say("cuInit ends with {code} ({name}): {meaning}", code=code, name=name, meaning=meaning)
    if code == 999:
        remedy = ctx.run.shell_line("nvidia-modprobe -u -c 0", text)
    elif code in (3, 803) or code not in _CUDA_CODES:
        remedy = ctx.run.reboot(text)
    else:
        remedy = ctx.by_hand(text, _CUDA_ACTIONS.get(code, "none"))
    return fail(message, remedy, observed=code, expected=0, evidence=evidence)


@after_module
def gpu_count(ctx: Context) -> list[Finding]:
    gpus, expected = ctx.facts.views("gpus"), ctx.policy.expected_gpus
    seen = len(gpus)
    # in a container the bus shows GPUs that belong to others; WSL2 shows none
    on_bus = seen if ctx.in_container or is_wsl(ctx) else _for_this_host(ctx)
    in_cuda = _cuda_count(ctx, gpus)
    answering = len(usable(ctx)) if ctx.in_container else seen
    details = {
        "observed": {"pci": on_bus, "driver": seen, "cuda": in_cuda},
        "expected": expected,
        "evidence": (*_missing(ctx, gpus), *ctx.facts.show("cuda.rc", "cuda.count"), *_not_started(ctx)),
    }
    if ctx.in_container and seen == 0:
        text = say("Take a container with a GPU; if it is meant to have none, set expected_gpus to 0 in the policy.")
        remedy = ctx.by_hand(text, "contact_provider")
        return [fail(say("no GPU was given to this container"), remedy, **details)]
    if seen == on_bus == answering and expected in (None, seen) and in_cuda in (None, seen) and seen > 0:
        return [ok(say("the driver shows all {count} GPUs", count=seen), **details)]
    if answering < seen:
        remedy = ctx.by_hand(say("Ask the owner of the machine for one whose GPUs all answer."), "contact_provider")
        return [fail(say("{count} of {seen} GPUs answer", count=answering, seen=seen), remedy, **details)]
    remedy = ctx.run.reboot(say("Reboot; a GPU that stays away has failed or is not seated well."))
    if seen == on_bus and in_cuda not in (None, seen):
        text = say("Look for CUDA_VISIBLE_DEVICES; if it is not set, reboot.")
        message = say("the driver shows {seen} GPUs, CUDA {cuda}", seen=seen, cuda=in_cuda)
        return [fail(message, ctx.run.reboot(text), **details)]
    if expected is None:
        message = say("{bus} on the PCI bus, {seen} in the driver", bus=counted_gpus(on_bus), seen=seen)
        return [fail(message, remedy, **details)]
    message = say(
        "{bus} on the PCI bus, {seen} in the driver, {expected} expected",
        bus=counted_gpus(on_bus),
        seen=seen,
        expected=expected,
    )
    return [fail(message, remedy, **details)]


def _missing(ctx: Context, gpus: list[View]) -> Evidence:
    """The addresses that the bus shows and the driver does not; only evidence, as below."""
    try:
        seen = [label(gpu) for gpu in gpus]
        gone = [gpu for gpu in ctx.facts.views("pci.gpus") if not any(same_device(gpu.text("bdf"), s) for s in seen)]
        return tuple(item for gpu in gone[:4] for item in gpu.show("bdf", "driver"))
    except UnmeasuredError:
        return ()


def _not_started(ctx: Context) -> Evidence:
    """What the kernel said of GPUs that did not start; only evidence, so a closed log costs nothing."""
    try:
        return tuple(item for hit in hits(ctx, "K_RMINIT")[-2:] for item in hit.show("text", "bdf"))
    except UnmeasuredError:
        return ()


def _for_this_host(ctx: Context) -> int:
    """GPUs on the bus, without those that were handed to virtual machines."""
    return len([gpu for gpu in ctx.facts.views("pci.gpus") if not given_away(gpu)])


def _cuda_count(ctx: Context, gpus: list[View]) -> int | None:
    """What CUDA counts; None where it cannot be compared: it did not start, or MIG shows slices in place of GPUs."""
    if any(has_mig(gpu) for gpu in gpus) or ctx.facts.is_null("cuda.rc"):
        return None
    if ctx.facts.integer("cuda.rc") != 0:
        return None
    return None if ctx.facts.is_null("cuda.count") else ctx.facts.integer("cuda.count")


@after_module
def gpu_lost(ctx: Context) -> list[Finding]:
    """A GPU that no longer answers, by the driver's own word or the kernel's."""
    remedy = ctx.run.reboot(say("Reboot; if it happens again, have the GPU replaced."))
    gpus = ctx.facts.views("gpus")
    findings = []
    for gpu in gpus:
        state = gpu.text("state")
        if state != "ok":
            message = say("GPU {gpu} is in state {state}", gpu=label(gpu), state=state)
            findings.append(
                fail(message, remedy, entity=label(gpu), observed=state, evidence=gpu.show("state", "errors"))
            )
    named = [finding.entity for finding in findings]
    for hit in fell_off(ctx):
        bdf = hit.text_or_none("bdf")
        if any(same_device(bdf, name) for name in named) or (bdf is None and named):
            continue
        named.append(bdf)
        message = say("GPU {gpu} has fallen off the bus", gpu=bdf or say("of unknown address"))
        findings.append(fail(message, remedy, entity=bdf, evidence=hit.show("text", "time")))
    if not findings and ctx.facts.integer_or_none("driver.smi.rc") == 15:
        message = say("nvidia-smi says that a GPU is lost")
        findings.append(fail(message, remedy, evidence=ctx.facts.show("driver.smi.rc", "driver.smi.message")))
    return findings or all_good(gpus, say("no GPU is lost ({count} seen)", count=len(gpus)))


_NOTHING = ("none", "no", "n/a")


def wanted_action(gpu: View) -> str | None:
    """What the driver asks for; None: nothing, or (null) it does not say. Raises when it was not asked."""
    action = None if gpu.is_null("recovery_action") else gpu.text("recovery_action")
    return None if action is None or action.strip().lower() in _NOTHING else action


@after_module
def recovery_action(ctx: Context) -> list[Finding]:
    """The driver's own verdict, reported from branch 570 on."""
    gone = lost(ctx)
    gpus = [gpu for gpu in usable(ctx) if not any(same_device(label(gpu), bdf) for bdf in gone)]
    if gpus and all(gpu.is_null("recovery_action") for gpu in gpus):
        return [skip(say("this driver does not report a recovery action"))]
    return each(gpus, lambda gpu: _recovery(ctx, gpu), say("no GPU asks for a reset or a reboot"))


def _recovery(ctx: Context, gpu: View) -> list[Finding]:
    action = wanted_action(gpu)
    if action is None:
        return []
    if gpu.is_true("remapped_rows.pending"):
        # the same reset, and there its reason is named
        return [skip(say("the driver asks for: {action}", action=action), caused_by="DRV-REMAP", entity=label(gpu))]
    if "reboot" in action.lower():
        remedy = ctx.run.reboot(say("Reboot, as the driver asks: {action}.", action=action))
    else:
        text = say(
            "Stop what uses the GPU, then reset it, as the driver asks: {action}. A reboot does it, too.", action=action
        )
        remedy = reset_gpu(ctx, gpu.text_or_none("bdf"), text)
    message = say("the driver asks for: {action}", action=action)
    return [fail(message, remedy, entity=label(gpu), observed=action, evidence=gpu.show("recovery_action"))]


@after_module
def inforom(ctx: Context) -> list[Finding]:
    """nvidia-smi ends with 14 when the configuration memory of a board is damaged."""
    remedy = ctx.by_hand(say("Ask the vendor to repair or replace the board."), "contact_provider")
    code = ctx.facts.integer("driver.smi.rc")
    if code == 14:
        evidence = ctx.facts.show("driver.smi.rc", "driver.smi.message")
        return [fail(say("the InfoROM of a GPU is damaged"), remedy, observed=code, evidence=evidence)]
    findings = []
    gpus = usable(ctx)
    for gpu in gpus:
        if any("inforom" in f"{path} {said}".lower() for path, said in gpu.mapping("errors").items()):
            message = say("the InfoROM of the GPU cannot be read")
            findings.append(fail(message, remedy, entity=label(gpu), evidence=gpu.show("errors")))
    return findings or all_good(gpus, say("no InfoROM is damaged"))


@after_module
def memory_size(ctx: Context) -> list[Finding]:
    """Is it the board that it says it is: modified boards and slices of a GPU show another size."""
    gpus = [gpu for gpu in usable(ctx) if not has_mig(gpu) and not is_vgpu(gpu)]
    known = [(gpu, row) for gpu, row in ((gpu, board(ctx, gpu)) for gpu in gpus) if row and row.memory_mib]
    if not known:
        return [skip(say("no reference size is known for these GPUs"))]
    findings = []
    for gpu, row in known:
        size = gpu.integer("memory_total_mib")
        if row.memory_fits(size) is False:
            message = say(
                "{name} shows {size} MiB, a board of this kind has {reference}: modified, or only a part of a GPU",
                name=gpu.text_or_none("name") or row.name,
                size=size,
                reference=row.memory_mib,
            )
            text = say("Nothing to do if you know it; otherwise ask the seller which board this is.")
            remedy = ctx.by_hand(text)
            evidence = gpu.show("memory_total_mib", "name")
            details = {"observed": size, "expected": row.memory_mib, "evidence": evidence}
            findings.append(fail(message, remedy, entity=label(gpu), **details))
    return findings or [ok(say("the memory is that of the boards"))]
