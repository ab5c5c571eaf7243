# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small formats: os-release, mounts, meminfo, EFI signature lists, version order, masking of passwords."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.tools import USERINFO

# tokens in a query, and the "/t/TOKEN/" of Anaconda's repositories
_TOKENS = re.compile(
    r"(?<=[?&])((?:access_|auth_)?(?:token|password|passwd|secret|api_?key|sig(?:nature)?)=)[^&\s\"']+", re.I
)
_CONDA_TOKEN = re.compile(r"(?<=/t/)[A-Za-z0-9-]{8,}(?=/|$)")
_OCTAL = re.compile(r"\\([0-7]{3})")


def mask(value: Any) -> Any:
    """Replace user names, passwords and tokens inside URLs, at any depth."""
    if isinstance(value, str):
        return _CONDA_TOKEN.sub("***", _TOKENS.sub(r"\1***", USERINFO.sub("***", value)))
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


def os_compiler(version: str) -> dict[str, Any] | None:
    """Return the compiler that built the kernel, of /proc/version: {name: gcc or clang, major}."""
    match = re.search(r"\bclang(?: version |-)(\d{1,3})\b", version)
    if match:
        return {"name": "clang", "major": int(match.group(1))}
    match = re.search(r"\bgcc(?:-(\d{1,3})\b|[^,]*?[ )](\d{1,3})\.\d+)", version)
    return {"name": "gcc", "major": int(match.group(1) or match.group(2))} if match else None


def bracketed(text: str | None) -> str | None:
    """Return the chosen word of a list like "none [integrity] confidentiality"."""
    match = re.search(r"\[(\w+)\]", text or "")
    return match.group(1) if match else None


_X509 = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072")


def efi_certificates(value: bytes) -> list[bytes]:
    """Return the X.509 certificates of EFI signature lists (UEFI specification); hashes of programs are no keys."""
    found = []
    position = 0
    while position + 28 <= len(value):
        size, header, each = (int.from_bytes(value[position + at : position + at + 4], "little") for at in (16, 20, 24))
        if size < 28 or position + size > len(value):
            raise ValueError(f"a signature list of {size} bytes at {position} of {len(value)}")
        if value[position : position + 16] == _X509 and each > 16:
            body = value[position + 28 + header : position + size]
            # 16 bytes say who enrolled it
            found += [body[at + 16 : at + each] for at in range(0, len(body) - each + 1, each)]
        position += size
    return found


def version_key(version: str) -> list[tuple[int, int, str]]:
    """Return a sort key as rpm compares: "~" before the end, letters after it, numbers last and by value.

    For names of kernels dpkg's order (that of `sort -V`) differs only in odd cases: RHEL's 503.1.el9 after 503.el9.
    """
    key: list[tuple[int, int, str]] = []
    for digits, tilde, letters in re.findall(r"([0-9]+)|(~)|([^\W\d_]+)", version):
        key.append((2, int(digits[:300]), "") if digits else (-1, 0, "") if tilde else (1, 0, letters))
    return [*key, (0, 0, "")]
