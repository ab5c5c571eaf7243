# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The make.log of dkms: for which kernel it built, and which errors stopped it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

MOST = 5
_WIDTH = 200
# 3.0: "make.log for nvidia-550.163.01 for kernel 6.12.107-amd64 (x86_64)"; later ones have "/" before the version
_TITLE = re.compile(r"make\.log for \S+ for kernel (\S{1,100}) \((\w{1,20})\)")
# what to look for and how the line must look: first compilers, and modpost, which says so of symbols that a module may
# not use; else what is left where no compiler spoke: dkms itself, make, and NVIDIA's own checks before the build
_SIGNS = (
    ((" error: ", "ERROR: modpost: "), re.compile(r": (?:fatal )?error: |^ERROR: modpost: ")),
    (("*** ", "Error! "), re.compile(r"^Error! |^make(?:\[\d+\])?: \*\*\* |^\*\*\* ")),
)
# lines that are looked at; a log may say the same a thousand times
_LOOK_AT = 200
_BUILD_FOLDER = re.compile(r"/var/lib/dkms/[^/\s]+/[^/\s]+/build/")


def title(text: str) -> tuple[str, str] | None:
    """Return (release, architecture) of the kernel that a log's first line names."""
    match = _TITLE.search(text)
    return (match.group(1), match.group(2)) if match else None


def errors(text: str, whole: bool = True) -> list[str]:
    """Return the first lines that say why a build failed, at most MOST, each once and cut to 200 characters.

    `whole`: the text begins where the log does; else its first line is half a line.
    """
    begin = 0 if whole else text.find("\n") + 1 or len(text)
    for words, pattern in _SIGNS:
        lines = [line for line in _lines(text, begin, words) if pattern.search(line[: 10 * _WIDTH])]
        found = list(dict.fromkeys(_short(line) for line in lines))
        if found:
            return found[:MOST]
    return []


def _lines(text: str, begin: int, words: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines with one of the words. Searching 1 MiB for words takes 1 ms, looking at each line 20."""
    for _line in range(_LOOK_AT):
        at = min((place for place in (text.find(word, begin) for word in words) if place >= 0), default=None)
        if at is None:
            return
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[text.rfind("\n", begin, at) + 1 or begin : end]
        begin = end + 1


def _short(line: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in _BUILD_FOLDER.sub("", line[: 10 * _WIDTH]))
    return str(mask(plain.strip()))[:_WIDTH]
