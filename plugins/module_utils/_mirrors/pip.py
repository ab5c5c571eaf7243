# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set single keys in the [global] section of a pip.conf; all other lines stay byte for byte.

pip reads the file with configparser, and takes index_url and Index-Url for index-url. A proxy is not set here: with one
in its file pip asks it for every host and heeds no_proxy no more (tried with pip 23.2), so it comes from the
environment. `cert` names a file with certificates, `timeout` counts seconds, `retries` attempts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import keyed
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.ini import Editor

PATH = "/etc/pip.conf"
SECTION = "global"
MODE = 0o644  # every user's pip reads it


class PipConfError(ValueError):
    """pip could not read the file either; the text says why."""


_EDITOR = Editor(SECTION, PipConfError, lambda name: name.lower().replace("_", "-"), "{key} = {value}", strict=True)


def check(text: str) -> None:
    """Refuse what pip refuses, with the line."""
    _EDITOR.check(text)


def get(text: str, key: str) -> str | None:
    """The value of a key of [global]; None when it is not set."""
    return _EDITOR.get(text, key)


def update(text: str, values: Mapping[str, Any]) -> str:
    """The text with keys of [global] set, or removed where the value is None. An empty value is not set."""
    keyed.filled(values)  # refuses what would end the line
    return _edit(text, values)


def undo(text: str, written: Mapping[str, Any], original: str) -> str:
    """The text without what was written, where it is still as written."""
    return keyed.undo(text, written, original, _edit, get)


def _edit(text: str, values: Mapping[str, Any]) -> str:
    """As `update`; a value of the original may span lines."""
    check(text)
    for key, value in values.items():
        if value != "":
            text = _EDITOR.set(text, key, None if value is None else str(value))
    return text
