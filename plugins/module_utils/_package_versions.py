# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what apt and dnf say about the versions of packages, and sort rpm versions. Pure: text in, mappings out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cmp_to_key

# deb-policy(7) "Package" and what rpm packages are called in practice; no glob, no option
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")

DPKG_FORMAT = "${Package}|${db:Status-Status}|${Version}\\n"
# dnf4 ends each package with a line feed by itself, dnf5 does not; blank lines do no harm
DNF_FORMAT = "%{name}|%{epoch}:%{version}-%{release}|%{arch}\\n"
RPM_FORMAT = "%{NAME}|%{EPOCHNUM}:%{VERSION}-%{RELEASE}|%{ARCH}\\n"


def madison(text: str, names: Iterable[str]) -> dict[str, list[str]]:
    """Parse `apt-cache madison`: NAME | VERSION | SOURCE. Apt names the newest first; lines of source packages end
    with "Sources". A name that apt does not know has no line.
    """
    found: dict[str, list[str]] = {name: [] for name in names}
    for line in text.splitlines():
        parts = [part.strip() for part in line.split("|")]
        if len(parts) < 3 or parts[-1].endswith(" Sources"):
            continue
        versions = found.get(parts[0])
        if versions is not None and parts[1] and parts[1] not in versions:
            versions.append(parts[1])
    return found


def repoquery(text: str, names: Iterable[str], machine: str) -> dict[str, list[str]]:
    """Parse `dnf repoquery --qf DNF_FORMAT`, newest first. Packages of another architecture do not count."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for line in text.splitlines():
        parts = line.strip().split("|")
        if len(parts) != 3 or parts[2] not in (machine, "noarch"):
            continue
        versions, version = found.get(parts[0]), without_zero(parts[1])
        if versions is not None and version and version not in versions:
            versions.append(version)
    return {name: sorted(versions, key=EVR_KEY, reverse=True) for name, versions in found.items()}


def dpkg_installed(text: str) -> dict[str, str]:
    """Parse `dpkg-query -W -f DPKG_FORMAT`: only what is installed and configured."""
    rows = (line.strip().split("|") for line in text.splitlines())
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


def rpm_installed(text: str, machine: str) -> dict[str, str]:
    """Parse `rpm -q --qf RPM_FORMAT`; of packages that are there several times (kernel-devel) the newest."""
    return {name: versions[0] for name, versions in repoquery(text, _first_fields(text), machine).items() if versions}


def _first_fields(text: str) -> list[str]:
    return [line.split("|")[0].strip() for line in text.splitlines() if "|" in line]


def without_zero(version: str) -> str:
    """Leave out an epoch of 0 (rpm also says "(none)"), as dnf does when it shows a version."""
    epoch, colon, rest = version.partition(":")
    return rest if colon and epoch in ("", "0", "(none)") else version


def compare_evr(one: str, other: str) -> int:
    """Compare EPOCH:VERSION-RELEASE as rpm does (rpm-version(7)): -1, 0 or 1."""
    for a, b in zip(_split(one), _split(other)):
        order = compare_part(a, b)
        if order:
            return order
    return 0


def _split(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    body, _dash, release = rest.rpartition("-")
    return (epoch, body, release) if body else (epoch, release, "")


def compare_part(one: str, other: str) -> int:
    """Compare two strings segment by segment. "~" sorts before everything, also the end; "^" after the end only."""
    parts = [re.findall(r"~|\^|[0-9]+|[A-Za-z]+", text) for text in (one, other)]
    for place in range(max(len(part) for part in parts)):
        a, b = (part[place] if place < len(part) else "" for part in parts)
        if a == b:
            continue
        order = _rank(a) - _rank(b) or _same_kind(a, b)
        if order:
            return 1 if order > 0 else -1
    return 0


def _rank(segment: str) -> int:
    """~ < end < ^ < letters < digits."""
    if segment in ("~", "", "^"):
        return ("~", "", "^").index(segment)
    return 4 if segment[0].isdigit() else 3


def _same_kind(a: str, b: str) -> int:
    if a[:1].isdigit():
        return int(a) - int(b)
    return (a > b) - (a < b)


EVR_KEY = cmp_to_key(compare_evr)


def prefers_dnf(os_release: str) -> bool:
    """Say whether a system is one of Red Hat's family. A Debian with dnf installed is not."""
    fields: Mapping[str, str] = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?\s*$', os_release, re.MULTILINE))
    words = {fields.get("ID", ""), *fields.get("ID_LIKE", "").split()}
    return bool(words & {"rhel", "fedora", "centos", "amzn"})
