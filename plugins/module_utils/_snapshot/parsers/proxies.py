# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of /etc/environment, shell profiles and systemd units, and the proxies among them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

NAMES = frozenset({"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# a proxy has no path, so that everything up to the last "@" is a name or a password, whatever it holds
_CREDENTIALS = re.compile(r"(?<=://)[^\s\"']*@")
_BARE_CREDENTIALS = re.compile(r"(?:(?<==)|(?<=[\"'])|^)[^\s/\"'=]*:[^\s\"'/]*@")
# what may stand before an assignment on its line
_BEFORE = frozenset({"export", "declare", "readonly", "-x", "then", "else", "do", "{"})
_SEPARATORS = frozenset(";&|()")


def assignments(text: str, names: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """Return (name, value) of the assignments in a shell profile or /etc/environment, in order; nothing is expanded.

    With `names`, only lines that hold one of them are looked at, whatever its case.
    """
    wanted = None if names is None else [name.lower() for name in names]
    found = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line[0] == "#" or "=" not in line:
            continue
        lower = line.lower()
        if wanted is None or any(name in lower for name in wanted):
            # masked before it is cut: half a password has no "@" behind it any more
            found += _of_line(_safe(line) if "proxy" in lower else str(mask(line)))
    return found


def _safe(text: str) -> str:
    return _BARE_CREDENTIALS.sub("***@", _CREDENTIALS.sub("***@", text))


def _of_line(line: str) -> list[tuple[str, str]]:
    found, fresh = [], True
    for word in _words(line):
        name, equals, value = word.partition("=")
        if word.startswith("#"):
            break
        if word and _SEPARATORS.issuperset(word):
            fresh = True
        elif fresh and equals and _NAME.fullmatch(name):
            found.append((name, value))
        elif word not in _BEFORE:
            # "echo A=b" assigns nothing
            fresh = False
    return found


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    # "#" begins a comment only at the start of a word
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        return line.split()


def unit_environment(text: str, key: str = "Environment") -> list[tuple[str, str]]:
    """Return (name, value) of the lines `Environment=` (or `DefaultEnvironment=`) of systemd's files."""
    found: list[tuple[str, str]] = []
    joined = re.sub(r"\\\n\s*", " ", text)
    for line in joined.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.strip() != key:
            continue
        if not value.strip():
            # systemd.exec(5): an empty assignment forgets all before it
            found = []
        for word in _quoted(_safe(value)):
            variable, equals, content = word.partition("=")
            if equals and _NAME.fullmatch(variable):
                found.append((variable, content))
    return found


def _quoted(value: str) -> list[str]:
    """Split as systemd does: blanks and quotes only."""
    try:
        return shlex.split(value)
    except ValueError:
        return value.split()


def select(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the proxy variables among assignments; the last one of a name counts."""
    return {name: hidden(value) for name, value in pairs if name.lower() in NAMES}


def hidden(value: Any) -> str:
    """Mask the credentials of a proxy, which may come without a scheme."""
    return _safe(str(mask(str(value))))[:500]


def docker(drop_ins: Iterable[tuple[str, str]], daemon: Any) -> str | None:
    """Return the proxy of the Docker daemon: daemon.json goes before the environment of its unit."""
    for key in ("https-proxy", "http-proxy"):
        if isinstance(daemon, dict) and isinstance(daemon.get(key), str) and daemon[key]:
            return hidden(daemon[key])
    chosen = {name.lower(): value for name, value in drop_ins if value}
    for key in ("https_proxy", "http_proxy", "all_proxy"):
        if key in chosen:
            return hidden(chosen[key])
    return None
