# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why the driver of a plan is what it is, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import boards
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.branch import USUAL, Picked, only, place
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say


def joined(first: Text, *more: Text | None) -> Text:
    """Reasons one after the other."""
    text = first
    for other in more:
        if other is not None:
            text = say("{first}; {second}", first=text, second=other)
    return text


def platform(machine: Machine) -> Text:
    if machine.platform == "wsl2":
        return say("Linux under Windows (WSL2)")
    if machine.platform == "rented":
        provider = machine.provider or say("kind unknown")
        return say("a container ({provider}): its kernel and driver are its host's", provider=provider)
    system = f"{machine.os_id or '?'} {machine.os_version or '?'}"
    return say("a host of its own: {system} on {arch}", system=system, arch=machine.arch or "?")


def gpus(machine: Machine) -> Text:
    if not machine.gpus and not machine.pci_seen:
        return say("the PCI bus could not be looked at: whether there is a GPU is not known")
    if not machine.gpus:
        return say("no NVIDIA GPU on the PCI bus")
    text = say("{count} on the PCI bus", count=len(machine.gpus))
    away = [gpu.name for gpu in machine.gpus if gpu.passthrough]
    odd = [gpu.name for gpu in boards.unknown(machine)]
    old = [gpu.name for gpu in boards.too_old(machine)]
    return joined(
        text,
        say("given to virtual machines: {away}", away=names(away)) if away else None,
        say("not in our table: {odd}; the safest choice is made for them", odd=names(odd)) if odd else None,
        say("too old for any driver that gets fixes, and left out: {old}", old=names(old)) if old else None,
        say("MIG is on, which every branch here serves") if machine.mig else None,
        say("joined by NVSwitches") if machine.switch == "nvswitch" else None,
        say("joined by NVLink5 switches") if machine.switch == "nvlink5" else None,
    )


def as_it_is(machine: Machine) -> Text:
    """Why a driver stays untouched."""
    loaded = machine.loaded or say("(version unknown)")
    if machine.installed_source == "runfile" or (machine.runfile and machine.installed_source is None):
        return say("driver {loaded} from NVIDIA's .run installer works and stays as it is", loaded=loaded)
    if machine.installed_source == "ppa":
        return say("driver {loaded} from third-party packages works and stays as it is", loaded=loaded)
    return say("driver {loaded} works, came from elsewhere, and stays as it is", loaded=loaded)


def state(branch: int, version: str | None) -> Text:
    """What is known of a branch, and whether a version has holes."""
    known = tables.driver_branch(branch)
    if known is None:
        return say("branch {branch} is newer than our table", branch=branch)
    if known.state == "eol":
        return say("branch {branch} gets no fixes any more: it has, or will have, open security holes", branch=branch)
    floor = known.security_floor
    if version and floor and not version_at_least(version, floor):
        return say("version {version} has open security holes, closed since {floor}", version=version, floor=floor)
    if known.state != "supported":
        return say("how long branch {branch} is supported is not confirmed", branch=branch)
    return say("branch {branch} is supported until {eol}", branch=branch, eol=known.eol or say("not known"))


def source(machine: Machine, wishes: Wishes, picked: Picked, stays: bool) -> Text:
    offer = picked.offer
    if stays or machine.installed_source == offer.source:
        return say("the driver's packages are from {place}, and two sources are never mixed", place=place(offer))
    if wishes.driver_source != "auto":
        return say("nvidia_driver_source says so")
    if wishes.driver_repo_url:
        return say("nvidia_driver_repo_url names a repository")
    if offer.source == "distribution" and machine.secure_boot:
        return say("Secure Boot is on, and the archive's modules are signed with a key that it knows")
    if offer.source == "distribution":
        return say("NVIDIA's repository has nothing for these GPUs on {system}; the archive has", system=offer.system)
    return joined(say("NVIDIA's repository has all branches that get fixes"), _no_key(machine, picked))


def _no_key(machine: Machine, picked: Picked) -> Text | None:
    repository = picked.offer.repository(machine.arch, "", "", picked.branch, picked.modules)
    if repository is None or repository.fingerprints:
        return None
    key = repository.key_file
    return say("the fingerprint of its key {key} is not confirmed: give nvidia_driver_repo_fingerprints", key=key)


def branch(machine: Machine, wishes: Wishes, picked: Picked, stays: bool) -> Text:
    known = state(picked.branch, wishes.driver_version or None)
    return joined(_why_branch(machine, picked, stays), known, _broken(picked))


def _why_branch(machine: Machine, picked: Picked, stays: bool) -> Text:
    number = picked.branch
    if stays:
        return say("driver {loaded} works and its branch is kept", loaded=machine.loaded)
    if picked.wished:
        return say("branch {branch} is wished", branch=number)
    if str(number) == machine.installed_branch:
        return say("its packages are installed already")
    ended = [board for board in machine.boards if board.last_branch == number]
    if ended:
        return say("the last branch for {name}", name=ended[0].name)
    if number == USUAL:
        return say("the long-term branch, which serves all GPUs here")
    return say("the best branch of this source that serves all GPUs here")


def _broken(picked: Picked) -> Text | None:
    if not picked.offer.broken(picked.branch):
        return None
    return say("its modules are known not to compile against the distribution's own kernel")


def modules(machine: Machine, wishes: Wishes, picked: Picked, build: bool, stays: bool) -> Text:
    made = say("built here by dkms") if build else say("compiled and signed by the distribution")
    return joined(_why_modules(machine, wishes, picked, stays), made)


def _why_modules(machine: Machine, wishes: Wishes, picked: Picked, stays: bool) -> Text:
    needed = boards.modules(machine)
    if picked.modules in needed:
        if len(set(machine.boards)) > 1 and picked.modules == "proprietary":
            gpu = needed["proprietary"]
            return say("{gpu} cannot do with the open modules; the proprietary ones serve all GPUs here", gpu=gpu)
        return only(needed[picked.modules], picked.modules)
    if stays:
        return say("those that are loaded")
    if picked.modules == "open" and not boards.prefers_open(machine, picked.branch):
        return say(
            "as wished; before branch 545 GeForce and workstation boards need NVreg_OpenRmEnableUnsupportedGpus=1"
            " with them"
        )
    if wishes.driver_modules != "auto":
        return say("as wished; both flavours serve these GPUs")
    if picked.modules == "open":
        return say("the open modules serve all GPUs here, and are what NVIDIA recommends")
    number = picked.branch
    return say("the open modules of branch {branch} are not ready for all GPUs here, or not offered", branch=number)


def packages(wishes: Wishes, picked: Picked) -> Text:
    if wishes.driver_packages:
        return say("nvidia_driver_packages names them")
    text = say("computing without a desktop; driver, libraries and tools of one version, held together")
    if picked.offer.prebuilt("generic"):
        return joined(text, say("a new kernel gets its module only when the held set is upgraded with it"))
    return text


def fabric(machine: Machine, wishes: Wishes, found: Sequence[str]) -> Text:
    if machine.switch is None:
        if found:
            return say("nvidia_driver_fabric_manager is present, though no NVLink switch is seen")
        return say("no NVLink switch in this machine")
    if wishes.fabric_manager == "absent":
        return say("nvidia_driver_fabric_manager is absent: CUDA will not start on these GPUs (error 802) without one")
    if machine.switch == "nvlink5":
        return say("NVLink5 switches: fabric manager of exactly the driver's version, with the subnet manager nvlsm")
    return say("NVSwitches: CUDA starts only with a fabric manager of exactly the driver's version")


def persistence() -> Text:
    return say("keeps the driver loaded between jobs, so that they start at once and settings stay")
