# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: the package manager, and packages that are in each other's way."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.common import not_ours
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.remedies import (
    DRIVER,
    NO_DRIVER,
    hold,
    one_version,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    fail,
    ok,
    skip,
    version_key,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say

# Packages that come with a driver but carry a version of their own in Debian, or stay behind without harm.
_OWN_VERSION = re.compile(
    r"nvidia-(persistenced|modprobe|settings|xconfig|firmware|prime|container|installer|support|egl)"
    r"|libnvidia-(container|egl|nscq|api)|nvidia-fabricmanager|nvidia-imex"
)
# a driver's version has a branch of three digits; dates (20220217), kernels (6.8.0) and tools (1.20.0) do not match
_VERSION = re.compile(r"(?:\d+:)?(\d{3}\.\d{2,3}(?:\.\d{2})?)(?!\d)")
# the branch in a name: libnvidia-compute-550, nvidia-dkms-580-open
_BRANCH = re.compile(r"-(\d{3})(?=-|$)")
# modules that were built for one kernel: an older kernel keeps those of the driver that it had
_FOR_ONE_KERNEL = re.compile(r"kmod-nvidia(-open)?-\d{3}\.\d+|kmod-nvidia-.*-\d+\.\d+\.\d+-")
# packages that hold or build the kernel modules; those of Ubuntu that belong to one kernel do not clash
_OPEN_MODULES = re.compile(
    r"nvidia-dkms-(\d+-)?(server-)?open|nvidia-kernel-open-dkms|nvidia-open-kernel-dkms|kmod-nvidia-open"
)
_CLOSED_MODULES = re.compile(r"nvidia-dkms(-\d+)?(-server)?$|nvidia-kernel-dkms$|kmod-nvidia-(latest|\d+)")


def driver_packages(ctx: Context) -> bool:
    """Is a driver installed by packages, loaded or not."""
    installed = ctx.facts.mapping("packages.installed")
    return any(DRIVER.match(name) and not NO_DRIVER.match(name) for name in installed)


def precompiled(installed: Mapping[str, object], release: str) -> bool:
    """Does a package carry NVIDIA modules that Canonical built and signed for this kernel."""
    return any(name.startswith("linux-modules-nvidia-") and release in name for name in installed)


def driver_versions(installed: Mapping[str, object]) -> dict[str, str]:
    """Version of the driver by package, of the packages that must all be of one."""
    found = {}
    for name, version in installed.items():
        match = _VERSION.match(str(version))
        ours = name.startswith(
            ("nvidia", "libnvidia", "libcuda1", "cuda-drivers", "kmod-nvidia", "xserver-xorg-video-nvidia")
        )
        if match and ours and not any(rule.match(name) for rule in (_OWN_VERSION, NO_DRIVER, _FOR_ONE_KERNEL)):
            found[name] = match.group(1)
    return found


def driver_version(installed: Mapping[str, object]) -> str | None:
    """The newest driver that the packages hold; None where there is none."""
    return max(driver_versions(installed).values(), key=version_key, default=None)


def kernel_modules(installed: Mapping[str, object]) -> dict[str, str]:
    """Flavour of the kernel modules -> a package that brings them."""
    patterns = {"open": _OPEN_MODULES, "proprietary": _CLOSED_MODULES}
    return {flavour: name for flavour, pattern in patterns.items() for name in sorted(installed) if pattern.match(name)}


def _remove(ctx: Context, packages: list[str], text: Text) -> Remedy:
    # not "purge": that of an engine takes the user's images and volumes along
    manager = "dnf -y remove" if ctx.facts.text("packages.manager") == "dnf" else "apt-get -y remove"
    return ctx.run.shell_line(f"{manager} {shlex.join(packages)}", text)


def mixed_packages(ctx: Context) -> list[Finding]:
    if nothing := not_ours(ctx):
        return nothing
    installed = ctx.facts.mapping("packages.installed")
    found, flavours = driver_versions(installed), kernel_modules(installed)
    if not found:
        return [skip(say("no driver package is installed"))]
    versions = sorted(set(found.values()), key=version_key)
    if len(versions) > 1:
        loaded = ctx.facts.text_or_none("driver.module.version")
        keep = loaded if loaded in versions else versions[-1]
        odd = sorted(name for name, version in found.items() if version != keep)
        remedy = _one_version(ctx, keep, odd)
        message = say("driver packages of the versions {versions} are mixed: {odd}", versions=versions, odd=names(odd))
        evidence = tuple({"path": f"packages.installed.{name}", "value": installed[name]} for name in odd[:6])
        return [fail(message, remedy, observed=versions, expected=keep, evidence=evidence)]
    if len(flavours) > 1:
        loaded = ctx.facts.text_or_none("driver.module.flavour")
        spare = flavours["open" if loaded == "proprietary" else "proprietary"]
        remedy = _remove(ctx, [spare], say("Keep one flavour; this removes the one that is not in use."))
        message = say("open and proprietary kernel modules are both installed: {found}", found=list(flavours.values()))
        evidence = tuple({"path": f"packages.installed.{n}", "value": installed[n]} for n in flavours.values())
        return [fail(message, remedy, observed=sorted(flavours), evidence=evidence)]
    return [ok(say("driver packages of one version, {version}", version=versions[0]), observed=versions[0])]


def _one_version(ctx: Context, keep: str, odd: list[str]) -> Remedy:
    """The role brings its own parts to one version; packages that are named after another branch are none of them."""
    branch = keep.split(".")[0]
    strays = [name for name in odd if any(number != branch for number in _BRANCH.findall(name))]
    if strays:
        text = say("Remove the packages that are not of {keep}, then run the role nvidia_driver.", keep=keep)
        return _remove(ctx, strays, text)
    return one_version(ctx)


def runfile(ctx: Context) -> list[Finding]:
    if nothing := not_ours(ctx):
        return nothing
    if not ctx.facts.flag("driver.runfile"):
        return [ok(say("no driver from a .run installer"))]
    version = ctx.facts.text_or_none("driver.runfile_version") or say("(version unknown)")
    evidence = ctx.facts.show("driver.runfile", "driver.runfile_version", "driver.module.version")
    remedy = ctx.run.shell_line("nvidia-uninstall --silent", say("Remove it with its own uninstaller, then run again."))
    if ctx.facts.is_true("driver.module.loaded") and not driver_packages(ctx):
        message = say(
            "the driver {version} in use is from a .run installer: it is left as it is, and no upgrade renews it",
            version=version,
        )
        text = say(
            "Nothing must be done. To change to packages: stop what uses the GPU, run `nvidia-uninstall`, reboot."
        )
        return [warn(message, ctx.by_hand(text), evidence=evidence)]
    message = say(
        "a driver {version} from the .run installer is present; packages would clash with it", version=version
    )
    return [fail(message, remedy, evidence=evidence)]


def package_lock(ctx: Context) -> list[Finding]:
    if not ctx.facts.flag("packages.lock.held"):
        return [ok(say("the package manager is free"))]
    lock = ctx.facts.view("packages.lock")
    comm, pid = lock.text_or_none("comm"), lock.integer_or_none("pid")
    holder = say("{comm}, pid {pid}", comm=comm or say("a program that is not known"), pid=pid or say("not known"))
    installed = ctx.facts.is_true("driver.module.loaded") and ctx.facts.is_true("docker.reachable")
    remedy = ctx.by_hand(say("Wait until it has finished, then run again."), "wait")
    severity = Severity.INFO if installed else None  # nothing left to install: it is in nobody's way
    message = say("the package manager is busy ({holder})", holder=holder)
    evidence = lock.show("held", "pid", "comm")
    return [fail(message, remedy, severity=severity, observed=str(holder), evidence=evidence)]


def package_state(ctx: Context) -> list[Finding]:
    broken = ctx.facts.strings("packages.broken")
    if not broken:
        return [ok(say("no package is half installed"))]
    remedy = ctx.run.shell_line(
        "dpkg --configure -a", say("Let dpkg finish what was interrupted; read its error if it cannot.")
    )
    message = say("half-installed packages: {broken}", broken=names(broken))
    return [fail(message, remedy, observed=broken, evidence=ctx.facts.show("packages.broken"))]


def unattended(ctx: Context) -> list[Finding]:
    if nothing := not_ours(ctx):
        return nothing
    packages = sorted(driver_versions(ctx.facts.mapping("packages.installed")))
    if not packages:
        return [skip(say("no driver package is installed"))]
    if not ctx.facts.flag("packages.unattended.installed") or not ctx.facts.flag("packages.unattended.enabled"):
        return [ok(say("nothing upgrades packages by itself"))]
    holds, excludes = ctx.facts.strings("packages.holds"), ctx.facts.strings("packages.unattended.excludes")
    open_to_it = [name for name in packages if name not in holds and not _excluded(name, excludes)]
    if not open_to_it:
        return [ok(say("automatic upgrades leave the driver alone"))]
    message = say(
        "automatic upgrades may replace the driver under running jobs: {packages}", packages=names(open_to_it)
    )
    evidence = ctx.facts.show("packages.unattended.enabled", "packages.unattended.excludes", "packages.holds")
    return [warn(message, hold(ctx, open_to_it), observed=open_to_it, evidence=evidence)]


def _excluded(name: str, patterns: list[str]) -> bool:
    """unattended-upgrades matches Package-Blacklist as regular expressions at the start of a name (its README)."""
    for pattern in patterns:
        try:
            if re.match(pattern, name):
                return True
        except re.error:
            if name.startswith(pattern):
                return True
    return False


def docker_conflicts(ctx: Context) -> list[Finding]:
    if ctx.facts.flag("virt.wsl"):
        return [skip(say("under WSL the engine may be that of Docker Desktop in Windows"))]
    installed = ctx.facts.mapping("packages.installed")
    snaps = [] if ctx.facts.is_null("packages.snaps") else ctx.facts.strings("packages.snaps")
    findings = []
    if "docker" in snaps:
        # removing it takes the user's containers, images and volumes along
        remedy = ctx.by_hand(
            say("Save what its containers and volumes hold, then `snap remove docker` and run docker_engine.")
        )
        message = say("Docker from snap cannot use the NVIDIA runtime")
        findings.append(fail(message, remedy, entity="snap", evidence=ctx.facts.show("packages.snaps")))
    if "podman-docker" in installed:
        remedy = _remove(ctx, ["podman-docker"], say("Remove the stand-in; Podman itself may stay."))
        message = say("podman-docker takes the name docker for Podman")
        findings.append(fail(message, remedy, entity="podman-docker", evidence=_seen(installed, "podman-docker")))
    if "docker-desktop" in installed:
        remedy = _remove(ctx, ["docker-desktop"], say("Remove it, then run docker_engine."))
        message = say("Docker Desktop runs containers in a virtual machine that has no GPU")
        findings.append(fail(message, remedy, entity="docker-desktop", evidence=_seen(installed, "docker-desktop")))
    engines = [name for name in ("docker-ce", "docker.io", "moby-engine") if name in installed]
    if len(engines) > 1:
        remedy = _remove(ctx, engines[1:], say("Keep one engine."))
        message = say("more than one Docker engine is installed: {engines}", engines=engines)
        findings.append(fail(message, remedy, observed=engines, evidence=_seen(installed, *engines)))
    return findings or [ok(say("one Docker engine at most"))]


def _seen(installed: Mapping[str, object], *packages: str) -> tuple[dict[str, object], ...]:
    return tuple({"path": f"packages.installed.{name}", "value": installed[name]} for name in packages)
