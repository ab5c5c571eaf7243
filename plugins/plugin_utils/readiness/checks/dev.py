# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dev container: does a person who logs in find a GPU, a shell, a notebook, and a torch that uses them."""

from __future__ import annotations

import re
from collections.abc import Callable

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    DevWish,
    Finding,
    Severity,
    UnmeasuredError,
    View,
    fail,
    names,
    ok,
    skip,
    unknown,
    warn,
)

NOT_CONFIGURED = "no dev container is configured"


def _names(ctx: Context) -> list[str]:
    """The dev containers to judge: those asked for, else those the snapshot holds."""
    if ctx.dev_requested is not None:
        return [wish.name for wish in ctx.dev_requested]
    return [item.text("name") for item in ctx.facts.views("dev.containers")]


def _wish(ctx: Context, name: str) -> DevWish | None:
    return next((wish for wish in ctx.dev_requested or () if wish.name == name), None)


def _engine_view(ctx: Context, name: str) -> View | None:
    return next((c for c in ctx.facts.views("docker.containers") if c.text("name") == name), None)


def _inside(ctx: Context, name: str) -> View:
    found = next((c for c in ctx.facts.views("dev.containers") if c.text("name") == name), None)
    if found is None:
        raise UnmeasuredError(f"dev.containers: {name}")
    return found


def _for_each(ctx: Context, judge: Callable[[str], Finding]) -> list[Finding]:
    wanted = _names(ctx)
    findings: list[Finding] = []
    for name in wanted:
        try:
            findings.append(judge(name))
        except UnmeasuredError as gap:
            findings.append(unknown(f"not measured: {gap.path}", entity=name))
    return findings or [skip(NOT_CONFIGURED)]


def _for_each_running(ctx: Context, judge: Callable[[View, View], Finding]) -> list[Finding]:
    """judge(from Docker, from inside); a container that does not run gives one failure only, that of DEV-RUNNING."""

    def one(name: str) -> Finding:
        engine = _engine_view(ctx, name)
        if engine is None or engine.text("state") != "running":
            return skip(f"container {name} does not run", entity=name, caused_by="DEV-RUNNING")
        return judge(engine, _inside(ctx, name))

    return _for_each(ctx, one)


def running(ctx: Context) -> list[Finding]:
    remedy = ctx.run.play("dev_container", "Build and start the dev container.")

    def one(name: str) -> Finding:
        container = _engine_view(ctx, name)
        if container is None:
            return fail(f"container {name} does not exist", remedy, entity=name)
        state, restarts = container.text("state"), container.integer("restart_count")
        if state != "running":
            return fail(f"container {name} is {state}", remedy, entity=name, observed=state)
        if restarts >= ctx.policy.restarts_max:
            logs = ctx.run.shell_line(f"docker logs --tail 50 {name}", "Read why it stops again and again.")
            return fail(f"container {name} has restarted {restarts} times", logs, entity=name, observed=restarts)
        health = None if container.is_null("health") else container.text("health")
        if health == "unhealthy":
            logs = ctx.run.shell_line(f"docker logs --tail 50 {name}", "Read what its health check complains about.")
            return fail(f"container {name} is unhealthy", logs, entity=name, observed=health)
        if health == "starting":
            return warn(f"container {name} is still starting", ctx.by_hand("Judge again in a minute."), entity=name)
        return ok(f"container {name} is running", entity=name)

    return _for_each(ctx, one)


def ssh_answers(ctx: Context) -> list[Finding]:
    def one(engine: View, inside: View) -> Finding:
        name = engine.text("name")
        wish = _wish(ctx, name)
        if inside.is_null("ssh") or (wish is not None and not wish.ssh):
            return skip(f"no ssh port is configured for {name}", entity=name)
        status, banner = inside.text("ssh.status"), inside.text_or_none("ssh.banner") or ""
        if status == "ok" and banner.startswith("SSH-2.0"):
            return ok(f"sshd of {name} answers: {banner}", entity=name)
        remedy = ctx.run.play("dev_container", "Let the role write sshd's configuration and restart it.")
        said = f"a foreign answer ({banner[:40]!r})" if status == "ok" else status
        return fail(f"sshd of {name} does not answer: {said}", remedy, entity=name, observed=banner or status)

    return _for_each_running(ctx, one)


def jupyter_guarded(ctx: Context) -> list[Finding]:
    def one(engine: View, inside: View) -> Finding:
        name = engine.text("name")
        wish = _wish(ctx, name)
        if inside.is_null("jupyter") or (wish is not None and not wish.jupyter):
            return skip(f"no Jupyter port is configured for {name}", entity=name)
        return _judge_jupyter(ctx, name, inside)

    return _for_each_running(ctx, one)


def _judge_jupyter(ctx: Context, name: str, inside: View) -> Finding:
    remedy = ctx.run.play("dev_container", "Let the role write JupyterLab's settings and token, and restart it.")
    if not inside.is_null("jupyter.no_token") and inside.integer("jupyter.no_token") == 200:
        message = f"JupyterLab of {name} lets anyone in without a token"
        return fail(message, remedy, entity=name, observed=200, expected="401 or 403", severity=Severity.BLOCKER)
    if _wish(ctx, name) is not None and inside.is_null("jupyter.api"):
        return fail(f"JupyterLab of {name} does not answer", remedy, entity=name)
    api, refused, admitted = (inside.integer(f"jupyter.{key}") for key in ("api", "no_token", "with_token"))
    observed = {"api": api, "no_token": refused, "with_token": admitted}
    details = {"entity": name, "observed": observed, "expected": {"api": 200, "no_token": 403, "with_token": 200}}
    if api != 200:
        return fail(f"JupyterLab of {name} answers with HTTP status {api}", remedy, **details)
    if refused not in (401, 403):
        return fail(f"JupyterLab of {name} answers {refused} without a token, not a refusal", remedy, **details)
    if admitted != 200:
        return fail(f"JupyterLab of {name} refuses its own token (HTTP status {admitted})", remedy, **details)
    return ok(f"JupyterLab of {name} answers, only with its token", entity=name)


def _gpus_wanted(ctx: Context, engine: View) -> int:
    """What the container asked for: 'all' or a list of GPUs, by CDI name, number, UUID or device node."""
    host = len(ctx.facts.views("gpus"))
    devices = [] if engine.is_null("gpu.devices") else engine.strings("gpu.devices")
    short = [device.split("=")[-1] for device in devices]
    if not short or "all" in short:
        return host
    counts = [name for name in devices if re.fullmatch(r"count=\d+", name)]
    if counts:
        return int(counts[0].split("=")[1])
    nodes = {name for name in short if re.fullmatch(r"/dev/nvidia\d+", name)}
    if any(name.startswith("/") for name in short):
        return len(nodes)
    return len(set(short))


def sees_gpu(ctx: Context) -> list[Finding]:
    def one(engine: View, inside: View) -> Finding:
        name = engine.text("name")
        remedy = ctx.run.play("dev_container", "Recreate it with the GPU given through CDI.")
        if not ctx.policy.dev_gpu_wanted:
            return skip(f"the policy wants no GPU in {name}", entity=name)
        if not engine.flag("gpu.requested"):
            return fail(f"container {name} was started without a GPU", remedy, entity=name)
        if inside.is_null("gpu.rc"):
            said = inside.text_or_none("gpu.message") or "nvidia-smi was not run in it"
            return unknown(f"not known whether {name} sees a GPU: {said}", entity=name)
        code, wanted = inside.integer("gpu.rc"), _gpus_wanted(ctx, engine)
        if code != 0:
            said = inside.text_or_none("gpu.message") or f"nvidia-smi ends with status {code}"
            return fail(f"no GPU in container {name}: {said}", remedy, entity=name, observed=code, expected=0)
        seen = inside.integer("gpu.count")
        details = {"entity": name, "observed": seen, "expected": wanted}
        if seen != wanted or seen == 0:
            return fail(f"container {name} sees {seen} of {wanted} GPUs", remedy, **details)
        return ok(f"container {name} sees {seen} of {wanted} GPUs", **details)

    return _for_each_running(ctx, one)


def shared_memory(ctx: Context) -> list[Finding]:
    def one(engine: View, _inside_view: View) -> Finding:
        name, size = engine.text("name"), engine.integer("shm_mib")
        needed = min(ctx.policy.dev_shm_min_mib, ctx.facts.integer("memory.total_mib") // 2)
        if size >= needed:
            return ok(f"/dev/shm of {name} has {size} MiB", entity=name, observed=size)
        remedy = ctx.run.play("dev_container", "Give it more shared memory.", dev_container_shm_size=f"{needed}m")
        message = f"/dev/shm of {name} has {size} MiB of {needed}: DataLoader workers die with a bus error"
        return fail(message, remedy, entity=name, observed=size, expected=needed)

    return _for_each_running(ctx, one)


def python_environment(ctx: Context) -> list[Finding]:
    def one(engine: View, inside: View) -> Finding:
        name = engine.text("name")
        remedy = ctx.run.play("dev_container", "Let the role build the Python environment anew.")
        # where nvidia-smi could be run, Python could have been, too
        nothing = inside.is_null("python") or inside.is_null("python.version")
        if nothing and inside.integer("gpu.rc") is not None:
            return fail(f"no Python environment answers in {name}", remedy, entity=name)
        version, packages = inside.text("python.version"), inside.mapping("python.packages")
        wish = _wish(ctx, name)
        no_notebook = inside.is_null("jupyter") or (wish is not None and not wish.jupyter)
        missing = [] if no_notebook or packages.get("jupyterlab") else ["jupyterlab"]
        if missing:
            return fail(f"Python {version} in {name} lacks {names(missing)}", remedy, entity=name)
        return ok(f"Python {version} in {name}", entity=name, observed=version)

    return _for_each_running(ctx, one)


def torch_uses_gpu(ctx: Context) -> list[Finding]:
    def one(engine: View, inside: View) -> Finding:
        name = engine.text("name")
        remedy = ctx.run.play("dev_container", "Install a CUDA build of torch in the Python environment.")
        if inside.is_null("torch"):
            if inside.is_null("python") or inside.is_null("python.version"):
                return skip(f"no Python environment answers in {name}", entity=name, caused_by="DEV-PYTHON")
            if ctx.policy.torch_wanted:
                return fail(f"torch is not installed in {name}", remedy, entity=name)
            return skip(f"torch is not installed in {name}, and not asked for", entity=name)
        version = inside.text("torch.version")
        if inside.is_null("torch.cuda") or "+cpu" in version:
            return fail(f"torch {version} in {name} is a CPU build: it cannot use the GPU", remedy, entity=name)
        return ok(f"torch {version} in {name} is built for CUDA {inside.text('torch.cuda')}", entity=name)

    return _for_each_running(ctx, one)
