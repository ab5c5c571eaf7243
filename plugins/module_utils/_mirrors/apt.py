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
_ARCHIVE_PATH = re.compile(r"/(debian|debian-security|ubuntu|ubuntu-ports)/*$")
# the archive right below the host, or a list of its mirrors as cloud images have it
_PLAIN = re.compile(
    r"[a-z0-9+.-]+://[^/]+/(debian|debian-security|ubuntu|ubuntu-ports)/*"
    r"|mirror\+file:.*/(debian|debian-security|ubuntu|ubuntu-ports)\.list|mirror://[^/]+/mirrors\.txt"
)
_PERSONAL = re.compile(r"ppa|launchpad", re.IGNORECASE)  # personal archives imitate the path and the suites
_KEYRING = re.compile(r"(?:.*/)?(?:debian|ubuntu)-archive-[^/\s]+")
_POCKET = re.compile(r"(-(updates|security|backports|backports-sloppy|proposed|proposed-updates)|/updates)$")
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
    """How the distribution's entries are known: the codename, other names of the suite, and addresses that are known.

    aliases: names such as "stable". known: addresses that we wrote ourselves, or that `evident` found.
    """

    codename: str
    known: frozenset[str] = frozenset()
    aliases: frozenset[str] = frozenset()

    def has(self, entry: Entry) -> bool:
        """True when every part of the entry speaks for the distribution's own archive."""
        if not self.could_have(entry):
            return False
        if entry.signed_by:
            return all(_KEYRING.fullmatch(word) for word in re.split(r"[\s,]+", entry.signed_by.strip()))
        # many others call their one suite "stable": a name that is not the codename says nothing by itself
        plain = all(_PLAIN.fullmatch(uri) and not _PERSONAL.search(uri) for uri in entry.uris)
        return self._known(entry) or (plain and _releases(entry) == {self.codename})

    def could_have(self, entry: Entry) -> bool:
        """True when suites and components are the distribution's."""
        if not entry.enabled or not entry.uris or not entry.suites or not entry.components:
            return False
        if any(uri.startswith(("cdrom:", "file:")) for uri in entry.uris) and not self._known(entry):
            return False
        return _releases(entry) <= {self.codename, *self.aliases} and set(entry.components) <= COMPONENTS

    def _known(self, entry: Entry) -> bool:
        return all(same_uri(uri) in self.known for uri in entry.uris)


def _releases(entry: Entry) -> set[str]:
    return {_POCKET.sub("", suite) for suite in entry.suites}


def evident(entries: Iterable[Entry], archive: Archive) -> frozenset[str]:
    """Addresses with another path, and without a keyring, that what they serve shows to be mirrors of the distribution.

    Others that keep their packages in a suite of the distribution's name have neither its pockets nor its components:
    an archive path below another folder needs one of both as evidence, any other path the pocket of the updates. What
    is known by codename is known, too: entries with another name of the release stand beside it.
    """
    pockets: dict[str, set[str]] = {}
    sure: set[str] = set()
    for entry in entries:
        if archive.has(entry):
            sure.update(same_uri(uri) for uri in entry.uris)
        if entry.signed_by or not archive.could_have(entry):
            continue
        for uri in entry.uris:
            found = pockets.setdefault(same_uri(uri), set())
            found.update(suite[len(_POCKET.sub("", suite)) :] for suite in entry.suites)
            if set(entry.components) - {"main"} and _ARCHIVE_PATH.search(uri):
                found.add("components")
    return frozenset(sure) | frozenset(
        uri
        for uri, found in pockets.items()
        if not _PERSONAL.search(uri)
        and ({"", "-updates"} <= found or (_ARCHIVE_PATH.search(uri) is not None and found - {""}))
    )


def same_uri(uri: str) -> str:
    return uri.rstrip("/")


def pocket(suite: str) -> str:
    return SECURITY if suite.endswith(("-security", "/updates")) else MAIN


def rewrite(
    text: str, is_deb822: bool, archive: Archive, wanted: Mapping[str, str], leave: frozenset[str] = frozenset()
) -> str:
    """Set the address of every entry of the distribution, by pocket; an empty address leaves it.

    leave: addresses whose entries stay as they are.
    """

    def decide(place: str, entry: Entry) -> str | None:
        if not archive.has(entry) or leave.intersection(entry.uris):
            return None
        return wanted.get(place) or None

    return edit(text, is_deb822, decide)


def undo(text: str, is_deb822: bool, written: Mapping[str, str], original: str, archive: Archive) -> str:
    """Give entries that hold an address of ours the one that the original has for their suites, if it is one."""
    before = entries(original, is_deb822)

    def decide(place: str, entry: Entry) -> str | None:
        ours = written.get(place)
        if not ours or not _holds(entry, ours):
            return None
        suites = {suite for suite in entry.suites if pocket(suite) == place}
        same = [one for one in before if archive.could_have(one) and suites & set(one.suites)]
        rest = [one for one in before if archive.has(one) and any(pocket(suite) == place for suite in one.suites)]
        for group in (same, rest):
            uris = {" ".join(one.uris) for one in group}
            if len(uris) == 1:
                return next(iter(uris))
        return None

    return edit(text, is_deb822, decide)


def entries(text: str, is_deb822: bool) -> list[Entry]:
    """All entries of a file."""
    found: list[Entry] = []

    def note(place: str, entry: Entry) -> str | None:
        if entry not in found:
            found.append(entry)
        return None

    edit(text, is_deb822, note)
    return found


def addresses(text: str, is_deb822: bool, archive: Archive) -> dict[str, list[str]]:
    """The addresses that the distribution's entries use now, by pocket, in their order."""
    found: dict[str, list[str]] = {MAIN: [], SECURITY: []}

    def note(place: str, entry: Entry) -> str | None:
        if archive.has(entry):
            found[place] += [uri for uri in entry.uris if uri not in found[place]]
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
