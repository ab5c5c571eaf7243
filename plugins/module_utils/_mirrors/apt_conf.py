# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of our own for apt: the proxy, and how long apt waits for a mirror.

Tried with apt 2.6: apt reads its configuration as root and hands it to its methods, which run as _apt, so a file
with mode 0600 works. An ordinary user's apt-cache prints one line "W: Unable to read" for it and goes on. The user name
and password are percent-decoded. /etc/apt/auth.conf.d covers a proxy, too (machine http://HOST), but would also be
sent to an archive on that host, so the credentials stay in the proxy's address. Of the environment, no_proxy counts
also for a proxy of this file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PROXY_PATH = "/etc/apt/apt.conf.d/95gpuready-proxy"
TRANSPORT_PATH = "/etc/apt/apt.conf.d/95gpuready-mirrors"
OWN = True
HEAD = "// Written by gpuready\n"
_BAD = re.compile(r"[\0-\x1f\x7f\"\\]")
_HOST = re.compile(r"[A-Za-z0-9_.-]+")


class AptConfError(ValueError):
    """A wish cannot be written for apt."""


def proxy_mode(wish: Mapping[str, Any]) -> int:
    """0600 for a proxy with credentials."""
    return 0o600 if any("@" in str(wish.get(kind) or "") for kind in ("http", "https")) else 0o644


def proxy(wish: Mapping[str, Any]) -> str:
    """The whole file 95gpuready-proxy, empty without a wish: http, https (addresses), direct (hosts without proxy)."""
    addresses = {kind: str(wish.get(kind) or "") for kind in ("http", "https")}
    if not any(addresses.values()):
        return ""
    lines = [_line(f"Acquire::{kind}::Proxy", url or "DIRECT") for kind, url in addresses.items()]
    for host in wish.get("direct") or []:
        if not _HOST.fullmatch(host):
            raise AptConfError(f"{host!r} is no host, and apt knows nothing else that needs no proxy")
        lines += [_line(f"Acquire::{kind}::Proxy::{host}", "DIRECT") for kind in addresses]
    return HEAD + "".join(lines)


def transport(wish: Mapping[str, Any]) -> str:
    """The whole file 95gpuready-mirrors, empty without a wish: retries, timeout (seconds), ca_bundle (a file)."""
    lines = []
    if wish.get("retries") is not None:
        lines.append(_line("Acquire::Retries", str(int(wish["retries"]))))
    if wish.get("timeout"):
        lines += [_line(f"Acquire::{kind}::Timeout", str(int(wish["timeout"]))) for kind in ("http", "https")]
    if wish.get("ca_bundle"):
        lines.append(_line("Acquire::https::CAInfo", str(wish["ca_bundle"])))
    return HEAD + "".join(lines) if lines else ""


def _line(name: str, value: str) -> str:
    if _BAD.search(value):
        raise AptConfError(f"the value of {name} holds a quote, a backslash or a control character")
    return f'{name} "{value}";\n'
