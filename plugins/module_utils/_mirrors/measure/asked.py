# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked: candidates by service, and the limits of one measurement. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

KINDS = ("inrelease", "simple", "json", "repodata", "file", "registry", "html")
_SERVICE = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_URL = re.compile(r"[a-z][a-z0-9+.-]*:/\S+")
_KEYS = frozenset(
    {
        "site",
        "url",
        "urls",
        "probe_url",
        "sample_url",
        "kind",
        "max_age_hours",
        "accept_redirect_to",
        "architecture",
        "arch_url",
    }
)


class AskedError(ValueError):
    """A candidate cannot be measured; the text is one sentence for the user."""


@dataclass(frozen=True)
class Candidate:
    """One site's offer of one service. max_age_hours None: the limit of the measurement."""

    service: str
    site: str
    urls: tuple[str, ...]
    probe_url: str
    sample_url: str = ""
    kind: str = "file"
    max_age_hours: float | None = None
    accept_redirect_to: tuple[str, ...] = ()
    architecture: str = ""
    arch_url: str = ""

    @property
    def url(self) -> str:
        return self.urls[0]


@dataclass(frozen=True)
class Limits:
    """budget: seconds for everything; seconds, bytes: of the sample of one host; parallel: hosts at the same time."""

    budget: float = 8.0
    seconds: float = 3.0
    bytes: int = 4 * 1024 * 1024
    parallel: int = 4


def host_of(url: str) -> str:
    """The host of an address, in lower case: it is what must not be asked twice at the same time."""
    return (urlsplit(url).hostname or "").lower()


def digest(candidates: Mapping[str, Any]) -> str:
    """The key of a wish for which the controller gave none."""
    text = json.dumps(candidates, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read(raw: Mapping[str, Any]) -> list[Candidate]:
    """All candidates in the order given; refuses the first that cannot be measured."""
    found: list[Candidate] = []
    for service, entries in raw.items():
        if not isinstance(service, str) or not _SERVICE.fullmatch(service):
            raise AskedError(f"candidates: {service!r} is no name of a service, such as pypi or docker-ce")
        if isinstance(entries, (str, Mapping)) or not isinstance(entries, Sequence):
            raise AskedError(f"candidates: {service} must be a list of sites, not {type(entries).__name__}")
        found += [_candidate(service, number, entry) for number, entry in enumerate(entries, 1)]
        sites = [candidate.site for candidate in found if candidate.service == service]
        twice = sorted({site for site in sites if sites.count(site) > 1})
        if twice:
            raise AskedError(f"candidates: {service} names {twice[0]} twice; give one entry more than one of its urls")
    return found


def _candidate(service: str, number: int, entry: Any) -> Candidate:
    where = f"candidates: entry {number} of {service}"
    if not isinstance(entry, Mapping):
        raise AskedError(f"{where} must be a mapping with site, url, probe_url and kind")
    unknown = sorted(str(key) for key in entry if key not in _KEYS)
    if unknown:
        raise AskedError(f"{where} has the unknown key {unknown[0]}; known are {', '.join(sorted(_KEYS))}")
    urls = entry.get("urls") or ([entry["url"]] if entry.get("url") else [])
    urls = _listed(urls)
    if not urls:
        raise AskedError(f"{where} has no url")
    kind = entry.get("kind") or "file"
    if kind not in KINDS:
        raise AskedError(f"{where}: kind {kind!r} is none of {', '.join(KINDS)}")
    site = str(entry.get("site") or "")
    if not _SITE.fullmatch(site):
        raise AskedError(f"{where}: site {site!r} is no name")
    return Candidate(
        service=service,
        site=site,
        urls=tuple(_address(where, "url", url) for url in urls),
        probe_url=_address(where, "probe_url", entry.get("probe_url"), web=True),
        sample_url=_address(where, "sample_url", entry.get("sample_url"), web=True) if entry.get("sample_url") else "",
        kind=str(kind),
        max_age_hours=_hours(where, entry.get("max_age_hours")),
        accept_redirect_to=tuple(str(host).lower() for host in _listed(entry.get("accept_redirect_to"))),
        architecture=str(entry.get("architecture") or ""),
        arch_url=_address(where, "arch_url", entry.get("arch_url"), web=True) if entry.get("arch_url") else "",
    )


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]


def _hours(where: str, value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        hours = float(value)
    except (TypeError, ValueError):
        hours = -1.0
    if not 0 < hours < 1e6:
        raise AskedError(f"{where}: max_age_hours {value!r} is no number of hours above 0")
    return hours


def _address(where: str, name: str, value: Any, web: bool = False) -> str:
    text = value if isinstance(value, str) else ""
    if mask(text) != text:
        raise AskedError(
            f"{where}: {name} {mask(text)} holds a name, password or token, which every user of the host could read; "
            "leave it out of the address"
        )
    try:
        good = bool(_URL.fullmatch(text)) and (not web or (text.startswith(("http://", "https://")) and host_of(text)))
        if web and good:
            text.encode("ascii")
            good = urlsplit(text).port is None or bool(host_of(text))
    except ValueError:
        good = False
    if not good:
        raise AskedError(f"{where}: {name} {text or value!r} is no address such as https://mirror.example.org/debian")
    return text
