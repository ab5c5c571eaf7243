# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One version for the whole set: driver, libraries, fabric manager."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least, version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import driver_version

_KERNEL_DEVEL = "kernel-devel"
# Debian's archive versions these apart from the driver (nvidia-modprobe 535.161.07 beside 535.261.03, Debian 12)
_LOOSE = ("nvidia-modprobe", "nvidia-persistenced", "nvidia-settings", "nvidia-xconfig")
# Parts that refuse a driver of another version, and that nothing depends on: no package manager brings them along
_COMPANION = re.compile(
    r"(?:nvidia-fabric-?manager|libnvidia-nscq|libnvsdm|nvidia-imex)(?:-(?P<branch>\d+))?(?:-dev|-devel)?"
)


@dataclass(frozen=True)
class Set:
    """What to install. `specs`: names of the package manager with versions. `error`: why there is no such set."""

    version: str = ""
    specs: tuple[str, ...] = ()
    error: str = ""
    missing: tuple[str, ...] = field(default=())


def installed_version(names: Sequence[str], installed: Mapping[str, str]) -> str:
    """The driver's version in the packages of a set; '' where none is installed, or where they differ."""
    there = [name for name in names if name in installed and name not in _LOOSE]
    found = {driver_version(installed[name]) for name in there} - {None}
    return str(found.pop()) if len(found) == 1 else ""


def companions(installed: Iterable[str], branch: str, wished: Sequence[str]) -> list[str]:
    """The installed parts that nobody wishes (any more) and that still must have the driver's version."""
    found = {name: _COMPANION.fullmatch(name) for name in installed if name not in wished}
    return sorted(name for name, match in found.items() if match and match["branch"] in (None, branch))


def choose(
    candidates: Mapping[str, Sequence[str]],
    packages: Sequence[str],
    wanted: Mapping[str, Any],
    installed: Mapping[str, str],
) -> Set:
    """Choose the newest version that all packages have.

    candidates: versions by package name, as the package manager offers them. wanted: `branch` and `version` ('' for
    any), `keep` (the version that is installed and stays), `manager`, `optional` (packages that come along where there
    are any), `min_version`, `components` (of the distribution's archive).
    """
    candidates = {**candidates, **_headers(packages, candidates)}
    optional = [name for name in wanted.get("optional", ()) if candidates.get(name) and name not in packages]
    absent = [name for name in packages if not candidates.get(name) and name not in installed]
    if absent:
        return Set(error=_absent(absent, wanted), missing=tuple(absent))
    offered = {name: _by_driver(name, candidates, installed) for name in packages}
    versioned = {name: versions for name, versions in offered.items() if versions and name not in _LOOSE}
    version = _version(versioned, wanted)
    if not version and versioned:
        return Set(error=_incomplete(versioned, wanted))
    if _below(version, wanted):
        return Set(error=_too_old(version, wanted))
    specs = [spec(name, offered[name].get(version), wanted["manager"]) for name in packages]
    return Set(version, (*specs, *optional))


def asked(packages: Sequence[str]) -> list[str]:
    """The names to ask a package manager for: the headers of all kernels of RHEL are versions of one package."""
    return list(dict.fromkeys(_KERNEL_DEVEL if name.startswith(f"{_KERNEL_DEVEL}-") else name for name in packages))


def _headers(packages: Sequence[str], candidates: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Which of 'kernel-devel-5.14.0-611.el9.x86_64' and the like are offered."""
    found: dict[str, list[str]] = {}
    for name in packages:
        if name.startswith(f"{_KERNEL_DEVEL}-"):
            release = name[len(_KERNEL_DEVEL) + 1 :].rpartition(".")[0]
            offered = [full for full in candidates.get(_KERNEL_DEVEL, ()) if full.rpartition(":")[2] == release]
            found[name] = offered
    return found


def _by_driver(name: str, candidates: Mapping[str, Sequence[str]], installed: Mapping[str, str]) -> dict[str, str]:
    """Driver version -> the package's newest version of it; empty where it is not versioned like the driver."""
    # what is installed comes last: a rebuild of the same driver in the repository goes before it
    every = [*candidates.get(name, ()), *([installed[name]] if name in installed else [])]
    found: dict[str, str] = {}
    for full in every:
        version = driver_version(full)
        if version is not None:
            found.setdefault(version, full)
    return found


def _version(versioned: Mapping[str, Mapping[str, str]], wanted: Mapping[str, Any]) -> str:
    """The version of the set; '' where there is none. One that is installed is left only when somebody asks for it."""
    common = set.intersection(*(set(versions) for versions in versioned.values())) if versioned else set()
    if wanted["version"]:
        return wanted["version"] if wanted["version"] in common else ""
    if wanted["keep"]:
        return wanted["keep"] if wanted["keep"] in common else ""
    fitting = [version for version in common if not wanted["branch"] or version.startswith(f"{wanted['branch']}.")]
    return max(fitting, key=version_key) if fitting else ""


def spec(name: str, full: str | None, manager: str) -> str:
    """'name=1.0-1' for apt, 'name-3:1.0-1.el9' for dnf, the bare name for a package with versions of its own."""
    if full is None:
        return name
    return f"{name}={full}" if manager == "apt" else f"{name}-{full}"


def _absent(names: Sequence[str], wanted: Mapping[str, Any]) -> str:
    headers = [name for name in names if name.startswith(("linux-headers", "kernel-devel"))]
    if headers:
        return (
            f"The kernel module must be built, and no repository offers {', '.join(headers)}. Update the kernel, "
            "reboot into it and run again, or add the repository that holds the headers of this kernel."
        )
    if wanted.get("components"):
        return (
            f"No repository offers {', '.join(names)}. Enable the components {' '.join(wanted['components'])} in the "
            "system's package sources, or set nvidia_driver_source to nvidia."
        )
    return (
        f"No repository offers {', '.join(names)}, which branch {wanted['branch'] or 'wished'} needs. Look at "
        "nvidia_driver_repo_url and nvidia_driver_source, or set nvidia_driver_branch to one that is there."
    )


def _below(version: str, wanted: Mapping[str, Any]) -> bool:
    """Whether what was chosen is too old; a version that somebody named, or that is installed, is not."""
    floor = wanted.get("min_version")
    return bool(
        floor and version and not (wanted["keep"] or wanted["version"]) and not version_at_least(version, floor)
    )


def _too_old(version: str, wanted: Mapping[str, Any]) -> str:
    return (
        f"The newest complete set in the repositories is {version}, and this machine needs {wanted['min_version']} or "
        "newer (its GPUs, or known security holes). Use a repository that is up to date, or set nvidia_driver_version "
        "to install it all the same."
    )


def _incomplete(versioned: Mapping[str, Mapping[str, str]], wanted: Mapping[str, Any]) -> str:
    exact = wanted["version"] or wanted["keep"]
    lacking = [name for name, versions in versioned.items() if exact and exact not in versions]
    which = exact or f"of branch {wanted['branch']}"
    without = f", missing are {', '.join(lacking)}" if lacking else ""
    complete = set.intersection(*(set(versions) for versions in versioned.values()))
    offer = ", ".join(sorted(complete, key=version_key, reverse=True)) or "none"
    return (
        f"There is no complete set of driver {which}{without}. Complete sets in the repositories: {offer}. "
        "Set nvidia_driver_version or nvidia_driver_branch to one of them."
    )
