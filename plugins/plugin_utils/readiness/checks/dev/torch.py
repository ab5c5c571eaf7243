# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dev container: whether each torch in it, by its build, can use these GPUs with this driver."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.cuda import driver_of, uses_compat
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.target import (
    Target,
    each,
    without_gpu,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.torches import (
    Torch,
    accepted,
    as_accepted,
    each_torch,
    installed,
    no_torch,
    told_as_accepted,
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
    version_at_least,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import (
    arch_covers,
    gpu,
    min_driver_for_cuda,
    torch_archs,
    torch_choices,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError


def _choice(ctx: Context, target: Target) -> Text | str:
    """The torch to install: the newest whose official wheel runs on this driver and on every GPU."""
    try:
        driver = driver_of(ctx, target)
        found = [set(torch_choices(capability, driver)) for _name, capability in capabilities(ctx, target)]
        fitting = [
            pair for pair in torch_choices(capabilities(ctx, target)[0][1], driver) if all(pair in s for s in found)
        ]
    except (UnmeasuredError, IndexError):
        fitting = []
    if not fitting:
        return say("a CUDA build of torch")
    release, cuda = fitting[0]
    return say("torch {release} for CUDA {cuda}", release=release, cuda=cuda)


def _install(ctx: Context, target: Target, action: str = "set_var") -> Remedy:
    what = _choice(ctx, target)
    text = say("Ask for {torch} in dev_torch_version and dev_torch_backend, and build anew.", torch=what)
    own = say("Install {torch} in its place, from an index or mirror that has CUDA builds.", torch=what)
    return target.remedy(ctx.run.play("dev_container", text, action), ctx.by_hand(own, action))


def torch_installed(ctx: Context) -> list[Finding]:
    def one(target: Target) -> Finding:
        found = installed(target)
        if found:
            said = [f"{item.version}" for item in found]
            return ok(say("torch in {name}: {versions}", name=target.name, versions=names(said)), entity=target.entity)
        nothing = no_torch(target)
        if nothing.caused_by is not None:
            return nothing
        if not ctx.policy.torch_wanted:
            return skip(
                say("torch is not installed in {name}, and not asked for", name=target.name), entity=target.entity
            )
        message = say("torch is not installed in {name}", name=target.name)
        seen = target.inside.show("envs", "torch", "python.version")
        return fail(message, _install(ctx, target, "run_role"), entity=target.entity, evidence=seen)

    return each(ctx, one)


def conda_build(ctx: Context) -> list[Finding]:
    """conda takes a CPU build without a word when it saw no GPU, or when the channel was the wrong one."""

    def one(target: Target, item: Torch) -> Finding:
        build = item.conda_build
        if build is None:
            return skip(say("torch in {env} does not come from conda", env=item.env), entity=target.entity)
        if not ctx.policy.dev_gpu_wanted:
            return skip(say("the policy wants no GPU in {name}", name=target.name), entity=target.entity)
        if item.kind == "cuda":
            return ok(
                say("conda's torch in {env} is a CUDA build ({build})", env=item.env, build=build), entity=target.entity
            )
        if accepted(ctx, target, item):
            return told_as_accepted(ctx, target, item)
        message = say(
            "conda's torch {version} in {env} is the build {build}, made without CUDA",
            version=item.version,
            env=item.env,
            build=build,
        )
        text = say(
            "Install it with `pytorch-gpu`, or ask for a build `*cuda*` from conda-forge; else take a pip wheel."
        )
        remedy = target.remedy(ctx.run.play("dev_container", text, "set_var"), ctx.by_hand(text, "set_var"))
        seen = item.facts.show("version", "cuda", "conda_build")
        return fail(message, remedy, entity=target.entity, observed=build, evidence=seen)

    return each_torch(ctx, one)


def _not_for_gpu(ctx: Context, target: Target, item: Torch) -> Finding | None:
    """Without a CUDA build there is nothing more to judge; the red line is another check's."""
    if item.kind == "cuda" or not ctx.policy.dev_gpu_wanted:
        return without_gpu(ctx, target)
    if accepted(ctx, target, item):
        return as_accepted(target, item)
    cause = "DEV-TORCH-CUDA" if item.conda_build is None else "DEV-CONDA-BUILD"
    return skip(say("torch in {env} is no CUDA build", env=item.env), entity=target.entity, caused_by=cause)


def torch_uses_gpu(ctx: Context) -> list[Finding]:
    def one(target: Target, item: Torch) -> Finding:
        entity = target.entity
        if not ctx.policy.dev_gpu_wanted:
            return skip(say("the policy wants no GPU in {name}", name=target.name), entity=entity)
        values = {"version": item.version, "env": item.env, "name": target.name}
        if item.kind == "cuda":
            cuda = item.facts.text("cuda")
            return ok(
                say("torch {version} in {env} is built for CUDA {cuda}", version=item.version, env=item.env, cuda=cuda),
                entity=entity,
            )
        if accepted(ctx, target, item):
            told = item.conda_build is not None  # by DEV-CONDA-BUILD
            return as_accepted(target, item) if told else told_as_accepted(ctx, target, item)
        if item.conda_build is not None:
            return skip(
                say("torch in {env} is no CUDA build", env=item.env), entity=entity, caused_by="DEV-CONDA-BUILD"
            )
        seen = item.facts.show("version", "cuda")
        details = {"entity": entity, "observed": item.version, "evidence": seen}
        if item.kind == "cpu":
            message = say("torch {version} in {env} of {name} is a CPU build: it cannot use the GPU", **values)
            return fail(message, _install(ctx, target), **details)
        message = say("torch {version} in {env} of {name} is built for other GPUs than NVIDIA's", **values)
        return fail(message, _install(ctx, target), **details)

    return each_torch(ctx, one)


def capabilities(ctx: Context, target: Target) -> list[tuple[str, str]]:
    """(name, compute capability) of each GPU: as CUDA says it inside, else by the device ids on the PCI bus."""
    inside = target.inside
    if not inside.is_null("cuinit") and inside.views("cuinit.devices"):
        devices = inside.views("cuinit.devices")
        return [(device.text_or_none("name") or "GPU", device.text("compute_capability")) for device in devices]
    found = []
    for board in ctx.facts.views("pci.gpus"):
        known = gpu(board.text("device"))
        if known is None:
            raise UnmeasuredError(f"{board.path}.device: compute capability")
        found.append((known.name, known.compute_capability))
    if not found:
        raise UnmeasuredError("compute capability")
    return found


def _archs(ctx: Context, item: Torch) -> tuple[str, ...] | None:
    if item.manager is not None and not item.facts.is_null("archs"):
        return tuple(item.facts.strings("archs"))
    # the table holds the wheels for x86_64; conda builds have targets of their own
    if item.conda_build is not None or ctx.facts.text("os.machine") != "x86_64":
        return None
    return torch_archs(item.version, item.facts.text("cuda"))


def torch_fits_gpu(ctx: Context) -> list[Finding]:
    """'no kernel image is available for execution on the device', found without a run."""

    def one(target: Target, item: Torch) -> Finding:
        blocked = _not_for_gpu(ctx, target, item)
        if blocked is not None:
            return blocked
        archs = _archs(ctx, item)
        if archs is None:
            message = say(
                "not known for which GPUs torch {version} in {env} was built", version=item.version, env=item.env
            )
            # an unofficial build tells it only when it is imported: a remark, no reason to hold a machine back
            return unknown(message, entity=target.entity, severity=Severity.MINOR)
        boards = capabilities(ctx, target)
        bad = [(name, cc) for name, cc in boards if not any(arch_covers(arch, cc) for arch in archs)]
        details = {"entity": target.entity, "observed": list(archs), "expected": sorted({cc for _name, cc in boards})}
        if not bad:
            return ok(
                say("torch {version} in {env} has code for every GPU", version=item.version, env=item.env), **details
            )
        name, capability = bad[0]
        message = say(
            "{gpu} has compute capability {capability}; torch {version} in {env} has code for {archs} only",
            gpu=name,
            capability=capability,
            version=item.version,
            env=item.env,
            archs=names(archs, 10),
        )
        seen = (*item.facts.show("version", "cuda", "archs"), *target.inside.show("cuinit.devices"))
        return fail(message, _install(ctx, target), evidence=seen, **details)

    return each_torch(ctx, one)


def torch_fits_driver(ctx: Context) -> list[Finding]:
    def one(target: Target, item: Torch) -> Finding:
        blocked = _not_for_gpu(ctx, target, item)
        if blocked is not None:
            return blocked
        cuda = item.facts.text("cuda")
        floor = min_driver_for_cuda(cuda)
        if floor is None:
            message = say("no driver is known for CUDA {cuda} ({name})", cuda=cuda, name=item.env)
            return unknown(message, entity=target.entity)
        driver = target.inside.text("libcuda.version") if uses_compat(target) else driver_of(ctx, target)
        values = {"version": item.version, "env": item.env, "driver": driver, "floor": floor, "cuda": cuda}
        details = {"entity": target.entity, "observed": driver, "expected": f">= {floor}"}
        if version_at_least(driver, floor):
            del values["floor"]
            return ok(say("torch {version} in {env} (CUDA {cuda}) runs on driver {driver}", **values), **details)
        message = say(
            "torch {version} in {env} (CUDA {cuda}) needs driver {floor} or newer, the host has {driver}", **values
        )
        seen = (*item.facts.show("version", "cuda"), *target.inside.show("driver_version", "libcuda.version"))
        return fail(message, _install(ctx, target), evidence=seen, **details)

    return each_torch(ctx, one)
