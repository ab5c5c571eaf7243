# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts of texts and settings are secret: what a diff hides, what Ansible masks, which file is for root alone."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

HIDDEN = "***"
# Up to the last "@": a password that was not percent-encoded may hold "@" and "/". A whole host name before
# the first "/" makes an "@" behind it one of the path (https://HOST/@scope), with a port only right behind a "/": for
# HOST:8080/x@y may be USER:PASSWORD@HOST. Bounded: a long text without "@" would take quadratic time.
USERINFO = re.compile(
    r"(?<=://)(?!(?:\[[^\s\"'\]]{0,99}\](?::\d+)?|[^\s\"'/@:]*)/)(?![^\s\"'/@:]*:\d+/(?:[^\s\"'@]{0,999}/)?@)"
    r"[^\s\"']{0,999}(?=@)"
)

# Names whose value is a secret: HF_TOKEN, _authToken, proxy_password, OPENAI_API_KEY, Authorization. A bare "key" is
# none (gpgkey, signed-by-key are files and addresses), nor is a group of settings ("auths": {).
_NAMED = re.compile(
    r"(?<![\w.-])([\w.-]*(?:token|passw(?:or)?d|passphrase|secret|credential|(?:api|access|private|account|_)[_-]?key"
    r"|authorization|(?<![a-z])_?auth(?![a-z]))[\w.-]*[\"']?[ \t]*(?:=|:(?=[ \t\"']))[ \t]*)"
    r"(\"(?:[^\"\\\n]|\\.)+\"|'[^'\n]+'|[^\s\"'{\[][^\"'\n]*)",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """A text of any file without credentials in URLs and without the values of names such as HF_TOKEN."""
    return redact_url(_NAMED.sub(_hidden, text))


def _hidden(found: re.Match[str]) -> str:
    quote = found[2][0] if found[2][0] in "\"'" else ""
    return f"{found[1]}{quote}{HIDDEN}{quote}"


def redact_url(text: str) -> str:
    """Hide user name and password in every URL of a text."""
    return USERINFO.sub(HIDDEN, text)


def found_in(value: Any) -> bool:
    """Whether an address with a user name, a token or a password stands in a value, at any depth."""
    return any(True for _userinfo in _userinfos(value))


def secrets_in(value: Any) -> set[str]:
    """Passwords and tokens in addresses, at any depth: what must not be printed, as written and decoded."""
    found: set[str] = set()
    for userinfo in _userinfos(value):
        _user, colon, password = userinfo.partition(":")
        if colon:
            found |= {userinfo, password, unquote(password)}
        elif len(userinfo) >= 8:
            found.add(userinfo)  # a token; a short name such as git would be masked in the middle of words
    # one or two letters would be masked in the middle of every other word
    return {secret for secret in found if len(secret) > 2}


def _userinfos(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [userinfo for item in value.values() for userinfo in _userinfos(item)]
    if isinstance(value, list):
        return [userinfo for item in value for userinfo in _userinfos(item)]
    return [userinfo for userinfo in USERINFO.findall(value) if userinfo] if isinstance(value, str) else []
