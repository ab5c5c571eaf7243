# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""npm's file for the whole machine: registry and proxy.

Which file that is depends on who packaged npm; npm calls it globalconfig:
- Debian's and Ubuntu's package npm: /etc/npmrc (/usr/share/nodejs/npm/npmrc of npm 9.2.0~ds1 says so: globalconfig).
- npm as Node.js ships it, also in NodeSource's packages: PREFIX/etc/npmrc, where PREFIX is the folder above the one
  that holds `node` (npm documentation, config, globalconfig): /usr/etc/npmrc, or /usr/local/etc/npmrc for the archives.
- Fedora and RHEL: PREFIX/etc/npmrc, which there is a link to /etc/npmrc.
So `paths` names the file of each npm that is found, and /etc/npmrc where there is none yet.

npm reads the file with the package `ini`: KEY = VALUE lines, ";" and "#" begin comments, keys behind a [section] do not
count, of a key that stands twice the last counts. A ${NAME} in a value is replaced from the environment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import keyed

PATH = "/etc/npmrc"
MODE = 0o644  # every user's npm reads it
KEYS = ("registry", "proxy", "https-proxy", "noproxy", "cafile")
# where an npm lies -> the file that it reads
PLACES = {
    "/usr/share/nodejs/npm": "/etc/npmrc",
    "/usr/lib/node_modules/npm": "/usr/etc/npmrc",
    "/usr/local/lib/node_modules/npm": "/usr/local/etc/npmrc",
}
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_PAIR = re.compile(r"[ \t]*(?P<key>[^=\r\n]+?)[ \t]*=[ \t]*(?P<value>[^\r\n]*?)[ \t]*\r?$")
_SECTION = re.compile(r"[ \t]*\[[^\]\r\n]*\][ \t]*\r?$")
# the one that npm's ini quotes a value for
_SPECIAL = re.compile(r"[;#=\s\"'\\\[]")


class NpmError(ValueError):
    """The file or a wish is nothing that npm could read as meant; the text names the line."""


def paths(exists: Callable[[str], bool]) -> list[str]:
    """The files to write. exists: says whether a path is there (as the target sees it)."""
    found = [path for place, path in PLACES.items() if exists(place)]
    return found or [PATH]


def update(text: str, wish: Mapping[str, Any]) -> str:
    """The text with the keys of the wish set: registry, proxy, https-proxy, noproxy, cafile."""
    unknown = [key for key in wish if key not in KEYS]
    if unknown:
        raise NpmError(f"{unknown[0]} is no key that is set here; known are {', '.join(KEYS)}")
    return _edit(text, dict(keyed.filled(wish)))


def undo(text: str, written: Mapping[str, Any], original: str) -> str:
    """The text without what was written, where it is still as written."""
    return keyed.undo(text, written, original, _edit, get)


def get(text: str, key: str) -> str | None:
    """The value that npm finds for a key; None where it is not set."""
    found = [value for name, value, _number in _pairs(_lines(text)) if name == key]
    return found[-1] if found else None


def _lines(text: str) -> list[str]:
    match = re.search(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
    if match:
        raise NpmError(f"line {text.count(chr(10), 0, match.start()) + 1} holds a control character")
    return _LINE.findall(text)


def _pairs(lines: list[str]) -> list[tuple[str, str, int]]:
    """Key, value and line number (from 0) of all that stands before the first section."""
    found = []
    for number, line in enumerate(lines):
        body = line.rstrip("\n")
        if _SECTION.match(body):
            break
        match = None if body.lstrip()[:1] in (";", "#") else _PAIR.match(body)
        if match:
            found.append((_unquoted(match.group("key")), _unquoted(match.group("value")), number))
    return found


def _unquoted(value: str) -> str:
    """A value as `ini` reads it: in quotes, or up to a comment."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        try:
            inner = json.loads(value if value[0] == '"' else value[1:-1])
        except ValueError:
            return value[1:-1] if value[0] == "'" else value
        return inner if isinstance(inner, str) else value[1:-1]
    bare = re.split(r"(?<!\\)[;#]", value, maxsplit=1)[0].strip()
    return re.sub(r"\\([;#\\])", r"\1", bare)


def _quoted(value: str) -> str:
    if "${" in value:
        raise NpmError(f"{value!r} holds ${{, which npm replaces from the environment")
    return json.dumps(value, ensure_ascii=False) if _SPECIAL.search(value) else value


def _edit(text: str, values: keyed.Values) -> str:
    for key, value in values.items():
        text = _set(text, key, value)
    return text


def _set(text: str, key: str, value: str | None) -> str:
    """The last line of the key takes the value, as npm counts that one; without a value all its lines go."""
    if get(text, key) == value:
        return text
    lines = _lines(text)
    own = [number for name, _value, number in _pairs(lines) if name == key]
    place = next((n for n, found in enumerate(lines) if _SECTION.match(found.rstrip("\n"))), len(lines))
    return keyed.put(lines, own, None if value is None else f"{key}={_quoted(value)}", place)
