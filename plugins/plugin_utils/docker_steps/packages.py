# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Docker Engine comes from, and the names of its packages there.

Sources: Docker's installation guides for Debian, Ubuntu, RHEL and CentOS (names, folders, packages to remove first);
the package lists of Debian 12 and 13 and of Ubuntu 24.04 (2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# The keys that sign Docker's repositories: one for deb, one for rpm
FINGERPRINTS = {
    "apt": "9DC858229FC7DD38854AE2D88D81803C0EBFCD88",
    "dnf": "060A61C51B558A7F742B77AAC52FEB6B621E9F35",
}


@dataclass(frozen=True)
class Packages:
    """`engine`: what must have one version. `runtime`: what else is held. `plugins`: by the name that users know."""

    engine: Sequence[str]
    runtime: Sequence[str] = ()
    plugins: Mapping[str, str] = field(default_factory=dict)
    rootless: Sequence[str] = ()


_DOCKER = Packages(
    engine=("docker-ce", "docker-ce-cli"),
    runtime=("containerd.io",),
    plugins={"compose": "docker-compose-plugin", "buildx": "docker-buildx-plugin"},
    rootless=("docker-ce-rootless-extras",),
)
_DEBIAN = Packages(
    engine=("docker.io", "docker-cli"),
    plugins={"compose": "docker-compose", "buildx": "docker-buildx"},
    rootless=("rootlesskit",),
)
# 20.10 has its client inside; the archive's docker-compose is version 1, and there is no buildx
_DEBIAN_12 = Packages(engine=("docker.io",), rootless=("rootlesskit",))
_UBUNTU = Packages(
    engine=("docker.io",),
    plugins={"compose": "docker-compose-v2", "buildx": "docker-buildx"},
    rootless=("rootlesskit",),
)
_ROOTLESS_HELPERS = {"apt": ("uidmap", "slirp4netns", "dbus-user-session"), "dnf": ("shadow-utils", "slirp4netns")}
# Engines that are neither Docker's nor the archive's: Azure's images, old names
_STRANGERS = ("moby-engine", "docker-ee", "docker-engine", "docker")
_DISTRIBUTION_PARTS = ("docker.io", "docker-cli", "docker-compose-v2", "docker-buildx", "containerd", "runc")
_DOCKER_PARTS = ("docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin")
_SHIM = "podman-docker"


def family(os: Mapping[str, Any]) -> str:
    """The package manager: `apt`, `dnf`, or nothing where this collection knows neither."""
    return {"debian": "apt", "rhel": "dnf"}.get(str(os.get("family")), "")


def of(source: str, os: Mapping[str, Any]) -> Packages | None:
    """The packages of a source; None where the distribution carries no Docker Engine."""
    if source == "docker":
        return _DOCKER
    if os.get("id") == "ubuntu":
        return _UBUNTU
    if os.get("id") != "debian":
        return None
    major = re.match(r"\d+", str(os.get("version") or ""))
    # a rolling release has no version
    return _DEBIAN_12 if major and int(major.group()) <= 12 else _DEBIAN


def rootless(found: Packages, manager: str) -> list[str]:
    """The packages that an engine of an ordinary user needs besides."""
    return [*found.rootless, *_ROOTLESS_HELPERS.get(manager, ())]


def origin(installed: Mapping[str, str], present: bool) -> str:
    """Whose engine is installed: `docker`, `distribution`, `as_is` (somebody else's), or nothing."""
    if "docker-ce" in installed:
        return "docker"
    if "docker.io" in installed:
        return "distribution"
    return "as_is" if present or any(name in installed for name in _STRANGERS) else ""


def in_the_way(source: str, installed: Mapping[str, str]) -> list[str]:
    """Packages that apt or dnf would remove for this source, or that own the same files."""
    if source == "docker":
        found = [*_STRANGERS, *_DISTRIBUTION_PARTS, _SHIM, *(name for name in installed if name.startswith("moby-"))]
        # from version 2 on it is the plugin, at the same path
        if not re.match(r"(\d+:)?1\.", installed.get("docker-compose", "1.")):
            found.append("docker-compose")
    else:
        found = [*_STRANGERS, *_DOCKER_PARTS, _SHIM]
    return sorted({name for name in found if name in installed})


def has_version(installed: str, wanted: str) -> bool:
    """Whether a package's version is the wanted one, which may be the engine's alone ("28.5.1")."""
    return installed == wanted or re.match(rf"(\d+:)?{re.escape(wanted)}(?![0-9.])", installed) is not None


def spec(name: str, version: str, source: str, manager: str) -> str:
    """A package at a version, as apt and dnf take it; both know patterns."""
    if not version:
        return name
    if manager == "dnf":
        return f"{name}-{version}" if "-" in version else f"{name}-{version}-*"
    if "-" in version or ":" in version:
        return f"{name}={version}"
    return f"{name}=5:{version}-*" if source == "docker" else f"{name}={version}[!0-9.]*"


def repository(repo_url: str, os: Mapping[str, Any], inputs: Mapping[str, Any], manager: str) -> dict[str, Any]:
    """Docker's repository for this system, as the arguments of apt_source or dnf_source."""
    base = repo_url.rstrip("/")
    key = {"fingerprints": inputs["repo_fingerprints"] or [FINGERPRINTS[manager]], "key_url": inputs["repo_key_url"]}
    if manager == "apt":
        url = f"{base}/{os.get('id')}"
        key["key_url"] = key["key_url"] or f"{url}/gpg"
        return {"uris": [url], "suites": [str(os.get("codename") or "")], "components": ["stable"], **key}
    # Rocky, Alma and Oracle take CentOS' packages, as Docker's own script does
    folder = str(os.get("id")) if os.get("id") in ("rhel", "fedora") else "centos"
    key["key_url"] = key["key_url"] or f"{base}/{folder}/gpg"
    major = str(os.get("version") or "").partition(".")[0]
    return {"baseurl": [f"{base}/{folder}/{major}/$basearch/stable"], **key}
