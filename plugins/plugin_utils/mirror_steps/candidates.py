# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which site offers a service for a machine, and where it can be measured. Order is that of the preset."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.addresses import host
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.catalogue import OFFICIAL, Catalogue
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.machine import Machine

_FIELD = re.compile(r"\{(\w+)\}")
INTRANET = "-intranet"
# the index of torch is one folder a CUDA; the candidate is measured at the first
CUDA = "cuda"


@dataclass(frozen=True)
class Offer:
    """A service of a site. url: without fields, except {cuda}. hosts: which answer for it."""

    site: str
    url: str
    entry: Mapping[str, Any] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    direct: bool = False

    @property
    def unconfirmed(self) -> bool:
        return bool(self.entry.get("unconfirmed"))


def filled(template: str, words: Mapping[str, str]) -> str | None:
    """The template with its fields; None where one is not known for this machine."""
    if any(name not in words for name in _FIELD.findall(template)):
        return None
    return _FIELD.sub(lambda match: words[match.group(1)], template)


def joined(url: str, path: str) -> str:
    return url.rstrip("/") + "/" + path.lstrip("/") if path else url


def applies(service: Mapping[str, Any], machine: Machine) -> bool:
    """Whether the service is for such a machine: distribution and architecture, never the address in use."""
    wanted: Mapping[str, Any] = service.get("for") or {}
    there = {"ids": machine.id, "families": machine.family, "architectures": machine.arch}
    if any(there[name] not in values for name, values in wanted.items() if name in there):
        return False
    return machine.codename not in (service.get("old_codenames") or [])


def entries(catalogue: Catalogue, name: str, machine: Machine) -> Mapping[str, Mapping[str, Any]]:
    """The entries of a service by site. The security pocket of Ubuntu has those of its architecture's archive."""
    service = catalogue["services"][name]
    own: Mapping[str, Mapping[str, Any]] = service.get("sites") or {}
    of = service.get("of") or {}
    table = catalogue["services"].get(of.get(machine.arch) or of.get("*")) or {}
    mine = {site: entry for site, entry in own.items() if _serves(entry, machine)}
    return {**(table.get("sites") or {}), **mine}


def _serves(entry: Mapping[str, Any], machine: Machine) -> bool:
    there = {"codenames": machine.codename, "architectures": machine.arch}
    return all(value in entry[name] for name, value in there.items() if name in entry)


@dataclass(frozen=True)
class Desk:
    """What an offer depends on beside the catalogue. vendor: of the cloud; plain: its http hosts for everything."""

    catalogue: Catalogue
    machine: Machine
    vendor: str = ""
    plain: bool = False
    max_age_hours: float | None = None

    def offers(self, name: str, sites: Sequence[str], states: Sequence[str] = ("alive",)) -> list[Offer]:
        """The offers of these sites in their order, the intranet host of the own cloud before its public one."""
        if name == "docker-registry":
            return list(self._registries())
        service = self.catalogue["services"].get(name) or {}
        if not applies(service, self.machine):
            return []
        known = entries(self.catalogue, name, self.machine)
        return [
            offer
            for site in dict.fromkeys(sites)
            if site in known and known[site].get("state") in states and _serves(known[site], self.machine)
            for offer in self._of_site(name, service, site, known[site])
        ]

    def _of_site(self, name: str, service: Mapping[str, Any], site: str, entry: Mapping[str, Any]) -> Iterator[Offer]:
        if name == "conda" and "conda-forge" not in (entry.get("channels") or ["conda-forge"]):
            return
        about: Mapping[str, Any] = self.catalogue["sites"].get(site) or {}
        intranet: Mapping[str, Any] = about.get("intranet") or {}
        # plain http is no loss where what comes is signed; for the rest the preset of the cloud must say so
        if intranet and site == self.vendor and "path" in entry and (self.plain or service.get("signed")):
            base = intranet["base"]
            yield Offer(site + INTRANET, base + entry["path"], entry, (host(base), *intranet.get("also", [])), True)
        url = entry.get("url") or str(about.get("base") or "") + str(entry.get("path") or "")
        hosts = [host(url), *(about.get("redirects_to") or []), *(entry.get("redirects_to") or [])]
        yield Offer(site, url, entry, tuple(dict.fromkeys(hosts)), bool(about.get("direct")))

    def _registries(self) -> Iterator[Offer]:
        for one in self.catalogue["registry_mirrors"]:
            near = one.get("state") == "intranet" and one.get("vendor") == self.vendor != ""
            if one.get("state") == "alive" or near:
                yield Offer(host(one["url"]), one["url"], one, (host(one["url"]),), True)

    def measured(self, name: str, offers: Sequence[Offer]) -> list[dict[str, Any]]:
        """The candidates of a service as mirror_info takes them."""
        service = self.catalogue["services"][name]
        found = [self._candidate(name, service, offer) for offer in offers if not offer.entry.get("unmeasured")]
        # one entry a site: two entries of one name would be told apart by nobody
        return list({one["site"]: one for one in reversed(found) if one is not None}.values())[::-1]

    def _candidate(self, name: str, service: Mapping[str, Any], offer: Offer) -> dict[str, Any] | None:
        probe = dict(service.get("probe") or {})
        if self.machine.rhel:
            probe.update(service.get("probe_rhel") or {})
        probe.update(offer.entry.get("probe") or {})
        words = {**self.machine.words(), CUDA: str((service.get("cudas") or ["cpu"])[0])}
        path, url = filled(str(probe.get("path") or ""), words), filled(offer.url, words)
        if path is None or url is None:
            return None
        sample = filled(str((service.get("sample") or {}).get("path") or ""), words)
        age = service.get("max_age_hours")
        return {
            "site": offer.site,
            "url": offer.url,
            "probe_url": joined(url, path),
            "sample_url": joined(url, sample) if sample else "",
            "kind": offer.entry.get("kind") or probe.get("kind") or service["kind"],
            "max_age_hours": None if age is None else (self.max_age_hours or age),
            "accept_redirect_to": [one for one in offer.hosts if one != host(offer.url)],
        }


def key(candidates: Mapping[str, Any]) -> str:
    """sha256 of what is asked: another catalogue or wish measures anew."""
    text = json.dumps(candidates, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def sites_of(catalogue: Catalogue, name: str, machine: Machine, preferred: Sequence[str]) -> list[str]:
    """Who is asked for a service: the sites of the preset, for a service without one all that have it, and the own."""
    service = catalogue["services"][name]
    known = list(entries(catalogue, name, machine))
    found = [site for site in (known if service.get("opt_in") else preferred) if site != OFFICIAL]
    return [*found, OFFICIAL]
