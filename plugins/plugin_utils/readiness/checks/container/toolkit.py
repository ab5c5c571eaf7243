# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container: the NVIDIA Container Toolkit and its runtime."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    ok,
    skip,
    version_at_least,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import toolkit_holes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import names, say

TOOLKIT_PACKAGES = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)


def toolkit_installed(ctx: Context) -> list[Finding]:
    remedy = ctx.run.play("nvidia_container_toolkit", say("Install the four toolkit packages at one version."))
    seen = ctx.facts.show("toolkit.present", "toolkit.version")
    if not ctx.facts.flag("toolkit.present"):
        return [fail(say("the NVIDIA Container Toolkit is not installed"), remedy, evidence=seen)]
    version = ctx.facts.text("toolkit.version")
    installed = ctx.facts.mapping("packages.installed")
    found = {name: str(installed[name]) for name in TOOLKIT_PACKAGES if name in installed}
    if len(set(found.values())) > 1:
        # from 1.18 on the parts refuse to work together at different versions (cloud-native-docs)
        said = [f"{name} {value}" for name, value in found.items()]
        message = say("the toolkit packages have different versions: {packages}", packages=said)
        return [fail(message, remedy, observed=found, evidence=seen)]
    return [ok(say("NVIDIA Container Toolkit {version}", version=version), observed=version)]


def toolkit_safe(ctx: Context) -> list[Finding]:
    version, floor = ctx.facts.text("toolkit.version"), ctx.policy.toolkit_min
    holes = toolkit_holes(version)
    details = {"observed": version, "expected": f">= {floor}", "evidence": ctx.facts.show("toolkit.version")}
    if not version_at_least(version, floor):
        remedy = ctx.run.play(
            "nvidia_container_toolkit",
            say("Install a version with the fixes."),
            nvidia_container_toolkit_version=f"{floor}-1",
        )
        if not holes:
            message = say("toolkit {version} is older than the policy's {floor}", version=version, floor=floor)
            return [fail(message, remedy, **details)]
        message = say(
            "toolkit {version} has known security holes, fixed in {floor}: {cves}",
            version=version,
            floor=floor,
            cves=names(holes[::-1]),
        )
        return [fail(message, remedy, **details)]
    if holes:
        remedy = ctx.run.play("nvidia_container_toolkit", say("Install a version with the fixes."))
        message = say(
            "the policy accepts toolkit {version}, which has known security holes: {cves}",
            version=version,
            cves=names(holes[::-1]),
        )
        return [warn(message, remedy, **details)]
    return [ok(say("no security hole is known in toolkit {version}", version=version), **details)]


def runtime_registered(ctx: Context) -> list[Finding]:
    """Also where GPUs come through CDI: other programs look for the runtime to tell whether Docker has GPUs."""
    runtimes = ctx.facts.mapping("docker.runtimes")
    if "nvidia" in runtimes:
        return [ok(say("runtime nvidia is registered in Docker"))]
    remedy = ctx.run.play(
        "nvidia_container_toolkit", say("Register the runtime in daemon.json and let Docker read it.")
    )
    message = say("runtime nvidia is not registered in Docker")
    return [fail(message, remedy, observed=sorted(runtimes), evidence=ctx.facts.show("docker.runtimes"))]


def device_cgroups(ctx: Context) -> list[Finding]:
    """`no-cgroups` is commented out, that is false, in the file that the toolkit ships."""
    if not ctx.facts.flag("toolkit.config_present"):
        return [skip(say("the toolkit has no config.toml; it uses its defaults"))]
    if not ctx.facts.flag("toolkit.no_cgroups"):
        return [ok(say("the toolkit opens the device cgroup (no-cgroups is false)"))]
    if any("rootless" in option for option in ctx.facts.strings("docker.security_options")):
        return [ok(say("no-cgroups is true, as rootless Docker needs it"))]
    remedy = ctx.run.play("nvml_stability", say("Set no-cgroups to false."), nvml_stability_state="present")
    message = say("no-cgroups is true: containers started with --gpus get no access to the GPU")
    return [fail(message, remedy, evidence=ctx.facts.show("toolkit.no_cgroups", "docker.security_options"))]


def runtime_mode(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("toolkit.config_present"):
        return [skip(say("the toolkit has no config.toml; it uses its defaults"))]
    mode = ctx.facts.text("toolkit.mode")
    if mode in ("auto", "cdi", "jit-cdi"):
        return [ok(say("runtime mode {mode}", mode=mode))]
    remedy = ctx.run.play("nvml_stability", say("Set the runtime's mode to auto."), nvml_stability_state="present")
    message = say("runtime mode {mode} lets containers lose the GPU at a daemon-reload", mode=mode)
    return [fail(message, remedy, observed=mode, evidence=ctx.facts.show("toolkit.mode"))]
