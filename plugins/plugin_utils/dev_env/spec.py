# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one specification of a development environment: the variables dev_*, with defaults and of the right types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import containers, shapes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env import problems as rules
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.schema import (
    PREFIX,
    Notes,
    entries,
    options,
    shown,
)

FLAVOURS = ("base", "runtime", "devel")
# where the environment is made; files: only written down, for CNB or as a devcontainer
TARGETS = ("container", "inplace", "files")


def normalise(given: Mapping[str, Any], plan: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The whole specification of what was given, with or without dev_ in front of the names at the top.

    Never raises: what is wrong is replaced by its default, and `problems` says so. With a plan (`gpuready.plan/1`) the
    flavour, the image and the build of torch are filled in where the specification leaves them open; do that last,
    after `expand`, since each container may have its own.
    """
    spec = _read(given, Notes())
    return spec if plan is None else _resolved(spec, plan)


def expand(given: Mapping[str, Any], plan: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """A whole specification for each container; one where none is named. Its `containers` is empty."""
    return [normalise(one, plan) for one in containers.expand(normalise(given))]


def problems(given: Mapping[str, Any], target: str = "container", third_party_registry: bool = False) -> list[str]:
    """What is wrong with a specification, as given or normalised: one sentence each, none with a secret in it.

    target: one of TARGETS. third_party_registry: the engine of the host takes images from mirrors of others.
    Rules between values are only judged once each value by itself is right.
    """
    return mistakes(given) or list(dict.fromkeys(_broken_rules(normalise(given), target, third_party_registry)))


def mistakes(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with single values, whatever the others are: one sentence each."""
    notes = Notes()
    spec = _read(given, notes)
    # a value of the wrong type is not in the specification any more: of its variable nothing else can be said
    told = {_variable(text) for text in notes.sentences}
    single = [*shapes.mistakes(spec), *_names(spec)]
    return notes.sentences + [text for text in single if _variable(text) not in told]


def _variable(sentence: str) -> str:
    return re.split(r"[.:\[]", sentence, maxsplit=1)[0]


def warnings(given: Mapping[str, Any], target: str = "container") -> list[str]:
    """What works, and is probably not meant: one sentence each."""
    if problems(given, target):
        return []
    specs = expand(given)
    found = [text for one in specs for text in rules.warnings(one)]
    if target == "container":
        found += containers.shared_gpus(specs)
    return list(dict.fromkeys(found))


def _names(spec: Mapping[str, Any]) -> Iterator[str]:
    """Each of several containers has a name, and no other one has it."""
    seen: dict[str, int] = {}
    for number, one in enumerate(spec["containers"]):
        name = one.get("name")
        if name is None:
            yield f"dev_containers[{number}].name: it is missing; each container must have one"
        elif name in seen:
            yield f"dev_containers[{number}].name: {name} is that of dev_containers[{seen[name]}]; give each its own"
        else:
            seen[name] = number


def _broken_rules(spec: Mapping[str, Any], target: str, third_party_registry: bool) -> Iterator[str]:
    """Sentences of all containers; what is wrong in some of several only, names them."""
    specs = containers.expand(spec)
    checks = rules.COMMON + (rules.CONTAINER if target == "container" else ())
    broken: dict[str, list[str]] = {}
    for one in specs:
        for text in (text for check in checks for text in check(one)):
            broken.setdefault(text, []).append(one["name"])
        if target == "container" and third_party_registry and not one["base"]["digest"]:
            broken.setdefault(rules.no_digest("images come from registry mirrors of others"), []).append(one["name"])
    for text, names in broken.items():
        yield text if len(names) == len(specs) else f"{text} (container {', '.join(names)})"
    if target == "container":
        yield from containers.clashes(specs)


def _read(given: Any, notes: Notes) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        notes.add("dev_*", f"{shown(given, True)} must be a mapping")
        given = {}
    bare = {key.removeprefix(PREFIX) if isinstance(key, str) else key: value for key, value in given.items()}
    return entries(PREFIX, options(), bare, notes, True)


def flavour(spec: Mapping[str, Any]) -> str:
    """The flavour of NVIDIA's image that a specification needs."""
    return str(spec["base"]["flavour"]) or ("devel" if spec["source_builds"] else "base")


def _resolved(spec: dict[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    """With the choices of the plan where nothing was said."""
    spec["base"]["flavour"] = flavour(spec)
    image, index = (_choice(plan, name) for name in ("cuda_image", "torch_index"))
    if image and not spec["base"]["image"]:
        spec["base"]["image"] = with_flavour(image, spec["base"]["flavour"])
    if index and spec["torch"]["backend"] == "auto":
        spec["torch"]["backend"] = index
    return spec


def _choice(plan: Mapping[str, Any], name: str) -> str:
    choices = plan.get("choices")
    found = [one.get("value") for one in choices or [] if isinstance(one, Mapping) and one.get("id") == name]
    return found[0] if found and isinstance(found[0], str) else ""


def with_flavour(image: str, wanted: str) -> str:
    """The image of another flavour; the plan's own have cuDNN and compilers, which torch's wheels do not need."""
    name, colon, tag = image.rpartition(":")
    words = tag.split("-")
    place = next((number for number, word in enumerate(words) if word in FLAVOURS), None)
    if place is None or "@" in image or "/" in tag:
        return image
    kept = [word for word in words[1:place] if not word.startswith("cudnn")]
    return f"{name}{colon}{'-'.join([words[0], *kept, wanted, *words[place + 1 :]])}"
