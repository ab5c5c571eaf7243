# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: operating system, processor architecture, rights, and what kind of machine this is."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    fail,
    ok,
    skip,
    warn,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say


def supported_os(ctx: Context) -> list[Finding]:
    table = ctx.policy.os_supported
    name, release = ctx.facts.text("os.id"), _release(ctx)
    listed = "; ".join(f"{key} {', '.join(releases)}" for key, releases in table.items())
    if isinstance(release, str) and _listed(release, table.get(name, ())):
        return [ok(say("{id} {version} is supported", id=name, version=release), observed=f"{name} {release}")]
    remedy = ctx.by_hand(_another_or_this(name, release, listed), "change_image")
    details = {"observed": f"{name} {release}", "expected": listed}
    named = {"id": name, "version": release, "listed": listed}
    if name not in table and any(parent in table for parent in ctx.facts.strings("os.id_like")):
        message = say("{id} {version} is only a relative of a supported system ({listed})", **named)
        return [warn(message, remedy, **details)]
    return [fail(say("{id} {version} is not in the supported list ({listed})", **named), remedy, **details)]


def _another_or_this(name: str, release: str | Text, listed: str) -> Text:
    if not isinstance(release, str):
        return say("Install one of the supported systems ({listed}).", listed=listed)
    setting = f"gpuready_policy: {{os_supported: {{{name}: ['{release}']}}}}"
    return say(
        "Install one of the supported systems ({listed}), or try this one at your own risk: {setting}",
        listed=listed,
        setting=setting,
    )


def _release(ctx: Context) -> str | Text:
    """VERSION_ID; a rolling release (Arch, Debian sid) has none in os-release."""
    return say("(rolling)") if ctx.facts.is_null("os.version") else ctx.facts.text("os.version")


def _listed(version: str, releases: object) -> bool:
    known = releases if isinstance(releases, (list, tuple)) else ()
    return any(version == release or version.startswith(f"{release}.") for release in known)


def architecture(ctx: Context) -> list[Finding]:
    machine, known = ctx.facts.text("os.machine"), list(ctx.policy.architectures)
    if machine in known:
        return [ok(say("CPU architecture {machine}", machine=machine))]
    remedy = ctx.by_hand(
        say("Use a host with one of these CPU architectures: {known}.", known=known), "replace_hardware"
    )
    message = say("CPU architecture {machine} has no NVIDIA driver packages", machine=machine)
    return [fail(message, remedy, observed=machine, expected=known)]


def privilege(ctx: Context) -> list[Finding]:
    euid = ctx.facts.integer("collector.euid")
    if euid == 0:
        return [ok(say("the facts were read as root"))]
    if ctx.in_container:
        return [skip(say("a rented container is judged without root, too"))]
    remedy = ctx.run.play("preflight", say("Let Ansible become root on this host."), ansible_become=True)
    message = say("not root: the facts were read with user id {euid}", euid=euid)
    return [fail(message, remedy, observed=euid, expected=0)]


def scope(ctx: Context) -> list[Finding]:
    place = ctx.facts.text("scope")
    if ctx.policy.profile == "rented":
        return [skip(say("the policy's profile is rented: the driver belongs to the owner of the machine"))]
    wsl = ctx.facts.flag("virt.wsl")
    if place == "host" and not wsl:
        if ctx.facts.flag("virt.jetson"):
            text = say("Take this machine out of the inventory, or set up its driver with NVIDIA's JetPack.")
            message = say(
                "this is a Jetson: its driver is part of NVIDIA's system image (JetPack), not of packages for PCs"
            )
            return [fail(message, ctx.by_hand(text), observed="jetson", expected="host")]
        return [ok(say("a host whose driver and Docker are ours"))]
    if wsl:
        remedy = ctx.policy_remedy(
            say("Update the driver in Windows, never install one here, and judge this as a rented machine."),
            profile="rented",
        )
        message = say("this is WSL: the driver belongs to Windows; CUDA, Docker and the dev container can work in it")
        return [fail(message, remedy, observed="wsl", expected="host")]
    remedy = ctx.run.set_up_rented(
        say(
            "Set it up with playbooks/dev_inplace.yml, and judge it as a rented machine: "
            "the driver and Docker are its owner's."
        )
    )
    provider = ctx.facts.text_or_none("virt.rented.provider")
    what = provider or ctx.facts.text_or_none("virt.technology") or say("kind unknown")
    message = say("this is a container ({what}); the kernel driver belongs to the machine around it", what=what)
    return [fail(message, remedy, observed=place, expected="host")]


def systemd(ctx: Context) -> list[Finding]:
    if ctx.facts.flag("virt.wsl"):
        return [skip(say("WSL starts systemd only where /etc/wsl.conf says so"))]
    if ctx.facts.flag("os.systemd.running"):
        return [ok(say("systemd is running"))]
    remedy = ctx.by_hand(say("Boot this machine with systemd as init; Docker and the driver services need it."))
    return [fail(say("systemd is not PID 1: Docker and the driver services cannot be managed"), remedy)]


def cgroup(ctx: Context) -> list[Finding]:
    version = ctx.facts.text("os.cgroup")
    if version == "v2":
        return [ok(say("cgroup v2"))]
    remedy = ctx.by_hand(
        say("Remove systemd.unified_cgroup_hierarchy=0 from the kernel command line and reboot."), "reboot"
    )
    message = say("cgroup {version} is in use; v2 is what current engines are made for", version=version)
    return [warn(message, remedy, observed=version, expected="v2")]


def selinux(ctx: Context) -> list[Finding]:
    if ctx.facts.is_null("selinux.enforcing"):
        return [skip(say("no SELinux on this host"))]
    if not ctx.facts.flag("selinux.enforcing"):
        return [ok(say("SELinux does not enforce"))]
    remedy = ctx.run.shell_line(
        "setsebool -P container_use_devices on",
        say("Let containers use devices, and mount folders into them with the option z."),
    )
    return [warn(say("SELinux enforces: containers need labels for folders and devices of the host"), remedy)]
