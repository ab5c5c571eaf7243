# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan is made of: choices with reasons, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, render, say


@dataclass(frozen=True)
class Choice:
    """One decision of the plan. `value` is plain data; None: nothing of that kind is needed."""

    id: str
    title: Text
    value: Any
    reason: Text

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.id, **_both("title", self.title), "value": self.value, **_both("reason", self.reason)}


@dataclass(frozen=True)
class Nearest:
    """A choice that would work in place of a refused one: a text, and the inputs that make it."""

    text: Text
    vars: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {**_both("text", self.text), "vars": dict(self.vars)}

    def with_vars(self) -> Text:
        """The text and the inputs that make it, as they are given on a command line."""
        values = {name: "true" if value is True else value for name, value in self.vars.items()}
        given = " ".join(f"{name}={value}" for name, value in values.items())
        return say("{text} ({given})", text=self.text, given=given) if given else self.text


class RefusedError(Exception):
    """What is wished cannot work on this machine. `rung` names the step of the version ladder that breaks."""

    def __init__(self, rung: str, reason: Text, nearest: Sequence[Nearest] = ()) -> None:
        super().__init__(str(reason))
        self.rung = rung
        self.reason = reason
        self.nearest = tuple(nearest)

    def as_dict(self) -> dict[str, Any]:
        return {
            "rung": self.rung,
            **_both("reason", self.reason),
            "nearest": [choice.as_dict() for choice in self.nearest],
        }


def _both(name: str, text: Text) -> dict[str, str]:
    """A text in both languages, as reports hold it."""
    return {name: str(render(text, "en")), f"{name}_zh": str(render(text, "zh"))}
