# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of mirrors, and what an inventory lays over it.

`data/mirrors.yml` leaves out what repeats itself: state "alive" and the source of the service. `builtin` fills it in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import schema
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load

INVENTORY = "inventory"
OFFICIAL = "official"

Catalogue = Mapping[str, Any]


@cache
def builtin() -> Catalogue:
    """Our own table with all defaults filled in. Do not change it."""
    raw = load("mirrors")
    read = {name: str(one["read"]) for name, one in raw["sources"].items()}
    return {
        **raw,
        "sites": {name: _dated(site, site, read) for name, site in raw["sites"].items()},
        "services": {name: _service(service, read) for name, service in raw["services"].items()},
        "registry_mirrors": [_dated(one, one, read) for one in raw["registry_mirrors"]],
        "gone": [_dated({**one, "state": "gone"}, one, read) for one in raw["gone"]],
    }


def _service(service: Mapping[str, Any], read: Mapping[str, str]) -> dict[str, Any]:
    return {**service, "sites": {name: _dated(entry, service, read) for name, entry in service["sites"].items()}}


def _dated(entry: Mapping[str, Any], parent: Mapping[str, Any], read: Mapping[str, str]) -> dict[str, Any]:
    source = entry.get("source") or parent["source"]
    return {"state": "alive", "source": source, "verified": read.get(source, ""), **entry}


def merged(extension: Any) -> Catalogue:
    """The catalogue with the inventory's laid over it; raises schema.CatalogueError.

    Mappings are merged, null takes an entry out, anything else replaces. Lists of addresses are merged by address.
    """
    if not extension:
        return builtin()
    own = schema.read(extension)
    base = builtin()
    sites = _laid(base["sites"], own["sites"], {"state": "alive", "source": INVENTORY, "verified": "", "direct": True})
    services = {
        name: {**service, "sites": {site: entry for site, entry in service["sites"].items() if site in sites}}
        for name, service in _services(base["services"], own["services"]).items()
    }
    presets = {
        name: {
            **preset,
            "sites": [site for site in preset.get("sites") or [] if site in sites],
            "services": [service for service in preset.get("services") or [] if service in services],
        }
        for name, preset in _laid(base["presets"], own["presets"], {}).items()
    }
    lists = {name: _by_address(base[name], own[name]) for name in ("registry_mirrors", "gone")}
    schema.refuse_strangers(own, sites, services)
    return {**base, "sites": sites, "services": services, "presets": presets, **lists}


def _laid(below: Mapping[str, Any], above: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Entries over entries. new: what one has that was not there before."""
    found = {name: entry for name, entry in below.items() if above.get(name, entry) is not None}
    for name, entry in above.items():
        if entry is not None:
            found[name] = {**_without_other_address(below.get(name) or new, entry), **entry}
    return found


def _without_other_address(former: Mapping[str, Any], entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """An entry has a path or an address of its own: the inventory's one takes the place of both."""
    both = {"url", "path"}
    return {key: value for key, value in former.items() if not (both & set(entry) and key in both)}


def _services(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    new = {"source": INVENTORY, "sites": {}, "probe": {"path": ""}, "sample": {"path": None}, "opt_in": True}
    entry = {"state": "alive", "source": INVENTORY, "verified": ""}
    found = _laid(below, above, new)
    for name, service in above.items():
        if service is not None:
            former = (below.get(name) or {}).get("sites") or {}
            found[name]["sites"] = _laid(former, service.get("sites") or {}, entry)
    return found


def _by_address(below: Sequence[Mapping[str, Any]], above: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    new = {"state": "alive", "source": INVENTORY, "verified": "", "trust": "own"}
    former = {one["url"]: one for one in below}
    return list({**former, **{one["url"]: {**former.get(one["url"], new), **one} for one in above}}.values())
