# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sshd's settings, from `sshd -T` or from the text of its files. Part of the probe that runs inside containers
(inside/bundle.py): nothing newer than Python 3.6, and names that no other part has."""

from __future__ import annotations

import glob
import shlex
from typing import Any, Callable

# sshd_config(5): what holds where nothing is set (Portable OpenSSH 9.x)
SSHD_DEFAULTS = {
    "permitrootlogin": ["prohibit-password"],
    "passwordauthentication": ["yes"],
    "kbdinteractiveauthentication": ["yes"],
    "authorizedkeysfile": [".ssh/authorized_keys", ".ssh/authorized_keys2"],
    "usepam": ["no"],
}
# of these every line counts, of the others the first one
_SSHD_LISTS = ("hostkey", "setenv", "authenticationmethods", "port")
# old names that mean the same
_SSHD_OLD = {"challengeresponseauthentication": "kbdinteractiveauthentication"}


def sshd_dump(text: str) -> dict[str, list[str]]:
    """Parse the answer of `sshd -T`: one keyword and its value a line, keywords in lower case."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _blank, value = line.strip().partition(" ")
        keyword = _SSHD_OLD.get(keyword.lower(), keyword.lower())
        if not keyword:
            continue
        # SetEnv may hold blanks, and `sshd -T` does not quote
        words = [value] if keyword == "setenv" else value.split()
        if keyword in _SSHD_LISTS or keyword not in found:
            found.setdefault(keyword, []).extend(words)
    return found


def sshd_text(path: str, read: Callable[[str], str], depth: int = 0) -> dict[str, list[str]]:
    """Parse a configuration file with its Includes. The first value wins; Match blocks are left out."""
    found: dict[str, list[str]] = {}
    if depth > 8:
        return found
    matching = True
    for line in read(path).splitlines():
        words = _sshd_words(line)
        if not words:
            continue
        keyword = _SSHD_OLD.get(words[0].lower(), words[0].lower())
        values = words[1:]
        if keyword == "match":
            matching = [value.lower() for value in values] == ["all"]
        elif matching and keyword == "include":
            for name in values:
                for part in sorted(glob.glob(name if name.startswith("/") else "/etc/ssh/" + name)):
                    _sshd_merge(found, sshd_text(part, read, depth + 1))
        elif matching:
            # of SetEnv only the first line counts (OpenSSH 9.2, tried)
            _sshd_merge(found, {keyword: values})
    return found


def _sshd_words(line: str) -> list[str]:
    line = line.strip()
    if not line or line.startswith("#"):
        return []
    # "Keyword=value" is allowed, too
    keyword = line.split(None, 1)[0].split("=", 1)[0]
    rest = line[len(keyword) :].strip()
    rest = rest[1:].strip() if rest.startswith("=") else rest
    try:
        return [keyword, *shlex.split(rest, comments=True)]
    except ValueError:
        return [keyword, *rest.split()]


def _sshd_merge(found: dict[str, list[str]], more: dict[str, list[str]]) -> None:
    for keyword, values in more.items():
        if keyword in ("hostkey", "port"):
            found.setdefault(keyword, []).extend(values)
        else:
            found.setdefault(keyword, list(values))


def sshd_summary(settings: dict[str, list[str]]) -> dict[str, Any]:
    """Return whether root, and whether a password, gets in."""

    def first(keyword: str) -> str:
        return (settings.get(keyword) or SSHD_DEFAULTS.get(keyword) or [""])[0].lower()

    root = first("permitrootlogin")
    password = first("passwordauthentication") == "yes"
    # PAM asks for the password here, whatever PasswordAuthentication says (sshd_config(5), UsePAM)
    password = password or (first("kbdinteractiveauthentication") == "yes" and first("usepam") == "yes")
    methods = [step for group in settings.get("authenticationmethods") or [] for step in group.lower().split(",")]
    if methods and "any" not in methods:
        password = password and any(step.startswith(("password", "keyboard-interactive")) for step in methods)
    return {
        # `sshd -T` uses the old word for it
        "permit_root_login": "prohibit-password" if root == "without-password" else root,
        "password_authentication": password,
    }
