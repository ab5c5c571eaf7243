# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What boot loaders read: grub.cfg, grubenv, and the entries of the Boot Loader Specification."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import version_key

# shell-like; grub-mkconfig quotes values, people do not
_SET = re.compile(r"^[ \t]*set[ \t]+(\w+)=(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s;]*))[ \t]*$", re.MULTILINE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_LINUX = re.compile(r"\s*linux(?:efi|16)?\s+\S+(?:\s+(\S.*))?")
# written by 00_header for one boot only: `set default="${next_entry}"`
_ONCE = "${next_entry}"
_SAVED = "${saved_entry}"


class Entry(NamedTuple):
    """One entry: its id (the name of its file), what it is called, and the arguments of its kernel."""

    id: str
    title: str
    version: str
    options: str


def grubenv(text: str) -> dict[str, str]:
    """Parse the environment block that grub-editenv(1) writes: NAME=VALUE lines, then "#" up to 1024 bytes."""
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {name.strip(): value.replace("\\\\", "\\") for name, equals, value in pairs if equals and name.strip()}


def settings(text: str) -> dict[str, str]:
    """Return what grub.cfg sets. A variable that gets different values on different ways is left out."""
    found: dict[str, set[str]] = {}
    for name, *values in _SET.findall(text):
        found.setdefault(name, set()).add("".join(values))
    return {name: values.pop() for name, values in found.items() if len(values) == 1}


def expand(text: str, values: Mapping[str, str]) -> str:
    """Fill in variables, one level deep; those that are not known are left out, and blanks become single ones."""
    filled = _VARIABLE.sub(lambda match: values.get(match.group(1) or match.group(2), ""), text)
    return " ".join(_VARIABLE.sub("", filled).split())


def uses_entries(text: str) -> bool:
    """Say whether grub.cfg takes its entries from files (Fedora and RHEL from 8 on)."""
    return re.search(r"^[ \t]*blscfg\b", text, re.MULTILINE) is not None


def default(text: str, environment: Mapping[str, str]) -> str:
    """Return the entry that grub.cfg starts: a number or a name. Without a word of it that is the first one."""
    if environment.get("next_entry"):
        return environment["next_entry"]
    chosen = ["".join(values) for name, *values in _SET.findall(text) if name == "default"]
    last = next((value for value in reversed(chosen) if value != _ONCE), "0")
    if last == _SAVED:
        last = environment.get("saved_entry", "")
    return last or "0"


def first_entry(text: str) -> Entry | None:
    """Return the first entry of grub.cfg; None if that is a menu of its own, or does not start Linux."""
    opened: Entry | None = None
    for line in text.splitlines():
        word = line.lstrip()
        if opened is None and word.startswith("submenu"):
            return None
        if opened is None and word.startswith("menuentry") and word[9:10] in (" ", "\t"):
            quoted = re.findall(r"'([^']*)'|\"([^\"]*)\"", word)
            names = ["".join(pair) for pair in quoted]
            opened = Entry(names[-1] if len(names) > 1 else "", names[0] if names else "", "", "")
        elif opened is not None:
            match = _LINUX.fullmatch(line)
            if match:
                return opened._replace(options=match.group(1) or "")
            if word.startswith(("menuentry ", "}")):
                return None
    return None


def entry(name: str, text: str) -> Entry:
    """Parse an entry of the Boot Loader Specification; `options` may come more than once."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, *rest = line.split(None, 1) or [""]
        if not key.startswith("#"):
            values.setdefault(key, []).extend(word.strip() for word in rest)
    title, version = (" ".join(values.get(key, [])[:1]) for key in ("title", "version"))
    return Entry(name, title, version, " ".join(values.get("options", [])))


def newest_first(entries: list[Entry]) -> list[Entry]:
    """Sort as boot loaders do; the version of RHEL's rescue entry begins with 0."""
    return sorted(entries, key=lambda found: (version_key(found.version or found.id), found.id), reverse=True)
