# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which torch: release, CUDA of its wheel and index, for these GPUs, this driver and these wishes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.base import Base, at_least, major
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.cards import Card, named
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import Nearest, RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

CPU = "cpu"
# Maxwell, the first that drivers of today serve
OLDEST = "5.0"


@dataclass(frozen=True)
class Wish:
    """What the user asks of torch. cuda: '13.0', 'cpu' or None; major: of the CUDA image that was asked for."""

    release: str | None = None
    cuda: str | None = None
    python: str | None = None
    major: int | None = None


@dataclass(frozen=True)
class Torch:
    """The chosen torch. cuda: '13.0', or None for the index without CUDA."""

    release: str
    cuda: str | None
    why: Text
    why_index: Text
    notes: tuple[Text, ...] = ()

    @property
    def index(self) -> str:
        return f"cu{self.cuda.replace('.', '')}" if self.cuda else CPU


@dataclass(frozen=True)
class _Wheel:
    release: str
    cuda: str
    python_min: str
    archs: tuple[str, ...]

    def serves(self, card: Card) -> bool:
        """A GPU of unknown capability is served by nothing that we know."""
        return card.capability is not None and _covers(self.archs, card.capability)


@cache
def _covers(archs: tuple[str, ...], capability: str) -> bool:
    return any(tables.arch_covers(arch, capability) for arch in archs)


def wish_of(wishes: Wishes, image_cuda: str | None = None) -> Wish:
    asked = cuda_of(wishes.torch_cuda)
    return Wish(
        release=wishes.torch or None,
        cuda=asked,
        python=wishes.python or None,
        major=major(image_cuda) if image_cuda else None,
    )


def cuda_of(text: str) -> str | None:
    """'cu130' and '13.0' -> '13.0'; 'cpu' -> 'cpu'; '' -> None."""
    match = re.fullmatch(r"cu(\d+)(\d)", text)
    return f"{match.group(1)}.{match.group(2)}" if match else text or None


def choose(base: Base, wish: Wish) -> Torch:
    """Raises RefusedError where the wishes cannot be met."""
    if wish.release is not None and tables.torch_release(wish.release) is None:
        return _unknown(base, wish)
    _hold_python(base, wish)
    if wish.cuda == CPU or not (base.cards or wish.cuda):
        return _without_cuda(base, wish)
    return _made(base, wish, _best(base, wish, _narrowed(base, wish)))


# --- which wheels are left


@cache
def _wheels(arch: str | None) -> tuple[_Wheel, ...]:
    """All official wheels with CUDA. An architecture that is not known is taken for the usual one."""
    other: Mapping[str, list[str]] = load("images")["torch_aarch64"]
    found = []
    for release, row in tables.table("torch")["releases"].items():
        for cuda in row["cuda"]:
            archs: Sequence[str] = tables.torch_archs(release, cuda) or ()
            if arch == "aarch64":
                archs = other.get(cuda, ())
            if archs:
                found.append(_Wheel(release, cuda, row["python_min"], tuple(archs)))
    return tuple(found)


def _asked(wish: Wish) -> Callable[[_Wheel], bool]:
    def fits(wheel: _Wheel) -> bool:
        by_release = wish.release is None or _minor(wish.release) == wheel.release
        by_python = wish.python is None or at_least(wish.python, wheel.python_min)
        return by_release and by_python and wish.cuda in (None, wheel.cuda)

    return fits


def _narrowed(base: Base, wish: Wish) -> list[_Wheel]:
    """The wheels that serve wish, GPUs and driver. Raises RefusedError at the rung where none is left."""
    asked = [wheel for wheel in _wheels(base.arch) if _asked(wish)(wheel)]
    if not asked:
        raise RefusedError("torch_index", _no_index(base, wish), _nearest(base, wish))
    # GPUs of which nothing is known cannot choose
    with_code = [wheel for wheel in asked if _served(base, wheel)] if base.capabilities else asked
    if not with_code:
        raise RefusedError("torch_archs", _no_code(base, wish, asked), _nearest(base, wish))
    running = [wheel for wheel in with_code if base.runs(wheel.cuda)]
    if not running:
        raise RefusedError("torch", _old_driver(base, wish, with_code), _nearest(base, wish))
    most = max(_served(base, wheel) for wheel in running)
    return [wheel for wheel in running if _served(base, wheel) == most]


def _served(base: Base, wheel: _Wheel) -> int:
    return sum(wheel.serves(card) for card in base.cards)


def _best(base: Base, wish: Wish, wheels: Sequence[_Wheel]) -> _Wheel:
    """The newest release; in it the newest CUDA that the driver brings itself, else the oldest."""

    def rank(wheel: _Wheel) -> tuple[Any, ...]:
        above = base.above(wheel.cuda)
        cuda = version_key(wheel.cuda)
        # an unknown driver may be an old one; older than for CUDA 12 is not likely
        modest = -max(cuda[0], 12) if base.driver is None and base.cards else 0
        # for a GPU that may be old, the wheels that serve the oldest
        cautious = not any(card.maybe_old for card in base.cards) or _covers(wheel.archs, OLDEST)
        fits_image = wish.major is None or cuda[0] == wish.major
        order = tuple(-part for part in cuda) if above else cuda
        return cautious, fits_image, modest, version_key(wheel.release), not above, order

    return max(wheels, key=rank)


def _minor(release: str) -> str:
    return ".".join(release.split(".")[:2])


# --- what was chosen, in words


def _made(base: Base, wish: Wish, wheel: _Wheel) -> Torch:
    release = wish.release or wheel.release
    missed = [card for card in base.cards if card.capability is not None and not wheel.serves(card)]
    strange = [card for card in base.cards if card.capability is None]
    notes = []
    if missed:
        values = {"release": release, "cuda": wheel.cuda, "gpus": named(missed)}
        notes.append(say("torch {release} for CUDA {cuda} has no code for {gpus}, only for the other GPUs", **values))
    if strange:
        notes.append(say("it is not known which code {gpus} runs; torch is chosen without it", gpus=named(strange)))
    return Torch(release, wheel.cuda, _why(base, wish, wheel), _why_index(base, wheel), tuple(notes))


def _why(base: Base, wish: Wish, wheel: _Wheel) -> Text:
    values = {"release": wheel.release, "python": wheel.python_min}
    if wish.release:
        return say("asked for; it needs Python {python} or newer", python=wheel.python_min)
    if not base.cards:
        return say("the newest release for this CUDA; it needs Python {python} or newer", **values)
    if not base.capabilities:
        return say("the newest release that the driver runs; it needs Python {python} or newer", **values)
    cards = [card for card in base.cards if wheel.serves(card)]
    if base.driver is None:
        return say(
            "the newest release with code for {gpus} that asks least of the driver, which is not known;"
            " it needs Python {python} or newer",
            gpus=named(cards),
            **values,
        )
    return say(
        "the newest release with code for {gpus} that driver {driver} runs; it needs Python {python} or newer",
        gpus=named(cards),
        driver=base.driver,
        **values,
    )


def _why_index(base: Base, wheel: _Wheel) -> Text:
    values = {"cuda": wheel.cuda, "floor": tables.min_driver_for_cuda(wheel.cuda), "driver": base.driver}
    if base.driver is None:
        return say("wheels of CUDA {cuda} need driver {floor} or newer", **values)
    if base.above(wheel.cuda):
        return say(
            "driver {driver} brings CUDA {own} and runs wheels of CUDA {cuda} by compatibility within a major version",
            own=base.cuda,
            **values,
        )
    return say("driver {driver} brings CUDA {own}, not older than {cuda} of the wheels", own=base.cuda, **values)


def _without_cuda(base: Base, wish: Wish) -> Torch:
    rows: Mapping[str, Mapping[str, Any]] = tables.table("torch")["releases"]
    fitting = [name for name, row in rows.items() if wish.python is None or at_least(wish.python, row["python_min"])]
    release = wish.release or max(fitting, key=version_key)
    why = say("asked for") if wish.release else say("the newest release")
    if base.cards:
        return Torch(release, None, why, say("asked for: torch without CUDA leaves the GPUs unused"))
    return Torch(release, None, why, say("there is no NVIDIA GPU here: wheels without CUDA are smaller"))


def _unknown(base: Base, wish: Wish) -> Torch:
    """A release that the table does not have: neither refused nor promised."""
    why = say(
        "asked for; this release is not in our table of {date}: whether it runs here is not known",
        date=tables.table("torch")["date"],
    )
    if wish.cuda:
        cuda = None if wish.cuda == CPU else wish.cuda
        return Torch(wish.release or "", cuda, why, say("asked for; not known for this release"), (why,))
    try:
        guess = choose(base, replace(wish, release=None))
    except RefusedError:
        guess = _without_cuda(base, wish)
    reason = say("as for torch {release}; not known for this release", release=guess.release)
    return Torch(wish.release or "", guess.cuda, why, reason, (why,))


# --- what was refused, in words


def _hold_python(base: Base, wish: Wish) -> None:
    """Every release has an oldest Python."""
    rows: Mapping[str, Mapping[str, Any]] = tables.table("torch")["releases"]
    asked = [_minor(wish.release)] if wish.release else list(rows)
    python = wish.python
    if python is None or any(at_least(python, rows[name]["python_min"]) for name in asked):
        return
    oldest = min(asked, key=lambda name: version_key(rows[name]["python_min"]))
    values = {"release": wish.release or oldest, "floor": rows[oldest]["python_min"], "python": python}
    reason = say("torch {release} needs Python {floor} or newer, and Python {python} is asked for", **values)
    found: list[Nearest] = []
    for newer in sorted({row["python_min"] for row in rows.values()}, key=version_key):
        if _possible(base, replace(wish, python=newer)) is not None:
            found.append(Nearest(say("Python {python}", python=newer), {"plan_python": newer}))
            break
    other = _possible(base, replace(wish, release=None)) or _possible(base, replace(wish, release=None, cuda=None))
    raise RefusedError("python", reason, [*found, *([other] if other else [])])


def _possible(base: Base, wish: Wish) -> Nearest | None:
    """What a wish would come to; None where nothing meets it."""
    if wish.cuda == CPU or not (base.cards or wish.cuda):
        rows: Mapping[str, Mapping[str, Any]] = tables.table("torch")["releases"]
        asked = [_minor(wish.release)] if wish.release else list(rows)
        fitting = [name for name in asked if wish.python is None or at_least(wish.python, rows[name]["python_min"])]
        newest = max(fitting, key=version_key, default=None)
        given = {"plan_torch": newest, "plan_torch_cuda": CPU}
        return None if newest is None else Nearest(say("torch {release} without CUDA", release=newest), given)
    wheel = _works(base, wish)
    return None if wheel is None else _as_nearest(wheel)


def _no_index(base: Base, wish: Wish) -> Text:
    row = tables.torch_release(wish.release)
    if base.arch == "aarch64":
        return say("no CUDA wheel of torch for aarch64 is known that is as asked for ({wish})", wish=_words(wish))
    if row is not None:
        return say(
            "torch {release} has no wheel for CUDA {cuda}; it has {there}",
            release=wish.release,
            cuda=wish.cuda,
            there=list(row["cuda"]),
        )
    return say("no torch is known that is as asked for ({wish})", wish=_words(wish))


def _no_code(base: Base, wish: Wish, wheels: Sequence[_Wheel]) -> Text:
    archs = {arch for wheel in wheels for arch in wheel.archs}
    targets = sorted(archs, key=lambda arch: (int(re.sub(r"\D", "", arch)), arch))
    return say(
        "{wish} has no code for {gpus}: its wheels are for {targets}",
        wish=_words(wish),
        gpus=named([card for card in base.cards if card.capability is not None]),
        targets=targets,
    )


def _old_driver(base: Base, wish: Wish, wheels: Sequence[_Wheel]) -> Text:
    cuda = min((wheel.cuda for wheel in wheels), key=version_key)
    values = {"wish": _words(wish), "cuda": cuda, "floor": tables.min_driver_for_cuda(cuda), "driver": base.driver}
    if base.fixed:
        return say(
            "{wish} is built with CUDA {cuda}, which needs driver {floor} or newer; driver {driver} is not this"
            " machine's to change",
            **values,
        )
    return say(
        "{wish} is built with CUDA {cuda}, which needs driver {floor} or newer; the driver is {driver}", **values
    )


def _words(wish: Wish) -> Text:
    """What was asked for."""
    what = say("torch {release}", release=wish.release) if wish.release else say("torch")
    if wish.cuda:
        what = say("{what} for CUDA {cuda}", what=what, cuda=wish.cuda)
    return say("{what} on Python {python}", what=what, python=wish.python) if wish.python else what


def _nearest(base: Base, wish: Wish) -> list[Nearest]:
    """What works in place: the release with another CUDA, the CUDA with another release, both free; a newer driver."""
    tries = [replace(wish, cuda=None), replace(wish, release=None), replace(wish, cuda=None, release=None)]
    found: dict[tuple[str, str], Nearest] = {}
    for other in tries[: 2 if wish.release and wish.cuda else 3]:
        wheel = _works(base, other)
        if wheel is not None:
            found.setdefault((wheel.release, wheel.cuda), _as_nearest(wheel))
    if not found and (wheel := _works(base, tries[2])) is not None:
        found[wheel.release, wheel.cuda] = _as_nearest(wheel)
    return [*found.values(), *_newer_driver(base, wish)]


def _as_nearest(wheel: _Wheel) -> Nearest:
    text = say("torch {release} for CUDA {cuda}", release=wheel.release, cuda=wheel.cuda)
    return Nearest(text, {"plan_torch": wheel.release, "plan_torch_cuda": f"cu{wheel.cuda.replace('.', '')}"})


def _newer_driver(base: Base, wish: Wish) -> list[Nearest]:
    """Where only the driver stands against the wish."""
    wheel = None if base.driver is None else _works(replace(base, driver=None, cuda=None), wish)
    return [] if wheel is None or base.runs(wheel.cuda) else base.other_driver(wheel.cuda)


def _works(base: Base, wish: Wish) -> _Wheel | None:
    wheels = [wheel for wheel in _wheels(base.arch) if _asked(wish)(wheel) and base.runs(wheel.cuda)]
    full = [wheel for wheel in wheels if all(wheel.serves(card) for card in base.cards if card.capability is not None)]
    return _best(base, wish, full) if full else None
