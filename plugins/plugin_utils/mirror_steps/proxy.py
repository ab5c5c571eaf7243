# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts are reached without the proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.addresses import host
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.candidates import Offer

# endings that no public host has (RFC 6761, RFC 6762, RFC 8375, ICANN's "internal")
_PRIVATE = (".local", ".internal", ".lan", ".home.arpa", ".localdomain", ".intranet", ".corp")


def no_proxy(always: Iterable[str], offers: Iterable[Offer], own: Iterable[str], more: Iterable[str]) -> list[str]:
    """Hosts for no_proxy, each once: this machine and metadata, the user's, one's own near addresses, mirrors nearby.

    offers: of all sites that may be chosen, so that the list does not change with each choice. own: one's addresses.
    Only names and single addresses: curl before 7.86 and wget know no networks.
    """
    mirrors = sorted({name for offer in offers if offer.direct for name in offer.hosts})
    near = [name for name in map(host, own) if is_near(name)]
    return list(dict.fromkeys(_clean([*always, *more, *near, *mirrors])))


def _clean(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        text = name.strip()
        # a comma or a blank would make two entries of one
        if text and not any(mark in text for mark in ", \t\n\r\"'"):
            yield text


def is_near(name: str) -> bool:
    """Whether a host can only be in one's own network: a private address, or a name that no public one has."""
    if not name:
        return False
    try:
        return ipaddress.ip_address(name).is_private
    except ValueError:
        return "." not in name or name.endswith(_PRIVATE)
