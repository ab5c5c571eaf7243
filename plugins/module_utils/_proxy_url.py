# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the address of a proxy may be, and how one is shown: modules and the roles' early refusals ask here. Pure.

An address has to be one that all readers take alike. Tried with a password that holds a raw "@": Python and apt 2.6
take the last one as its end, curl 7.88 refuses the address, and wget 1.21 asks for a host of half the password, and
prints it.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

SCHEMES = ("http", "https", "socks5", "socks5h")
# Go takes no address with "^" or "|" in a password; the others end a line, a word or a quote in some file
_BAD = re.compile(r"[^!-~]|[\"'\\`$#<>^|]")


def mistake(url: str) -> str:
    """What is wrong with an address, in words that follow it; empty for one that all readers take alike."""
    if _BAD.search(url):
        return "holds a blank, a quote or a sign for shells; write it as %XX"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "has no valid host or port"
    if parts.scheme not in SCHEMES or not host:
        return "is no address such as http://proxy.example.org:3128"
    if port == 0:
        return "has no valid host or port"
    if parts.netloc.count("@") > 1:
        return "holds @ twice; one in a password is written as %40"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return "has a path; a sign such as / in a password is written as %2F"
    return ""


def shown(url: str) -> str:
    """An address for a message. It has no path, so all before the last "@" is a name or a password, whatever signs it
    holds, and also where the scheme was forgotten.
    """
    head, mark, rest = url.rpartition("@")
    scheme, slashes, _rest = head.partition("://")
    return (scheme + slashes if slashes else "") + "***@" + rest if mark else url
