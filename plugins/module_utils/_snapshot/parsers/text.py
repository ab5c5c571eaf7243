# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small text formats: os-release, mounts, meminfo, DeviceAllow lists of names, masking of passwords."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
_OCTAL = re.compile(r"\\([0-7]{3})")


def mask(value: Any) -> Any:
    """Replace user names and passwords inside URLs, at any depth."""
    if isinstance(value, str):
        return _CREDENTIALS.sub("***@", value)
    if isinstance(value, list):
        return [mask(item) for item in value]
    if isinstance(value, dict):
        return {str(key): mask(item) for key, item in value.items()}
    return value


def os_release(text: str) -> dict[str, str]:
    """Parse os-release(5): shell-like assignments without expansion. Lines that are none are ignored."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, raw = line.strip().partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            continue
        try:
            words = shlex.split(raw, posix=True)
        except ValueError:
            continue
        values[name] = words[0] if words else ""
    return values


def json_object(text: str) -> dict[str, Any]:
    """Parse a JSON object; anything else is a ValueError."""
    try:
        value = json.loads(text)
    except RecursionError as exc:
        raise ValueError("JSON is nested too deeply") from exc
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {type(value).__name__}")
    return value


def mounts(text: str) -> list[dict[str, Any]]:
    """Parse /proc/self/mounts (fstab(5) fields; blanks in names are written as octal escapes)."""
    found = []
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) < 4:
            continue
        source, mount, kind, options = (_OCTAL.sub(_octal, field) for field in fields[:4])
        found.append({"source": source, "mount": mount, "type": kind, "options": options.split(",")})
    return found


def _octal(match: re.Match[str]) -> str:
    return chr(int(match.group(1), 8))


def meminfo_mib(text: str, name: str) -> int | None:
    """Return one value of /proc/meminfo, which counts in KiB, in MiB."""
    match = re.search(rf"^{re.escape(name)}:\s+(\d+) kB", text, re.MULTILINE)
    return None if match is None else int(match.group(1)) // 1024


def char_majors(text: str) -> dict[int, str]:
    """Return the character device majors of /proc/devices."""
    majors: dict[int, str] = {}
    for line in text.partition("Block devices")[0].splitlines():
        match = re.fullmatch(r"\s*(\d+)\s+(\S+)\s*", line)
        if match:
            majors[int(match.group(1))] = match.group(2)
    return majors


def environ(text: str) -> dict[str, str]:
    """Parse /proc/PID/environ."""
    pairs = (entry.partition("=") for entry in text.split("\0") if "=" in entry)
    return {name: value for name, _equals, value in pairs}
