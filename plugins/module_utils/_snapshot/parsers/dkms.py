# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The make.log of dkms: for which kernel it built, and which errors stopped it."""

from __future__ import annotations

import re

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

MOST = 5
_WIDTH = 200
# 3.0: "make.log for nvidia-550.163.01 for kernel 6.12.107-amd64 (x86_64)"; later ones have "/" before the version
_TITLE = re.compile(r"make\.log for \S+ for kernel (\S{1,100}) \((\w{1,20})\)")
# gcc and clang; modpost says so of symbols that a module may not use
_COMPILER = re.compile(r": (?:fatal )?error: |^ERROR: modpost: ")
# what is left where no compiler spoke: dkms itself, make, and NVIDIA's own checks before the build
_OTHERS = re.compile(r"^Error! |^make(?:\[\d+\])?: \*\*\* |^\*\*\* ")
_BUILD_FOLDER = re.compile(r"/var/lib/dkms/[^/\s]+/[^/\s]+/build/")


def title(text: str) -> tuple[str, str] | None:
    """Return (release, architecture) of the kernel that a log's first line names."""
    match = _TITLE.search(text)
    return (match.group(1), match.group(2)) if match else None


def errors(text: str, whole: bool = True) -> list[str]:
    """Return the first lines that say why a build failed, at most MOST, each once and cut to 200 characters.

    `whole`: the text begins where the log does; else its first line is half a line.
    """
    lines = text.splitlines()[0 if whole else 1 :]
    for pattern in (_COMPILER, _OTHERS):
        found: list[str] = []
        for line in lines:
            if pattern.search(line) and _short(line) not in found:
                found.append(_short(line))
                if len(found) == MOST:
                    break
        if found:
            return found
    return []


def _short(line: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in _BUILD_FOLDER.sub("", line[: 10 * _WIDTH]))
    return str(mask(plain.strip()))[:_WIDTH]
