# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver that is there already: keep it, replace it because the user says so, or refuse to mix two."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import boards, branch, installed
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.branch import Picked
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import Nearest, RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.packages import Offer, kernel_flavour
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say

# packages that come with any set
_SHARED = frozenset({"nvidia-persistenced", "nvidia-modprobe"})
ALLOW = {"nvidia_driver_allow_change": True}


def stays(machine: Machine, wishes: Wishes) -> bool:
    """Whether the driver that runs stays. Raises RefusedError where the wishes want another and do not allow it."""
    if machine.loaded is None and not machine.unknown_driver:
        return False
    against = _against(machine, wishes)
    if against is None:
        return True
    rung, reason, keep = against
    if wishes.driver_allow_change:
        return False
    change = Nearest(say("allow the change, when no job is running"), ALLOW)
    loaded = machine.loaded or say("(version unknown)")
    text = say("driver {loaded} is loaded: {reason}; it is not replaced unasked", loaded=loaded, reason=reason)
    raise RefusedError(rung, text, [*([keep] if keep else []), change])


def _against(machine: Machine, wishes: Wishes) -> tuple[str, Text, Nearest | None] | None:
    """What speaks against the driver that runs: the rung, why, and how to keep the driver all the same."""
    loaded = machine.loaded or ""
    number = tables.branch_of(loaded)
    wish = branch.wanted(wishes)
    if wish is not None and wish != number:
        there = say("keep branch {branch}", branch=number or say("(version unknown)"))
        keep = _keep(there, nvidia_driver_branch="", nvidia_driver_version="")
        return "driver_branch", say("branch {branch} is wished", branch=wish), keep
    if wishes.driver_version and wishes.driver_version != loaded:
        keep = _keep(say("keep driver {loaded}", loaded=loaded), nvidia_driver_version="")
        return "driver_version", say("version {version} is wished", version=wishes.driver_version), keep
    flavour = machine.loaded_flavour
    if wishes.driver_modules not in ("auto", flavour or wishes.driver_modules):
        keep = _keep(say("keep the modules that are loaded"), nvidia_driver_modules="auto")
        wished = branch.flavour_text(wishes.driver_modules)
        return "driver_modules", say("{flavour} kernel modules are wished", flavour=wished), keep
    if machine.installed_source in ("nvidia", "distribution") and wishes.driver_source not in (
        "auto",
        machine.installed_source,
    ):
        keep = _keep(say("keep where it came from"), nvidia_driver_source="auto")
        return "driver_source", say("its packages are from another source than the wished one"), keep
    for board in boards.unserved(machine, number, loaded) if number is not None else []:
        return "driver_branch", branch.why_unserved(board, number or 0), None
    flavours = {flavour, machine.installed_flavour} - {None}
    for needed, gpu in boards.modules(machine).items():
        if flavours - {needed}:
            return "driver_modules", branch.only(gpu, needed), None
    return None


def _keep(text: Text, **inputs: Any) -> Nearest:
    return Nearest(text, inputs)


def check_mixed(machine: Machine, sources: list[str]) -> None:
    """Refuse to install beside what another method left. `sources`: where packages may come from now."""
    if machine.runfile:
        raise RefusedError(
            "driver_source",
            say("a driver from NVIDIA's .run installer is there; packages would clash with it"),
            [Nearest(say("remove it with `nvidia-uninstall --silent`, reboot, and run again"))],
        )
    packages = sorted(installed.driver(machine.installed))
    loaded = machine.loaded or say("(version unknown)")
    if packages and machine.installed_source not in sources:
        raise RefusedError(
            "driver_source",
            say("driver packages of another source are installed: {packages}", packages=names(packages)),
            [Nearest(say("remove them ({packages}), and run again", packages=packages))],
        )
    if (machine.loaded is not None or machine.unknown_driver) and not packages:
        raise RefusedError(
            "driver_source",
            say("driver {loaded} is loaded and no package holds it: it cannot be replaced", loaded=loaded),
            [Nearest(say("remove it the way it was installed, reboot, and run again"))],
        )


def ours(machine: Machine, wishes: Wishes, offers: dict[str, Offer]) -> Picked | None:
    """The set that is installed, where the plan would install it, too; None: any other driver, or none."""
    offer = offers.get(machine.installed_source or ("nvidia" if machine.recorded else ""))
    loaded = tables.branch_of(machine.loaded)
    number = loaded or tables.branch_of(machine.installed_branch)
    # of a driver whose version is unknown nobody can say that it is the packages'
    if (
        offer is None
        or number is None
        or machine.runfile
        or machine.unknown_driver
        or not (offer.has(number) or loaded)
    ):
        return None
    there = offer.flavours(number)
    flavour = machine.installed_flavour or machine.loaded_flavour or (there[0] if wishes.driver_packages else None)
    if flavour not in there:
        return None
    packages = set(wishes.driver_packages or offer.packages(number, flavour, kernel_flavour(machine, offer)))
    if wishes.driver_packages:
        here = bool(packages & set(machine.installed))
    else:
        kernel = {name for name in packages if installed.is_kernel(name)}
        tools = packages - kernel - _SHARED
        # another set of the same source may run here (a desktop's): beside a driver that works nothing is added
        here = bool(kernel & set(machine.installed)) and (not loaded or bool(tools & set(machine.installed)))
        # what the role has brought stays its own, whatever somebody took away of it
        here = here or machine.recorded
    return Picked(offer, number, flavour) if here else None
