# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""APT sources in both formats of sources.list(5), and the repository files of dnf."""

from __future__ import annotations

import configparser
import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

_NO = frozenset({"no", "false", "without", "off", "disable", "0"})
_YES = frozenset({"yes", "true", "with", "on", "enable", "1"})


def deb822(text: str, path: str) -> list[dict[str, Any]]:
    """Parse a `.sources` file."""
    found = []
    for fields in _stanzas(text):
        if "types" not in fields:
            continue
        signed_by = fields.get("signed-by")
        if signed_by is not None and "BEGIN PGP" in signed_by:
            signed_by = "(embedded key)"
        found.append(
            _entry(
                path,
                "deb822",
                fields.get("enabled", "yes").strip().lower() not in _NO,
                fields["types"].split(),
                fields.get("uris", "").split(),
                fields.get("suites", "").split(),
                fields.get("components", "").split(),
                signed_by,
            )
        )
    return found


def _stanzas(text: str) -> list[dict[str, str]]:
    stanzas: list[dict[str, str]] = [{}]
    field = None
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            stanzas.append({})
            field = None
        elif line[0] in " \t" and field is not None:
            stanzas[-1][field] += "\n" + line.strip()
        elif ":" in line:
            field, _colon, value = line.partition(":")
            field = field.strip().lower()
            stanzas[-1][field] = value.strip()
    return [fields for fields in stanzas if fields]


def one_line(text: str, path: str) -> list[dict[str, Any]]:
    """Parse a `.list` file. A commented-out entry is no entry: apt does not see it either."""
    found = []
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        match = re.fullmatch(r"(deb|deb-src)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)(.*)", line)
        if match is None:
            continue
        kind, options, uri, suite, components = match.groups()
        signed_by = re.search(r"(?:^|\s)signed-by=(\S+)", options or "", re.IGNORECASE)
        found.append(
            _entry(path, "list", True, [kind], [uri], [suite], components.split(), signed_by and signed_by.group(1))
        )
    return found


def yum_repos(text: str, path: str) -> list[dict[str, Any]]:
    """Parse a file of /etc/yum.repos.d; a repository stands as one source without suite and component."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as exc:
        raise ValueError(f"{path}: {exc}".replace("\n", " ")) from exc
    found = []
    for section in parser.sections():
        values = dict(parser.items(section))
        url = values.get("baseurl") or values.get("mirrorlist") or values.get("metalink") or ""
        enabled = values.get("enabled", "1").strip().lower() not in _NO
        found.append(_entry(path, "repo", enabled, ["rpm"], url.split(), [section], [], values.get("gpgkey")))
    return found


def _entry(
    path: str,
    form: str,
    enabled: bool,
    types: list[str],
    uris: list[str],
    suites: list[str],
    components: list[str],
    signed_by: str | None,
) -> dict[str, Any]:
    return {
        "file": path,
        "format": form,
        "enabled": enabled,
        "types": types,
        "uris": mask(uris),
        "suites": suites,
        "components": components,
        "signed_by": mask(signed_by),
    }


def trusted(text: str, path: str) -> bool:
    """Say whether an enabled entry tells APT to trust a repository without a signature (apt-secure(8))."""
    if path.endswith(".sources"):
        return any(
            "types" in fields
            and fields.get("trusted", "").strip().lower() in _YES
            and fields.get("enabled", "yes").strip().lower() not in _NO
            for fields in _stanzas(text)
        )
    for raw in text.splitlines():
        match = re.match(r"\s*(?:deb|deb-src)\s+\[([^\]]*)\]", raw.partition("#")[0])
        option = re.search(r"(?:^|\s)trusted=(\S+)", match.group(1), re.IGNORECASE) if match else None
        if option and option.group(1).lower() in _YES:
            return True
    return False
