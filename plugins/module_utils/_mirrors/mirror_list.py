# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of mirrors behind a `mirror+file:` address of apt: our own, and that of a cloud image.

One address a line; after a tab, fields such as `priority:1` (lower is tried first) or `arch:amd64`, parted by blanks;
lines that begin with # are comments (apt-transport-mirror(1)). apt falls through at a refused connection, at a 404 and
at a wrong hash, but not at a list that is only old.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OFFICIAL = "official"  # stands for the system's own addresses
_PRIORITY = re.compile(r"priority:(\d+)$", re.IGNORECASE)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")


class MirrorListError(ValueError):
    """A line is no address; the text names the line."""


@dataclass
class Line:
    """One line; uri is empty for a comment or blank line."""

    text: str
    uri: str = ""
    fields: tuple[str, ...] = ()

    @property
    def priority(self) -> int | None:
        found = [match.group(1) for match in map(_PRIORITY.fullmatch, self.fields) if match]
        return int(found[0]) if found else None

    def with_priority(self, number: int) -> Line:
        fields = tuple(f"priority:{number}" if _PRIORITY.fullmatch(field) else field for field in self.fields)
        return line(self.uri, fields if self.priority is not None else (f"priority:{number}", *fields))


def line(uri: str, fields: Iterable[str]) -> Line:
    fields = tuple(fields)
    return Line(uri + ("\t" + " ".join(fields) if fields else "") + "\n", uri, fields)


def render(uris: Sequence[str], comment: str) -> str:
    """Our own list: tried in this order."""
    lines = [line(uri, [f"priority:{number}"]).text for number, uri in enumerate(uris, start=1)]
    return f"# {comment}\n" + "".join(lines)


def parse(text: str) -> list[Line]:
    found = []
    for number, raw in enumerate(re.findall(r"[^\n]*\n|[^\n]+$", text), start=1):
        words = raw.split()
        if not words or words[0].startswith("#"):
            found.append(Line(raw))
            continue
        if not _URI.fullmatch(words[0]):
            raise MirrorListError(f"line {number}: {words[0]!r} is no address")
        found.append(Line(raw, words[0], tuple(words[1:])))
    return found


def same(uri: str) -> str:
    return uri.rstrip("/")


def addresses(text: str) -> list[str]:
    return [one.uri for one in parse(text) if one.uri]


def update(text: str, wish: Mapping[str, Any]) -> str:
    """Set the addresses of somebody's list. wish: `uris` in order, and `failover` (else the first one stands alone).

    The fields of a line stay. With failover the list's own addresses stay, too, behind ours or where OFFICIAL stands.
    """
    uris = [str(uri) for uri in wish["uris"]]
    lines = parse(text)
    have = {same(one.uri) for one in lines if one.uri}
    if not wish.get("failover"):
        return text if uris[0] == OFFICIAL or have == {same(uris[0])} else _single(lines, uris[0])
    if all(uri == OFFICIAL or same(uri) in have for uri in uris) and set(uris) != {OFFICIAL}:
        return text
    return _chain(lines, uris if OFFICIAL in uris else [*uris, OFFICIAL])


def undo(text: str, written: Mapping[str, Any], original: str) -> str:
    """Take our addresses out; lines of the original that are still there, or that ours stood for, come back."""
    ours = {same(str(uri)) for uri in written.get("uris", ())}
    before = {same(one.uri): one for one in parse(original) if one.uri}
    out = [one for one in parse(text) if not one.uri or same(one.uri) not in ours - set(before)]
    out = [before.get(same(one.uri), one) if one.uri else one for one in out]
    if not any(one.uri for one in out):
        out += before.values()
    return _text(out)


def _single(lines: list[Line], uri: str) -> str:
    """The first address changes, the others go: apt would spread its requests over all."""
    place = next((number for number, one in enumerate(lines) if one.uri), None)
    if place is None:
        return _text([*lines, line(uri, ())])
    rest = [one for one in lines[place + 1 :] if not one.uri]
    return _text([*lines[:place], line(uri, lines[place].fields), *rest])


def _chain(lines: list[Line], uris: list[str]) -> str:
    own = [one for one in lines if one.uri]
    known = {same(one.uri) for one in own}
    order = list(dict.fromkeys(OFFICIAL if same(uri) in known else uri for uri in uris))
    shift = order.index(OFFICIAL)
    last = max((one.priority or 0 for one in own), default=0) + 1
    fields = [field for field in (own[0].fields if own else ()) if not _PRIORITY.fullmatch(field)]
    ahead = [line(uri, [f"priority:{number}", *fields]) for number, uri in enumerate(order[:shift], start=1)]
    behind = [
        line(uri, [f"priority:{number}", *fields])
        for number, uri in enumerate(order[shift + 1 :], start=shift + last + 1)
    ]
    moved = [one.with_priority(shift + (one.priority or last)) if one.uri else one for one in lines]
    place = next((number for number, one in enumerate(moved) if one.uri), len(moved))
    return _text([*moved[:place], *ahead, *moved[place:], *behind])


def _text(lines: Iterable[Line]) -> str:
    """Only the last line may be without its end."""
    texts = [one.text for one in lines]
    return "".join(text if text.endswith("\n") else text + "\n" for text in texts[:-1]) + (texts[-1] if texts else "")
