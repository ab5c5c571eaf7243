# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Point repositories of Rocky Linux, AlmaLinux and EPEL at mirrors, in the files of /etc/yum.repos.d as found.

A repository is known by the key that signs it, never by its host. `mirrorlist` and `metalink` become comments, since
dnf prefers them; `baseurl`, a comment in the files as they are shipped, becomes a setting, with its own path and
variables below the new address. Several addresses stand in one `baseurl`, which dnf tries in their order (dnf.conf(5)).
Key, checks and all else stay. Text in, text out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SERVICES = ("rocky", "almalinux", "epel")
_KEY_FILE = re.compile(r"RPM-GPG-KEY-(rocky|almalinux|epel)", re.IGNORECASE)
# repositories of special interest groups lie elsewhere; Cisco's codec is mirrored by nobody
_APART = re.compile(r"-SIG-|cisco", re.IGNORECASE)
# AlmaLinux keeps what is for debugging and the sources in an archive of its own, which mirrors do not carry
_VAULT = re.compile(r"debug|source", re.IGNORECASE)
_SECTION = re.compile(r"\[(?P<name>[^\]]+)\]")
_PAIR = re.compile(r"(?P<mark>#[ \t]*)?(?P<key>baseurl|mirrorlist|metalink|gpgkey)[ \t]*[=:][ \t]*(?P<value>.*)")
_ANY = re.compile(r"[^=:\s][^=:]*[=:]")
_RELEASE = re.compile(r"(?<!/)/((testing|next)/)?(\$\{?releasever|\d+(\.\d+)*(/|$))")


class RepoError(ValueError):
    """dnf could not read the file either; the text names the line."""


@dataclass
class Pair:
    """One setting, or one that is a comment; more: lines that go on with its value."""

    number: int
    key: str
    value: str
    live: bool
    more: int = 0


@dataclass
class Section:
    name: str
    pairs: list[Pair]

    def of(self, key: str, live: bool = True) -> list[Pair]:
        return [pair for pair in self.pairs if pair.key == key and pair.live == live]

    @property
    def service(self) -> str:
        """Whose repository it is; empty for somebody else's."""
        keys = " ".join(pair.value for pair in self.of("gpgkey")).split()
        found = {match.group(1).lower() if match else "" for match in map(_KEY_FILE.search, keys)}
        service = found.pop() if len(found) == 1 else ""
        apart = _APART.search(" ".join([self.name, *keys])) or (service == "almalinux" and _VAULT.search(self.name))
        return "" if apart else service

    @property
    def base(self) -> Pair | None:
        """The baseurl that counts, or else the first one that is a comment."""
        live, comments = self.of("baseurl"), self.of("baseurl", live=False)
        return live[-1] if live else comments[0] if comments else None


def services(text: str) -> set[str]:
    """Whose repositories a file holds."""
    return {section.service for section in _sections(_lines(text))} - {""}


def update(text: str, wish: Mapping[str, Any]) -> str:
    """The text with the repositories of a service at its addresses: {service: [addresses in order]}."""
    lines = _lines(text)
    for section in _sections(lines):
        new = _wanted(section, wish.get(section.service) or ())
        if new is not None and section.base is not None and _value(section, lines) != new:
            _set(lines, section, new)
    return _joined(lines)


def undo(text: str, written: Mapping[str, Any], original: str) -> str:
    """Repositories that are still at the address that we wrote go back to what they were."""
    before = {section.name: section for section in _sections(_lines(original))}
    ours = {section.name: _wanted(section, written.get(section.service) or ()) for section in before.values()}
    lines = _lines(text)
    for section in _sections(lines):
        base = section.base
        if section.name in before and base is not None and base.live and base.value == ours[section.name]:
            _give_back(lines, section, base, before[section.name], _lines(original))
    return _joined(lines)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def _joined(lines: list[str]) -> str:
    return "".join(lines)


def _sections(lines: list[str]) -> list[Section]:
    return list(_read(lines))


def _read(lines: list[str]) -> Iterator[Section]:
    section: Section | None = None
    last: Pair | None = None
    any_key = False
    for number, line in enumerate(lines):
        words = line.strip()
        header = _SECTION.match(words)
        if not words:
            continue
        if line[0] in " \t" and any_key and not header and words[0] not in "#;":
            if last is not None:
                last.more, last.value = number - last.number, f"{last.value} {words}".strip()
            continue
        pair = _PAIR.match(words)
        if header:
            if section is not None:
                yield section
            section, last, any_key = Section(header.group("name"), []), None, False
        elif pair is not None and section is not None and (line[0] not in " \t" or pair.group("mark")):
            found = Pair(number, pair.group("key"), pair.group("value") or "", not pair.group("mark"))
            section.pairs.append(found)
            if found.live:
                last, any_key = found, True
        elif words[0] not in "#;":
            if section is None or not _ANY.match(words):
                raise RepoError(f"line {number + 1}: {words!r} is neither a section, a setting nor a comment")
            last, any_key = None, True
    if section is not None:
        yield section


def _wanted(section: Section, addresses: Sequence[str]) -> str | None:
    """The baseurl for these addresses; None where the path below them cannot be known."""
    if not addresses or section.base is None:
        return None
    path = _path(re.split(r"[\s,]", section.base.value, maxsplit=1)[0], section.service)
    return None if path is None else " ".join(address.rstrip("/") + path for address in addresses)


def _path(url: str, service: str) -> str | None:
    """What stands below the top of the service's tree: after the folder of the distribution."""
    if service == "epel":
        match = re.search(r"/epel(?=/)", url)
        if match:
            return url[match.end() :]
    if "$contentdir" in url:
        return url.partition("$contentdir")[2]
    match = _RELEASE.search(url)
    return url[match.start() :] if match else None


def _value(section: Section, lines: list[str]) -> str | None:
    """The baseurl in force; None while a mirrorlist or metalink is."""
    lists = section.of("mirrorlist") + section.of("metalink")
    return section.base.value if section.base is not None and section.base.live and not lists else None


def _set(lines: list[str], section: Section, value: str) -> None:
    base = section.base
    if base is None:
        return
    for pair in section.of("mirrorlist") + section.of("metalink"):
        for number in range(pair.number, pair.number + pair.more + 1):
            lines[number] = "#" + lines[number]
    lines[base.number] = f"baseurl={value}{_end(lines[base.number])}"
    for number in range(base.number + 1, base.number + base.more + 1):
        lines[number] = ""


def _give_back(lines: list[str], section: Section, base: Pair, before: Section, original: list[str]) -> None:
    old = before.base
    if old is None:
        return
    block = "".join(original[old.number : old.number + old.more + 1])
    lines[base.number] = block if block.endswith("\n") else block + _end(lines[base.number])
    for key in ("mirrorlist", "metalink"):
        values = {pair.value for pair in before.of(key)}
        for pair in section.of(key, live=False):
            if pair.value in values and not section.of(key):
                lines[pair.number] = re.sub(r"^#[ \t]*", "", lines[pair.number])


def _end(line: str) -> str:
    return "\n" if line.endswith("\n") else ""
