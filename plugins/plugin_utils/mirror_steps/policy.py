# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before anything changes, and what the role says beside its work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps import choice, wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.addresses import below, host, shown
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.candidates import applies
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.catalogue import Catalogue
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.choice import Choice, Chooser
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say


def refusals(asked: Wishes, catalogue: Catalogue) -> Iterator[Text]:
    """Sentences about what cannot be done at all."""
    yield from asked.mistakes
    yield from _unknown(asked, catalogue)
    named = [asked.site, *asked.sites.values()]
    if asked.preset == wishes.OFFLINE and (asked.candidates or any(wish.kind == wishes.SITE for wish in named)):
        yield say(
            "mirrors_preset is offline, which asks no site, but a site is named; give addresses of your own in "
            "mirrors_sites, or another preset"
        )
    by_choice = [name for name in asked.services if name not in ("huggingface", "docker-registry")]
    nobody = asked.preset == wishes.NONE and not asked.candidates and asked.site.kind == wishes.AUTO
    if nobody and any(not catalogue["services"].get(name, {}).get("opt_in") for name in by_choice):
        yield say(
            "mirrors_services names {names}, but nothing says among which sites to choose; set mirrors_preset, "
            "mirrors_site or mirrors_candidates",
            names=names(by_choice),
        )
    yield from _third_parties(asked)


def _unknown(asked: Wishes, catalogue: Catalogue) -> Iterator[Text]:
    sites, services, presets = catalogue["sites"], catalogue["services"], catalogue["presets"]
    if asked.preset not in presets:
        yield say("mirrors_preset: {name} is none of {known}", name=asked.preset, known=list(presets))
    named = [("mirrors_site", asked.site.site)] if asked.site.kind == wishes.SITE else []
    named += [("mirrors_candidates", site) for site in asked.candidates]
    named += [
        (f"mirrors_sites.{name}", wish.site)
        for name, wish in asked.sites.items()
        # a mirror of Docker Hub is named by its host
        if wish.kind == wishes.SITE and name != "docker-registry"
    ]
    for where, site in named:
        if site not in sites:
            yield say(
                "{where}: {site} is no site of the catalogue; known are {known}",
                where=where,
                site=site,
                known=sorted(sites),
            )
    named = [("mirrors_services", name) for name in asked.services] + [("mirrors_sites", name) for name in asked.sites]
    for where, name in named:
        if name not in services:
            yield say("{where}: {name} is no service; known are {known}", where=where, name=name, known=list(services))


def _third_parties(asked: Wishes) -> Iterator[Text]:
    """What may carry any bytes, or sees a token, needs a word of its own; an address of one's own does not."""
    flags = {"huggingface": ("mirrors_huggingface", asked.huggingface)}
    flags["docker-registry"] = ("mirrors_third_party_registries", asked.registries)
    for name, (flag, given) in flags.items():
        wish = asked.sites.get(name)
        by_site = wish is not None and wish.kind in (wishes.SITE, wishes.AUTO)
        if not given and (by_site or name in asked.services):
            yield say("{name} would go to a third party; if that is wanted, set {flag} to true", name=name, flag=flag)


def warnings(asked: Wishes, chooser: Chooser, choices: Iterable[Choice]) -> Iterator[Text]:
    """Sentences about what is done otherwise than it may seem."""
    if asked.state != "present":
        return
    chosen = {one.service: one for one in choices}
    yield from _system(chooser)
    yield from _not_from_there(chosen, chooser)
    yield from _security(asked, chooser)
    yield from _gone(asked, chooser)
    yield from _models(chosen, chooser)


def _system(chooser: Chooser) -> Iterator[Text]:
    """A derivative, or a machine of which too little is known, keeps its archive."""
    catalogue, machine = chooser.catalogue, chooser.machine
    archives = [*choice.ARCHIVES, "rocky", "almalinux"]
    if not any(chooser.wanted[name].kind in (wishes.AUTO, wishes.SITE) for name in archives if name in chooser.wanted):
        return
    known = [catalogue["services"][name] for name in archives if name in catalogue["services"]]
    if any(applies(service, machine) for service in known):
        return
    old = any(machine.codename in (service.get("old_codenames") or []) for service in known)
    name = machine.name or "this system"
    if old:
        yield say("{name} has left the mirrors; its package archive stays as the system has it", name=name)
    elif machine.id in ("ubuntu", "debian") and not machine.arch:
        yield say("the architecture of this machine is not known; its package archive stays as it is")
    else:
        yield say("no mirror is known for the package archive of {name}; it stays as the system has it", name=name)


def _not_from_there(chosen: Mapping[str, Choice], chooser: Chooser) -> Iterator[Text]:
    fits = {name for name, service in chooser.catalogue["services"].items() if applies(service, chooser.machine)}
    lacking: dict[str, list[str]] = {}
    for name, one in chosen.items():
        if name in fits and one.why in (choice.NOT_OFFERED, choice.GONE) and one.wished not in ("", wishes.AUTO):
            lacking.setdefault(one.wished, []).append(name)
    for site, services in lacking.items():
        yield say(
            "{site} does not offer {names} to this machine; the system's own stay", site=site, names=names(services, 9)
        )
    nothing = [name for name, one in chosen.items() if one.why == choice.NOTHING]
    if nothing:
        yield say("no mirror answered as it should for {names}; the system's own stay", names=names(nothing, 9))


def _security(asked: Wishes, chooser: Chooser) -> Iterator[Text]:
    for name in choice.SECURITY:
        wish = asked.sites.get(name)
        if wish is not None and wish.kind in (wishes.SITE, wishes.AUTO) and asked.security_policy == "official":
            yield say(
                "mirrors_sites names a site for {name}, but mirrors_security_policy is official: security updates stay "
                "where the distribution publishes them",
                name=name,
            )


def _gone(asked: Wishes, chooser: Chooser) -> Iterator[Text]:
    """Addresses that are still set somewhere, and have been closed."""
    closed = list(_closed(chooser.catalogue))
    for where, url in [*asked.addresses(), *chooser.machine.in_use]:
        for prefix, note in closed:
            if below(url, prefix):
                yield say(
                    "{where}: {url} is a mirror that was given up ({note}); take it out",
                    where=where,
                    url=shown(url),
                    note=note,
                )


def _closed(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for one in [*catalogue["registry_mirrors"], *catalogue["gone"]]:
        if one.get("state") == "gone":
            yield one["url"], _note(one)
    for service in catalogue["services"].values():
        for site, entry in (service.get("sites") or {}).items():
            if entry.get("state") == "gone":
                base = str((catalogue["sites"].get(site) or {}).get("base") or "")
                yield entry.get("url") or base + str(entry.get("path") or ""), _note(entry)


def _note(entry: Mapping[str, Any]) -> str:
    return str(entry.get("note") or entry.get("verified") or "gone")


def _models(chosen: Mapping[str, Choice], chooser: Chooser) -> Iterator[Text]:
    if not chooser.machine.token:
        return
    endpoint = chosen.get("huggingface")
    if endpoint is not None and endpoint.urls:
        yield say(
            "{file} sets a token of Hugging Face, which would be sent to {host}; the endpoint is not set",
            file=chooser.machine.token,
            host=host(endpoint.urls[0]),
        )
