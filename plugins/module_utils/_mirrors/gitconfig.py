# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy and the certificates in /etc/gitconfig, in sections of our own at its end.

git-config(1): of a key that stands twice the last one counts, so a section of ours at the end wins over the user's in
the same file, whose lines all stay; a user's ~/.gitconfig wins over both. git has no key for hosts without proxy (it
reads the variables NO_PROXY and no_proxy), but http.URL.proxy may be empty for one host. git-lfs reads the same keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import keyed

PATH = "/etc/gitconfig"
MODE = 0o644  # every user's git reads it
MARK = "# gpuready"
_HEADER = re.compile(r"[ \t]*\[[ \t]*[A-Za-z0-9.-]+(?:[ \t]+\"(?:[^\"\\\n]|\\.)*\")?[ \t]*\]")
_KEY = re.compile(r"[ \t]*[A-Za-z][A-Za-z0-9-]*[ \t]*(?:=|$|[#;])")
_HOST = re.compile(r"[A-Za-z0-9_.-]+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")


class GitConfigError(ValueError):
    """The file or a wish is nothing that git could read; the text names the line."""


def update(text: str, wish: Mapping[str, Any]) -> str:
    """The text with the wish: proxy (an address), ca_bundle (a file), direct (hosts without proxy)."""
    _check(text)
    block = _block(wish)
    rest = _without(text, None)
    if not block:
        return rest
    return rest + ("" if not rest or rest.endswith("\n") else "\n") + block


def undo(text: str, written: Mapping[str, Any], original: str) -> str:
    """The text without our sections; what somebody else set in one of them stays."""
    if update(original, written) == text:
        return original
    _check(text)
    return _without(text, set(_block(written).splitlines()))


def _block(wish: Mapping[str, Any]) -> str:
    values = keyed.filled({key: wish.get(key) for key in ("proxy", "ca_bundle")})
    pairs = {"proxy": values.get("proxy"), "sslCAInfo": values.get("ca_bundle")}
    lines = [f"\t{key} = {_quoted(value)}" for key, value in pairs.items() if value]
    if lines:
        lines.insert(0, f"[http] {MARK}")
    for host in (wish.get("direct") or []) if values.get("proxy") else []:
        if not _HOST.fullmatch(host):
            raise GitConfigError(f"{host!r} is no host, and git knows nothing else that needs no proxy")
        for scheme in ("http", "https"):
            lines += [f'[http "{scheme}://{host}/"] {MARK}', "\tproxy ="]
    return "".join(line + "\n" for line in lines)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _check(text: str) -> None:
    """Refuse what git refuses, with the line."""
    goes_on, seen, number = False, False, 0
    for number, line in enumerate(text.splitlines(), 1):
        if not goes_on:
            match = _HEADER.match(line)
            seen = seen or match is not None
            rest = line[match.end() :] if match else line
            blank = not rest.strip() or rest.lstrip()[0] in "#;"
            if not blank and not (seen and _KEY.match(rest)):
                raise GitConfigError(f"line {number} is neither a section, a key nor a comment")
        goes_on = _goes_on(line, number)
    if goes_on:
        raise GitConfigError(f"line {number} ends with a backslash, but no line follows")


def _goes_on(line: str, number: int) -> bool:
    """Whether a value goes on in the next line: a backslash at its end, outside of a comment."""
    inside, at = False, 0
    while at < len(line):
        if line[at] == "\\":
            if at + 1 == len(line):
                return True
            at += 1
        elif line[at] == '"':
            inside = not inside
        elif line[at] in "#;" and not inside:
            return False
        at += 1
    if inside:
        raise GitConfigError(f"line {number} opens a quote that it does not close")
    return False


def _without(text: str, written: set[str] | None) -> str:
    """Without our sections; of their lines only those that we wrote (all, if None), and no header that others need."""
    found: list[list[str]] = [[]]  # each section with its header
    goes_on = False
    for number, line in enumerate(_LINE.findall(text), 1):
        if not goes_on and _HEADER.match(line):
            found.append([])
        found[-1].append(line)
        goes_on = _goes_on(line.rstrip("\r\n"), number)
    return "".join("".join(_of_others(section, written)) for section in found)


def _of_others(section: list[str], written: set[str] | None) -> list[str]:
    head = section[0].rstrip("\r\n") if section else ""
    if not (_HEADER.match(head) and head.endswith(f"] {MARK}")):
        return section
    ours = {"\tproxy ="} if written is None else written
    rest = [line for line in section[1:] if not _is_ours(line.rstrip("\r\n"), ours, written is None)]
    return [section[0], *rest] if any(line.strip() for line in rest) else rest


def _is_ours(line: str, ours: set[str], any_value: bool) -> bool:
    return line in ours or (any_value and re.match(r"\t(?:proxy|sslCAInfo) = \"", line) is not None)
