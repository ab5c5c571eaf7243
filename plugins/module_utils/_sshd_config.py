# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of sshd as a tree of files, and a copy of the tree with a change in it that sshd can be asked about.

Facts are those of sshd_config(5): the first value of a keyword wins; Port, ListenAddress, AllowUsers and the like add
up; Include takes glob patterns, relative ones below /etc/ssh, read in lexical order; a Match block ends with its file.
Include is known since OpenSSH 8.2 (its release notes), KbdInteractiveAuthentication in its present meaning since 8.7.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping
from typing import Callable, NamedTuple, Optional

Reader = Callable[[str], Optional[bytes]]
Finder = Callable[[str], "list[str]"]

CUMULATIVE = ("port", "listenaddress", "allowusers", "denyusers", "allowgroups", "denygroups", "acceptenv", "hostkey")
# words that mean the same (sshd_config(5), PermitRootLogin)
SAME = {"without-password": "prohibit-password"}
DEPTH = 16  # sshd's own limit of nested Include lines
_LINE = re.compile(r"^\s*([A-Za-z][A-Za-z0-9]*)(?:\s*=\s*|\s+)(.*?)\s*$")


class Line(NamedTuple):
    """One setting, where it stands, and the Match line that it stands below ('' where for all)."""

    path: str
    number: int
    keyword: str
    value: str
    match: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.number}"


def split(line: str) -> tuple[str, str]:
    """Keyword in small letters and the rest of the line; ('', '') for blank lines and comments."""
    found = _LINE.match(line)
    return (found.group(1).lower(), found.group(2)) if found else ("", "")


def patterns(value: str, folder: str) -> list[str]:
    """The patterns of an Include line as absolute ones."""
    names = [a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', value.partition(" #")[0])]
    return [name if name.startswith("/") else os.path.join(folder, name) for name in names]


class Tree:
    """A main file with all files that it includes. `overlay` maps paths to bytes that stand for the file's own; None
    stands for no file."""

    def __init__(
        self, main: str, read: Reader, find: Finder, overlay: Mapping[str, bytes | None] | None = None
    ) -> None:
        self.main, self._read, self._find, self._overlay = main, read, find, dict(overlay or {})
        self.folder = "/etc/ssh"
        self.lines: list[Line] = []
        self.files: list[str] = []
        self.included: list[str] = []  # patterns that hold for everybody
        self._walk(main, "", 0)

    def content(self, path: str) -> bytes | None:
        return self._overlay[path] if path in self._overlay else self._read(path)

    def expand(self, pattern: str) -> list[str]:
        found = {path for path in self._find(pattern) if self._overlay.get(path, b"") is not None}
        found |= {path for path, data in self._overlay.items() if data is not None and self.covers(pattern, path)}
        return sorted(found)

    @staticmethod
    def covers(pattern: str, path: str) -> bool:
        """As glob(3) does: a star stands for no slash, and not for a leading dot."""
        same = pattern.count("/") == path.count("/") and fnmatch.fnmatchcase(path, pattern)
        return same and not (os.path.basename(path).startswith(".") and "*" in os.path.basename(pattern)[:1])

    def _walk(self, path: str, match: str, depth: int) -> None:
        data = self.content(path)
        if data is None or depth > DEPTH:
            return
        self.files.append(path)
        for number, text in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            keyword, value = split(text)
            if not keyword:
                continue
            if keyword == "match":
                match = value
            elif keyword == "include":
                for pattern in patterns(value, self.folder):
                    self.included += [] if match else [pattern]
                    for name in self.expand(pattern):
                        self._walk(name, match, depth + 1)
            self.lines.append(Line(path, number, keyword, value, match))

    def reads(self, path: str) -> bool:
        return any(self.covers(pattern, path) for pattern in self.included)

    def first(self, keyword: str) -> Line | None:
        """The setting that wins for everybody."""
        return next((line for line in self.lines if line.keyword == keyword and not line.match), None)

    def exceptions(self, keywords: set[str]) -> list[Line]:
        """Settings below a Match line, which win over all others for those whom it fits."""
        return [line for line in self.lines if line.match and line.keyword in keywords and line.match.lower() != "all"]

    def copies(self, folder: str) -> dict[str, bytes]:
        """The whole tree as files below another folder, main file 'main'; each line keeps its number."""
        names = {path: f"{folder}/{n}" for n, path in enumerate(dict.fromkeys(self.files))}
        made: dict[str, bytes] = {}
        for path, name in names.items():
            lines = []
            for text in (self.content(path) or b"").decode("utf-8", "surrogateescape").split("\n"):
                keyword, value = split(text)
                if keyword == "include":
                    found = [f for pattern in patterns(value, self.folder) for f in self.expand(pattern)]
                    there = [names[f] for f in found if f in names]
                    text = "Include " + " ".join(there) if there else "# nothing to include"
                lines.append(text)
            made[name] = "\n".join(lines).encode("utf-8", "surrogateescape")
        return made

    def real_names(self, text: str, folder: str) -> str:
        """Output of sshd about the copies, with the names of the files that they stand for."""
        names = list(dict.fromkeys(self.files))
        return re.sub(re.escape(folder) + r"/(\d+)", lambda found: names[int(found.group(1))], text)


def effective(output: str) -> dict[str, list[str]]:
    """What `sshd -T` prints: keyword and all of its values."""
    found: dict[str, list[str]] = {}
    for line in output.splitlines():
        keyword, value = split(line)
        if keyword:
            found.setdefault(keyword, []).append(SAME.get(value, value))
    return found


def version(output: str) -> tuple[int, int]:
    """What `ssh -V` or `sshd -V` prints. (0, 0) where it is not OpenSSH."""
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", output)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def known_as(keyword: str, release: tuple[int, int]) -> str:
    """The name of a keyword in this release of OpenSSH."""
    if keyword.lower() == "kbdinteractiveauthentication" and (0, 0) < release < (8, 7):
        return "ChallengeResponseAuthentication"
    if keyword.lower() == "pubkeyacceptedalgorithms" and (0, 0) < release < (8, 5):
        return "PubkeyAcceptedKeyTypes"
    return keyword


def render(settings: Mapping[str, list[str]], release: tuple[int, int]) -> str:
    """The drop-in. Cumulative keywords get a line for each value, the others have one."""
    lines = ["# Managed by gpuready.bootstrap.ssh_access; sshd takes the first value of a keyword, so it sorts first"]
    for keyword, values in settings.items():
        name = known_as(keyword, release)
        lines += [f"{name} {value}" for value in values]
    return "\n".join(lines) + "\n"


def unreached(settings: Mapping[str, list[str]], found: Mapping[str, list[str]]) -> list[str]:
    """Keywords whose value in force is another than the wanted one."""
    missed = []
    for keyword, values in settings.items():
        name = keyword.lower()
        now = [value.lower() for value in found.get(name, [])]
        wanted = [SAME.get(value, value).lower() for value in values]
        if name in ("allowusers", "denyusers", "allowgroups", "denygroups", "acceptenv"):
            now, wanted = sorted(now), sorted(word for value in wanted for word in value.split())
        elif name == "port":
            now, wanted = sorted(now), sorted(wanted)
        elif name in _ALGORITHMS or len(values) != 1 or " " in wanted[0] or wanted[0][:1] in "+-^":
            continue  # printed in another form than written
        if name in found and now != wanted and _seconds(now) != _seconds(wanted):
            missed.append(keyword)
    return missed


_ALGORITHMS = ("ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms", "listenaddress")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _seconds(values: list[str]) -> object:
    """A time such as 2m as seconds (sshd_config(5), TIME FORMATS)."""
    if len(values) == 1 and re.fullmatch(r"(?:\d+[smhdw])+", values[0]):
        return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", values[0]))
    if len(values) == 1 and values[0].isdigit():
        return int(values[0])
    return values
