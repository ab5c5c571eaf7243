# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which driver a machine gets, from where, as which packages: one consistent set, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import boards, kept, reasons, secure_boot
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.branch import (
    Picked,
    check_modules,
    has_fabric,
    pick,
    wanted,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import GpuFound, Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import Choice, Nearest, RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.packages import (
    Offer,
    Repository,
    headers,
    kernel_flavour,
    offers,
    pinned,
    supported,
    system_of,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least, version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say

PERSISTENCE = "nvidia-persistenced.service"
FABRIC = "nvidia-fabricmanager.service"


@dataclass(frozen=True)
class Driver:
    """The driver of a machine.

    needed: a Linux driver has to be on this machine for its GPUs. source: "nvidia" and "distribution" are installed by
    the role; "as_is" is there and stays; "none" is nobody's or somebody else's. branch: of the driver that will run,
    also of one that stays; None: not known. version: the exact one that is wished, or of a driver that stays as it is.
    packages, fabric_packages, headers: what to install. optional: what to install where the repository has it.
    pinned: names that the hold covers. min_version: no older one may be installed. components: of the distribution's
    archive, which has to have them. services: those to enable; started: those of them whose hardware is here.
    build: dkms compiles the modules. stays: a set of ours that runs and is kept, at the version that is loaded.
    made: the choices in their order.
    """

    needed: bool
    source: str
    branch: str | None = None
    version: str | None = None
    modules: str | None = None
    packages: tuple[str, ...] = ()
    fabric_packages: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    min_version: str | None = None
    repository: Repository | None = None
    components: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    build: bool = False
    secure_boot: str | None = None
    stays: bool = False
    made: tuple[Choice, ...] = ()


def choose(machine: Machine, wishes: Wishes, made: list[Choice] | None = None) -> Driver:
    """The driver for a machine and its user's wishes. Raises RefusedError; `made` has then the choices before it."""
    made = [] if made is None else made
    made.append(_platform(machine))
    made.append(_gpus(machine))
    driver = _left_alone(machine, wishes, made)
    if driver is not None:
        return driver
    check_modules(machine)
    if kept.stays(machine, wishes):
        picked = kept.ours(machine, wishes, offers(machine))
        return _as_it_is(machine, made) if picked is None else _complete(machine, wishes, picked, made, stays=True)
    return _complete(machine, wishes, _picked(machine, wishes), made, stays=False)


def choices(driver: Driver) -> list[Choice]:
    """The decisions of a driver with their reasons, in the order in which they were made."""
    return list(driver.made)


def _platform(machine: Machine) -> Choice:
    if machine.platform == "jetson":
        raise RefusedError(
            "platform",
            say("this is a Jetson: its driver is part of the system image (JetPack), not of any package here"),
            [Nearest(say("update it with NVIDIA's JetPack; this collection serves servers and workstations"))],
        )
    return Choice("platform", say("Platform"), machine.platform, reasons.platform(machine))


def _gpus(machine: Machine) -> Choice:
    return Choice("gpus", say("GPUs"), [gpu.name for gpu in machine.gpus], reasons.gpus(machine))


def _left_alone(machine: Machine, wishes: Wishes, made: list[Choice]) -> Driver | None:
    """The driver where there is nothing to install; None where there may be. Raises RefusedError."""
    if machine.platform == "wsl2":
        return _none(machine, say("Windows brings the driver; a Linux driver would break it"), made)
    if machine.platform == "rented":
        _check_rented(machine, wishes)
        reason = say("the driver belongs to the machine around this container; what it has is used")
        return _none(machine, reason, made, source="as_is" if machine.gpus or machine.loaded else "none")
    if not machine.gpus and not machine.loaded:
        nothing = say("there is no NVIDIA GPU to serve") if machine.pci_seen else say("no GPU is known of")
        return _none(machine, nothing, made)
    if wishes.driver_source == "none":
        reason = say("nvidia_driver_source is none: the driver is left to somebody else")
        return _none(machine, reason, made, needed=True)
    if machine.gpus and not machine.served:
        _refuse_passthrough(machine)
    old = boards.too_old(machine)
    if old and len(old) == len(machine.served):
        raise RefusedError(
            "driver_branch",
            say("{gpus} is from before Maxwell: its last driver, R470, gets no fixes since 2024", gpus=_names(old)),
            [Nearest(say("replace the GPU, or leave the driver to somebody else"), {"nvidia_driver_source": "none"})],
        )
    return None


def _names(gpus: list[GpuFound]) -> Text:
    return names(list(dict.fromkeys(gpu.name for gpu in gpus)))


def _refuse_passthrough(machine: Machine) -> None:
    raise RefusedError(
        "gpus",
        say("all GPUs are bound to vfio-pci: they belong to virtual machines, and a driver here would take them away"),
        [
            Nearest(say("install the driver in the virtual machine")),
            Nearest(say("leave this host without a driver"), {"nvidia_driver_source": "none"}),
        ],
    )


def _check_rented(machine: Machine, wishes: Wishes) -> None:
    wish = wanted(wishes)
    have = tables.branch_of(machine.loaded)
    if wish is None or (have == wish and wishes.driver_version in ("", machine.loaded)):
        return
    raise RefusedError(
        "platform",
        say(
            "the driver of a rented container cannot be changed from inside (wished: {wish}, there: {loaded})",
            wish=wishes.driver_version or wishes.driver_branch,
            loaded=machine.loaded or say("not known"),
        ),
        [
            Nearest(say("take the driver that is there"), {"nvidia_driver_branch": "", "nvidia_driver_version": ""}),
            Nearest(say("rent a machine whose driver is of that branch")),
        ],
    )


def _none(machine: Machine, reason: Text, made: list[Choice], source: str = "none", needed: bool = False) -> Driver:
    branch = tables.branch_of(machine.loaded)
    made.append(Choice("driver_source", say("Source of the driver"), source, reason))
    if machine.loaded:
        text = say("driver {loaded} is what runs", loaded=machine.loaded)
        made.append(Choice("driver_branch", say("Branch of the driver"), str(branch), text))
    return Driver(
        needed=needed,
        source=source,
        branch=str(branch) if branch else None,
        version=machine.loaded,
        modules=machine.loaded_flavour,
        made=tuple(made),
    )


def _as_it_is(machine: Machine, made: list[Choice]) -> Driver:
    """A driver that works and is none of our sets: nothing of it is touched."""
    number = tables.branch_of(machine.loaded)
    branch = None if number is None else str(number)
    known = say("its version could not be read") if number is None else reasons.state(number, machine.loaded)
    outcome, why = secure_boot.running(machine)
    made += [
        Choice("driver_source", say("Source of the driver"), "as_is", reasons.as_it_is(machine)),
        Choice("driver_branch", say("Branch of the driver"), branch, known),
        Choice("driver_modules", say("Kernel modules"), machine.loaded_flavour, say("those that are loaded")),
        Choice("secure_boot", say("Secure Boot"), outcome, why),
    ]
    return Driver(
        needed=True,
        source="as_is",
        branch=branch,
        version=machine.loaded,
        modules=machine.loaded_flavour,
        secure_boot=outcome,
        made=tuple(made),
    )


def _picked(machine: Machine, wishes: Wishes) -> Picked:
    """What to install on a machine whose driver does not run, or may be changed."""
    there = offers(machine)
    kept.check_mixed(machine, [wishes.driver_source] if wishes.driver_source != "auto" else list(there))
    if not there:
        _refuse_system(machine)
    order = _order(machine, wishes, there)
    if not order:
        raise RefusedError(
            "driver_source",
            say(
                "there is no driver in the source {source} for {system}",
                source=wishes.driver_source,
                system=system_of(machine),
            ),
            [Nearest(say("let the plan choose the source"), {"nvidia_driver_source": "auto"})],
        )
    # where packages of one source are installed, the other one is no advice
    others = [] if machine.installed_source else [offer for offer in there.values() if offer not in order]
    # a run that was cut off after the packages, or waits for its reboot, goes on with the same branch
    before = kept.ours(machine, wishes, there)
    unchanged = before is not None and before.offer in order and not wishes.driver_branch and not wishes.driver_version
    if before is not None and unchanged and machine.loaded is None and _still_good(machine, wishes, before):
        return before
    return pick(machine, wishes, order, others)


def _still_good(machine: Machine, wishes: Wishes, before: Picked) -> bool:
    needed = boards.modules(machine)
    return (
        not boards.unserved(machine, before.branch, before.offer.newest(before.branch))
        and all(flavour == before.modules for flavour in needed)
        and wishes.driver_modules in ("auto", before.modules)
        and has_fabric(machine, wishes, before.offer, before.branch)
    )


def _refuse_system(machine: Machine) -> None:
    nearest = [Nearest(say("install a driver by hand and leave it alone"), {"nvidia_driver_source": "none"})]
    if machine.arch not in ("x86_64", "aarch64"):
        arch = machine.arch or say("not known")
        raise RefusedError("platform", say("no driver is offered for the architecture {arch}", arch=arch), nearest)
    raise RefusedError(
        "platform",
        say(
            "no source of drivers is known for {system} on {arch}; there are {known}",
            system=f"{machine.os_id or '?'} {machine.os_version or '?'}",
            arch=machine.arch,
            known=list(supported()),
        ),
        nearest,
    )


def _order(machine: Machine, wishes: Wishes, there: dict[str, Offer]) -> list[Offer]:
    """The sources to try, best first."""
    if wishes.driver_source != "auto":
        return [there[wishes.driver_source]] if wishes.driver_source in there else []
    if machine.installed_source in there:
        return [there[machine.installed_source]]
    if wishes.driver_repo_url and "nvidia" in there:
        return [there["nvidia"]]
    both = [there[source] for source in ("nvidia", "distribution") if source in there]
    if machine.secure_boot:
        # modules that the firmware accepts at once go first
        both.sort(key=lambda offer: not offer.prebuilt(kernel_flavour(machine, offer)))
    return both


def _complete(machine: Machine, wishes: Wishes, picked: Picked, made: list[Choice], stays: bool) -> Driver:
    offer, branch, modules = picked.offer, picked.branch, picked.modules
    flavour = kernel_flavour(machine, offer)
    build = not offer.prebuilt(flavour)
    packages = wishes.driver_packages or offer.packages(branch, modules, flavour)
    fabric = _fabric(machine, wishes, picked)
    outcome, why = secure_boot.running(machine) if stays else secure_boot.outcome(machine, wishes, build)
    why_modules = reasons.modules(machine, wishes, picked, build, stays)
    made += [
        Choice(
            "driver_source", say("Source of the driver"), offer.source, reasons.source(machine, wishes, picked, stays)
        ),
        Choice(
            "driver_branch", say("Branch of the driver"), str(branch), reasons.branch(machine, wishes, picked, stays)
        ),
        Choice("driver_modules", say("Kernel modules"), modules, why_modules),
        Choice("driver_packages", say("Packages"), list(packages), reasons.packages(wishes, picked)),
        Choice("fabric_manager", say("Fabric manager"), list(fabric) or None, reasons.fabric(machine, wishes, fabric)),
        Choice("secure_boot", say("Secure Boot"), outcome, why),
        Choice("persistence", say("Persistence mode"), True, reasons.persistence()),
    ]
    return Driver(
        needed=True,
        source=offer.source,
        branch=str(branch),
        version=wishes.driver_version or None,
        modules=modules,
        packages=packages,
        fabric_packages=fabric,
        headers=headers(machine) if build else (),
        optional=offer.optional(branch, wishes.driver_version),
        pinned=pinned(),
        min_version=_min_version(machine, wishes, picked, stays),
        repository=offer.repository(machine.arch, wishes.driver_repo_base_url, wishes.driver_repo_url, branch, modules),
        components=tuple(offer.row.get("components", ())),
        services=(PERSISTENCE, *((FABRIC,) if fabric else ())),
        started=(PERSISTENCE, *((FABRIC,) if fabric and machine.switch else ())),
        build=build,
        secure_boot=outcome,
        stays=stays,
        made=tuple(made),
    )


def _fabric(machine: Machine, wishes: Wishes, picked: Picked) -> tuple[str, ...]:
    switch = machine.switch or ("nvswitch" if wishes.fabric_manager == "present" else None)
    if switch is None or wishes.fabric_manager == "absent":
        return ()
    return picked.offer.fabric(switch, picked.branch, machine.arch) or ()


def _min_version(machine: Machine, wishes: Wishes, picked: Picked, stays: bool) -> str | None:
    """The boards' floor, and the first version without known holes unless the user or the machine is below it."""
    floors = [boards.floor_of(machine.boards, picked.branch)]
    known = tables.driver_branch(picked.branch)
    secure = known.security_floor if known and known.state == "supported" else None
    below = stays or (wishes.driver_version and secure and not version_at_least(wishes.driver_version, secure))
    newest = picked.offer.newest(picked.branch)
    if secure and not below and newest and version_at_least(newest, secure):
        floors.append(secure)
    return max((floor for floor in floors if floor), key=version_key, default=None)
