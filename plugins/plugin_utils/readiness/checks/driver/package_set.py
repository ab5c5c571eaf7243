# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver's packages as one set: all of one version, and held at it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.common import (
    driver_packages,
    not_in_wsl,
    text_if_any,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight import remedies
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.preflight.packages import (
    driver_versions,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Context,
    Finding,
    Severity,
    Stage,
    fail,
    ok,
    skip,
    version_key,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import driver_version
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import Evidence

# What the role writes for apt: a pin of each part, at its version (nvidia_driver_hold) or else at its branch
HOLD = "/etc/apt/preferences.d/gpuready-nvidia-driver-hold"
# Parts that refuse a driver of another version, wherever they are from
_STRICT = re.compile(r"nvidia-fabric-?manager|libnvidia-nscq|libnvsdm|nvidia-imex")
# Where the role holds the set, the daemon belongs to it
_OF_THE_SET = re.compile(r"nvidia-persistenced$")


@not_in_wsl
def one_version(ctx: Context) -> list[Finding]:
    """A part that lags behind is met only when something asks for it: a library, the fabric manager, a tool."""
    installed = ctx.facts.mapping("packages.installed")
    core = driver_versions(installed)
    if not core:
        return [skip(say("the driver did not come from packages"))]
    versions = sorted(set(core.values()), key=version_key)
    if len(versions) > 1:
        listed = [say("{name} {version}", name=name, version=core[name]) for name in _one_of_each(core)]
        message = say("parts of the driver are of different versions: {parts}", parts=names(listed))
        evidence = _evidence(installed, _one_of_each(core))
        return [fail(message, remedies.one_version(ctx), observed=versions, evidence=evidence)]
    version = versions[0]
    odd = {name: found for name, found in _companions(ctx, installed).items() if found != version}
    if odd:
        listed = [say("{name} {version}", name=name, version=found) for name, found in sorted(odd.items())]
        message = say("the driver is {version}, beside it there is {parts}", version=version, parts=names(listed))
        evidence = _evidence(installed, [*sorted(odd), min(core)])
        details = {"observed": sorted(set(odd.values())), "expected": version, "evidence": evidence}
        return [fail(message, remedies.one_version(ctx), severity=Severity.MINOR, **details)]
    return [ok(say("every part of the driver is of version {version}", version=version), observed=version)]


def _one_of_each(core: Mapping[str, str]) -> list[str]:
    """For each version the first package that has it."""
    first: dict[str, str] = {}
    for name in sorted(core):
        first.setdefault(core[name], name)
    return list(first.values())


def _companions(ctx: Context, installed: Mapping[str, Any]) -> dict[str, str]:
    # Debian's own archive never has the daemon at the driver's version; NVIDIA's packages for Debian bear other names
    own = text_if_any(ctx.facts, "os.id") == "debian" and "nvidia-driver-cuda" not in installed
    held = HOLD in ctx.facts.mapping("files") and not own
    found = {}
    for name, full in installed.items():
        version = driver_version(str(full))
        if version and (_STRICT.match(name) or (held and _OF_THE_SET.match(name))):
            found[name] = version
    return found


def _evidence(installed: Mapping[str, Any], shown: Iterable[str]) -> Evidence:
    return tuple({"path": f"packages.installed.{name}", "value": installed[name]} for name in list(shown)[:6])


@not_in_wsl
def held(ctx: Context) -> list[Finding]:
    """An upgrade replaces libraries under running jobs; the module that is loaded then refuses the new libraries."""
    manager = text_if_any(ctx.facts, "packages.manager")
    if manager not in ("apt", "dnf"):
        return [skip(say("no apt or dnf that could hold packages"))]
    packages = driver_packages(ctx)
    if not packages:
        return [skip(say("the driver did not come from packages"))]
    holds = ctx.facts.strings("packages.holds")
    # metapackages and modules of one kernel have versions of their own: the parts tell
    parts = sorted(driver_versions(ctx.facts.mapping("packages.installed"))) or packages
    loose = [name for name in parts if name not in holds]
    unattended = ctx.facts.view("packages.unattended")
    excludes = unattended.strings("excludes")
    open_to_it = [name for name in loose if not any(_matches(rule, name) for rule in excludes)]
    automatic = unattended.flag("installed") and unattended.flag("enabled")
    evidence = ctx.facts.show("packages.unattended", "packages.holds")
    if open_to_it and automatic:
        return [_replaced_unattended(ctx, open_to_it, evidence)]
    if not loose or not open_to_it or HOLD in ctx.facts.mapping("files"):
        return [ok(say("the driver's packages are held, or kept out of upgrades"))]
    text = say("the driver is not held: the next upgrade of the system may replace it under running jobs")
    return [fail(text, remedies.hold(ctx, open_to_it), observed=open_to_it, evidence=evidence)]


def _replaced_unattended(ctx: Context, loose: list[str], evidence: Evidence) -> Finding:
    if Stage.PREFLIGHT in ctx.stages and "PRE-UNATTENDED" not in ctx.policy.skip:
        return skip(say("preflight has said so"), caused_by="PRE-UNATTENDED")
    message = say("unattended upgrades may replace the driver under running jobs: {packages}", packages=names(loose))
    return fail(message, remedies.hold(ctx, loose), observed=loose, evidence=evidence)


def _matches(rule: str, name: str) -> bool:
    """Unattended-Upgrade::Package-Blacklist holds regular expressions that are matched from the start of the name."""
    try:
        return re.match(rule, name) is not None
    except re.error:
        return name.startswith(rule)
