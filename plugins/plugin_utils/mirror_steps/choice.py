# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which address each service gets: one's own, that of a named site, or the best of those that were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import candidates as offered
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.candidates import Desk, Offer
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.catalogue import OFFICIAL, Catalogue
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.wishes import (
    AUTO,
    CUSTOM,
    NONE,
    OFFLINE,
    SITE,
    Wish,
    Wishes,
)

SCHEMA = "gpuready.mirrors/1"
# as many as apt or dnf are given to fall back to, before the system's own
FAILOVER = 3
SECURITY = ("ubuntu-security", "debian-security")
ARCHIVES = ("ubuntu", "ubuntu-ports", "debian")
REPOSITORIES = ("rocky", "almalinux", "epel")
# what a site that is named without services is used for
USUAL = "china"
# why a service stays with the system's own
WISHED, PENDING, NOTHING, NOT_OFFERED, GONE, OWN_BEST = (
    "wished",
    "pending",
    "nothing",
    "not_offered",
    "gone",
    "own_best",
)


@dataclass(frozen=True)
class Choice:
    """site: official, custom or a site; urls: in the order of use, none for official; why: a word for official."""

    service: str
    site: str = OFFICIAL
    urls: tuple[str, ...] = ()
    why: str = WISHED
    wished: str = ""


class Chooser:
    """Answers for one machine. `candidates`: what must have been measured for that."""

    def __init__(self, catalogue: Catalogue, machine: Machine, wishes: Wishes) -> None:
        self.catalogue, self.machine, self.wishes = catalogue, machine, wishes
        self.preset: Mapping[str, Any] = catalogue["presets"].get(wishes.preset) or {}
        vendor = str(self.preset.get("vendor") or "")
        near = (vendor or machine.vendor) if wishes.intranet else ""
        age = wishes.measure.get("max_age_hours")
        self.desk = Desk(catalogue, machine, near, bool(vendor), age)
        self.wanted = {name: self._wish(name) for name in catalogue["services"]}
        self.candidates = self._candidates()
        self.key = offered.key(self.candidates) if self.candidates else ""
        self.memory = self._memory()
        self.measure = bool(self.candidates) and self.memory is None

    # -- what is wished -----------------------------------------------------------------------------------------
    def _wish(self, name: str) -> Wish:
        own = self._custom(name)
        if own:
            return Wish(CUSTOM, CUSTOM, (own,), True)
        said = self.wishes.sites.get(name)
        if said is not None and said.kind == CUSTOM:
            # one inventory for machines of all kinds: what is for another distribution does not count here
            return said if offered.applies(self.catalogue["services"][name], self.machine) else Wish()
        if self.wishes.preset == OFFLINE or (name in SECURITY and self.wishes.security_policy == OFFICIAL):
            return Wish()
        if said is not None:
            return said
        if name in SECURITY:
            # the pocket goes with its archive
            return self.wishes.site if any(map(self.switched, ARCHIVES)) else Wish()
        return self.wishes.site if self.switched(name) else Wish()

    def _custom(self, name: str) -> str:
        if name == "pypi":
            return self.wishes.pip_index_url
        if not offered.applies(self.catalogue["services"][name], self.machine):
            return ""
        return self.wishes.apt_url if name in ARCHIVES else self.wishes.apt_security_url if name in SECURITY else ""

    def switched(self, name: str) -> bool:
        """Whether the service takes part in the choice: named, or by the preset."""
        if name == "huggingface" or name == "docker-registry":
            flag = self.wishes.huggingface if name == "huggingface" else self.wishes.registries
            return flag and self.wishes.preset != OFFLINE
        if self.wishes.services:
            return name in self.wishes.services
        named = self.wishes.site.kind == SITE and self.wishes.preset == NONE
        usual = self.catalogue["presets"].get(USUAL) or {} if named else self.preset
        return name in (usual.get("services") or [])

    # -- what is measured ---------------------------------------------------------------------------------------
    def _sites(self, name: str) -> list[str]:
        wished = self.wishes.candidates or self.preset.get("sites") or []
        if self.wishes.candidates:
            return [*wished, OFFICIAL]
        found = offered.sites_of(self.catalogue, name, self.machine, wished)
        vendor = str(self.preset.get("vendor") or "")
        # inside a vendor's cloud its own hosts are asked alone for what they have
        mine = self.desk.offers(name, [vendor]) if vendor else []
        return [vendor, OFFICIAL] if mine and not all(offer.unconfirmed for offer in mine) else found

    def offers(self, name: str) -> list[Offer]:
        return self.desk.offers(name, self._sites(name))

    def _candidates(self) -> dict[str, list[dict[str, Any]]]:
        if self.wishes.state != "present":
            return {}
        found = {}
        for name, wish in self.wanted.items():
            entries = self.desk.measured(name, self.offers(name)) if wish.kind == AUTO else []
            # the system's own alone is no choice
            if any(one["site"] != OFFICIAL for one in entries):
                found[name] = entries
        return found

    def _memory(self) -> Mapping[str, Any] | None:
        """What was measured for just these candidates and still holds, by service."""
        memory, expires = self.machine.memory, self.machine.memory.get("expires_at")
        if memory.get("schema") != SCHEMA or memory.get("key") != self.key or not self.key:
            return None
        if not isinstance(expires, (int, float)) or self.machine.now is None or self.machine.now >= expires:
            return None
        services = memory.get("services")
        return services if isinstance(services, Mapping) else None

    # -- what is chosen -----------------------------------------------------------------------------------------
    def choose(self) -> list[Choice]:
        if self.wishes.state != "present":
            return [Choice(name) for name in self.wanted]
        return [self._choice(name, wish) for name, wish in self.wanted.items()]

    def _choice(self, name: str, wish: Wish) -> Choice:
        if wish.kind == CUSTOM:
            return Choice(name, CUSTOM, wish.urls, WISHED, CUSTOM)
        if wish.kind == SITE:
            return self._of_site(name, wish)
        if wish.kind == AUTO:
            return self._measured(name)
        return Choice(name)

    def _of_site(self, name: str, wish: Wish) -> Choice:
        states = ("alive", "campus") if wish.named else ("alive",)
        found = self.desk.offers(name, [wish.site], states)
        if name == "docker-registry":
            found = [offer for offer in found if offer.site == wish.site]
        urls = tuple(offer.url for offer in found if wish.named or not offer.unconfirmed)
        if urls:
            return Choice(name, wish.site, urls, WISHED, wish.site)
        entry = offered.entries(self.catalogue, name, self.machine).get(wish.site) or {}
        return Choice(name, why=GONE if entry.get("state") == "gone" else NOT_OFFERED, wished=wish.site)

    def _measured(self, name: str) -> Choice:
        if name not in self.candidates:
            return Choice(name, why=NOT_OFFERED, wished=AUTO)
        if self.memory is None:
            return Choice(name, why=PENDING, wished=AUTO)
        known = {offer.url: offer.site for offer in self.offers(name)}
        ranked = [url for url in _urls(self.memory.get(name)) if url in known]
        # the system's own comes last of itself: what was slower is no better
        sites = [known[url] for url in ranked]
        ahead = ranked[: sites.index(OFFICIAL)] if OFFICIAL in sites else ranked
        if not ahead:
            return Choice(name, why=OWN_BEST if ranked else NOTHING, wished=AUTO)
        return Choice(name, known[ahead[0]], tuple(ahead[:FAILOVER]), WISHED, AUTO)


def _urls(remembered: Any) -> Sequence[str]:
    found = remembered.get("urls") if isinstance(remembered, Mapping) else None
    return [url for url in found if isinstance(url, str)] if isinstance(found, (list, tuple)) else []
