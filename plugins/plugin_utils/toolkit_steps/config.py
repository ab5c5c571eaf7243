# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether values for the toolkit's config.toml can be meant: key and type, from the table of its keys."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import data
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

PATH = "/etc/nvidia-container-runtime/config.toml"
_WORDS = {"bool": say("true or false"), "str": say("a text"), "list": say("a list of texts")}


def refusal(config: Mapping[str, Any]) -> Text | None:
    """One sentence for the first key that cannot stand there; None where all can."""
    for key, value in config.items():
        found = _refused(str(key), value)
        if found is not None:
            return found
    return None


def _refused(key: str, value: Any) -> Text | None:
    table = data.load("toolkit_config")
    kind = table["keys"].get(key)
    if kind is None:
        near = difflib.get_close_matches(key, table["keys"], 1)
        hint = say("Did you mean {key}?", key=near[0]) if near else say("docs/toolkit.md lists the keys.")
        return say(
            "nvidia_container_toolkit_config: {key} is no key of the toolkit's config.toml. {hint}", key=key, hint=hint
        )
    if value is None:
        return None
    if not _fits(kind, value):
        return say(
            "nvidia_container_toolkit_config: {key} must be {kind}, not {value} ({type}).",
            key=key,
            kind=_WORDS[kind],
            value=repr(value),
            type=type(value).__name__,
        )
    words = table["choices"].get(key)
    if words and value not in words:
        return say(
            "nvidia_container_toolkit_config: {key} must be one of {words}, not {value}.",
            key=key,
            words=words,
            value=repr(value),
        )
    return None


def _fits(kind: str, value: Any) -> bool:
    if kind == "bool":
        # a template gives a text
        return isinstance(value, bool) or str(value) in ("True", "False", "true", "false")
    if kind == "list":
        return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
    return isinstance(value, str)


def right(config: Mapping[str, Any], stamp: str, files: Mapping[str, Any], values: Any) -> bool:
    """Whether the file holds the values already, and no key of ours that is not wished any more.

    files: the facts' files. values: the file as the facts read it, flat, by dotted key; None where they did not.
    """
    found = files.get(PATH) or {}
    known = found.get("stamp")
    if not config:
        return known in (None, "")
    if known == stamp and found.get("as_written") is True:
        return True
    if not isinstance(values, Mapping) or known not in (None, stamp):
        return False
    return all(key in values and values[key] == _plain(key, value) for key, value in config.items())


def _plain(key: str, value: Any) -> Any:
    kind = data.load("toolkit_config")["keys"].get(key)
    return str(value).lower() == "true" if kind == "bool" and value is not None else value
