# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a pasted ssh line: which of them may be shown, where a password begins, and what looks like an address.

A line may hold a password in any place, with or without a label, so a message shows the address alone.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Sequence

# ssh(1) of OpenSSH 9: options with a value, and those without
VALUES = "BDEFIJLOPQRSWbceilmopw"
FLAGS = "46AaCfGgKkMNnqTtVvXxYys"
PROGRAMS = ("ssh", "ssh.exe", "sshpass", "sshpass.exe")

# Chinese labels need no mark behind them; English ones are also words of options, paths and names
_LABEL = re.compile(
    r"密码|口令|密碼"
    r"|(?<![\w@./=,-])(?:pass(?:word|wd|phrase|code)|pwd)(?=\s|$)"
    r"|(?<![\w@./-])(?:pass(?:word|wd|phrase|code)?|pwd|pw)\s*[:：=]"
    r"|\w*(?:pass(?:word|wd|phrase|code)?|pwd|pw)\s*="
    r"|(?<!\S)-pw(?=\s|$)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"(?:ssh://)?((?:[A-Za-z0-9_][A-Za-z0-9_.+-]*@)?)"
    r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
    r"(?![A-Za-z0-9_@.-])(?!:[^@]*@)"
)
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+(?:[A-Za-z]{2,}|xn--[A-Za-z0-9-]+)")
# Accounts of images and providers: their names before an "@" tell an address from a password with that sign
_USERS = re.compile(r"root|admin|user|ubuntu|debian|centos|rocky|almalinux|fedora|ec2-user|cloud-user|opc|azureuser")
# Blanks of web pages and chats, and marks without width
_BLANKS = {0xA0: " ", 0x2002: " ", 0x2003: " ", 0x2009: " ", 0x202F: " ", 0x3000: " "}
_BLANKS_GONE = dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))


def clean(line: str) -> str:
    return line.translate(_BLANKS | _BLANKS_GONE).strip()


def split(text: str) -> list[str]:
    """The words as a shell takes them. ValueError for a quote that is not closed."""
    splitter = shlex.shlex(text, posix=True, punctuation_chars=False)
    splitter.whitespace_split = True
    splitter.commenters = ""
    splitter.escape = ""  # paths of Windows keep their backslashes
    return list(splitter)


def labelled(text: str) -> int | None:
    """Where a word for a password begins, with or without the password; None where there is none."""
    found = _LABEL.search(text)
    return None if found is None else found.start()


def is_program(word: str, *names: str) -> bool:
    return _last(word) in names


def _last(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]


def is_address(host: str) -> bool:
    """True for an IP address and for a name that ends in a domain."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return _DOMAIN.fullmatch(host) is not None
    return True


def is_login(user: str, host: str) -> bool:
    """True where user and host are hardly a password with an "@" in it."""
    return is_address(host) or _USERS.fullmatch(user) is not None


def shown(line: str) -> str:
    """What a message may show of a line: the program and the one address, never another value."""
    text = clean(line)
    try:
        words = split(text[: labelled(text)].removeprefix("$ "))
    except ValueError:
        words = text.split(None, 1)[:1]
    program = _last(words[0]) if words and is_program(words[0], *PROGRAMS) else ""
    if program.startswith("sshpass"):
        return "sshpass ..."
    places = [place for place in map(_place, _arguments(words[1:] if program else words, bool(program))) if place]
    if len(places) != 1 or not (program or is_address(places[0][1])):
        return f"{program} ...".strip()
    user, host = places[0]
    address = (f"{user}@" if user else "") + host
    short = f"{program} {address}".strip()
    return short if short == text else f"{program} ... {address}".strip()


def _arguments(words: Sequence[str], program: bool) -> list[str]:
    """The words that are neither options nor their values; nothing behind an option that ssh does not know."""
    found: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or len(word) == 1:
            found.append(word)
            continue
        letters = word[1:].lstrip(FLAGS)
        if letters and letters[0] not in VALUES:
            break
        if len(letters) == 1:
            rest = rest[1:]
    return found


def _place(word: str) -> tuple[str, str] | None:
    """User and host at the beginning of a word that may be an address."""
    found = _ADDRESS.match(word)
    if found is None:
        return None
    user, host = found[1].rstrip("@"), found[2]
    return (user, host) if is_address(host) or (user and ":" not in host) else None
