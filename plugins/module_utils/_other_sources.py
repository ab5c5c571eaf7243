# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switch entries of package sources off in their own file: both formats of sources.list(5), and /etc/yum.repos.d. Pure.

Everything else in a file stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _deb822 as deb822
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _yum_repos as yum

MARK = "# disabled by gpuready: "
_ENTRY = re.compile(r"[ \t]*(?:deb|deb-src)[ \t]+(?:\[[^\]]*\][ \t]*)?(?P<uri>\S+)")
_SECTION = re.compile(r"[ \t]*\[(?P<name>[^\]]+)\]")
_ENABLED = re.compile(r"[ \t]*enabled[ \t]*[=:]", re.IGNORECASE)
# what apt takes for "no" (apt's StringToBool)
_NO = ("no", "false", "without", "off", "disable", "0")


class MixedError(ValueError):
    """An entry names a wanted address, too, and cannot be switched off in part; the text is one sentence."""


def matches(uri: str, addresses: Sequence[str]) -> bool:
    """Whether an address is one of those that are given without scheme, or below it."""
    bare = re.sub(r"^[a-z0-9+.-]+://", "", uri.strip().lower()).rstrip("/") + "/"
    bare = re.sub(r"^[^/@]*@", "", bare)  # a user name before the host
    return any(bare.startswith(address.strip("/").lower() + "/") for address in addresses)


def switched_off(text: str, path: str, addresses: Sequence[str]) -> tuple[str, list[str]]:
    """The text without the entries in question, and their addresses. Raises ValueError where that cannot be."""
    if path.endswith(".sources"):
        return _deb822(text, addresses)
    if path.endswith(".repo"):
        return _repo(text, addresses)
    return _one_line(text, addresses)


def switched_on(text: str, path: str, addresses: Sequence[str], original: str) -> str:
    """The text with entries of the original that still stand there as switched_off left them given back.

    In their order: an entry that was off before us may read like one that we switched off.
    """
    begin = 0
    for unit in filter(str.strip, _units(original, path)):
        off, _found = switched_off(unit, path, addresses)
        place = re.compile(rf"^{re.escape(off)}", re.MULTILINE).search(text, begin)
        if place:
            text = text[: place.start()] + unit + text[place.end() :]
            begin = place.start() + len(unit)
    return text


def _units(text: str, path: str) -> list[str]:
    """What is switched off as one: a line, a stanza, a section with what stands before the first one."""
    if path.endswith(".repo"):
        return re.split(r"(?m)^(?=[ \t]*\[)", text)
    if path.endswith(".sources"):
        return re.split(r"(?m)(?<=\n)(?=^[ \t]*\n)", text)
    return text.splitlines(keepends=True)


def _one_line(text: str, addresses: Sequence[str]) -> tuple[str, list[str]]:
    lines, found = text.splitlines(keepends=True), []
    for number, line in enumerate(lines):
        entry = _ENTRY.match(line)
        if entry and matches(entry.group("uri"), addresses):
            found.append(entry.group("uri"))
            lines[number] = MARK + line
    return "".join(lines), found


def _deb822(text: str, addresses: Sequence[str]) -> tuple[str, list[str]]:
    document, found = deb822.parse(text), []
    for stanza in document.stanzas:
        uris = stanza.words("URIs")
        ours = [uri for uri in uris if matches(uri, addresses)]
        if not ours or stanza.get("Enabled", "yes").strip().lower() in _NO:
            continue
        if len(ours) < len(uris):
            raise MixedError(f"the entry at line {stanza.line} names {' '.join(ours)} beside other addresses")
        stanza.set("Enabled", "no")
        found += ours
    return document.render(), found


def _repo(text: str, addresses: Sequence[str]) -> tuple[str, list[str]]:
    wanted = dict(_sections(text, addresses))
    lines, found, name = [], [], ""
    for line in text.splitlines(keepends=True):
        section = _SECTION.match(line)
        if section:
            name = section.group("name")
        if name in wanted and section:
            found.append(wanted[name])
            lines += [line if line.endswith("\n") else line + "\n", "enabled=0\n"]
        elif name in wanted and _ENABLED.match(line):
            continue
        else:
            lines.append(line)
    return "".join(lines), found


def _sections(text: str, addresses: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name, values in yum.read_ini(text).items():
        urls = yum.words(values.get("baseurl", ""))
        hit = [url for url in urls if matches(url, addresses)]
        if hit and yum.truth(values.get("enabled", "1")):
            yield name, hit[0]
