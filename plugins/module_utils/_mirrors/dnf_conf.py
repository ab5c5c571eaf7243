# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of [main] in /etc/dnf/dnf.conf: the proxy and the certificates.

dnf.conf(5): proxy is an address without credentials, which stand in proxy_username and proxy_password, not
percent-encoded. There is no list of hosts without proxy: libcurl reads the variable no_proxy, and a repository may say
proxy=_none_. With a password the file is for root alone; dnf then refuses to run for others, also `dnf list`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import keyed
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.ini import Editor

PATH = "/etc/dnf/dnf.conf"
KEYS = ("proxy", "proxy_username", "proxy_password", "sslcacert", "timeout", "retries")


class DnfConfError(ValueError):
    """The file or a wish is nothing that dnf could read; the text names the line."""


_EDITOR = Editor("main", DnfConfError, str.strip, "{key}={value}", strict=False)


def mode(wish: Mapping[str, Any]) -> int | None:
    """0600 for a file with a password, else as it is."""
    return 0o600 if wish.get("proxy_password") else None


def update(text: str, wish: Mapping[str, Any]) -> str:
    """The text with keys of [main] set: proxy, proxy_username, proxy_password, sslcacert, timeout, retries."""
    unknown = [key for key in wish if key not in KEYS]
    if unknown:
        raise DnfConfError(f"{unknown[0]} is no key that is set here; known are {', '.join(KEYS)}")
    return _edit(text, dict(keyed.filled(wish)))


def undo(text: str, written: Mapping[str, Any], original: str) -> str:
    """The text without what was written, where it is still as written."""
    return keyed.undo(text, written, original, _edit, _EDITOR.get)


def get(text: str, key: str) -> str | None:
    """The value of a key of [main]; None when it is not set."""
    return _EDITOR.get(text, key)


def _edit(text: str, values: keyed.Values) -> str:
    _EDITOR.check(text)
    for key, value in values.items():
        text = _EDITOR.set(text, key, value)
    return text
