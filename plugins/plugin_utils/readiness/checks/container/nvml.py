# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container: whether containers have their GPU, and keep it ('Failed to initialize NVML: Unknown Error')."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.container.cdi import (
    GPU_KIND,
    gpu_specs,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    ok,
    skip,
    unknown,
    version_at_least,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# from here on --gpus asks for CDI first (moby daemon/devices_nvidia_linux.go, 86f122af27)
GPUS_BY_CDI = "29.2"
# runc skips an allow rule whose /dev/char link is missing (its CHANGELOG, 1.1.3 and 1.1.7)
RUNC_SKIPS, RUNC_MENDED = "1.1.3", "1.1.7"
# an older systemd finds a device only through /dev/char (runc, cgroups/devices/systemd.go)
SYSTEMD_READS_NUMBERS = 240
# nvidia-modprobe makes the links itself from here on (its commit 88e6eee)
DRIVER_MAKES_LINKS = "535.43.02"
# what nvidia-smi in a container says when the device cgroup keeps it from the GPU (NVML 999 and 17)
BLOCKED = 17
_CUT_OFF = re.compile(r"unknown error|blocked by the operating system", re.IGNORECASE)


def is_cut_off(code: int, message: str | None) -> bool:
    return code == BLOCKED or (code != 0 and bool(_CUT_OFF.search(message or "")))


def compose_line(labels: Mapping[str, Any]) -> str | None:
    """The command that recreates a container of Compose, by its labels; None for any other."""
    project, service = labels.get("com.docker.compose.project.working_dir"), labels.get("com.docker.compose.service")
    if not isinstance(project, str) or not isinstance(service, str):
        return None
    folder = shlex.quote(project)
    return f"docker compose --project-directory {folder} up -d --force-recreate {shlex.quote(service)}"


def recreate(ctx: Context, container: View) -> Remedy:
    name, line = container.text("name"), compose_line(container.mapping("labels"))
    action = "recreate_container"
    if line is not None:
        text = say("When no job runs in it, recreate it; give the GPU by `devices: [nvidia.com/gpu=all]`.")
        return ctx.run.shell_line(line, text, action)
    if any(wish.name == name for wish in ctx.dev_requested or ()):
        return ctx.run.play("dev_container", say("Recreate it with the GPU given through CDI."), action)
    text = say(
        "When no job runs in it; then start it again with --device {kind}=all in place of --gpus.", kind=GPU_KIND
    )
    return ctx.run.shell_line(f"docker stop {shlex.quote(name)}", text, action)


def heal_or_recreate(ctx: Context, container: View) -> Remedy:
    """A running container gets its device rules while it runs, where systemd has them; else it must start anew."""
    docker, gpu = ctx.facts.view("docker"), container.view("gpu")
    by_systemd = docker.text_or_none("cgroup_driver") == "systemd" and docker.text_or_none("cgroup_version") == "2"
    # rules that are there already cannot be what it lacks
    if not by_systemd or docker.is_true("rootless") or gpu.is_true("rules_ok"):
        return recreate(ctx, container)
    text = say(
        "It gives the running container its device rules, and nothing in it is stopped. They last until it is started"
        " again: then use --device {kind}=all in place of --gpus.",
        kind=GPU_KIND,
    )
    return ctx.run.heal(text)


def _with_gpu(ctx: Context) -> list[View]:
    """Running containers with a GPU, and those of which that is not known: `_each` finds these unknown."""
    running = [item for item in ctx.facts.views("docker.containers") if item.text("state") == "running"]
    return [item for item in running if not _is_without(item)]


def _is_without(container: View) -> bool:
    try:
        return not container.flag("gpu.requested")
    except UnmeasuredError:
        return False


def _container_names(containers: list[View]) -> Text | str:
    return names([item.text("name") for item in containers])


def _each(items: list[View], judge: Callable[[View], Finding | None]) -> list[Finding]:
    """One container that cannot be judged must not hide the others."""
    findings: list[Finding] = []
    for item in items:
        try:
            item.flag("gpu.requested")
            finding = judge(item)
        except UnmeasuredError as gap:
            finding = unknown(say("not measured: {path}", path=gap.path), entity=item.text_or_none("name"))
        if finding is not None:
            findings.append(finding)
    return findings


def _is_lost(container: View) -> bool:
    return is_cut_off(container.integer_or_none("probe.rc") or 0, container.text_or_none("probe.message"))


def _keeps_gpu(ctx: Context, container: View) -> Finding | None:
    """None: it does; else what is wrong, or that it could not be told."""
    name, gpu = container.text("name"), container.view("gpu")
    if "CTR-NVML-LOST" not in ctx.policy.skip and _is_lost(container):
        # the same container, the same remedy
        return skip(say("container {name} has lost the GPU already", name=name), entity=name, caused_by="CTR-NVML-LOST")
    # a privileged container may open every device, whatever its rules say
    if container.is_true("privileged"):
        return skip(say("container {name} is privileged: no device rule holds it back", name=name), entity=name)
    if gpu.is_true("rules_ok") and gpu.text("via") == "hook":
        # playbooks/heal_gpu.yml has added its rules, or it was started with --device as well
        message = say(
            "container {name} got the GPU by the legacy hook: it keeps it, but device rules that were added while it"
            " runs are gone when it is started again",
            name=name,
        )
        return warn(message, recreate(ctx, container), entity=name, evidence=gpu.show("via", "rules_ok"))
    how = None if gpu.is_null("via") else gpu.text("via")
    reason = say("it got the GPU by the legacy hook") if how == "hook" else None
    if reason is None and gpu.is_null("rules_ok"):
        return unknown(say("not known whether container {name} keeps its GPU", name=name), entity=name)
    if reason is None and not gpu.flag("rules_ok"):
        lacking = gpu.strings("missing") if not gpu.is_null("missing") else []
        reason = say("its device rules lack {devices}", devices=names(lacking or ["?"], 3))
    if reason is None:
        return None
    message = say("container {name} loses the GPU at the next daemon-reload: {reason}", name=name, reason=reason)
    seen = gpu.show("via", "rules_ok", "missing")
    return fail(message, heal_or_recreate(ctx, container), entity=name, evidence=seen)


def _is_outside(container: View) -> bool:
    """Whether its group was looked at, and systemd does not know it (or knows all its devices)."""
    gpu = container.view("gpu")
    return not gpu.is_null("rules_ok") and gpu.flag("rules_ok")


def keeps_gpu(ctx: Context) -> list[Finding]:
    """'Failed to initialize NVML: Unknown Error', predicted from the device rules of each container."""
    with_gpu = _with_gpu(ctx)
    cgroupfs = ctx.facts.text("docker.cgroup_driver") == "cgroupfs"
    # with live-restore a container outlives a change of the driver, and stays in the unit that it was started in
    judged = [item for item in with_gpu if not _is_outside(item)] if cgroupfs else with_gpu
    if with_gpu and not judged:
        shown = _container_names(with_gpu)
        return [ok(say("with the cgroupfs driver no container loses its GPU: {names}", names=shown))]
    if with_gpu:
        findings = _each(judged, lambda item: _keeps_gpu(ctx, item))
        return findings or [ok(say("these containers keep their GPU: {names}", names=_container_names(with_gpu)))]
    if cgroupfs:
        return [ok(say("no container uses the GPU; with the cgroupfs driver none would lose it"))]
    return [_prediction(ctx)]


def _prediction(ctx: Context) -> Finding:
    """No container to look at: what `docker run --gpus` would do on this host."""
    seen = ctx.facts.show("docker.version", "docker.cgroup_driver", "docker.cdi_spec_dirs")
    if not ctx.facts.strings("docker.cdi_spec_dirs"):
        if ctx.policy.cdi_required:
            reason = say("no container uses the GPU, and Docker does not read CDI files")
            return skip(reason, caused_by="CTR-CDI-ENGINE")
        remedy = ctx.run.play("nvml_stability", say("Give GPUs through CDI."), nvml_stability_state="present")
        message = say("containers started with --gpus would lose the GPU at the next daemon-reload")
        return warn(message, remedy, evidence=seen)
    # without a CDI file Docker falls back to the hook and says so in its log only
    if not gpu_specs(ctx):
        return skip(say("no container uses the GPU, and no CDI file describes one"), caused_by="CTR-CDI-SPEC")
    version = ctx.facts.text("docker.version")
    if version_at_least(version, GPUS_BY_CDI):
        return ok(say("no container uses the GPU; with Docker {version} it would keep it", version=version))
    remedy = ctx.run.play(
        "docker_engine",
        say("Give GPUs by --device nvidia.com/gpu=all in place of --gpus, or install Docker from its own repository."),
        docker_engine_source="docker",
    )
    message = say(
        "Docker {version} gives the GPU by the legacy hook to containers started with --gpus:"
        " they would lose it at the next daemon-reload (through CDI they keep it)",
        version=version,
    )
    return warn(message, remedy, observed=version, expected=f">= {GPUS_BY_CDI}", evidence=seen)


def _lost(ctx: Context, container: View) -> Finding | None:
    name = container.text("name")
    if container.is_null("probe") or container.is_null("probe.rc"):
        said = None if container.is_null("probe") else container.text_or_none("probe.message")
        reason = said or say("it was not asked")
        message = say("not known whether container {name} still has its GPU: {reason}", name=name, reason=reason)
        # only the containers that were asked for are looked into
        return skip(message, entity=name) if said is None else unknown(message, entity=name)
    code, said = container.integer("probe.rc"), container.text_or_none("probe.message")
    if code != 0 and code != BLOCKED and said is None:
        # one exit status stands for several causes; only its text tells
        reason = say("exit status {code}", code=code)
        message = say("not known whether container {name} still has its GPU: {reason}", name=name, reason=reason)
        return unknown(message, entity=name)
    if code == 0:
        return None
    if not is_cut_off(code, said):
        # other failures belong to the image or to the driver, and have checks of their own
        reason = said or say("exit status {code}", code=code)
        message = say("nvidia-smi in container {name} fails for another reason: {message}", name=name, message=reason)
        return skip(message, entity=name)
    message = say("container {name} has lost its GPU: {message}", name=name, message=said or BLOCKED)
    details = {"entity": name, "observed": code, "evidence": container.show("probe.rc", "probe.message")}
    return fail(message, heal_or_recreate(ctx, container), **details)


def lost_gpu(ctx: Context) -> list[Finding]:
    with_gpu = _with_gpu(ctx)
    if not with_gpu:
        return [skip(say("no running container uses the GPU"))]
    findings = _each(with_gpu, lambda item: _lost(ctx, item))
    odd = [finding.entity for finding in findings]
    good = [item for item in with_gpu if item.text("name") not in odd]
    if good:
        findings.append(ok(say("these containers have their GPU: {names}", names=_container_names(good))))
    return findings


def runc_keeps_rules(ctx: Context) -> list[Finding]:
    """Even complete device rules are lost where runc or systemd needs links in /dev/char that nobody made."""
    if ctx.facts.text("docker.cgroup_driver") == "cgroupfs":
        return [skip(say("with the cgroupfs driver systemd does not touch device rules"))]
    runc, systemd = ctx.facts.text("docker.runc_version"), ctx.facts.integer("os.systemd.version")
    seen = ctx.facts.show("docker.runc_version", "os.systemd.version", "driver.module.version")
    skips = version_at_least(runc, RUNC_SKIPS) and not version_at_least(runc, RUNC_MENDED)
    if not skips and systemd >= SYSTEMD_READS_NUMBERS:
        return [ok(say("runc {runc} and systemd {systemd} keep the device rules", runc=runc, systemd=systemd))]
    if version_at_least(ctx.facts.text("driver.module.version"), DRIVER_MAKES_LINKS):
        return [ok(say("runc {runc} needs links in /dev/char, which this driver makes", runc=runc))]
    if skips:
        remedy = ctx.run.play(
            "docker_engine", say("Install Docker and runc from Docker's own repository."), docker_engine_source="docker"
        )
        message = say("runc {runc} drops device rules at a daemon-reload: links in /dev/char are missing", runc=runc)
        return [fail(message, remedy, observed=runc, expected=f">= {RUNC_MENDED}", evidence=seen)]
    text = say("Make the links: they are gone after a reboot, so that a udev rule should do it.")
    remedy = ctx.run.shell_line("nvidia-ctk system create-dev-char-symlinks --create-all", text)
    message = say("systemd {systemd} finds devices only by links in /dev/char, which nobody makes", systemd=systemd)
    return [fail(message, remedy, observed=systemd, expected=f">= {SYSTEMD_READS_NUMBERS}", evidence=seen)]


def smoke(ctx: Context) -> list[Finding]:
    """A container that was started for this, with the GPU asked for as a user would."""
    if ctx.facts.is_null("docker.smoke"):
        error = ctx.probe_error("smoke")
        if error is None:
            return [skip(say("a test container was not asked for"))]
        return [unknown(say("a test container was asked for, and could not be started: {error}", error=error))]
    run = ctx.facts.view("docker.smoke")
    image, request, code = run.text("image"), run.text("request"), run.integer("rc")
    remedy = ctx.run.play("nvidia_container_toolkit", say("Let the role set up runtime and CDI file, then try again."))
    seen = run.show("image", "request", "rc", "count", "message")
    if code != 0:
        said = run.text_or_none("message") or say("exit status {code}", code=code)
        values = {"image": image, "request": request, "message": said}
        message = say("a container of {image} got no GPU by {request}: {message}", **values)
        return [fail(message, remedy, observed=code, expected=0, evidence=seen)]
    count, wanted = run.integer("count"), len(ctx.facts.views("gpus"))
    details = {"observed": count, "expected": wanted, "evidence": seen}
    if count != wanted:
        message = say("a container of {image} sees {count} of {wanted} GPUs", image=image, count=count, wanted=wanted)
        return [fail(message, remedy, **details)]
    return [ok(say("a container of {image} sees all GPUs ({count})", image=image, count=count), **details)]
