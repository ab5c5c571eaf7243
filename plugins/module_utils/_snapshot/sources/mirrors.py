# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which package mirrors were measured from this host, as mirror_info remembers them, and which are set."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import mirrors

_CAP = 1024 * 1024
# written by package_mirrors
ADDRESSES = "/var/lib/gpuready/mirror-addresses.json"


def section(host: Host) -> dict[str, Any] | None:
    """Return the memory; None where nothing was measured, or it cannot be read."""
    found = None
    with host.probes.watch("mirrors", mirrors.PATH):
        found = mirrors.parse(host.read_bytes(mirrors.PATH, _CAP).decode("utf-8"))
    return found


def addresses(host: Host) -> dict[str, str]:
    """The addresses by service that package_mirrors was told for other roles; none where there is no such file."""
    found: dict[str, str] = {}
    if not host.exists(ADDRESSES):
        return found
    with host.probes.watch("mirror_addresses", ADDRESSES):
        said = json.loads(host.read_bytes(ADDRESSES, _CAP).decode("utf-8"))
        if not isinstance(said, dict):
            raise ValueError("not an object")
        found = {str(name): url for name, url in said.items() if isinstance(url, str)}
    return found
