# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dev container: every torch in it, from its build to a computation on each GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.cuda import driver_of, uses_compat
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.target import (
    Target,
    each,
    wish_of,
    without_gpu,
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
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import (
    arch_covers,
    gpu,
    min_driver_for_cuda,
    torch_archs,
    torch_choices,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View


@dataclass(frozen=True)
class Torch:
    """One installed torch; `env` says where."""

    env: Text | str
    facts: View
    manager: str | None = None

    @property
    def version(self) -> str:
        return self.facts.text("version")

    @property
    def conda_build(self) -> str | None:
        """Conda's build string; None for a wheel. The default Python's torch is always one of the environments."""
        if self.manager is None or self.facts.is_null("conda_build"):
            return None
        return self.facts.text("conda_build")

    @property
    def kind(self) -> str:
        """What it was built for: cuda, cpu, or the local part of the version (rocm6.4, xpu)."""
        local = self.version.partition("+")[2]
        if local and not local.startswith(("cu", "cpu")):
            return local
        if local.startswith("cpu"):
            return "cpu"
        if not self.facts.is_null("cuda"):
            self.facts.text("cuda")
            return "cuda"
        return "cpu"


def installed(target: Target) -> list[Torch]:
    """Every torch: of each environment, and of the default Python where it is none of them."""
    found = [
        Torch(env.text("path"), env.view("torch"), env.text("manager"))
        for env in target.inside.views("envs")
        if not env.is_null("torch")
    ]
    if not target.inside.is_null("torch"):
        default = Torch(say("the default Python"), target.inside.view("torch"))
        if default.version not in [item.version for item in found]:
            found.append(default)
    return found


def _wished(ctx: Context, target: Target) -> bool:
    """Whether a torch for the CPU is right there: by the policy everywhere, by its own specification."""
    wish = wish_of(ctx, target.entity)
    return ctx.policy.torch_cpu_accepted or (wish is not None and wish.torch_cpu_accepted)


def _accepted(ctx: Context, target: Target, item: Torch) -> bool:
    """A torch for the CPU that somebody chose; one for other GPUs than NVIDIA's is still the wrong one."""
    return item.kind == "cpu" and _wished(ctx, target)


def _as_accepted(target: Target, item: Torch) -> Finding:
    message = say("torch {version} in {env} is a CPU build, as accepted", version=item.version, env=item.env)
    return skip(message, entity=target.entity)


def _told_as_accepted(ctx: Context, target: Target, item: Torch) -> Finding:
    """One line for it, so that a year later nobody wonders why the GPU idles; the verdict stays as it is."""
    message = say(
        "torch {version} in {env} of {name} is a CPU build, as accepted: it cannot use the GPU",
        version=item.version,
        env=item.env,
        name=target.name,
    )
    text = say("If the GPU is to be used, take dev_torch.cpu_accepted out, and build anew.")
    remedy = target.remedy(ctx.run.play("dev_container", text, "set_var"), ctx.by_hand(text, "set_var"))
    seen = item.facts.show("version", "cuda")
    return warn(message, remedy, entity=target.entity, observed=item.version, evidence=seen, severity=Severity.INFO)


def _cpu_only(ctx: Context, target: Target) -> Finding | None:
    """Nothing can be computed on a GPU where every torch is an accepted CPU build."""
    if not _wished(ctx, target):
        return None
    found = installed(target)
    return _as_accepted(target, found[0]) if found and all(item.kind == "cpu" for item in found) else None


def _each_torch(ctx: Context, judge: Callable[[Target, Torch], Finding]) -> list[Finding]:
    def look(target: Target) -> list[Finding]:
        found = installed(target)
        if not found:
            return [_no_torch(target)]
        return [judge(target, item) for item in found]

    return each(ctx, look)


def _no_torch(target: Target) -> Finding:
    inside, name = target.inside, target.name
    if inside.is_null("python") or inside.is_null("python.version"):
        reason = say("no Python environment answers in {name}", name=name)
        return skip(reason, entity=target.entity, caused_by="DEV-PYTHON")
    return skip(say("torch is not installed in {name}", name=name), entity=target.entity)


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
        nothing = _no_torch(target)
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
        if _accepted(ctx, target, item):
            return _told_as_accepted(ctx, target, item)
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

    return _each_torch(ctx, one)


def _not_for_gpu(ctx: Context, target: Target, item: Torch) -> Finding | None:
    """Without a CUDA build there is nothing more to judge; the red line is another check's."""
    if item.kind == "cuda" or not ctx.policy.dev_gpu_wanted:
        return without_gpu(ctx, target)
    if _accepted(ctx, target, item):
        return _as_accepted(target, item)
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
        if _accepted(ctx, target, item):
            told = item.conda_build is not None  # by DEV-CONDA-BUILD
            return _as_accepted(target, item) if told else _told_as_accepted(ctx, target, item)
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

    return _each_torch(ctx, one)


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

    return _each_torch(ctx, one)


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

    return _each_torch(ctx, one)


def torch_computes(ctx: Context) -> list[Finding]:
    def one(target: Target) -> Finding | list[Finding]:
        if target.inside.is_null("torch_run"):
            return skip(say("a computation with torch was not asked for"), entity=target.entity)
        accepted = _cpu_only(ctx, target)
        if accepted is not None:
            return accepted
        runs = target.inside.views("torch_run")
        if not runs:
            return unknown(
                say("the computation with torch gave no result in {name}", name=target.name), entity=target.entity
            )
        bad = [run for run in runs if not run.flag("ok")]
        if not bad:
            return ok(
                say("torch computes right on every GPU of {name} ({count})", name=target.name, count=len(runs)),
                entity=target.entity,
            )
        text = say("Read the error; run it alone on that GPU, and look for Xid messages in the kernel log.")
        return [
            fail(
                say(
                    "torch fails on GPU {index} of {name}: {error}",
                    index=run.integer("index"),
                    name=target.name,
                    error=run.text_or_none("error") or say("no message"),
                ),
                ctx.by_hand(text, "check_app"),
                entity=target.entity,
                evidence=run.show("index", "ok", "error"),
            )
            for run in bad
        ]

    return each(ctx, one)


def nccl(ctx: Context) -> list[Finding]:
    def one(target: Target) -> Finding:
        if target.inside.is_null("nccl"):
            return skip(say("an all_reduce with NCCL was not asked for"), entity=target.entity)
        accepted = _cpu_only(ctx, target)
        if accepted is not None:
            return accepted
        run = target.inside.view("nccl")
        seen = run.show("ok", "busbw_gbs", "error")
        text = say(
            "Look at /dev/shm, at PCIe ACS and at NCCL_DEBUG=INFO; NCCL_P2P_DISABLE=1 tells whether P2P is the cause."
        )
        remedy = ctx.by_hand(text, "check_app")
        if not run.flag("ok"):
            error = run.text_or_none("error") or say("no message")
            message = say("an all_reduce over all GPUs of {name} fails: {error}", name=target.name, error=error)
            return fail(message, remedy, entity=target.entity, evidence=seen)
        speed, floor = run.number("busbw_gbs"), ctx.policy.nccl_min_gbs
        details = {"entity": target.entity, "observed": speed, "expected": f">= {floor}", "evidence": seen}
        if speed < floor:
            message = say(
                "an all_reduce over all GPUs of {name} reaches {speed} GB/s of {floor}",
                name=target.name,
                speed=speed,
                floor=floor,
            )
            return fail(message, remedy, **details)
        return ok(
            say("an all_reduce over all GPUs of {name} reaches {speed} GB/s", name=target.name, speed=speed), **details
        )

    return each(ctx, one)
