# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the driver: container toolkit, CUDA image, torch and its index, and what the machine is good for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import base as bases
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import cards as gpus
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import images, torch_choice
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import Driver
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import Choice
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables, tiers
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# a choice, or a note beside the choices
Step = Union[Choice, Text]


def choose(machine: Machine, driver: Driver, wishes: Wishes, facts: View | None = None) -> list[Choice]:
    """All choices. `facts` tells what the machine alone does not: what the driver shows. Raises RefusedError."""
    return [step for step in steps(machine, driver, wishes, facts) if isinstance(step, Choice)]


def steps(
    machine: Machine,
    driver: Driver,
    wishes: Wishes,
    facts: View | None = None,
    cards: tuple[gpus.Card, ...] | None = None,
) -> Iterator[Step]:
    """Choices and notes one by one, so that those before a refusal are kept. Raises RefusedError."""
    if cards is None and facts is not None:
        cards = gpus.read(machine, facts)
    if cards is None:
        cards = gpus.of_machine(machine)
    base = bases.make(machine, driver, cards, _month(facts))
    yield _toolkit(machine, cards, wishes.toolkit_version)
    image = images.wished(base, wishes.cuda_image)
    if image is not None:
        yield from _image_steps(machine, base, image)
    torch = torch_choice.choose(base, torch_choice.wish_of(wishes, image.cuda if image else None))
    if image is None:
        yield from _image_steps(machine, base, images.choose(base, torch.cuda) if cards else None)
    yield Choice("torch", say("torch"), torch.release, torch.why)
    yield Choice("torch_index", say("torch index"), torch.index, torch.why_index)
    yield from torch.notes
    if image is not None and image.cuda and torch.cuda and bases.major(image.cuda) != bases.major(torch.cuda):
        yield say(
            "the image has CUDA {image}, torch has {torch}: extensions of torch cannot be compiled in it",
            image=image.cuda,
            torch=torch.cuda,
        )
    if facts is not None:
        yield _tier(facts)


def index_url(index: str) -> str:
    """Where the wheels of an index are; a mirror has the same folders."""
    return f"{load('images')['torch_index_url']}/{index}"


def _month(facts: View | None) -> str | None:
    collected = facts.text_or_none("collected_at") if facts is not None else None
    return collected[:7] if collected else None


def _toolkit(machine: Machine, cards: tuple[gpus.Card, ...], wish: str) -> Choice:
    title = say("Container toolkit")
    if not cards:
        return Choice("toolkit", title, None, say("there is no NVIDIA GPU to give to containers"))
    if machine.platform == "rented":
        return Choice("toolkit", title, None, say("this is a container itself: its host gives it the GPUs"))
    table = tables.table("toolkit")
    last, row = max(table["cves"].items(), key=lambda item: version_key(item[1]["fixed"]))
    # packages have a revision behind it
    version = wish.partition("-")[0] or table["installed"]
    reason = say(
        "what the role nvidia_container_toolkit installs; {cve} is open before {floor}", cve=last, floor=row["fixed"]
    )
    if version != table["installed"]:
        reason = say("asked for; {cve} is open before {floor}", cve=last, floor=row["fixed"])
    return Choice("toolkit", title, version, reason)


def _image_steps(machine: Machine, base: bases.Base, image: images.Image | None) -> Iterator[Step]:
    title = say("CUDA image")
    if image is None and not base.cards:
        yield Choice("cuda_image", title, None, say("there is no NVIDIA GPU here: any image will do"))
    elif image is None:
        yield Choice("cuda_image", title, None, say("no image of the table serves these GPUs on this driver"))
    else:
        why = image.why
        if machine.platform == "rented":
            why = say("{why}; for when an image is chosen or built", why=why)
        yield Choice("cuda_image", title, image.reference, why)
        yield from image.notes


def _tier(facts: View) -> Choice:
    title = say("Tier")
    found = tiers.tier_of(facts)
    if found is not None:
        reason = say("{title}; good for: {use}", title=tiers.tier_title(found["id"]), use=Text(found["good_for"]))
        return Choice("tier", title, found["id"], reason)
    try:
        what = tiers.describe(tiers.found_gpus(facts), facts.is_true("virt.wsl"))
    except UnmeasuredError:
        what = say("the GPUs are not known")
    return Choice("tier", title, None, say("no tier of the table is like this machine: {what}", what=what))
