# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How values of inputs are shown in refusals, which end up in logs: no secret is ever part of one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _proxy_url as proxy_url

NOT_SHOWN = "the value (not shown)"
SECRET = re.compile(r"(^|_)(password|passphrase|secret|token)s?$")
SHOWN_CHARACTERS = 80


def is_secret(name: str, option: Mapping[str, Any]) -> bool:
    """Whether a value, or a part of it, must not be printed."""
    parts = option.get("options") or {}
    return bool(option.get("no_log") or SECRET.search(name) or any(is_secret(key, parts[key]) for key in parts))


def shown(value: object) -> str:
    """A value as part of a sentence. What is in lists and mappings may be a secret under any name, as may be what
    stands before the "@" of an address.
    """
    if isinstance(value, (Mapping, list, tuple, set)):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    if isinstance(value, str):
        if value.lstrip().startswith(("{", "[")):
            return "a text"  # a list or a mapping that nothing could read as one
        value = proxy_url.shown(value)
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def without_values(text: str, value: object) -> str:
    """What somebody else says of a value, with all in it as `shown` shows it."""
    for part in _parts(value):
        if isinstance(part, str):
            hidden = proxy_url.shown(part)
            text = text.replace(part, hidden).replace(repr(part)[1:-1], repr(hidden)[1:-1]) if hidden != part else text
        elif part:
            text = text.replace(repr(part), shown(part))
    return text


def _parts(value: object) -> Iterator[Any]:
    """All containers and texts, the outer ones first; keys are texts, too."""
    if isinstance(value, (Mapping, list, tuple)):
        yield value
        for item in value:
            yield from _parts(item)
            if isinstance(value, Mapping):
                yield from _parts(value[item])
    elif isinstance(value, str):
        yield value
