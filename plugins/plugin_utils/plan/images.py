# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CUDA image a dev container is built on. Tags, their end and what nvcc compiles for are in data/images.yml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.base import (
    Base,
    at_least,
    major,
    minor,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.cards import named
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import Nearest, RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

# the forms in which image names tell their CUDA: nvidia/cuda:12.4.1-…, …:2.5.1-cuda12.4-…, …-cu124
_OF_TAG = re.compile(r"(?:^|/)cuda(?:-\w+)?:(\d+\.\d+(?:\.\d+)?)(?![\d.])")
_NAMED = re.compile(r"cuda[-_]?(\d+\.\d+(?:\.\d+)?)(?![\d.])")
_SHORT = re.compile(r"(?<![a-z0-9])cu(\d{2})(\d)(?!\d)")


@dataclass(frozen=True)
class Image:
    """A base image. `cuda` is None where its name does not tell it."""

    reference: str
    cuda: str | None
    why: Text
    notes: tuple[Text, ...] = ()


def wished(base: Base, wish: str) -> Image | None:
    """The image that the user asks for; None without a wish. Raises RefusedError where it cannot work here."""
    if not wish:
        return None
    cuda = cuda_of(wish)
    if cuda is None:
        why = say("asked for; its name does not tell its CUDA version: whether it runs here is not known")
        return Image(wish, None, why, (why,))
    reference = wish if _is_reference(wish) else _tag(minor(cuda))
    if reference is None:
        reason = say("there is no image of CUDA {cuda} in our table; it has {there}", cuda=cuda, there=list(_cudas()))
        raise RefusedError("image", reason, _nearest(base))
    _hold_driver(base, cuda)
    _hold_gpus(base, cuda)
    notes = (*_fading(base, cuda, reference), *_above(base, cuda))
    return Image(reference, cuda, _why_wished(base, cuda), notes)


def choose(base: Base, torch_cuda: str | None) -> Image | None:
    """The image for a torch of this CUDA; None where no known image serves the machine."""
    cuda = _best(base, torch_cuda)
    reference = _tag(cuda) if cuda else None
    if cuda is None or reference is None:
        return None
    return Image(reference, cuda, _why(base, cuda, torch_cuda), tuple(_fading(base, cuda, reference)))


def cuda_of(wish: str) -> str | None:
    """The CUDA version that an image reference, '12.1' or 'cu121' tells."""
    if re.fullmatch(r"\d+\.\d+(\.\d+)?", wish):
        return wish
    found = _OF_TAG.search(wish) or _NAMED.search(wish)
    if found is not None:
        return found.group(1)
    short = _SHORT.search(wish)
    return f"{short.group(1)}.{short.group(2)}" if short else None


@cache
def makes_code(cuda: str, capability: str) -> bool | None:
    """Whether a CUDA version makes code that runs on a GPU; None where the capability is in no table.

    Code for 8.6 runs on 8.9: the first version for an older GPU of the same major version is enough.
    """
    rows: Mapping[str, Mapping[str, Any]] = load("images")["capabilities"]
    if capability not in rows:
        return None
    last = rows[capability]["last_major"]
    if last is not None and major(cuda) > last:
        return False
    return any(
        at_least(cuda, row["first"])
        for known, row in rows.items()
        if tables.arch_covers(f"sm_{known.replace('.', '')}", capability)
    )


# --- the table


def _cudas() -> Mapping[str, Mapping[str, Any]]:
    rows: Mapping[str, Mapping[str, Any]] = load("images")["cudas"]
    return rows


def _tag(cuda: str) -> str | None:
    table, row = load("images"), _cudas().get(cuda)
    if row is None:
        return None
    system = next(name for name in table["systems"] if name in row["systems"])
    return f"{table['repository']}:{row['tag']}-{row['cudnn']}-devel-{system}"


def _is_reference(wish: str) -> bool:
    return ":" in wish or "/" in wish or "@" in wish


def gone_from(cuda: str) -> str | None:
    """The month from which NVIDIA may have deleted the tags of a CUDA version; None where it named no end."""
    row = _cudas().get(minor(cuda))
    branch = tables.driver_branch(row["branch"]) if row else None
    if branch is None or branch.eol is None:
        return None
    # a year alone: count from its end
    year, _dash, month = branch.eol.partition("-")
    months = int(year) * 12 + int(month or 12) - 1 + int(load("images")["kept_months"])
    return f"{months // 12:04d}-{months % 12 + 1:02d}"


def _kept(cuda: str) -> bool:
    """Whether its tags are likely to stay: the branch is supported, or they were in use when the table was made."""
    row = _cudas()[cuda]
    branch = tables.driver_branch(row["branch"])
    return row["seen"] is not None or (branch is not None and branch.state == "supported")


def _best(base: Base, torch_cuda: str | None) -> str | None:
    """Of torch's major version, not newer than the driver's own CUDA, still served by NVIDIA, and as torch's."""

    def rank(cuda: str) -> tuple[Any, ...]:
        key = version_key(cuda)
        order = tuple(-part for part in key) if base.above(cuda) else key
        return not base.above(cuda), _kept(cuda), cuda == torch_cuda, order

    fitting = [
        cuda
        for cuda in _cudas()
        if base.runs(cuda)
        and (torch_cuda is None or major(cuda) == major(torch_cuda))
        and all(makes_code(cuda, capability) is not False for capability in base.capabilities)
    ]
    return max(fitting, key=rank, default=None)


# --- in words


def _why(base: Base, cuda: str, torch_cuda: str | None) -> Text:
    fits = say("the image serves these GPUs")
    if torch_cuda is not None:
        fits = say("CUDA of the same major version as torch's ({cuda})", cuda=torch_cuda)
    if base.driver is None:
        return say("{fits}; the driver is not known", fits=fits)
    values = {"fits": fits, "driver": base.driver, "own": base.cuda}
    if base.above(cuda):
        return say(
            "{fits}; driver {driver} brings CUDA {own} and runs it by compatibility within a major version", **values
        )
    return say("{fits}, and not newer than CUDA {own} of driver {driver}", **values)


def _why_wished(base: Base, cuda: str) -> Text:
    if not base.cards:
        return say("asked for; there is no NVIDIA GPU here")
    if base.driver is None:
        return say("asked for; whether the driver runs CUDA {cuda} is not known", cuda=cuda)
    strange = [card for card in base.cards if card.capability is None]
    if strange:
        return say(
            "asked for; driver {driver} runs CUDA {cuda}, whether {gpus} does is not known",
            driver=base.driver,
            cuda=cuda,
            gpus=named(strange),
        )
    return say(
        "asked for; driver {driver} runs CUDA {cuda}, which makes code for the GPUs", driver=base.driver, cuda=cuda
    )


def _above(base: Base, cuda: str) -> list[Text]:
    if not base.above(cuda):
        return []
    return [
        say(
            "the image has CUDA {cuda}, driver {driver} brings {own}: code made at run time (PTX) fails",
            cuda=cuda,
            driver=base.driver,
            own=base.cuda,
        )
    ]


def _fading(base: Base, cuda: str, reference: str) -> list[Text]:
    """NVIDIA deletes old tags; an own registry does not."""
    row = _cudas().get(minor(cuda))
    if row is None or not reference.startswith(f"{load('images')['repository']}:"):
        return []
    branch, month = tables.driver_branch(row["branch"]), gone_from(cuda)
    if month is not None and base.today is not None and base.today >= month:
        return [
            say(
                "NVIDIA may have deleted {image} since {month} (six months after driver branch {branch} ended): keep a"
                " copy in a registry of yours",
                image=reference,
                month=month,
                branch=row["branch"],
            )
        ]
    if branch is not None and branch.state == "eol":
        return [
            say(
                "driver branch {branch} has ended, and NVIDIA deletes {image} six months after that: keep a copy in a"
                " registry of yours",
                image=reference,
                branch=row["branch"],
            )
        ]
    return []


# --- what was refused, in words


def _hold_driver(base: Base, cuda: str) -> None:
    if base.driver is None or base.runs(cuda):
        return
    floor = tables.min_driver_for_cuda(cuda)
    values = {"cuda": cuda, "floor": floor, "driver": base.driver}
    if floor is None:
        raise RefusedError("image", say("no driver is known for CUDA {cuda} of the image", cuda=cuda), _nearest(base))
    reason = say("the image has CUDA {cuda}, which needs driver {floor} or newer; the driver is {driver}", **values)
    nearest = _nearest(base)
    if all(makes_code(cuda, capability) is not False for capability in base.capabilities):
        nearest += base.other_driver(cuda)
    raise RefusedError("image", reason, nearest)


def _hold_gpus(base: Base, cuda: str) -> None:
    lacking = [card for card in base.cards if card.capability and makes_code(cuda, card.capability) is False]
    if not lacking:
        return
    last = load("images")["capabilities"][lacking[0].capability]["last_major"]
    values = {"cuda": cuda, "gpus": named(lacking)}
    if last is not None and major(cuda) > last:
        reason = say(
            "CUDA {cuda} of the image has dropped {gpus}; the last that makes code for it is CUDA {last}",
            last=last,
            **values,
        )
    else:
        first = max((_first(str(card.capability)) for card in lacking), key=version_key)
        reason = say(
            "CUDA {cuda} of the image makes no code for {gpus}; the first that does is CUDA {first}",
            first=first,
            **values,
        )
    raise RefusedError("image", reason, _nearest(base))


def _first(capability: str) -> str:
    return str(load("images")["capabilities"][capability]["first"])


def _nearest(base: Base) -> list[Nearest]:
    """The image that the plan would choose by itself; it needs no torch to be right for GPUs and driver."""
    cuda = _best(base, None)
    if cuda is None:
        return []
    return [Nearest(say("the image {image}", image=_tag(cuda)), {"plan_cuda_image": _tag(cuda)})]
