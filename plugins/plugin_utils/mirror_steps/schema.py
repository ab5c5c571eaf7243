# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory may write into the catalogue of mirrors, and one clear sentence for what it may not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.mirror_steps.addresses import (
    has_password,
    is_web,
    shown,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

STATES = ("alive", "gone", "login", "intranet", "campus")
KINDS = ("inrelease", "simple", "json", "repodata", "file", "registry", "html")
# wishes that are no site
RESERVED = ("auto", "official", "custom", "none")
PARTS: dict[str, type] = {"sites": dict, "services": dict, "presets": dict, "registry_mirrors": list, "gone": list}
_NAME = re.compile(r"[a-z0-9][a-z0-9._:-]*")
_PATH = re.compile(r"(/[^\s\"'<>\\^`|#?{}]*)?")
_CUDA = "{cuda}"
_CHOICES: dict[str, tuple[str, ...]] = {"state": STATES, "kind": KINDS}
_SITE_KEYS = frozenset(
    {"name", "base", "source", "verified", "direct", "also", "intranet", "redirects_to", "status", "terms", "traps"}
)
_SERVICE_KEYS = frozenset(
    {"kind", "signed", "source", "for", "of", "old_codenames", "probe", "probe_rhel", "sample", "max_age_hours"}
    | {"sites", "opt_in", "third_party", "terms", "cudas"}
)
_ENTRY_KEYS = frozenset(
    {"path", "url", "state", "verified", "source", "note", "codenames", "architectures", "unconfirmed", "unmeasured"}
    | {"channels", "format", "kind", "probe", "sample", "redirects_to"}
)
_PRESET_KEYS = frozenset({"sites", "services", "vendor"})
_LISTED_KEYS = frozenset({"url", "state", "source", "verified", "note", "trust", "vendor"})


class CatalogueError(Exception):
    """The inventory's catalogue cannot be used; `text` is one sentence."""

    def __init__(self, text: Text) -> None:
        super().__init__(str(text))
        self.text = text


def refuse_strangers(own: Mapping[str, Any], sites: Mapping[str, Any], services: Mapping[str, Any]) -> None:
    """Refuse what names a site or a service that there is not. own: as read; sites, services: merged."""
    _refuse(next(_strangers(own, sites, services), None))


def _refuse(problem: Text | None) -> None:
    if problem is not None:
        raise CatalogueError(say("mirrors_catalogue: {problem}", problem=problem))


def read(extension: Any) -> dict[str, Any]:
    """The inventory's part with short forms written out; refuses what has the wrong shape."""
    if not isinstance(extension, Mapping):
        _refuse(say("it must be a mapping with {known}", known=list(PARTS)))
    _refuse(next(_unknown(extension, frozenset(PARTS), "it"), None))
    own: dict[str, Any] = {}
    for part, kind in PARTS.items():
        value = extension.get(part)
        if value is not None and not isinstance(value, (Mapping if kind is dict else list)):
            _refuse(
                say("{part} must be a mapping", part=part) if kind is dict else say("{part} must be a list", part=part)
            )
        own[part] = value or kind()
    _refuse(next(_misshapen(own), None))
    own["services"] = {
        name: service if service is None else _long_sites(service) for name, service in own["services"].items()
    }
    return own


def _long_sites(service: Mapping[str, Any]) -> dict[str, Any]:
    return {**service, "sites": {site: _long(entry) for site, entry in (service.get("sites") or {}).items()}}


def _long(entry: Any) -> Any:
    """{path} or {url} for an entry that is only a text."""
    if not isinstance(entry, str):
        return entry
    return {"url": entry} if "://" in entry else {"path": entry}


def _unknown(value: Mapping[Any, Any], known: frozenset[str], where: str) -> Iterator[Text]:
    for key in value:
        if key not in known:
            yield say("{where} has the unknown key {key}; known are {known}", where=where, key=key, known=sorted(known))


def _misshapen(own: Mapping[str, Any]) -> Iterator[Text]:
    for part, keys in (("sites", _SITE_KEYS), ("services", _SERVICE_KEYS), ("presets", _PRESET_KEYS)):
        for name, entry in own[part].items():
            where = f"{part}.{name}"
            if not isinstance(name, str) or not _NAME.fullmatch(name) or (part == "sites" and name in RESERVED):
                yield say("{where} is no name that can be used", where=where)
            elif entry is not None and not isinstance(entry, Mapping):
                yield say("{where} must be a mapping, or null to take it out", where=where)
            elif entry is not None:
                yield from _unknown(entry, keys, where)
                yield from _PARTS_OF[part](where, entry)
    for part in ("registry_mirrors", "gone"):
        for number, entry in enumerate(own[part], 1):
            where = f"{part}, entry {number}"
            if not isinstance(entry, Mapping):
                yield say("{where} must be a mapping with url", where=where)
                continue
            yield from _unknown(entry, _LISTED_KEYS, where)
            yield from _values(where, {"url": None, **entry})


def _site(where: str, site: Mapping[str, Any]) -> Iterator[Text]:
    yield from _values(where, site)
    intranet = site.get("intranet")
    if intranet is not None:
        yield from _values(
            f"{where}.intranet", {"base": None, **intranet} if isinstance(intranet, Mapping) else {"base": None}
        )


def _service_shape(where: str, service: Mapping[str, Any]) -> Iterator[Text]:
    yield from _values(where, service)
    sites = service.get("sites")
    if sites is not None and not isinstance(sites, Mapping):
        yield say("{where} must be a mapping, or null to take it out", where=f"{where}.sites")
        return
    for site, entry in (sites or {}).items():
        place, long = f"{where}.sites.{site}", _long(entry)
        if long is None:
            continue
        if not isinstance(long, Mapping):
            yield say("{where} must be a path, an address, a mapping, or null to take it out", where=place)
            continue
        yield from _unknown(long, _ENTRY_KEYS, place)
        if "url" in long and "path" in long:
            yield say("{where} has both a path and an address", where=place)
        yield from _values(place, long)


def _preset(where: str, preset: Mapping[str, Any]) -> Iterator[Text]:
    yield from _values(where, preset)
    for part in ("sites", "services"):
        if not isinstance(preset.get(part, []), list):
            yield say("{where}.{key} is of the wrong kind", where=where, key=part)


_PARTS_OF = {"sites": _site, "services": _service_shape, "presets": _preset}
_TEXTS = frozenset({"name", "source", "verified", "note", "trust", "vendor", "terms", "traps", "format"})
_LISTS = frozenset({"also", "redirects_to", "codenames", "architectures", "channels", "old_codenames", "cudas"})
_SWITCHES = frozenset({"direct", "signed", "opt_in", "third_party", "unconfirmed", "unmeasured"})
_MAPPINGS = frozenset({"for", "of", "probe", "probe_rhel", "sample", "status"})


def _values(where: str, entry: Mapping[str, Any]) -> Iterator[Text]:
    for key, value in entry.items():
        known = _CHOICES.get(key)
        shown_as = shown(value)[:200]
        if key in ("url", "base") and not _is_url(value):
            yield say("{where}.{key}: {value} is no http or https address", where=where, key=key, value=shown_as)
        elif key == "path" and not (isinstance(value, str) and _PATH.fullmatch(value.replace(_CUDA, "cuda"))):
            yield say(
                "{where}.{key}: {value} is no path such as {example}",
                where=where,
                key=key,
                value=shown_as,
                example="/ubuntu",
            )
        elif known is not None and value not in known:
            yield say(
                "{where}.{key}: {value} is none of {known}", where=where, key=key, value=shown_as, known=list(known)
            )
        elif key == "max_age_hours" and not _is_age(value):
            yield say("{where}.{key}: {value} is no number of hours above 0", where=where, key=key, value=shown_as)
        elif not _has_kind(key, value):
            yield say("{where}.{key} is of the wrong kind", where=where, key=key)
        elif key == "probe" and value.get("kind", KINDS[0]) not in KINDS:
            yield from _values(f"{where}.probe", {"kind": value["kind"]})


def _is_url(value: Any) -> bool:
    """An http or https address without a password, and without fields but that of torch."""
    if not isinstance(value, str) or has_password(value):
        return False
    bare = value.replace(_CUDA, "cuda")
    return is_web(bare) and not set("{}") & set(bare)


def _is_age(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e6)


def _has_kind(key: str, value: Any) -> bool:
    if key in _TEXTS:
        return isinstance(value, str)
    if key in _LISTS or (key in ("sites", "services") and isinstance(value, list)):
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if key in _SWITCHES:
        return isinstance(value, bool)
    return key not in _MAPPINGS or _is_mapping(key, value)


def _is_mapping(key: str, value: Any) -> bool:
    """for: lists of texts by name; of: texts; probe, sample and status: texts or null."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return False
    if key == "for":
        return all(isinstance(one, list) and all(isinstance(word, str) for word in one) for one in value.values())
    return all(isinstance(one, str) or (one is None and key != "of") for one in value.values())


def _strangers(own: Mapping[str, Any], sites: Mapping[str, Any], services: Mapping[str, Any]) -> Iterator[Text]:
    """What names a site or a service that there is not, and entries that lack what they need."""
    for name, site in own["sites"].items():
        if site is not None and not sites[name].get("base"):
            yield say("{where} has no base address", where=f"sites.{name}")
    for name, service in own["services"].items():
        if service is None:
            continue
        if not services[name].get("kind"):
            yield say("{where} is new and needs a kind, one of {known}", where=f"services.{name}", known=list(KINDS))
        for site, entry in service["sites"].items():
            if entry is not None and site not in sites:
                yield say("{where} names no site of the catalogue", where=f"services.{name}.sites.{site}")
            elif entry is not None and not {"url", "path"} & set(services[name]["sites"][site]):
                yield say("{where} has neither a path nor an address", where=f"services.{name}.sites.{site}")
    for name, preset in own["presets"].items():
        for part, known in (("sites", sites), ("services", services)):
            for one in (preset or {}).get(part) or []:
                if one not in known:
                    yield say(
                        "{where} names {name}, which is not in the catalogue", where=f"presets.{name}.{part}", name=one
                    )
