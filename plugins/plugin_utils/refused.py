# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a refusal ends, in the language of its sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, render, say

# what a role removes, as its refusal calls it
_REMOVED: Mapping[str, Text] = {"driver": say("the driver"), "engine": say("the engine"), "toolkit": say("the toolkit")}


def nothing_changed(sentences: Any, language: str = "en") -> str:
    """A sentence, or a list of them, texts or ready, with what a user asks next; '' where there is none."""
    several = sentences if isinstance(sentences, Sequence) and not isinstance(sentences, str) else [sentences]
    reasons = ("" if language == "zh" else " ").join(str(render(one, language)) for one in several if one)
    return str(render(say("{reasons} Nothing was changed.", reasons=reasons), language)) if reasons else ""


def reason(error: Exception, language: str = "en") -> str:
    """What an error says, which may have been raised with a text."""
    first = error.args[0] if error.args else None
    return str(render(first, language)) if isinstance(first, Text) else str(error)


def goes_along(packages: Sequence[str], removed: str, language: str = "en") -> str:
    """Why something is not removed with which packages of others would go; '' where there are none."""
    if not packages:
        return ""
    return say(
        "{packages} of this host would go with {removed}. Nothing was changed. Remove what you no longer need of them "
        "first.",
        packages=list(packages),
        removed=_REMOVED[removed],
    ).into(language)
