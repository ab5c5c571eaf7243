# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: disk, memory, processors and ports."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.filesystems import filesystem_of
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    ok,
    skip,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import gpu as known_gpu
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# ports that the role dev_container publishes by itself, and the input that moves each
_OWN_PORTS = {40022: "dev_ssh_publish", 40888: "dev_jupyter_publish"}
# programs through which a container engine publishes a port (comm is cut after 15 characters)
_ENGINE_LISTENERS = ("docker-proxy", "rootlesskit", "rootlessport", "conmon", "pasta", "slirp4netns")


def _docker_root(ctx: Context) -> str:
    return ctx.facts.text_or_none("docker.root_dir") or "/var/lib/docker"


def _disk_needs(ctx: Context) -> dict[str, int]:
    """MiB by path, less where the software is there already."""
    if ctx.in_container:
        # driver, kernel and Docker are installed outside of it
        return {"/": min(ctx.policy.disk_needs_mib.get("/", 0), ctx.policy.disk_floor_mib)}
    installed = {"/": ctx.facts.is_true("driver.module.loaded")}
    installed["/boot"] = installed["/"]
    docker_root = _docker_root(ctx)
    installed["/var/lib/docker"] = bool(ctx.facts.is_true("docker.reachable") and ctx.facts.views("docker.images"))
    needs: dict[str, int] = {}
    for path, size in ctx.policy.disk_needs_mib.items():
        place = docker_root if path == "/var/lib/docker" else path
        needs[place] = min(size, ctx.policy.disk_floor_mib) if installed.get(path) else size
    return needs


def _held_by(ctx: Context, path: str) -> View:
    found = filesystem_of(ctx, path)
    if found is None:
        raise UnmeasuredError(f"storage.fs: the filesystem of {path}")
    return found


def disk(ctx: Context) -> list[Finding]:
    together: dict[str, tuple[View, list[str], int]] = {}
    for path, size in _disk_needs(ctx).items():
        fs = _held_by(ctx, path)
        _fs, paths, total = together.get(fs.text("mount"), (fs, [], 0))
        together[fs.text("mount")] = (fs, [*paths, path], total + size)
    findings: list[Finding] = []
    for mount, (fs, paths, needed) in together.items():
        free, inodes = fs.integer("free_mib"), None if fs.is_null("inodes_free_pct") else fs.number("inodes_free_pct")
        remedy = ctx.by_hand(
            say("Free space on {mount}, enlarge it, or lower disk_needs_mib in the policy.", mount=mount), "free_space"
        )
        if free < needed:
            message = say(
                "{mount} has {free} MiB free, {needed} MiB are needed (for {paths})",
                mount=mount,
                free=free,
                needed=needed,
                paths=paths,
            )
            evidence = fs.show("mount", "free_mib")
            findings.append(fail(message, remedy, entity=mount, observed=free, expected=needed, evidence=evidence))
        elif inodes is not None and inodes < ctx.policy.inodes_min_percent:
            message = say("{mount} has only {percent} % of its inodes free", mount=mount, percent=f"{inodes:g}")
            evidence = fs.show("mount", "inodes_free_pct")
            least = ctx.policy.inodes_min_percent
            findings.append(fail(message, remedy, entity=mount, observed=inodes, expected=least, evidence=evidence))
    return findings or [ok(say("enough space on {mounts}", mounts=names(list(together))))]


def writable(ctx: Context) -> list[Finding]:
    paths = ["/", "/tmp"] if ctx.in_container else ["/", "/boot", "/tmp", "/var", _docker_root(ctx)]
    found = {path: _held_by(ctx, path) for path in paths}
    mounts = {fs.text("mount"): fs for fs in found.values()}
    findings = []
    for mount, fs in mounts.items():
        if fs.flag("ro"):
            remedy = ctx.run.shell_line(
                f"mount -o remount,rw {mount}",
                say("Find out why (an error in the kernel log, /etc/fstab), then make it writable."),
            )
            evidence = fs.show("mount", "source", "ro")
            findings.append(
                fail(say("{mount} is mounted read-only", mount=mount), remedy, entity=mount, evidence=evidence)
            )
    folder = found["/tmp"]
    if "noexec" in folder.strings("options"):
        remedy = ctx.run.shell_line(
            f"mount -o remount,exec {folder.text('mount')}",
            say("Allow it, in /etc/fstab too, at least for the set-up."),
        )
        message = say("/tmp is mounted noexec: installers and builds that start programs there fail")
        findings.append(warn(message, remedy, entity="/tmp", evidence=folder.show("mount", "options")))
    return findings or [ok(say("writable: {mounts}", mounts=names(list(mounts))))]


def _limit(ctx: Context, whole: float, path: str) -> float:
    """A container's control group may allow less than the machine has."""
    return whole if ctx.facts.is_null(path) else min(whole, ctx.facts.number(path))


def memory(ctx: Context) -> list[Finding]:
    total = int(_limit(ctx, ctx.facts.integer("memory.total_mib"), "memory.limit_mib"))
    needed = ctx.policy.ram_min_mib
    evidence = ctx.facts.show("memory.total_mib", "memory.limit_mib")
    if total < needed:
        remedy = ctx.by_hand(
            say("Use a host with more memory, or lower ram_min_mib in the policy."), "replace_hardware"
        )
        message = say("{total} MiB of memory, {needed} MiB are needed", total=total, needed=needed)
        return [fail(message, remedy, observed=total, expected=needed, evidence=evidence)]
    gpu_memory = 0 if ctx.policy.expected_gpus == 0 or ctx.in_container else _gpu_memory(ctx)
    advised = gpu_memory * ctx.policy.ram_per_gpu_memory_percent // 100
    if total < advised:
        remedy = ctx.by_hand(say("Load checkpoints in shards, or give the host more memory."))
        message = say("{total} MiB of memory beside {gpu} MiB of GPU memory", total=total, gpu=gpu_memory)
        return [warn(message, remedy, observed=total, expected=advised, evidence=evidence)]
    return [ok(say("{total} MiB of memory", total=total), observed=total)]


def _gpu_memory(ctx: Context) -> int:
    """MiB of all GPUs by their models: known before there is a driver. An unknown model counts nothing."""
    models = [known_gpu(gpu.text("device")) for gpu in ctx.facts.views("pci.gpus")]
    return sum(model.memory_mib or 0 for model in models if model is not None)


def processors(ctx: Context) -> list[Finding]:
    usable = _limit(ctx, ctx.facts.integer("cpu.count"), "cpu.limit")
    findings = []
    if usable < ctx.policy.cpus_min:
        remedy = ctx.by_hand(say("Give this machine more processors, or lower cpus_min in the policy."))
        message = say(
            "{usable} processors can be used, {least} are asked for", usable=f"{usable:g}", least=ctx.policy.cpus_min
        )
        evidence = ctx.facts.show("cpu.count", "cpu.limit")
        findings.append(warn(message, remedy, observed=usable, expected=ctx.policy.cpus_min, evidence=evidence))
    if ctx.facts.text("os.machine") == "x86_64" and not ctx.facts.flag("cpu.avx2"):
        remedy = ctx.by_hand(
            say("Use another machine, or let the virtual machine have the host's processor model."), "replace_hardware"
        )
        message = say("the processor lacks AVX2: current builds of PyTorch and its libraries may crash")
        findings.append(warn(message, remedy, evidence=ctx.facts.show("cpu.model", "cpu.avx2")))
    return findings or [ok(say("{usable} processors", usable=f"{usable:g}"), observed=usable)]


def ports(ctx: Context) -> list[Finding]:
    wanted = list(ctx.policy.ports_wanted)
    if not wanted:
        return [skip(say("the policy wants no port"))]
    listening = ctx.facts.views("network.listening")
    taken: dict[int, View] = {}
    for entry in listening:
        if entry.integer("port") in wanted and entry.text("comm") not in _ENGINE_LISTENERS:
            taken.setdefault(entry.integer("port"), entry)
    busy = {entry.integer("port") for entry in listening}
    return [
        warn(
            say("port {port} is taken by {comm}", port=port, comm=entry.text("comm")),
            _other_port(ctx, port, busy),
            entity=str(port),
            evidence=entry.show("port", "address", "pid", "comm"),
        )
        for port, entry in taken.items()
    ] or [ok(say("free or ours: {ports}", ports=wanted))]


def _other_port(ctx: Context, port: int, busy: set[int]) -> Remedy:
    if port not in _OWN_PORTS:
        return ctx.by_hand(say("Stop what listens there, or take another port."))
    free = next(other for other in range(port + 1, port + 1000) if other not in busy)
    wish: dict[str, Any] = {_OWN_PORTS[port]: free}
    return ctx.run.play("dev_container", say("Publish the dev container on another port."), None, **wish)
