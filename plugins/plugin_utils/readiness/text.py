# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that people read, in their language.

A text is an English template and its values. The English template is its own key; `data/messages/zh/*.yml` hold the
Chinese ones. A contract test reads all `say("...")` calls and compares them with the catalogues.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import FOLDER, load

_CHINESE_BLANK = re.compile(r"(?<=[\u4e00-\u9fff，。：；、（）]) (?=[\u4e00-\u9fff，。：；、（）])")
LANGUAGES = ("en", "zh")
MESSAGES = FOLDER / "messages"


def catalogue(language: str) -> Mapping[str, str]:
    """English template -> template in `language`; empty for English. Raises KeyError for an unknown language."""
    if language not in LANGUAGES:
        raise KeyError(language)
    found: Mapping[str, str] = load(f"messages/{language}") if language != "en" else {}
    return found


@dataclass(frozen=True)
class Text:
    """An English template in the syntax of str.format, with named fields only, and the values to put in."""

    template: str
    args: Mapping[str, Any] = field(default_factory=dict)

    def into(self, language: str) -> str:
        """The text in a language, values that are texts included; in English where the catalogue lacks it."""
        template = catalogue(language).get(self.template, self.template)
        said = template.format(**{name: render(value, language) for name, value in self.args.items()})
        # templates set a blank beside a value, which may turn out to be Chinese, too
        return _CHINESE_BLANK.sub("", said) if language == "zh" else said

    def __str__(self) -> str:
        return self.into("en")


def say(template: str, /, **args: Any) -> Text:
    """A text for people. `template` must be a literal, so that the contract test finds it."""
    return Text(template, args)


def render(value: Any, language: str) -> Any:
    """A Text in a language, a list of them joined by commas; anything else as it is."""
    if isinstance(value, Text):
        return value.into(language)
    if isinstance(value, (list, tuple)):
        return ("、" if language == "zh" else ", ").join(str(render(item, language)) for item in value)
    return value


def names(values: Sequence[Any], limit: int = 6) -> Text:
    """A list for a message, cut where it gets long."""
    shown = list(values[:limit])
    rest = len(values) - limit
    return say("{shown} and {count} more", shown=shown, count=rest) if rest > 0 else say("{shown}", shown=shown)


def counted_gpus(count: int) -> Text:
    return say("{count} GPU", count=count) if count == 1 else say("{count} GPUs", count=count)


def said(item: Mapping[str, Any], name: str, language: str) -> str:
    """A text of a report in a language, in English where there is no other."""
    return str((language == "zh" and item.get(f"{name}_zh")) or item.get(name) or "")
