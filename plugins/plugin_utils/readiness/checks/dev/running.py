# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dev container: it runs, sees its GPUs, and has Python."""

from __future__ import annotations

import re
import shlex

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.container.nvml import (
    is_cut_off,
    recreate,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.dev.target import (
    Target,
    each,
    engine_view,
    is_false,
    names_asked,
    wish_of,
    without_gpu,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Stage,
    fail,
    ok,
    skip,
    unknown,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# CUresult of cuInit -> what it means (CUDA driver API, enum CUresult)
CUINIT = {
    3: say("CUDA could not be started"),
    46: say("the GPUs are in use by another process in exclusive mode"),
    100: say("CUDA finds no GPU: CUDA_VISIBLE_DEVICES is empty, or device nodes are missing"),
    101: say("CUDA_VISIBLE_DEVICES names a GPU that is not there"),
    802: say("the GPUs wait for the fabric manager"),
    999: say("unknown error: mostly /dev/nvidia-uvm is missing or not allowed"),
}
# codes whose cause another check names: a stub or foreign library, compatibility libraries on the wrong board
BY_LIBRARY, BY_COMPAT = (34, 803), 804


def running(ctx: Context) -> list[Finding]:
    findings = []
    for name in names_asked(ctx):
        try:
            findings.append(_runs(ctx, name))
        except UnmeasuredError as gap:
            findings.append(unknown(say("not measured: {path}", path=gap.path), entity=name))
    if findings:
        return findings
    if ctx.in_container:
        return [skip(say("this machine is a container itself"))]
    return [skip(say("no dev container is configured"))]


def _runs(ctx: Context, name: str) -> Finding:
    remedy = ctx.run.play("dev_container", say("Build and start the dev container."))
    container = engine_view(ctx, name)
    if container is None:
        present = [item.text("name") for item in ctx.facts.views("docker.containers")]
        there = ({"path": "docker.containers", "value": present},)
        return fail(say("container {name} does not exist", name=name), remedy, entity=name, evidence=there)
    seen = container.show("state", "restart_count", "health")
    state, restarts = container.text("state"), container.integer("restart_count")
    if state != "running":
        message = say("container {name} is {state}", name=name, state=state)
        return fail(message, remedy, entity=name, observed=state, evidence=seen)
    logs = f"docker logs --tail 50 {shlex.quote(name)}"
    if restarts >= ctx.policy.restarts_max:
        remedy = ctx.run.shell_line(logs, say("Read why it stops again and again."))
        message = say("container {name} has restarted {number} times", name=name, number=restarts)
        return fail(message, remedy, entity=name, observed=restarts, evidence=seen)
    health = None if container.is_null("health") else container.text("health")
    if health == "unhealthy":
        remedy = ctx.run.shell_line(logs, say("Read what its health check complains about."))
        message = say("container {name} is unhealthy", name=name)
        return fail(message, remedy, entity=name, observed=health, evidence=seen)
    if health == "starting":
        remedy = ctx.by_hand(say("Judge again in a minute."), "wait")
        return warn(say("container {name} is still starting", name=name), remedy, entity=name, evidence=seen)
    return ok(say("container {name} is running", name=name), entity=name)


def _gpus_wanted(ctx: Context, target: Target) -> int:
    """What the container asked for: 'all' or a list of GPUs, by CDI name, number, UUID or device node."""
    host = len(ctx.facts.views("gpus"))
    if target.engine is None:
        return host if ctx.policy.expected_gpus is None else ctx.policy.expected_gpus
    devices = [] if target.engine.is_null("gpu.devices") else target.engine.strings("gpu.devices")
    short = [device.split("=")[-1] for device in devices]
    if not short or "all" in short:
        return host
    # a slice of a GPU: 0:1 is slice 1 of GPU 0; of which GPU MIG-<uuid> is, is not told
    slices = {name.split(":")[0] for name in short if re.fullmatch(r"(\d+:\d+|MIG-.*)", name)}
    if slices:
        return len(slices)
    counts = [name for name in devices if re.fullmatch(r"count=\d+", name)]
    if counts:
        return int(counts[0].split("=")[1])
    nodes = {name for name in short if re.fullmatch(r"/dev/nvidia\d+", name)}
    if any(name.startswith("/") for name in short):
        return len(nodes)
    return len(set(short))


def _give_gpu(ctx: Context, target: Target) -> Remedy:
    ask = ctx.by_hand(say("Ask for a machine whose GPUs answer: nvidia-smi must show all of them."), "contact_provider")
    return ask if target.engine is None else recreate(ctx, target.engine)


def sees_gpu(ctx: Context) -> list[Finding]:
    return each(ctx, lambda target: _sees(ctx, target))


def _sees(ctx: Context, target: Target) -> list[Finding]:
    name, inside, engine = target.name, target.inside, target.engine
    if not ctx.policy.dev_gpu_wanted:
        return [skip(say("the policy wants no GPU in {name}", name=name), entity=target.entity)]
    if engine is not None and not engine.flag("gpu.requested"):
        remedy = ctx.run.play(
            "dev_container",
            say("Recreate it with the GPU given through CDI."),
            "recreate_container",
            dev_gpu_mode="auto",
        )
        message = say("container {name} was started without a GPU", name=name)
        return [fail(message, remedy, entity=target.entity, evidence=engine.show("gpu.requested"))]
    if inside.is_null("gpu.rc"):
        said = inside.text_or_none("gpu.message") or say("nvidia-smi was not run in it")
        message = say("not known whether {name} sees a GPU: {reason}", name=name, reason=said)
        return [unknown(message, entity=target.entity)]
    code, wanted = inside.integer("gpu.rc"), _gpus_wanted(ctx, target)
    if code != 0:
        return [_no_gpu(ctx, target, code)]
    seen = inside.integer("gpu.count")
    details = {"entity": target.entity, "observed": seen, "expected": wanted, "evidence": inside.show("gpu.count")}
    if seen != wanted or seen == 0:
        message = say("{name} sees {seen} of {wanted} GPUs", name=name, seen=seen, wanted=wanted)
        return [fail(message, _give_gpu(ctx, target), **details)]
    return [ok(say("{name} sees all its GPUs ({seen})", name=name, seen=seen), **details), _cuda(ctx, target, wanted)]


def _no_gpu(ctx: Context, target: Target, code: int) -> Finding:
    inside, said = target.inside, target.inside.text_or_none("gpu.message")
    # only where the other check says it, it is left to it
    if _lost(ctx, target.engine) and is_cut_off(code, said):
        return skip(say("{name} has lost its GPU", name=target.name), entity=target.entity, caused_by="CTR-NVML-LOST")
    if is_false(inside, "smi"):
        reason = say("there is no nvidia-smi in {name}", name=target.name)
        return skip(reason, entity=target.entity, caused_by="DEV-CAPS")
    reason_text: Text | str = said or say("exit status {code}", code=code)
    message = say("no GPU in {name}: {reason}", name=target.name, reason=reason_text)
    seen = inside.show("gpu.rc", "gpu.message")
    details = {"entity": target.entity, "observed": code, "expected": 0, "evidence": seen}
    return fail(message, _give_gpu(ctx, target), **details)


def _lost(ctx: Context, engine: View | None) -> bool:
    if engine is None or Stage.CONTAINER not in ctx.stages or "CTR-NVML-LOST" in ctx.policy.skip:
        return False
    return is_cut_off(engine.integer_or_none("probe.rc") or 0, engine.text_or_none("probe.message"))


def _cuda(ctx: Context, target: Target, wanted: int) -> Finding:
    """cuInit, tried inside: nvidia-smi does not show what a CUDA program meets."""
    inside, name, entity = target.inside, target.name, target.entity
    if inside.is_null("cuinit"):
        return skip(say("CUDA was not tried in {name}", name=name), entity=entity)
    code = inside.integer("cuinit.rc")
    seen = inside.show("cuinit.rc", "cuinit.name", "cuinit.count")
    if code == 0:
        count = inside.integer("cuinit.count")
        # with MIG a CUDA program sees one slice, whatever there is
        if count == wanted or any(gpu.is_true("mig") for gpu in ctx.facts.views("gpus")):
            return ok(say("CUDA starts in {name} and finds its GPUs ({count})", name=name, count=count), entity=entity)
        message = say("CUDA in {name} finds {count} of {wanted} GPUs", name=name, count=count, wanted=wanted)
        text = say("Look for CUDA_VISIBLE_DEVICES in its environment: it hides GPUs.")
        remedy = target.remedy(ctx.run.play("dev_container", text), ctx.by_hand(text))
        return fail(message, remedy, entity=entity, observed=count, expected=wanted, evidence=seen)
    cause = "DEV-LIBCUDA" if code in BY_LIBRARY else "DEV-CUDA-DRIVER" if code == BY_COMPAT else None
    if cause is not None:
        return skip(say("CUDA does not start in {name}", name=name), entity=entity, caused_by=cause)
    meaning = CUINIT.get(code) or inside.text_or_none("cuinit.name") or say("no meaning is known")
    message = say("CUDA does not start in {name} (cuInit {code}): {meaning}", name=name, code=code, meaning=meaning)
    return fail(message, _give_gpu(ctx, target), entity=entity, observed=code, expected=0, evidence=seen)


def capabilities(ctx: Context) -> list[Finding]:
    """What NVIDIA_DRIVER_CAPABILITIES lets in: nvidia-smi (utility) and libcuda (compute)."""
    return each(ctx, lambda target: _capabilities(ctx, target))


def _capabilities(ctx: Context, target: Target) -> Finding:
    inside, name, entity = target.inside, target.name, target.entity
    nothing = without_gpu(ctx, target)
    if nothing is not None:
        return nothing
    lacking: list[Text | str] = [] if inside.flag("smi") else ["nvidia-smi (utility)"]
    # a simulated driver has no libraries
    if not ctx.facts.is_true("simulated.gpu") and inside.view("libcuda").is_null("path"):
        lacking.append("libcuda.so.1 (compute)")
    if not lacking:
        return ok(say("the driver's tools and libraries are in {name}", name=name), entity=entity)
    text = say("Recreate it with NVIDIA_DRIVER_CAPABILITIES=compute,utility, as the role does.")
    ask = say("Ask for NVIDIA_DRIVER_CAPABILITIES=compute,utility in the container's settings.")
    by_role = ctx.run.play("dev_container", text, "recreate_container")
    remedy = target.remedy(by_role, ctx.by_hand(ask, "contact_provider"))
    message = say("parts of the driver are missing in {name}: {parts}", name=name, parts=lacking)
    seen = inside.show("capabilities", "smi", "libcuda")
    return fail(message, remedy, entity=entity, observed=inside.text_or_none("capabilities"), evidence=seen)


def python_environment(ctx: Context) -> list[Finding]:
    return each(ctx, lambda target: _python(ctx, target))


def _python(ctx: Context, target: Target) -> Finding:
    name, inside, entity = target.name, target.inside, target.entity
    text = say("Let the role build the Python environment anew.")
    own = ctx.by_hand(say("Install Python and JupyterLab with the tool that the image brings (uv, conda or pip)."))
    remedy = target.remedy(ctx.run.play("dev_container", text), own)
    seen = inside.show("python")
    # where nvidia-smi could be run, Python could have been, too
    nothing = inside.is_null("python") or inside.is_null("python.version")
    if nothing and inside.integer("gpu.rc") is not None:
        return fail(say("no Python environment answers in {name}", name=name), remedy, entity=entity, evidence=seen)
    version, packages = inside.text("python.version"), inside.mapping("python.packages")
    wish = wish_of(ctx, entity)
    no_notebook = target.engine is None or inside.is_null("jupyter") or (wish is not None and not wish.jupyter)
    missing = [] if no_notebook or packages.get("jupyterlab") else ["jupyterlab"]
    if missing:
        message = say(
            "Python {version} in {name} lacks {packages}", version=version, name=name, packages=names(missing)
        )
        return fail(message, remedy, entity=entity, evidence=seen)
    return ok(say("Python {version} in {name}", version=version, name=name), entity=entity, observed=version)
