# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container: the CDI files that describe the GPUs, and whether Docker reads them."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    ok,
    skip,
    unknown,
    version_at_least,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

GPU_KIND = "nvidia.com/gpu"
# CDI version -> the first Docker that reads it: 25.0 brought CDI, 26.1 reads 0.7 (cloud-native-docs release notes).
READ_FROM = (("0.6.0", "25.0"), ("0.7.0", "26.1"))
# docker info lists the devices that it found from here on (moby tag v29.0.0)
LISTS_DEVICES = "29.0"
# nvidia-cdi-refresh came with this toolkit (its release notes)
REFRESHES = "1.18.0"
PATH_UNIT, SERVICE_UNIT = "nvidia-cdi-refresh.path", "nvidia-cdi-refresh.service"


def gpu_specs(ctx: Context) -> list[View]:
    return [spec for spec in ctx.facts.views("cdi.specs") if spec.text("kind") == GPU_KIND]


def _refresh(ctx: Context, text: Text) -> Remedy:
    return ctx.run.play("nvidia_container_toolkit", text)


def cdi_spec(ctx: Context) -> list[Finding]:
    specs = gpu_specs(ctx)
    if not specs:
        remedy = _refresh(ctx, say("Let the role write the CDI file."))
        message = say("no CDI file describes {kind}", kind=GPU_KIND)
        return [fail(message, remedy, evidence=ctx.facts.show("cdi.specs"))]
    devices = {spec.text("path"): sorted(name.split("=")[-1] for name in spec.strings("devices")) for spec in specs}
    if len({tuple(listed) for listed in devices.values()}) > 1:
        text = say("Remove all but one of {files}.", files=names(sorted(devices)))
        message = say("the CDI files {files} describe {kind} differently", files=names(sorted(devices)), kind=GPU_KIND)
        evidence = tuple(entry for spec in specs for entry in spec.show("path", "devices"))
        return [fail(message, ctx.by_hand(text), observed=devices, evidence=evidence)]
    path, listed = next(iter(devices.items()))
    if "all" not in listed:
        remedy = _refresh(ctx, say("Write the CDI file anew."))
        message = say("{path} has no device 'all'", path=path)
        return [fail(message, remedy, observed=listed, evidence=specs[0].show("path", "devices"))]
    return [ok(say("{path} describes {kind}: {devices}", path=path, kind=GPU_KIND, devices=names(listed)))]


def cdi_fresh(ctx: Context) -> list[Finding]:
    loaded = ctx.facts.text("driver.module.version")
    remedy = ctx.run.play(
        "nvidia_container_toolkit",
        say("Write the CDI file anew: `systemctl restart nvidia-cdi-refresh.service`, which the role does."),
        "restart_service",
    )
    findings: list[Finding] = []
    for spec in gpu_specs(ctx):
        path, missing = spec.text("path"), spec.strings("missing_paths")
        if missing:
            message = say("{path} names files that are gone: {files}", path=path, files=names(missing, 3))
            evidence = spec.show("missing_paths", "driver_version")
            findings.append(fail(message, remedy, entity=path, observed=missing[:10], evidence=evidence))
            continue
        # a stand-in CDI file carries no libraries, so no version can be read from it
        if spec.is_null("driver_version") and ctx.facts.is_true("simulated.gpu"):
            continue
        made_for = spec.text("driver_version")
        if made_for != loaded:
            values = {"path": path, "made_for": made_for, "loaded": loaded}
            message = say("{path} was made for driver {made_for}, loaded is {loaded}", **values)
            evidence = (*spec.show("driver_version"), *ctx.facts.show("driver.module.version"))
            details = {"entity": path, "observed": made_for, "expected": loaded, "evidence": evidence}
            findings.append(fail(message, remedy, **details))
    if not findings and not gpu_specs(ctx):
        return [skip(say("no CDI file to judge"))]
    return findings or [ok(say("the CDI file fits the loaded driver"))]


def _unit(ctx: Context, name: str) -> View:
    """The state of a unit; its name has a dot, so that no path leads to it."""
    units = ctx.facts.mapping("services")
    if name not in units:
        raise UnmeasuredError(f"services[{name}]")
    return View(units[name], f"services[{name}]", ctx.facts.trace)


def cdi_refresh(ctx: Context) -> list[Finding]:
    """Without it the CDI file is not made at boot: /var/run/cdi is gone then."""
    if not version_at_least(ctx.facts.text("toolkit.version"), REFRESHES):
        return [skip(say("this toolkit has no refresh service; it came with {version}", version=REFRESHES))]
    watch, service = _unit(ctx, PATH_UNIT), _unit(ctx, SERVICE_UNIT)
    remedy = _refresh(ctx, say("Switch on the service that writes the CDI file after each boot and update."))
    seen = (*watch.show("load", "enabled", "active"), *service.show("load", "enabled", "active"))
    if watch.text("load") != "loaded" or service.text("load") != "loaded":
        return [fail(say("the units {units} are not there", units=[PATH_UNIT, SERVICE_UNIT]), remedy, evidence=seen)]
    if service.text("active") == "failed":
        message = say("{unit} has failed: the CDI file is not kept fresh", unit=SERVICE_UNIT)
        return [fail(message, remedy, evidence=seen)]
    on = [unit for unit in (watch, service) if unit.text("enabled").startswith(("enabled", "static"))]
    if len(on) < 2:
        return [fail(say("the CDI file is not made anew at the next boot"), remedy, evidence=seen)]
    return [ok(say("the CDI file is made anew at each boot and update"))]


def cdi_in_engine(ctx: Context) -> list[Finding]:
    if not ctx.policy.cdi_required:
        return [skip(say("the policy does not ask for CDI"))]
    folders = ctx.facts.strings("docker.cdi_spec_dirs")
    if not folders:
        remedy = ctx.run.play(
            "nvml_stability", say("Switch CDI on in daemon.json (features.cdi)."), nvml_stability_state="present"
        )
        seen = ctx.facts.show("docker.cdi_spec_dirs", "docker.version")
        return [fail(say("Docker does not read CDI files"), remedy, observed=folders, evidence=seen)]
    specs, version = gpu_specs(ctx), ctx.facts.text("docker.version")
    problem = next((found for found in (_too_new(ctx, spec, version) for spec in specs) if found is not None), None)
    if problem is not None:
        return [problem]
    if specs and version_at_least(version, LISTS_DEVICES):
        known = [name for name in ctx.facts.strings("docker.discovered_devices") if name.startswith(GPU_KIND)]
        if not known:
            text = say("Restart Docker: it reads the folders of the CDI files when it starts.")
            remedy = ctx.run.adhoc("service", "name=docker state=restarted", text, "restart_service")
            seen = ctx.facts.show("docker.discovered_devices", "docker.cdi_spec_dirs")
            message = say("Docker has not found the devices of {files}", files=names([s.text("path") for s in specs]))
            return [fail(message, remedy, evidence=seen)]
    return [ok(say("Docker reads CDI files from {folders}", folders=names(folders)))]


def _too_new(ctx: Context, spec: View, docker: str) -> Finding | None:
    made, path = spec.text("cdi_version"), spec.text("path")
    floor = next((first for version, first in READ_FROM if version_at_least(version, made)), None)
    if floor is None:
        return unknown(say("it is not known which Docker reads CDI {version} ({path})", version=made, path=path))
    if version_at_least(docker, floor):
        return None
    remedy = ctx.run.play(
        "docker_engine",
        say("Install Docker from its own repository, which is newer than the distribution's."),
        docker_engine_source="docker",
    )
    message = say(
        "{path} is written in CDI {version}; Docker {docker} cannot read it (needs {floor})",
        path=path,
        version=made,
        docker=docker,
        floor=floor,
    )
    evidence = (*spec.show("cdi_version"), *ctx.facts.show("docker.version"))
    return fail(message, remedy, entity=path, observed=made, evidence=evidence)
