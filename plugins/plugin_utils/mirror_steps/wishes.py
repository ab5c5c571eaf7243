# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role mirrors was asked for, read from its inputs; whatever has the wrong form becomes a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _proxy_url as proxy_url
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.addresses import (
    has_password,
    is_address,
    shown,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

AUTO, OFFICIAL, CUSTOM, SITE = "auto", "official", "custom", "site"
OFFLINE, NONE = "offline", "none"
POLICIES = ("official", "official_then_mirror", "mirror")
SPARSE = "sparse+"
# hours: how old a mirror may be, where the catalogue does not say; how long a choice is kept
MEASURE = {"max_age_hours": 48, "ttl_hours": 168}
# What mirror_info accepts, refused here before anything runs; a test holds both equal
MEASURE_RANGES: Mapping[str, tuple[float, float]] = {
    "seconds": (0.1, 60),
    "bytes": (4096, 2**28),
    "parallel": (1, 32),
    "min_gain": (0, 100),
    "ttl_hours": (0.01, 24 * 366),
    "max_age_hours": (1, 24 * 366),
}
_EXAMPLE = "https://mirror.example.org/debian"
_PROXY = say(
    "an http, https or socks5 address without a path; signs such as / and @ in a password are written as %2F and %40"
)


def _template(url: str) -> str:
    """An address of one's own as one that can be judged: cargo's prefix and the field of torch taken away."""
    return url.removeprefix(SPARSE).replace("{cuda}", "cuda")


@dataclass(frozen=True)
class Wish:
    """For one service. kind: auto, official, site or custom. named: the inventory says it for this very service."""

    kind: str = OFFICIAL
    site: str = ""
    urls: tuple[str, ...] = ()
    named: bool = False


@dataclass(frozen=True)
class Wishes:
    """The inputs. `mistakes`: sentences about those that cannot be used."""

    state: str = "present"
    preset: str = NONE
    site: Wish = field(default_factory=Wish)
    sites: Mapping[str, Wish] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    catalogue: Any = None
    security_policy: str = "official"
    failover: bool = True
    measure: Mapping[str, Any] = field(default_factory=dict)
    intranet: bool = True
    proxy: Mapping[str, str] = field(default_factory=dict)
    no_proxy: tuple[str, ...] = ()
    mirrors_by_proxy: bool = False
    ca_bundle: str = ""
    registries: bool = False
    huggingface: bool = False
    user_files: tuple[str, ...] = ()
    apt_url: str = ""
    apt_security_url: str = ""
    pip_index_url: str = ""
    pip_trusted_host: str = ""
    mistakes: tuple[Text, ...] = ()

    def addresses(self) -> list[tuple[str, str]]:
        """All addresses of one's own: input, address."""
        own = [
            ("mirrors_apt_url", self.apt_url),
            ("mirrors_apt_security_url", self.apt_security_url),
            ("mirrors_pip_index_url", self.pip_index_url),
        ]
        own += [(f"mirrors_sites.{name}", url) for name, wish in self.sites.items() for url in wish.urls]
        return [(name, url) for name, url in own if url]


class _Reader:
    """Takes inputs one by one and notes what is wrong with them."""

    def __init__(self, inputs: Any) -> None:
        given = inputs if isinstance(inputs, Mapping) else {}
        self.inputs = {str(name).removeprefix("mirrors_"): value for name, value in given.items()}
        self.mistakes: list[Text] = []
        if given is not inputs:
            self.mistakes.append(say("the inputs of the role mirrors must be a mapping"))

    def wrong(self, name: str, value: Any, wanted: str | Text) -> None:
        self.mistakes.append(
            say("mirrors_{name}: {value} is not {wanted}", name=name, value=shown(value)[:200], wanted=wanted)
        )

    def text(self, name: str, default: str = "") -> str:
        value = self.inputs.get(name)
        if value is None or value == "":
            return default
        if not isinstance(value, str):
            self.wrong(name, value, say("a text"))
            return default
        return value

    def one_of(self, name: str, known: tuple[str, ...]) -> str:
        value = self.text(name, known[0])
        if value not in known:
            self.wrong(name, value, say("one of {known}", known=list(known)))
            return known[0]
        return value

    def url(self, name: str) -> str:
        value = self.text(name)
        if value and not is_address(value):
            self.wrong(name, value, say("an address such as {example}", example=_EXAMPLE))
            return ""
        return "" if self.has_password(name, value) else value

    def has_password(self, name: str, url: str) -> bool:
        if has_password(url):
            self.mistakes.append(
                say(
                    "mirrors_{name}: {url} holds a password, which every user of the host could read; put it into "
                    "/etc/apt/auth.conf.d or ~/.netrc",
                    name=name,
                    url=shown(url),
                )
            )
            return True
        return False

    def flag(self, name: str, default: bool) -> bool:
        value = self.inputs.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.wrong(name, value, say("true or false"))
            return default
        return value

    def words(self, name: str) -> tuple[str, ...]:
        value = self.inputs.get(name) or []
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
            self.wrong(name, value, say("a list of texts"))
            return ()
        return tuple(dict.fromkeys(value))

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self.inputs.get(name) or {}
        if not isinstance(value, Mapping):
            self.wrong(name, value, say("a mapping"))
            return {}
        return value

    def wish(self, name: str, value: Any, named: bool) -> Wish:
        if value in (AUTO, OFFICIAL):
            return Wish(str(value), named=named)
        urls = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        if urls and all(isinstance(url, str) and is_address(_template(url)) for url in urls):
            return (
                Wish(named=named)
                if any(self.has_password(name, url) for url in urls)
                else Wish(CUSTOM, "", urls, named)
            )
        if isinstance(value, str) and value and "/" not in value:
            return Wish(SITE, value, named=named)
        self.wrong(name, value, say("auto, official, a site, or an address such as {example}", example=_EXAMPLE))
        return Wish(named=named)


def read(inputs: Any) -> Wishes:
    """The wishes of the role's inputs, with or without mirrors_ in front of their names."""
    given = _Reader(inputs)
    site = given.wish("site", given.text("site", AUTO), False)
    if site.kind == CUSTOM:
        given.wrong("site", site.urls[0], say("auto, official or a site; addresses belong into mirrors_sites"))
        site = Wish()
    sites = {
        str(name): given.wish(f"sites.{name}", value, True)
        for name, value in given.mapping("sites").items()
        if value is not None and value != ""
    }
    proxy, no_proxy, by_proxy = _proxy(given)
    return Wishes(
        state=given.one_of("state", ("present", "absent")),
        preset=given.text("preset", NONE),
        site=site,
        sites=sites,
        services=given.words("services"),
        candidates=given.words("candidates"),
        catalogue=given.inputs.get("catalogue"),
        security_policy=given.one_of("security_policy", POLICIES),
        failover=given.flag("failover", True),
        measure=_measure(given),
        intranet=given.one_of("intranet", (AUTO, "never")) == AUTO,
        proxy=proxy,
        no_proxy=no_proxy,
        mirrors_by_proxy=by_proxy,
        ca_bundle=given.text("ca_bundle"),
        registries=given.flag("third_party_registries", False),
        huggingface=given.flag("huggingface", False),
        user_files=given.words("user_files"),
        apt_url=given.url("apt_url"),
        apt_security_url=given.url("apt_security_url"),
        pip_index_url=given.url("pip_index_url"),
        pip_trusted_host=given.text("pip_trusted_host"),
        mistakes=tuple(given.mistakes),
    )


def _measure(given: _Reader) -> Mapping[str, Any]:
    found = given.mapping("measure")
    for name, value in found.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        low, high = MEASURE_RANGES.get(name, (0, 0))
        if name not in MEASURE_RANGES:
            given.wrong("measure", name, say("one of {known}", known=list(MEASURE_RANGES)))
        elif value is not None and (not number or not low <= value <= high):
            given.wrong(f"measure.{name}", value, say("a number from {low} to {high}", low=low, high=high))
    return {} if given.mistakes else {name: value for name, value in found.items() if value is not None}


def _proxy(given: _Reader) -> tuple[Mapping[str, str], tuple[str, ...], bool]:
    found = given.mapping("proxy")
    known = ("http", "https", "no_proxy", "for_mirrors")
    for name in found:
        if name not in known:
            given.wrong("proxy", name, say("one of {known}", known=list(known)))
    inner = _Reader({f"proxy.{name}": value for name, value in found.items()})
    urls = {name: inner.text(f"proxy.{name}") for name in ("http", "https")}
    for name, url in urls.items():
        if url and proxy_url.mistake(url):
            inner.wrong(f"proxy.{name}", proxy_url.shown(url), _PROXY)
    no_proxy = found.get("no_proxy") or []
    if isinstance(no_proxy, str):
        no_proxy = [word.strip() for word in no_proxy.split(",") if word.strip()]
    if not isinstance(no_proxy, (list, tuple)) or not all(isinstance(one, str) for one in no_proxy):
        inner.wrong("proxy.no_proxy", no_proxy, say("a list of texts"))
        no_proxy = []
    by_proxy = inner.flag("proxy.for_mirrors", False)
    given.mistakes += inner.mistakes
    return urls, tuple(no_proxy), by_proxy
