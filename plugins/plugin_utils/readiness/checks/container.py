# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container: Docker, the NVIDIA Container Toolkit, CDI, and whether containers keep their GPU."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Remedy,
    UnmeasuredError,
    View,
    fail,
    names,
    ok,
    skip,
    unknown,
    version_at_least,
    warn,
)

GPU_KIND = "nvidia.com/gpu"
TOOLKIT_PACKAGES = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)


def docker_answers(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("docker.present"):
        return [fail("Docker is not installed", ctx.run.play("docker_engine", "Install Docker Engine."))]
    if ctx.facts.flag("docker.reachable"):
        return [ok(f"Docker {ctx.facts.text_or_none('docker.version') or ''} answers".replace("  ", " "))]
    error = ctx.facts.text_or_none("docker.error") or "no answer on /run/docker.sock"
    remedy = ctx.run.play("docker_engine", "Start the daemon; `journalctl -u docker` says why it stopped.")
    return [fail(f"the Docker daemon does not answer: {error}", remedy, observed=error)]


def _minimum(what: str, version: str, floor: str, remedy: Remedy, why: str = "") -> list[Finding]:
    if version_at_least(version, floor):
        return [ok(f"{what} {version}", observed=version, expected=f">= {floor}")]
    return [fail(f"{what} {version} is older than {floor}{why}", remedy, observed=version, expected=f">= {floor}")]


def docker_version(ctx: Context) -> list[Finding]:
    text = "Install Docker from its own repository, which is newer than the distribution's."
    remedy = ctx.run.play("docker_engine", text, docker_engine_source="docker")
    why = ", the first that reads the CDI files of the toolkit"
    return _minimum("Docker", ctx.facts.text("docker.version"), ctx.policy.docker_min, remedy, why)


def compose_version(ctx: Context) -> list[Finding]:
    remedy = ctx.run.play("docker_engine", "Install the compose plugin of Docker.")
    probe = ctx.facts.text_or_none("probes.compose.status")
    if ctx.facts.is_null("docker.compose_version") and probe in ("missing", None):
        return [fail("the compose plugin of Docker is not installed", remedy)]
    return _minimum("Docker Compose", ctx.facts.text("docker.compose_version"), ctx.policy.compose_min, remedy)


def daemon_json(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("daemon_json.present"):
        return [skip("there is no daemon.json; Docker uses its defaults")]
    path = ctx.facts.text_or_none("daemon_json.path") or "/etc/docker/daemon.json"
    if ctx.facts.flag("daemon_json.valid"):
        return [ok(f"{path} is valid JSON")]
    error = ctx.facts.text_or_none("daemon_json.error") or "not valid JSON"
    remedy = ctx.run.play("docker_engine", f"Mend {path} by hand where the error says; the role then merges its keys.")
    return [fail(f"{path}: {error}", remedy, observed=error)]


def daemon_is_current(ctx: Context) -> list[Finding]:
    """Some settings are read only when the daemon starts."""
    if not ctx.facts.flag("docker.restart_pending"):
        return [ok("the daemon runs with the settings of its file")]
    text = "Restart Docker when no container must go on: `systemctl restart docker`."
    remedy = ctx.run.adhoc("service", "name=docker state=restarted", text)
    return [fail("the daemon was started before the last change of its settings", remedy)]


def toolkit_installed(ctx: Context) -> list[Finding]:
    remedy = ctx.run.play("nvidia_container_toolkit", "Install the four toolkit packages at one version.")
    if not ctx.facts.flag("toolkit.present"):
        return [fail("the NVIDIA Container Toolkit is not installed", remedy)]
    version = ctx.facts.text("toolkit.version")
    installed = ctx.facts.mapping("packages.installed")
    found = {name: str(installed[name]) for name in TOOLKIT_PACKAGES if name in installed}
    if len(set(found.values())) > 1:
        said = ", ".join(f"{name} {value}" for name, value in found.items())
        return [fail(f"the toolkit packages have different versions: {said}", remedy, observed=found)]
    return [ok(f"NVIDIA Container Toolkit {version}", observed=version)]


def toolkit_safe(ctx: Context) -> list[Finding]:
    floor = ctx.policy.toolkit_min
    remedy = ctx.run.play(
        "nvidia_container_toolkit", "Install a version with the fixes.", nvidia_container_toolkit_version=f"{floor}-1"
    )
    why = ": containers can break out (CVE-2026-24260 and older)"
    return _minimum("toolkit", ctx.facts.text("toolkit.version"), floor, remedy, why)


def runtime_registered(ctx: Context) -> list[Finding]:
    runtimes = ctx.facts.mapping("docker.runtimes")
    if "nvidia" in runtimes:
        return [ok("runtime nvidia is registered in Docker")]
    remedy = ctx.run.play("nvidia_container_toolkit", "Register the runtime in daemon.json and restart Docker.")
    return [fail("runtime nvidia is not registered in Docker", remedy, observed=sorted(runtimes))]


def device_cgroups(ctx: Context) -> list[Finding]:
    """`no-cgroups` is commented out, that is false, in the file that the toolkit ships."""
    path = "toolkit.no_cgroups"
    if not ctx.facts.flag("toolkit.config_present"):
        return [skip("the toolkit has no config.toml; it uses its defaults")]
    if not ctx.facts.flag(path):
        return [ok("the toolkit opens the device cgroup (no-cgroups is false)")]
    if any("rootless" in option for option in ctx.facts.strings("docker.security_options")):
        return [ok("no-cgroups is true, as rootless Docker needs it")]
    remedy = ctx.run.play("nvml_stability", "Set no-cgroups to false.", nvml_stability_state="present")
    return [fail("no-cgroups is true: containers started with --gpus get no access to the GPU", remedy)]


def runtime_mode(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("toolkit.config_present"):
        return [skip("the toolkit has no config.toml; it uses its defaults")]
    mode = ctx.facts.text("toolkit.mode")
    if mode in ("auto", "cdi", "jit-cdi"):
        return [ok(f"runtime mode {mode}")]
    remedy = ctx.run.play("nvml_stability", "Set the runtime's mode to auto.", nvml_stability_state="present")
    return [fail(f"runtime mode {mode} lets containers lose the GPU at a daemon-reload", remedy, observed=mode)]


def _gpu_specs(ctx: Context) -> list[View]:
    return [spec for spec in ctx.facts.views("cdi.specs") if spec.text("kind") == GPU_KIND]


def _refresh(ctx: Context, text: str) -> Remedy:
    return ctx.run.play("nvidia_container_toolkit", text)


def cdi_spec(ctx: Context) -> list[Finding]:
    specs = _gpu_specs(ctx)
    if not specs:
        return [fail(f"no CDI file describes {GPU_KIND}", _refresh(ctx, "Let the role write the CDI file."))]
    devices = {spec.text("path"): sorted(name.split("=")[-1] for name in spec.strings("devices")) for spec in specs}
    if len({tuple(listed) for listed in devices.values()}) > 1:
        text = f"Remove all but one of {names(sorted(devices))}."
        return [fail(f"{len(specs)} CDI files describe {GPU_KIND} differently", ctx.by_hand(text), observed=devices)]
    path, listed = next(iter(devices.items()))
    if "all" not in listed:
        return [fail(f"{path} has no device 'all'", _refresh(ctx, "Write the CDI file anew."), observed=listed)]
    return [ok(f"{path} describes {GPU_KIND}: {names(listed)}")]


def cdi_fresh(ctx: Context) -> list[Finding]:
    loaded = ctx.facts.text("driver.module.version")
    remedy = _refresh(ctx, "Write the CDI file anew (restart nvidia-cdi-refresh.service).")
    findings: list[Finding] = []
    for spec in _gpu_specs(ctx):
        path, missing = spec.text("path"), spec.strings("missing_paths")
        if missing:
            findings.append(fail(f"{path} names files that are gone: {names(missing, 3)}", remedy, entity=path))
            continue
        # a stand-in CDI file carries no libraries, so no version can be read from it
        if spec.is_null("driver_version") and ctx.facts.is_true("simulated.gpu"):
            continue
        made_for = spec.text("driver_version")
        if made_for != loaded:
            message = f"{path} was made for driver {made_for}, loaded is {loaded}"
            findings.append(fail(message, remedy, entity=path, observed=made_for, expected=loaded))
    if not findings and not _gpu_specs(ctx):
        return [skip("no CDI file to judge")]
    return findings or [ok("the CDI file fits the loaded driver")]


def cdi_in_engine(ctx: Context) -> list[Finding]:
    if not ctx.policy.cdi_required:
        return [skip("the policy does not ask for CDI")]
    folders = ctx.facts.strings("docker.cdi_spec_dirs")
    if folders:
        return [ok(f"Docker reads CDI files from {names(folders)}")]
    remedy = ctx.run.play(
        "nvml_stability", "Switch CDI on in daemon.json (features.cdi).", nvml_stability_state="present"
    )
    return [fail("Docker does not read CDI files", remedy, observed=folders)]


def _recreate(ctx: Context, container: View) -> Remedy:
    name, labels = container.text("name"), container.mapping("labels")
    project, service = labels.get("com.docker.compose.project.working_dir"), labels.get("com.docker.compose.service")
    if isinstance(project, str) and isinstance(service, str):
        folder = shlex.quote(project)
        line = f"docker compose --project-directory {folder} up -d --force-recreate {shlex.quote(service)}"
        return ctx.run.shell_line(line, "Recreate it; give the GPU by `devices: [nvidia.com/gpu=all]`.")
    if any(wish.name == name for wish in ctx.dev_requested or ()):
        return ctx.run.play("dev_container", "Recreate it with the GPU given through CDI.")
    text = f"Then start it again with --device {GPU_KIND}=all in place of --gpus."
    return ctx.run.shell_line(f"docker stop {shlex.quote(name)}", text)


def _keeps_gpu(ctx: Context, container: View) -> Finding | None:
    """None: it does; else what is wrong, or that it could not be told."""
    name, gpu = container.text("name"), container.view("gpu")
    how = None if gpu.is_null("via") else gpu.text("via")
    reason = "it got the GPU by the legacy hook" if how == "hook" else None
    if reason is None and gpu.is_null("rules_ok"):
        return unknown(f"not known whether container {name} keeps its GPU", entity=name)
    if reason is None and not gpu.flag("rules_ok"):
        lacking = f" ({names(gpu.strings('missing'), 3)})" if not gpu.is_null("missing") else ""
        reason = f"its device rules are not complete{lacking}"
    if reason is None:
        return None
    return fail(
        f"container {name} loses the GPU at the next daemon-reload: {reason}", _recreate(ctx, container), entity=name
    )


def keeps_gpu(ctx: Context) -> list[Finding]:
    """'Failed to initialize NVML: Unknown Error', predicted from the device rules of each container."""
    running = [item for item in ctx.facts.views("docker.containers") if item.text("state") == "running"]
    with_gpu = [item for item in running if item.flag("gpu.requested")]
    if with_gpu:
        findings = _each(with_gpu, lambda item: _keeps_gpu(ctx, item))
        return findings or [ok(f"{len(with_gpu)} containers keep their GPU: {_container_names(with_gpu)}")]
    if ctx.facts.text("docker.cgroup_driver") == "cgroupfs":
        return [ok("no container uses the GPU; with the cgroupfs driver none would lose it")]
    if ctx.facts.strings("docker.cdi_spec_dirs"):
        return [ok("no container uses the GPU; through CDI it would keep it")]
    remedy = ctx.run.play("nvml_stability", "Give GPUs through CDI.", nvml_stability_state="present")
    return [warn("containers started with --gpus would lose the GPU at the next daemon-reload", remedy)]


def _container_names(containers: list[View]) -> str:
    return names([item.text("name") for item in containers])


def _each(items: list[View], judge: Callable[[View], Finding | None]) -> list[Finding]:
    """One container that cannot be judged must not hide the others."""
    findings: list[Finding] = []
    for item in items:
        try:
            finding = judge(item)
        except UnmeasuredError as gap:
            finding = unknown(f"not measured: {gap.path}", entity=item.text_or_none("name"))
        if finding is not None:
            findings.append(finding)
    return findings
