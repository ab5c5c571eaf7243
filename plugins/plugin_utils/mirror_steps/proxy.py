# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts are reached without the proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.addresses import host
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.candidates import Offer
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.catalogue import builtin

_HERE = ("localhost", "127.0.0.1", "::1")
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


def shared(wish: Any, addresses: Any = ()) -> dict[str, str]:
    """A wish {http, https, no_proxy, for_mirrors} as other roles hand it on: http, https, no_proxy (with commas).

    addresses: what is fetched there. Those among them that the catalogue knows as nearby, and those that can only be
    near, are reached past the proxy, as with the role mirrors. Empty without a proxy.
    """
    wish = wish if isinstance(wish, Mapping) else {}
    found = {name: str(wish.get(name) or "").strip() for name in ("http", "https")}
    if not any(found.values()):
        return {}
    more = wish.get("no_proxy")
    words = more.split(",") if isinstance(more, str) else map(str, more if isinstance(more, (list, tuple)) else [])
    names = [name for name in map(host, map(str, addresses or ())) if name]
    mirrors = set() if wish.get("for_mirrors") or not names else _nearby()
    near = [name for name in names if is_near(name) or name in mirrors]
    found["no_proxy"] = ",".join(dict.fromkeys(_clean([*words, *_HERE, *near])))
    return {name: value for name, value in found.items() if value}


def _nearby() -> set[str]:
    """Hosts of the catalogue's own sites that a proxy abroad would only slow down."""
    table = builtin()
    direct = {name: site for name, site in table["sites"].items() if site.get("direct")}
    entries = [entry for service in table["services"].values() for entry in service["sites"].items()]
    urls = [str(entry.get("url") or "") for name, entry in entries if name in direct]
    urls += [str(one["url"]) for one in table["registry_mirrors"]]
    found = {host(url) for url in urls}
    for site in direct.values():
        intranet = site.get("intranet") or {}
        found |= {host(str(one.get("base") or "")) for one in (site, intranet)}
        found |= {*site.get("also", []), *intranet.get("also", [])}
    return found - {""}


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
