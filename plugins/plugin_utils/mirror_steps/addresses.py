# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses: which are well formed, which hosts they name, and how they are shown."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.scrub import USERINFO

_WEB = re.compile(r"https?://[^\s\"'<>\\^`|]+")
_OTHER = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:/[^\s\"'<>\\^`|]+")


def is_web(value: Any) -> bool:
    """Whether this is an http or https address with a host, and nothing in it that could end a line or a quote."""
    if not isinstance(value, str) or not value.isascii() or not _WEB.fullmatch(value):
        return False
    try:
        found = urlsplit(value)
        return bool(found.hostname) and (found.port is None or found.port > 0)
    except ValueError:
        return False


def is_address(value: Any) -> bool:
    """Whether this may be an address of one's own: http, https, or what apt and dnf know besides, such as file:."""
    return is_web(value) or (isinstance(value, str) and value.isascii() and bool(_OTHER.fullmatch(value)))


def has_password(url: str) -> bool:
    return USERINFO.search(url) is not None


def host(url: str) -> str:
    """The host in lower case, without user, password and port; empty where there is none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def shown(url: Any) -> str:
    """The address for a message: without user and password."""
    return USERINFO.sub("***", str(url))


def below(url: str, prefix: str) -> bool:
    """Whether an address lies at or below another one; the scheme does not matter."""
    return f"{_bare(url)}/".startswith(f"{_bare(prefix)}/")


def _bare(url: str) -> str:
    found = url.partition("://")[2]
    name = host(url)
    path = found.partition("/")[2]
    return f"{name}/{path}".rstrip("/")
