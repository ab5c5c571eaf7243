# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Driver: kernel module, device nodes, nvidia-smi, and each GPU."""

from __future__ import annotations

import re

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight import driver_packages
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Remedy,
    View,
    fail,
    names,
    ok,
    skip,
    version_at_least,
    version_key,
    warn,
)


def _reboot(ctx: Context, text: str) -> Remedy:
    return ctx.run.adhoc("reboot", "", text)


def module_loaded(ctx: Context) -> list[Finding]:
    if ctx.facts.flag("driver.module.loaded"):
        version = ctx.facts.text_or_none("driver.module.version") or "of unknown version"
        flavour = ctx.facts.text_or_none("driver.module.flavour") or "flavour unknown"
        return [ok(f"kernel module nvidia {version} is loaded ({flavour})", observed=version)]
    message = "kernel module nvidia is not loaded"
    if ctx.in_container:
        return [fail(message, ctx.by_hand("Ask the owner of the machine: the driver of the host is not loaded."))]
    if not driver_packages(ctx):
        return [
            fail(f"{message}: no driver package is installed", ctx.run.play("nvidia_driver", "Install the driver."))
        ]
    if ctx.facts.is_true("driver.nouveau.loaded"):
        return [fail(f"{message}: nouveau has the GPU", _reboot(ctx, "Reboot: nouveau leaves the GPU only then."))]
    if ctx.facts.is_true("firmware.secure_boot"):
        text = "Turn Secure Boot off in the firmware setup, or enrol the module's key (mokutil) at the console."
        return [fail(f"{message}: Secure Boot may have refused it", ctx.by_hand(text))]
    if ctx.facts.is_true("kernel.reboot_required"):
        return [fail(f"{message}: a reboot is pending", _reboot(ctx, "Reboot into the kernel it was built for."))]
    remedy = ctx.run.play("nvidia_driver", "Let the role load it; if that fails, `modprobe nvidia` says why.")
    return [fail(message, remedy)]


def device_nodes(ctx: Context) -> list[Finding]:
    paths = {node.text("path") for node in ctx.facts.views("driver.devnodes")}
    numbered = sorted(path for path in paths if re.fullmatch(r"/dev/nvidia\d+", path))
    wanted = len(ctx.facts.views("pci.gpus"))
    missing = [] if "/dev/nvidiactl" in paths else ["/dev/nvidiactl"]
    remedy = ctx.run.play("nvidia_driver", "Let the driver make its nodes (nvidia-modprobe, nvidia-persistenced).")
    details = {"observed": sorted(paths), "expected": wanted}
    if missing or len(numbered) < wanted:
        lost = f"; {names(missing)} is missing" if missing else ""
        return [fail(f"{len(numbered)} of {wanted} GPU device nodes exist{lost}", remedy, **details)]
    return [ok(f"{len(numbered)} GPU device nodes and /dev/nvidiactl exist")]


def uvm_node(ctx: Context) -> list[Finding]:
    if any(node.text("path") == "/dev/nvidia-uvm" for node in ctx.facts.views("driver.devnodes")):
        return [ok("/dev/nvidia-uvm exists")]
    remedy = ctx.run.shell_line("nvidia-modprobe -u -c 0", "Load nvidia-uvm and make its node.")
    return [fail("/dev/nvidia-uvm is missing: CUDA in containers fails with error 999", remedy)]


def versions_match(ctx: Context) -> list[Finding]:
    remedy = _reboot(ctx, "Reboot: the running module is not the one of the installed libraries.")
    loaded = ctx.facts.text("driver.module.version")
    seen = {"module": loaded}
    if ctx.facts.integer_or_none("driver.smi.rc") == 18:  # NVML_ERROR_LIB_RM_VERSION_MISMATCH
        return [fail(f"loaded module {loaded} and the libraries differ (nvidia-smi exit status 18)", remedy)]
    # a simulated driver has no libraries of its own to compare
    simulated = ctx.facts.is_true("simulated.gpu")
    for label, path in (("NVML library", "driver.libraries.nvidia_ml"), ("CUDA library", "driver.libraries.cuda")):
        if not simulated or ctx.facts.text_or_none(path):
            seen[label] = ctx.facts.text(path)
    said = ", ".join(f"{label} {version}" for label, version in seen.items())
    if len(set(seen.values())) > 1:
        return [fail(f"driver versions differ: {said}", remedy, observed=seen)]
    return [ok(f"one driver version everywhere: {said}", observed=seen)]


# Exit status of nvidia-smi -> (meaning, what to do). 17 and 18 are not in its manual page; measured with 550.163.01.
_SMI_CODES = {
    4: ("no permission to talk to the driver", "Read the facts as root."),
    9: ("it cannot reach the kernel module", "Load the module: reboot, or install the driver again."),
    10: ("the driver did not answer in time", "Reboot; look for Xid messages in the kernel log."),
    11: ("a GPU has an interrupt problem", "Reboot; then look at the firmware's PCI settings."),
    12: ("libnvidia-ml.so.1 is missing", "Install the driver's libraries."),
    14: ("the InfoROM of a GPU is damaged", "Ask the vendor for a replacement."),
    15: ("a GPU is lost", "Reboot; replace the GPU if it happens again."),
    17: ("the operating system or a cgroup blocks the device", "Recreate the container so that it gets its devices."),
    18: ("driver and library versions differ", "Reboot."),
}
_SMI_BY_ROLE = (9, 12)


def smi_answers(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("driver.smi.present"):
        return [fail("nvidia-smi is not installed", ctx.run.play("nvidia_driver", "Install the driver's tools."))]
    code = ctx.facts.integer("driver.smi.rc")
    if code == 0:
        return [ok("nvidia-smi answers")]
    said = ctx.facts.text_or_none("driver.smi.message") or "no message"
    # 255 stands for several causes; only its text tells
    meaning, text = _SMI_CODES.get(code, (said.splitlines()[0], "See the message; then reboot."))
    remedy = ctx.run.play("nvidia_driver", text) if code in _SMI_BY_ROLE else _reboot(ctx, text)
    if code in (4, 14, 17):
        remedy = ctx.by_hand(text)
    return [fail(f"nvidia-smi ends with status {code}: {meaning}", remedy, observed=code, expected=0, evidence=(said,))]


def gpu_count(ctx: Context) -> list[Finding]:
    seen, expected = len(ctx.facts.views("gpus")), ctx.policy.expected_gpus
    on_bus = seen if ctx.in_container else len(ctx.facts.views("pci.gpus"))
    details = {"observed": {"pci": on_bus, "driver": seen}, "expected": expected}
    if seen == on_bus and expected in (None, seen) and seen > 0:
        return [ok(f"the driver shows all {seen} GPUs", **details)]
    wanted = "" if expected is None else f", {expected} expected"
    remedy = _reboot(ctx, "Reboot; a GPU that stays away has failed or is not seated well.")
    return [fail(f"{on_bus} GPUs on the PCI bus, {seen} in the driver{wanted}", remedy, **details)]


def _label(gpu: View) -> str:
    return gpu.text_or_none("bdf") or f"GPU {gpu.integer('index')}"


def gpu_lost(ctx: Context) -> list[Finding]:
    gpus = ctx.facts.views("gpus")
    remedy = _reboot(ctx, "Reboot; if it happens again, have the GPU replaced.")
    return [
        fail(
            f"GPU {_label(gpu)} is in state {gpu.text('state')}", remedy, entity=_label(gpu), observed=gpu.text("state")
        )
        for gpu in gpus
        if gpu.text("state") != "ok"
    ] or _each_gpu(gpus, "no GPU is lost")


def _each_gpu(gpus: list[View], message: str) -> list[Finding]:
    return [ok(f"{message} ({len(gpus)} seen)")] if gpus else [skip("the driver shows no GPU")]


def recovery_action(ctx: Context) -> list[Finding]:
    """The driver's own verdict, reported from branch 570 on."""
    gpus = ctx.facts.views("gpus")
    silent = [gpu for gpu in gpus if gpu.is_null("recovery_action")]
    findings = []
    for gpu in gpus:
        action = None if gpu in silent else gpu.text("recovery_action")
        if action is not None and action.strip().lower() not in ("none", "no", "n/a"):
            remedy = _reboot(ctx, f"The driver asks for: {action}. A reboot includes a GPU reset.")
            findings.append(fail(f"the driver asks for: {action}", remedy, entity=_label(gpu), observed=action))
    if not findings and silent:
        return [skip("this driver does not report a recovery action")]
    return findings or _each_gpu(gpus, "no GPU asks for a reset or a reboot")


def branch_minimum(ctx: Context) -> list[Finding]:
    version, policy = ctx.facts.text("driver.module.version"), ctx.policy
    if policy.cuda_wanted:
        major = str(version_key(policy.cuda_wanted)[0])
        floor = policy.cuda_min_driver.get(major)
        if floor is None:
            text = f"Add CUDA {major} to cuda_min_driver in the policy, or correct cuda_wanted."
            return [fail(f"no driver is known for CUDA {policy.cuda_wanted}", ctx.by_hand(text))]
        if not version_at_least(version, floor):
            branch = str(version_key(floor)[0]) if version_key(floor)[0] > 525 else "580"
            text = f"Install branch {branch} or newer, or work with an older CUDA."
            remedy = ctx.run.play("nvidia_driver", text, nvidia_driver_branch=branch)
            message = f"driver {version} cannot run CUDA {policy.cuda_wanted} (needs {floor} or newer)"
            return [fail(message, remedy, observed=version, expected=floor)]
    problem, branch = _below_floor(version, {str(key): value for key, value in policy.driver_security_floor.items()})
    if problem is None:
        return [ok(f"driver {version} is new enough", observed=version)]
    remedy = ctx.run.play("nvidia_driver", f"Install branch {branch}.", nvidia_driver_branch=branch)
    say = fail if policy.driver_below_floor == "fail" else warn
    return [say(problem, remedy, observed=version)]


def _below_floor(version: str, floors: dict[str, str]) -> tuple[str | None, str]:
    """(what is wrong or None, the branch to go to). A branch newer than all listed ones is taken as fixed."""
    branch = str(version_key(version)[0])
    alive = sorted(floors, key=int)
    target = "580" if "580" in alive else alive[-1] if alive else branch
    if branch in floors:
        if version_at_least(version, floors[branch]):
            return None, branch
        return f"driver {version} has known security holes, fixed in {floors[branch]}", branch
    if not alive or int(branch) > int(alive[-1]):
        return None, branch
    return f"driver branch {branch} gets no security fixes any more", target


def _is_on(gpu: View) -> bool:
    """Collectors write the mode as true or as nvidia-smi's own word."""
    word = gpu.text_or_none("persistence")
    return word.lower() == "enabled" if word is not None else gpu.flag("persistence")


def persistence(ctx: Context) -> list[Finding]:
    gpus = ctx.facts.views("gpus")
    off = [_label(gpu) for gpu in gpus if not _is_on(gpu)]
    if not off:
        return _each_gpu(gpus, "persistence mode is on")
    remedy = ctx.run.play("nvidia_driver", "Let the role start nvidia-persistenced.")
    return [fail(f"persistence mode is off on {names(off, 8)}: every start of CUDA costs seconds", remedy)]
