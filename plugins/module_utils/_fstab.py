# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of /etc/fstab: ours each stand below a comment that names them; every byte of the others stays.

fstab(5): six fields, blanks in a field are written as \\040, tabs as \\011, line feeds as \\012, backslashes as \\134.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

PATH = "/etc/fstab"
MARK = "# gpuready.bootstrap.storage_mounts "
_ESCAPES = {" ": "\\040", "\t": "\\011", "\n": "\\012", "\\": "\\134"}
# of two options that exclude each other, the one that is given wins (mount(8), nfs(5))
_OPPOSITES = (("rw", "ro"), ("hard", "soft", "softerr"), ("auto", "noauto"), ("nofail", "fail"))


class Entry(NamedTuple):
    """One line."""

    spec: str
    path: str
    type: str
    options: tuple[str, ...]
    passno: int = 0

    @property
    def line(self) -> str:
        fields = (self.spec, self.path, self.type, ",".join(self.options) or "defaults")
        return " ".join([*(escape(field) for field in fields), "0", str(self.passno)])


def escape(field: str) -> str:
    return "".join(_ESCAPES.get(sign, sign) for sign in field)


def unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), field)


def parse(line: str) -> Entry | None:
    """One line; None for comments, blank lines and what mount(8) would not take."""
    # blanks and tabs only: another sign may be part of a name
    fields = re.split(r"[ \t]+", line.strip(" \t\n"))
    if len(fields) < 3 or fields[0].startswith("#"):
        return None
    options = unescape(fields[3]).split(",") if len(fields) > 3 else []
    passno = int(fields[5]) if len(fields) > 5 and fields[5].isdigit() else 0
    return Entry(unescape(fields[0]), unescape(fields[1]), unescape(fields[2]), tuple(options), passno)


def _lines(text: str) -> list[str]:
    """Lines at line feeds only: other signs that Python takes for ends of lines may stand within one."""
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def ours(text: str) -> dict[str, str]:
    """Our lines by the name above them."""
    found, lines = {}, _lines(text)
    for number, line in enumerate(lines[:-1]):
        if line.startswith(MARK) and parse(lines[number + 1]) is not None:
            found[line[len(MARK) :].strip()] = lines[number + 1].rstrip("\n")
    return found


def without(text: str, names: Sequence[str] | None = None) -> str:
    """The text without our entries of these names (None: all of them)."""
    kept, lines, skip = [], _lines(text), False
    for number, line in enumerate(lines):
        if skip:
            skip = False
            continue
        named = line[len(MARK) :].strip() if line.startswith(MARK) else None
        if named is not None and (names is None or named in names):
            skip = number + 1 < len(lines) and parse(lines[number + 1]) is not None
            continue
        kept.append(line)
    return "".join(kept)


def with_entries(text: str, entries: Mapping[str, Entry]) -> str:
    """The text with exactly these entries of ours: those that are there stay in their place, new ones come last."""
    there = ours(text)
    body = without(text, [name for name in there if name not in entries])
    lines = _lines(body)
    for number, line in enumerate(lines[:-1]):
        name = line[len(MARK) :].strip() if line.startswith(MARK) else ""
        if name in entries and name in there:
            end = "\n" if lines[number + 1].endswith("\n") else ""
            lines[number + 1] = entries[name].line + end
    body = "".join(lines)
    new = [f"{MARK}{name}\n{entry.line}\n" for name, entry in entries.items() if name not in there]
    return body + ("\n" if new and body and not body.endswith("\n") else "") + "".join(new)


def others_at(text: str, path: str) -> list[tuple[int, str]]:
    """Number and text of lines of others for a mount point."""
    found, lines = [], _lines(text)
    for number, line in enumerate(lines):
        entry = parse(line)
        marked = number > 0 and lines[number - 1].startswith(MARK)
        if entry is not None and not marked and entry.path.rstrip("/") == path.rstrip("/"):
            found.append((number + 1, line.strip()))
    return found


def merged(defaults: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """Default options and given ones; a given one takes the place of a default of its name, or of its opposite."""
    names = {option.partition("=")[0] for option in given}
    for group in _OPPOSITES:
        if names & set(group):
            names |= set(group)
    kept = [option for option in defaults if option.partition("=")[0] not in names]
    # `fail` is our own word for no `nofail`
    return tuple(dict.fromkeys([*kept, *(option for option in given if option != "fail")]))
