# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remedies that only the role nvidia_driver can give, and what to do where the driver is somebody else's.

The role leaves a driver alone that works and that it would not install itself: there its inputs change nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import choose
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import read
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Context
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# What starts like a driver's package and is none: repository files, pins, and a tool that gives advice.
NO_DRIVER = re.compile(r"nvidia-driver-(pinning|assistant|local-repo)")
DRIVER = re.compile(
    r"nvidia-driver|nvidia-open|nvidia-kernel|nvidia-dkms|nvidia-headless|cuda-drivers"
    r"|kmod-nvidia|akmod-nvidia|linux-modules-nvidia-"
)
# Files that the role writes on every machine whose driver it looks after
_MARKS = ("gpuready-nvidia-driver", "gpuready-nouveau")


def _keys(ctx: Context, path: str) -> Mapping[str, Any]:
    """Only to choose between remedies: what was not read is as good as not there."""
    try:
        return ctx.facts.mapping(path)
    except UnmeasuredError:
        return {}


def role_keeps(ctx: Context) -> bool:
    """Does the role nvidia_driver look after the driver of this machine: so says the plan by which it acts."""
    if any(mark in path for path in _keys(ctx, "files") for mark in _MARKS):
        return True
    try:
        # a view of its own: what the plan reads is no evidence of the check that asks
        return choose(read(View(ctx.facts.data)), Wishes()).source in ("nvidia", "distribution")
    except RefusedError:
        return False


def by_role(ctx: Context, text: Text, otherwise: Text) -> Remedy:
    """Run the role. `otherwise`: what a person does where it would change nothing, for the driver is not its own."""
    return ctx.run.play("nvidia_driver", text) if role_keeps(ctx) else ctx.by_hand(otherwise)


def one_version(ctx: Context) -> Remedy:
    return by_role(
        ctx,
        say("Let the role bring all parts to one version; it refuses while a job uses the GPUs."),
        say("Upgrade all parts together, from where the driver came, and hold them."),
    )


def hold(ctx: Context, packages: Sequence[str]) -> Remedy:
    if role_keeps(ctx):
        text = say("Let the role hold the driver; playbooks/upgrade_driver.yml upgrades it when you plan it.")
        return ctx.run.play("nvidia_driver", text, None, nvidia_driver_hold=True)
    tool = "dnf versionlock add" if ctx.facts.text_or_none("packages.manager") == "dnf" else "apt-mark hold"
    text = say("Hold the driver; let the hold go for an upgrade that you plan.")
    return ctx.run.shell_line(f"{tool} {shlex.join(packages)}", text)


def boot(ctx: Context, text: Text) -> Remedy:
    """Reboot. The role does it when no job runs, and first makes sure that nouveau stays away."""
    if role_keeps(ctx):
        return ctx.run.play("nvidia_driver", text, "reboot", nvidia_driver_reboot="when_needed")
    return ctx.run.reboot(text)


def newer(ctx: Context, text: Text, branch: str | None = None, loaded: str | None = None) -> Remedy:
    """Another version of the driver: the newest of its branch, or of `branch`. `loaded`: its version now.

    A driver of other packages is replaced where another branch is wanted, and only there.
    """
    inputs = {"nvidia_driver_branch": branch} if branch else {}
    packages = any(map(DRIVER.match, _keys(ctx, "packages.installed")))
    replaced = packages and branch not in (None, str(tables.branch_of(loaded)))
    if loaded and (replaced or role_keeps(ctx)):
        return ctx.run.upgrade_driver(text, **inputs)
    if loaded and (packages or not branch):
        return ctx.by_hand(text)
    return ctx.run.play("nvidia_driver", text, None, nvidia_driver_allow_change=True, **inputs)


def key_for_secure_boot(ctx: Context) -> Remedy:
    """The kernel asks for signed modules and none of those built here will do."""
    if ctx.facts.is_true("firmware.mok.pending"):
        text = say(
            "Reboot with somebody at the console (or its remote form): at the blue screen choose Enroll MOK, Continue,"
            " Yes, and type the password; then run again."
        )
        return ctx.by_hand(text, "firmware_setup")
    installed = _keys(ctx, "packages.installed")
    if ctx.facts.text_or_none("os.id") == "ubuntu" and not any(DRIVER.match(name) for name in installed):
        text = say("Let the role install Ubuntu's signed modules: they need neither a key nor the console.")
        return ctx.run.play("nvidia_driver", text, None, nvidia_driver_source="distribution")
    text = say(
        "Let the role enrol a key of this machine (give nvidia_driver_mok_password from a vault; somebody must be at"
        " the console once), or turn Secure Boot off in the firmware setup."
    )
    return ctx.run.play("nvidia_driver", text, "firmware_setup", nvidia_driver_secure_boot="enrol")
