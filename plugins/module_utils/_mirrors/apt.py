# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Point the distribution's own entries of apt's source files at another address, and leave all others alone.

An entry is known as the distribution's by its keyring, suites, components and archive path, never by its host:
people already use mirrors. Text in, text out; both formats of sources.list(5).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Optional

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _deb822 as deb822

MAIN, SECURITY = "main", "security"
COMPONENTS = frozenset({"main", "contrib", "non-free", "non-free-firmware", "restricted", "universe", "multiverse"})
_ARCHIVE_PATH = re.compile(r"/(debian|debian-security|ubuntu|ubuntu-ports)(\.list)?/*$")
_PERSONAL = re.compile(r"ppa|launchpad", re.IGNORECASE)  # personal archives imitate the path and the suites
_KEYRING = re.compile(r"(?:.*/)?(?:debian|ubuntu)-archive-[^/\s]+")
_LINE = re.compile(r"[ \t]*(?:deb|deb-src)[ \t]+(?:\[(?P<options>[^\]]*)\][ \t]*)?(?P<uri>\S+)(?P<tail>.*)")
_NO = frozenset({"no", "false", "without", "off", "disable", "0"})


@dataclass(frozen=True)
class Entry:
    """One stanza or line."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""
    enabled: bool = True


# pocket (MAIN or SECURITY) and entry -> new address, None to leave it
Decide = Callable[[str, Entry], Optional[str]]


@dataclass(frozen=True)
class Archive:
    """How the distribution's entries are known: the codename, and addresses that we wrote ourselves."""

    codename: str
    ours: frozenset[str] = frozenset()

    def has(self, entry: Entry) -> bool:
        """True when every part of the entry speaks for the distribution's own archive."""
        if not entry.enabled or not entry.uris or not entry.suites or not entry.components:
            return False
        if any(uri.startswith(("cdrom:", "file:")) for uri in entry.uris) and not self._ours(entry):
            return False
        names = {re.sub(r"(-[a-z-]+|/updates)$", "", suite) for suite in entry.suites}
        if names != {self.codename} or not set(entry.components) <= COMPONENTS:
            return False
        if entry.signed_by:
            return all(_KEYRING.fullmatch(word) for word in re.split(r"[\s,]+", entry.signed_by.strip()))
        return self._ours(entry) or all(_ARCHIVE_PATH.search(u) and not _PERSONAL.search(u) for u in entry.uris)

    def _ours(self, entry: Entry) -> bool:
        return all(same_uri(uri) in self.ours for uri in entry.uris)


def same_uri(uri: str) -> str:
    return uri.rstrip("/")


def pocket(suite: str) -> str:
    return SECURITY if suite.endswith(("-security", "/updates")) else MAIN


def rewrite(text: str, is_deb822: bool, archive: Archive, wanted: Mapping[str, str]) -> str:
    """Set the address of every entry of the distribution, by pocket; an empty address leaves it."""

    def decide(place: str, entry: Entry) -> str | None:
        return (wanted.get(place) or None) if archive.has(entry) else None

    return edit(text, is_deb822, decide)


def undo(text: str, is_deb822: bool, written: Mapping[str, str], original: Mapping[str, str]) -> str:
    """Give entries that hold an address of ours the original one of their pocket."""

    def decide(place: str, entry: Entry) -> str | None:
        ours = written.get(place)
        if not ours or [same_uri(uri) for uri in entry.uris] != [same_uri(ours)]:
            return None
        return original.get(place)

    return edit(text, is_deb822, decide)


def addresses(text: str, is_deb822: bool, archive: Archive) -> dict[str, set[str]]:
    """The addresses that the distribution's entries use now, by pocket."""
    found: dict[str, set[str]] = {MAIN: set(), SECURITY: set()}

    def note(place: str, entry: Entry) -> str | None:
        if archive.has(entry):
            found[place].update(entry.uris)
        return None

    edit(text, is_deb822, note)
    return found


def edit(text: str, is_deb822: bool, decide: Decide) -> str:
    """Apply a decision to every entry. Raises deb822.Deb822Error for a file that apt would refuse too."""
    return _edit_deb822(text, decide) if is_deb822 else _edit_lines(text, decide)


def _edit_lines(text: str, decide: Decide) -> str:
    out = []
    for line in re.findall(r"[^\n]*\n|[^\n]+$", text):
        match = _LINE.match(line.partition("#")[0].rstrip("\n"))
        words = match.group("tail").split() if match else []
        if match is not None and words:
            signed = re.search(r"(?:^|\s)signed-by=(\S+)", match.group("options") or "", re.IGNORECASE)
            entry = Entry((match.group("uri"),), (words[0],), tuple(words[1:]), signed.group(1) if signed else "")
            new = decide(pocket(words[0]), entry)
            if new is not None and same_uri(new) != same_uri(match.group("uri")):
                line = line[: match.start("uri")] + new + line[match.end("uri") :]
        out.append(line)
    return "".join(out)


def _edit_deb822(text: str, decide: Decide) -> str:
    document = deb822.parse(text)
    parts: list[deb822.Stanza | str] = []
    for part in document.parts:
        parts.append(part)
        if isinstance(part, deb822.Stanza):
            parts.extend(_edit_stanza(part, decide))
    return deb822.Document(parts).render()


def _edit_stanza(stanza: deb822.Stanza, decide: Decide) -> list[deb822.Stanza | str]:
    """Edit a stanza in place; returns what must follow it when its pockets part ways."""
    entry = Entry(
        tuple(stanza.words("URIs")),
        tuple(stanza.words("Suites")),
        tuple(stanza.words("Components")),
        stanza.get("Signed-By"),
        stanza.get("Enabled", "yes").lower() not in _NO,
    )
    places = {place: [suite for suite in entry.suites if pocket(suite) == place] for place in (MAIN, SECURITY)}
    new = {place: decide(place, entry) for place, suites in places.items() if suites}
    if not new or all(uri is None or _holds(entry, uri) for uri in new.values()):
        return []
    if len(new) == 1 or (None not in new.values() and _one(uri for uri in new.values() if uri)):
        _set_uris(stanza, entry, next(iter(new.values())))
        return []
    other = copy.deepcopy(stanza)
    for piece, place in ((stanza, MAIN), (other, SECURITY)):
        piece.set("Suites", " ".join(places[place]))
        _set_uris(piece, entry, new[place])
    last = stanza.fields[-1].lines
    last[-1] = last[-1].rstrip("\n") + "\n"
    return ["\n", other]


def _holds(entry: Entry, uri: str) -> bool:
    return [same_uri(one) for one in entry.uris] == [same_uri(uri)]


def _one(uris: Iterable[str]) -> bool:
    return len({same_uri(uri) for uri in uris}) == 1


def _set_uris(stanza: deb822.Stanza, entry: Entry, uri: str | None) -> None:
    if uri is not None and not _holds(entry, uri):
        stanza.set("URIs", uri)
