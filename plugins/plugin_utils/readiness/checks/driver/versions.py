# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions: one driver everywhere, also after the next boot, of a kind and branch that fit the GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.common import (
    after_module,
    all_good,
    driver_packages,
    is_simulated,
    is_wsl,
    label,
    not_in_wsl,
    not_simulated,
    usable,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.module import (
    build_failure,
    build_remedy,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.remedies import (
    boot,
    by_role,
    newer,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    Stage,
    fail,
    ok,
    skip,
    version_at_least,
    version_key,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

# the only branch that serves both Maxwell..Volta and everything newer (nvidia-facts §3.1)
LAST_FOR_OLD = "580"
# arguments of the kernel that decide which driver takes the GPUs, with "_" for "-"
_BOOT_WORDS = ("nouveau", "nvidia", "modprobe.blacklist", "module_blacklist", "rd.driver.", "nova_core")


def loaded_version(ctx: Context) -> str:
    """Under WSL2 there is no module; nvidia-smi tells the version of the driver in Windows."""
    return ctx.facts.text("driver.smi.driver_version" if is_wsl(ctx) else "driver.module.version")


@after_module
@not_in_wsl
def versions_match(ctx: Context) -> list[Finding]:
    if ctx.in_container and ctx.facts.is_null("driver.module.version"):
        # DRV-GPU-COUNT says whether that is a fault
        return [skip(say("no driver can be seen in this container"))]
    remedy = boot(
        ctx,
        say("Load the installed module, or reboot: the running one is not that of the installed libraries."),
    )
    loaded = ctx.facts.text("driver.module.version")
    if ctx.facts.integer_or_none("driver.smi.rc") == 18:  # NVML_ERROR_LIB_RM_VERSION_MISMATCH
        message = say("loaded module {version} and the libraries differ (nvidia-smi exit status 18)", version=loaded)
        evidence = ctx.facts.show("driver.module.version", "driver.libraries", "driver.smi.rc")
        return [fail(message, remedy, evidence=evidence)]
    seen = {"module": (say("loaded module"), loaded), **_library_versions(ctx), **_on_disk(ctx)}
    said = [say("{what} {version}", what=what, version=version) for what, version in seen.values()]
    observed = {key: version for key, (_what, version) in seen.items()}
    if len(set(observed.values())) > 1:
        evidence = ctx.facts.show("driver.module.version", "driver.libraries", "kernel.running")
        return [fail(say("driver versions differ: {said}", said=said), remedy, observed=observed, evidence=evidence)]
    return [ok(say("one driver version everywhere: {said}", said=said), observed=observed)]


def _library_versions(ctx: Context) -> dict[str, tuple[Text, str]]:
    seen = {}
    # nvidia-smi refuses to work with another driver's library: where it answers, one in an unusual place is right
    answers = ctx.facts.integer_or_none("driver.smi.rc") == 0
    for key, what in (("nvidia_ml", say("NVML library")), ("cuda", say("CUDA library"))):
        if not (answers and ctx.facts.is_null(f"driver.libraries.{key}")):
            seen[key] = (what, ctx.facts.text(f"driver.libraries.{key}"))
    return seen


def _on_disk(ctx: Context) -> dict[str, tuple[Text, str]]:
    """The module file of the running kernel; in a container the kernel's files are the host's."""
    if ctx.in_container or is_simulated(ctx):
        return {}
    running = ctx.facts.text("kernel.running")
    for kernel in ctx.facts.views("kernel.installed"):
        if kernel.text("release") == running and not kernel.is_null("nvidia") and not kernel.is_null("nvidia.version"):
            return {"on_disk": (say("module on disk"), kernel.text("nvidia.version"))}
    return {}


@after_module
@not_in_wsl
@not_simulated
def next_boot(ctx: Context) -> list[Finding]:
    """Will the GPU be there after the next reboot? The machine boots its newest kernel."""
    if ctx.facts.is_null("kernel.newest"):
        return [skip(say("no kernel is installed on this machine; it is started from outside"))]
    newest = ctx.facts.text("kernel.newest")
    kernel = next((it for it in ctx.facts.views("kernel.installed") if it.text("release") == newest), None)
    build = by_role(
        ctx,
        say("Let the role build the module for every installed kernel."),
        say("Install the headers of kernel {kernel} and build the module: dkms autoinstall -k {kernel}", kernel=newest),
    )
    if kernel is None or kernel.is_null("nvidia"):
        return [_no_module(ctx, newest, kernel, build)]
    loaded = ctx.facts.text("driver.module.version")
    built = None if kernel.is_null("nvidia.version") else kernel.text("nvidia.version")
    if built is not None and built != loaded:
        message = say(
            "after the next reboot kernel {kernel} loads module {built}, the libraries are of {loaded}",
            kernel=newest,
            built=built,
            loaded=loaded,
        )
        return [fail(message, build, observed=built, expected=loaded, evidence=kernel.show("release", "nvidia"))]
    # some kernels start without one; the kernel that runs has shown that it does
    if not kernel.flag("initramfs") and newest != ctx.facts.text("kernel.running"):
        text = say("Make it: update-initramfs makes it on Debian and Ubuntu, dracut elsewhere.")
        remedy = ctx.run.shell_line(f"update-initramfs -c -k {newest}", text)
        message = say("kernel {kernel} has no initramfs: the machine may not boot", kernel=newest)
        return [fail(message, remedy, evidence=kernel.show("release", "initramfs"))]
    if not ctx.facts.flag("driver.nouveau.blacklisted"):
        return [_nouveau_may_come(ctx)]
    return [*_old_image(ctx), *_other_command_line(ctx)] or [
        ok(say("kernel {kernel}, the next to boot, has its NVIDIA module", kernel=newest))
    ]


def _no_module(ctx: Context, newest: str, kernel: View | None, build: Remedy) -> Finding:
    failed = build_failure(ctx, newest)
    if failed is not None:
        message = say("after the next reboot the module is missing: {cause}", cause=failed[0])
        return fail(message, build_remedy(ctx), evidence=failed[1])
    message = say("after the next reboot kernel {kernel} has no NVIDIA module", kernel=newest)
    return fail(
        message, build, evidence=kernel.show("release", "nvidia") if kernel else ctx.facts.show("kernel.newest")
    )


def _nouveau_may_come(ctx: Context) -> Finding:
    """Only a word: this boot went well without a blacklist, and many cloud kernels have no nouveau at all."""
    if Stage.PREFLIGHT in ctx.stages and "PRE-NOUVEAU" not in ctx.policy.skip and driver_packages(ctx):
        return skip(say("preflight has said so"), caused_by="PRE-NOUVEAU")
    message = say("nouveau is not blacklisted: after the next reboot it may take the GPU first")
    remedy = by_role(
        ctx,
        say("Let the role keep nouveau away from the GPU."),
        say("Write `blacklist nouveau` into a file in /etc/modprobe.d, and make the boot images anew."),
    )
    return fail(message, remedy, severity=Severity.MINOR, evidence=ctx.facts.show("driver.nouveau"))


def _old_image(ctx: Context) -> list[Finding]:
    """The boot images hold copies of our files; the stamp of our last rebuild tells which. null: there was none."""
    if ctx.facts.is_null("kernel.initramfs"):
        return []
    files = ctx.facts.mapping("files")
    # the files that the collector watches bear our name
    ours = {path: it for path, it in ctx.facts.mapping("kernel.initramfs.inputs").items() if "gpuready" in path}
    changed = sorted(path for path, built_in in ours.items() if built_in != _digest(files.get(path)))
    if not changed:
        return []
    remedy = ctx.run.play("nvidia_driver", say("Let the role build the boot images anew."))
    evidence = (*ctx.facts.show("kernel.initramfs"), *({"path": f"files.{p}", "value": files.get(p)} for p in changed))
    message = say("the boot image holds another state of {files}: the next boot goes by that one", files=changed)
    return [fail(message, remedy, severity=Severity.MINOR, evidence=evidence)]


def _digest(file: object) -> object:
    return file.get("sha256") if isinstance(file, Mapping) else None


def _other_command_line(ctx: Context) -> list[Finding]:
    """null: the boot loader does not tell what it will start."""
    if ctx.facts.is_null("kernel.cmdline_next"):
        return []
    now, following = (
        _driver_words(ctx.facts.text("kernel.cmdline")),
        _driver_words(ctx.facts.text("kernel.cmdline_next")),
    )
    changed = sorted(now ^ following)
    if not changed:
        return []
    remedy = boot(ctx, say("Reboot when no job is running, so that it is seen now whether the driver still works."))
    message = say("the kernel's command line changes at the next boot: {words}", words=changed)
    evidence = ctx.facts.show("kernel.cmdline", "kernel.cmdline_next")
    return [fail(message, remedy, severity=Severity.MINOR, evidence=evidence)]


def _driver_words(line: str) -> set[str]:
    """What decides which driver takes the GPUs; the rest of a command line is not ours."""
    words = (word.strip("\"'") for word in line.split())
    return {word for word in words if word.replace("-", "_").startswith(_BOOT_WORDS)}


@after_module
@not_in_wsl
def flavour_fits(ctx: Context) -> list[Finding]:
    """Open or proprietary, and the branch: each generation of GPUs has its own rule (nvidia-facts §3.3)."""
    loaded = loaded_version(ctx)
    branch = version_key(loaded)[0]
    known = [(gpu, tables.gpu(gpu.text("device"))) for gpu in ctx.facts.views("pci.gpus")]
    found = [(gpu, row) for gpu, row in known if row is not None]
    if not found:
        return [skip(say("none of the GPUs is in our table"))]
    findings = []
    for gpu, row in found:
        if row.modules == "either" and row.first_branch <= branch <= (row.last_branch or branch):
            continue
        findings += _misfit(ctx, gpu, row, branch)
    return findings or [ok(say("module {version} fits the GPUs", version=loaded))]


def _misfit(ctx: Context, gpu: View, row: tables.Gpu, branch: int) -> list[Finding]:
    evidence = (*gpu.show("device"), *ctx.facts.show("driver.module"))
    findings = _wrong_branch(ctx, row, branch) or _wrong_flavour(ctx, row)
    return [replace(finding, entity=label(gpu), evidence=evidence) for finding in findings]


def _wrong_branch(ctx: Context, row: tables.Gpu, branch: int) -> list[Finding]:
    name, first, last = row.name, row.first_branch, row.last_branch
    if last is not None and branch > last:
        text = say("Install branch {branch}, and hold it.", branch=last)
        remedy = ctx.run.play("nvidia_driver", text, nvidia_driver_branch=str(last), nvidia_driver_allow_change=True)
        message = say("branch {branch} no longer supports {name} (last: {last})", branch=branch, name=name, last=last)
        return [fail(message, remedy, observed=branch, expected=last)]
    if branch < first:
        text = say("Install branch {branch} or newer.", branch=first)
        remedy = ctx.run.play("nvidia_driver", text, nvidia_driver_allow_change=True)
        message = say(
            "branch {branch} does not support {name} yet (first: {first})", branch=branch, name=name, first=first
        )
        return [fail(message, remedy, observed=branch, expected=first)]
    return []


def _wrong_flavour(ctx: Context, row: tables.Gpu) -> list[Finding]:
    if row.modules == "either":
        return []
    flavour = ctx.facts.text("driver.module.flavour")
    if flavour == row.modules:
        return []
    if row.modules == "open":
        text = say("Install the open kernel modules.")
        remedy = ctx.run.play("nvidia_driver", text, nvidia_driver_modules="open", nvidia_driver_allow_change=True)
        message = say("{name} needs the open kernel modules, the proprietary ones are loaded", name=row.name)
        return [fail(message, remedy, observed=flavour, expected=row.modules)]
    text = say("Install the proprietary kernel modules.")
    remedy = ctx.run.play("nvidia_driver", text, nvidia_driver_modules="proprietary", nvidia_driver_allow_change=True)
    message = say("{name} needs the proprietary kernel modules, the open ones are loaded", name=row.name)
    return [fail(message, remedy, observed=flavour, expected=row.modules)]


@after_module
@not_in_wsl
@not_simulated
def gsp_firmware(ctx: Context) -> list[Finding]:
    """The open modules run most of the driver on the GPU's own processor, from a file of the same version."""
    flavour, gpus = ctx.facts.text("driver.module.flavour"), usable(ctx)
    text = say("Install the driver's packages again: the firmware belongs to them.")
    remedy = by_role(ctx, text, text)
    if flavour == "open" and not ctx.facts.strings("driver.gsp_files"):
        version = ctx.facts.text("driver.module.version")
        message = say("no GSP firmware files of version {version} are installed", version=version)
        return [fail(message, remedy, evidence=ctx.facts.show("driver.gsp_files", "driver.module"))]
    running = [gpu for gpu in gpus if not gpu.is_null("gsp_firmware")]
    loaded = ctx.facts.text("driver.module.version")
    findings = []
    for gpu in running:
        version = gpu.text("gsp_firmware")
        if version != loaded:
            message = say("GSP firmware {version} runs under driver {loaded}", version=version, loaded=loaded)
            evidence = (*gpu.show("gsp_firmware"), *ctx.facts.show("driver.module.version"))
            again = boot(ctx, say("Reboot, so that driver and firmware start together."))
            findings.append(fail(message, again, entity=label(gpu), evidence=evidence))
    if not running and flavour != "open":
        return [skip(say("this driver runs without GSP firmware"))]
    return findings or all_good(gpus, say("the GSP firmware is that of the driver"))


@after_module
def branch_minimum(ctx: Context) -> list[Finding]:
    version, policy = loaded_version(ctx), ctx.policy
    if policy.cuda_wanted:
        findings = _too_old_for_cuda(ctx, version, policy.cuda_wanted)
        if findings:
            return findings
    floors = {str(key): value for key, value in policy.driver_security_floor.items()}
    problem, branch = _below_floor(version, floors)
    if problem is None:
        return [ok(say("driver {version} is new enough", version=version), observed=version)]
    if branch == str(version_key(version)[0]):
        remedy = newer(ctx, say("Install the newest version of the branch."), None, version)
    else:
        remedy = newer(ctx, say("Install branch {branch}.", branch=branch), branch, version)
    judged = fail if policy.driver_below_floor == "fail" else warn
    return [judged(problem, remedy, observed=version)]


def _too_old_for_cuda(ctx: Context, version: str, cuda: str) -> list[Finding]:
    major = str(version_key(cuda)[0])
    floor = ctx.policy.cuda_min_driver.get(major) or tables.min_driver_for_cuda(cuda)
    if floor is None:
        text = say("Add CUDA {major} to cuda_min_driver in the policy, or correct cuda_wanted.", major=major)
        return [fail(say("no driver is known for CUDA {cuda}", cuda=cuda), ctx.by_hand(text))]
    if version_at_least(version, floor):
        return []
    branch = str(version_key(floor)[0]) if version_key(floor)[0] > 525 else LAST_FOR_OLD
    text = say("Install branch {branch} or newer, or work with an older CUDA.", branch=branch)
    remedy = newer(ctx, text, branch, version)
    message = say(
        "driver {version} cannot run CUDA {cuda} (needs {floor} or newer)", version=version, cuda=cuda, floor=floor
    )
    return [fail(message, remedy, observed=version, expected=floor)]


def _below_floor(version: str, floors: dict[str, str]) -> tuple[Text | None, str]:
    """(what is wrong or None, the branch to go to). A branch newer than all listed ones is taken as fixed."""
    branch = str(version_key(version)[0])
    alive = sorted(floors, key=int)
    target = LAST_FOR_OLD if LAST_FOR_OLD in alive else alive[-1] if alive else branch
    if branch in floors:
        if version_at_least(version, floors[branch]):
            return None, branch
        return say(
            "driver {version} has known security holes, fixed in {floor}", version=version, floor=floors[branch]
        ), branch
    if not alive or int(branch) > int(alive[-1]):
        return None, branch
    return say("driver branch {branch} gets no security fixes any more", branch=branch), target


@after_module
def uniform(ctx: Context) -> list[Finding]:
    """GPUs that work together should be alike; a display card beside them is not a fault, so this only warns."""
    gpus = usable(ctx)
    if len(gpus) < 2:
        return [skip(say("there is only one GPU"))] if gpus else all_good(gpus, say("the GPUs are alike"))
    different = []
    for field, what in (
        ("name", say("name")),
        ("vbios", say("VBIOS")),
        ("memory_total_mib", say("memory")),
        ("driver_model", say("driver model")),
    ):
        values = {str(_reading(gpu, field)) for gpu in gpus if not gpu.is_null(field)}
        if len(values) > 1:
            different.append(say("{what}: {values}", what=what, values=names(sorted(values))))
    if not different:
        return [ok(say("the GPUs are alike"))]
    text = say("Expect the slowest to set the pace; the vendor can bring the VBIOS to one version.")
    evidence = tuple(item for gpu in gpus[:4] for item in gpu.show("name", "vbios", "memory_total_mib"))
    return [fail(say("the GPUs differ: {what}", what=different), ctx.by_hand(text), evidence=evidence)]


def _reading(gpu: View, field: str) -> str | int:
    return gpu.integer(field) if field == "memory_total_mib" else gpu.text(field)
