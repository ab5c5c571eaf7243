# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed installation has changed, why it failed, and what would work instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps.versions import spec
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import installed
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import choose
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine, read
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.packages import offers
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes, make_wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, render, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

Packages = Mapping[str, Sequence[Mapping[str, Any]]]
_LINES = 3
_LENGTH = 300


def difference(after: Packages, before: Packages, version: str, manager: str) -> dict[str, Any]:
    """Compare two answers of ansible.builtin.package_facts.

    added: names that came. former: what to install again, as the package manager names it. version: that of the driver
    before, as it was given ('' for none).
    """
    former = [
        spec(name, _full(rows), manager)
        for name, rows in sorted(before.items())
        if _full(rows) != _full(after.get(name, ()))
    ]
    return {
        "added": sorted(set(after) - set(before)),
        "former": former,
        "version": version,
    }


def _full(rows: Sequence[Mapping[str, Any]]) -> str:
    """'3:580.159.03-1.el9': dpkg gives it whole, rpm in parts."""
    if not rows:
        return ""
    row = rows[0]
    version = str(row.get("version", ""))
    if row.get("source") != "rpm":
        return version
    # package_facts writes "None" for a package without one (seen with rpm 4.20)
    epoch = f"{row['epoch']}:" if row.get("epoch") not in (None, "", "None", "(none)") else ""
    return f"{epoch}{version}-{row.get('release', '')}"


def message(snapshot: Mapping[str, Any], result: Mapping[str, Any], wishes: Mapping[str, Any]) -> Text:
    """One text: what failed, why, and the choices that work. `snapshot`: taken right after the failure."""
    facts = View(snapshot)
    machine = read(facts)
    build = _build(facts)
    works = list(_works(machine, make_wishes(wishes))) if build else []
    reason = build or say("{reason}", reason=_last_words(result))
    if works:
        return say(
            "The driver was not installed: {reason} The machine is as it was. What works here: {works}.",
            reason=reason,
            works=works,
        )
    return say("The driver was not installed: {reason} The machine is as it was.", reason=reason)


def _build(facts: View) -> Text | None:
    """Why the kernel module was not built, from dkms' log."""
    try:
        failed = [one for one in facts.views("driver.dkms") if not one.is_null("log")]
    except UnmeasuredError:
        return None
    for one in failed:
        errors = one.view("log").strings("errors")
        if not errors:
            continue
        return say(
            "the module {name} {version} does not compile for kernel {kernel}: {error} (make.log of dkms).",
            name=one.text("name"),
            version=one.text("version"),
            kernel=one.text_or_none("kernel") or one.view("log").text_or_none("kernel") or "?",
            error=errors[0],
        )
    return None


def _last_words(result: Mapping[str, Any]) -> str:
    """The package manager's own errors, short: lines that apt marks with E:, else the message."""
    failed = [one for one in result.get("results") or [] if isinstance(one, Mapping) and one.get("failed")]
    if failed:  # a loop says only that one of its items failed
        return _last_words(failed[0])
    text = str(result.get("stderr") or "")
    errors = [line[2:].strip() for line in text.splitlines() if line.startswith("E:")]
    said = "; ".join(errors[:_LINES]) or str(result.get("msg") or "the reason is not known")
    return said[:_LENGTH].rstrip(".") + "."


def _works(machine: Machine, failed: Wishes) -> Iterator[Text]:
    """Sources and branches that the plan accepts here, without the one that failed and those known to be broken."""
    bare = _bare(machine)
    numbers = sorted(tables.table("drivers")["branches"], reverse=True)
    seen = {_key(bare, failed)}
    for source in ("nvidia", "distribution"):
        for number in ["", *(str(number) for number in numbers)]:
            wish = replace(failed, driver_source=source, driver_branch=number, driver_version="", driver_packages=())
            key, modules = _key(bare, wish), ""
            if key is None:  # a branch that has only the other flavour
                key, modules = _key(bare, replace(wish, driver_modules="auto")), "auto"
            if key is None or key in seen or (source == "nvidia" and number != ""):
                continue
            seen.add(key)
            if key[1].isdigit() and offers(bare)[key[0]].broken(int(key[1])):
                continue
            yield _inputs(source, key[1], modules)


def _inputs(source: str, branch: str, modules: str) -> Text:
    if not modules:
        return say("nvidia_driver_source={source} nvidia_driver_branch={branch}", source=source, branch=branch)
    return say(
        "nvidia_driver_source={source} nvidia_driver_branch={branch} nvidia_driver_modules={modules}",
        source=source,
        branch=branch,
        modules=modules,
    )


def _bare(machine: Machine) -> Machine:
    """The machine without the driver that is taken away again."""
    mine = installed.driver(machine.installed)
    rest = {name: version for name, version in machine.installed.items() if name not in mine}
    return replace(
        machine,
        loaded=None,
        loaded_flavour=None,
        installed_branch=None,
        installed_source=None,
        installed_flavour=None,
        installed=rest,
    )


def _key(machine: Machine, wishes: Wishes) -> tuple[str, str] | None:
    try:
        driver = choose(machine, wishes)
    except RefusedError:
        return None
    return (driver.source, driver.branch or "")


def text(snapshot: Mapping[str, Any], result: Mapping[str, Any], wishes: Mapping[str, Any], language: str) -> str:
    """message() in a language."""
    return str(render(message(snapshot, result, wishes), language))
