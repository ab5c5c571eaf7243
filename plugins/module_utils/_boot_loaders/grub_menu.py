# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The menu that grub-mkconfig makes: its entries, and whether a new one can take the place of the old one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._boot_loaders.base import spell, squeeze
from ansible_collections.gpuready.bootstrap.plugins.module_utils._cmdline import Wish, Word, grub_words, unmet, values
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import boot as parse

_LINUX = re.compile(r"\s*linux(?:efi|16)?\s+(\S+)(?:[ \t]+(\S.*))?")
_MENUENTRY = re.compile(r"\s*menuentry[ \t]")
_SECTION = re.compile(r"### (BEGIN|END) (\S+) ###")
# 10_linux, 10_linux_zfs: what is made from GRUB_CMDLINE_LINUX_DEFAULT
_MAKES_OURS = re.compile(r"\d+_linux(?!_xen)")
_RECOVERY = ("single", "recovery", "rescue")


class Entry(NamedTuple):
    """One entry. image: its kernel's file name. ours: made from GRUB_CMDLINE_LINUX_DEFAULT."""

    id: str
    title: str
    image: str
    options: str
    words: list[Word]
    ours: bool


def entries(text: str, environment: Mapping[str, str]) -> list[Entry]:
    """All entries that start Linux, in order, those of submenus too."""
    variables = {**parse.settings(text), **environment}
    found: list[Entry] = []
    section, name, title = "", "", ""
    for line in text.splitlines():
        mark = _SECTION.fullmatch(line.strip())
        if mark:
            section = mark.group(2).rpartition("/")[2] if mark.group(1) == "BEGIN" else ""
        elif _MENUENTRY.match(line):
            quoted = ["".join(pair) for pair in re.findall(r"'([^']*)'|\"([^\"]*)\"", line)]
            title, name = (quoted[0] if quoted else ""), (quoted[-1] if len(quoted) > 1 else "")
        match = _LINUX.fullmatch(line)
        if match is not None:
            words = grub_words(match.group(2) or "", variables)
            ours = bool(_MAKES_OURS.match(section)) and not _is_recovery(name, words)
            image = match.group(1).rpartition("/")[2]
            found.append(Entry(name, title, image, (match.group(2) or "").rstrip(), words, ours))
    return found


def _is_recovery(name: str, words: Sequence[Word]) -> bool:
    return "-recovery-" in name or any(word.value is None and word.name in _RECOVERY for word in words)


def chosen(found: Sequence[Entry], text: str, environment: Mapping[str, str]) -> Entry | None:
    """The entry that GRUB will start; None if that cannot be told."""
    wanted = parse.default(text, environment).rpartition(">")[2]
    if wanted == "0":
        return found[0] if found else None
    return next((entry for entry in found if wanted in (entry.id, entry.title)), None)


def complaint(
    text: str, old: str, kernels: Sequence[str], wishes: Sequence[Wish], environment: Mapping[str, str]
) -> str:
    """Why a new menu must not take the place of the old one; "" if it may."""
    marks = [mark.groups() for mark in _SECTION.finditer(text)]
    opened = [name for kind, name in marks if kind == "BEGIN"]
    closed = [name for kind, name in marks if kind == "END"]
    if not opened or opened != closed:
        cut = [name for name in opened if name not in closed]
        return f"it ends in the middle of {cut[-1]}" if cut else "it is empty"
    found = entries(text, environment)
    had = {entry.image for entry in entries(old, environment)} or set(kernels)
    for kernel in kernels:
        mine = [entry for entry in found if entry.image == kernel or entry.image == f"{kernel}.efi.signed"]
        if not mine and kernel in had:
            return f"/boot/{kernel} is installed, and no entry starts it"
        if mine and not any(values(entry.words, "root") for entry in mine):
            return f"no entry of /boot/{kernel} has a root="
    if not any(entry.ours for entry in found):
        return "no entry is made from GRUB_CMDLINE_LINUX_DEFAULT"
    for entry in found:
        missing = unmet(entry.words, wishes) if entry.ours else []
        if missing:
            return f"its entry {(entry.id or entry.title)!r} is not as wanted ({spell(missing)})"
    return ""


def exchange(options: str, old: str, new: str) -> str:
    """The arguments of an entry whose end comes from the settings, with other settings."""
    options, old, new = squeeze(options), squeeze(old), squeeze(new)
    if not old:
        return squeeze(f"{options} {new}")
    for rest in (" $vt_handoff", ""):  # Ubuntu's 10_linux adds it behind
        if options.endswith(old + rest):
            return squeeze(options[: len(options) - len(old + rest)] + new + rest)
    return options


def shown(found: Sequence[Entry]) -> str:
    """The entries as lines of a diff."""
    return "".join(f"{entry.id or entry.title}: {squeeze(entry.options)}\n" for entry in found)
