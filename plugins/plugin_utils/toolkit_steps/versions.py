# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One version for the four packages: what is wished, whether it is safe, and whether it is to be had."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import data
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least, version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

# 1.20.0, 1.20.0-1, 1.21.0~rc.1-1
_WISH = re.compile(r"\d+\.\d+\.\d+(?:~rc\.\d+)?(?:-\d+)?")
SHOWN = 8


def floor() -> str:
    """The first version without a known hole."""
    return str(max((row["fixed"] for row in data.load("toolkit")["cves"].values()), key=version_key))


def full(wish: str) -> str:
    """The version as packages have it: NVIDIA's have had revision 1 so far."""
    return wish if "-" in wish else f"{wish}-1"


def refusal(wish: str, allow_vulnerable: bool) -> Text | None:
    """One sentence where the wish cannot be meant or would open known holes; None otherwise."""
    if not _WISH.fullmatch(wish):
        return say(
            "nvidia_container_toolkit_version: {wish} is no version of the toolkit, such as 1.20.0-1.", wish=repr(wish)
        )
    if allow_vulnerable or _safe(wish):
        return None
    rows = data.load("toolkit")["cves"].items()
    holes = [cve for cve, row in rows if not version_at_least(wish, row["fixed"])]
    return say(
        "nvidia_container_toolkit_version: {wish} is open to {holes}; take {floor} or newer, or set "
        "nvidia_container_toolkit_allow_vulnerable to true.",
        wish=wish,
        holes=holes,
        floor=floor(),
    )


def _safe(version: str) -> bool:
    """A candidate for a release is older than the release."""
    release = version_key(version.partition("~")[0]) == version_key(floor())
    return version_at_least(version, floor()) and not (release and "~" in version)


def chosen(
    candidates: Mapping[str, Sequence[str]], names: Sequence[str], version: str, manager: str
) -> tuple[list[str], Text | None]:
    """(what to give to the package manager, why that is not possible)."""
    lacking = [name for name in names if version not in candidates.get(name, ())]
    if lacking:
        return [], _gone(candidates, names, version, lacking)
    sign = "=" if manager == "apt" else "-"
    return [f"{name}{sign}{version}" for name in names], None


def _gone(candidates: Mapping[str, Sequence[str]], names: Sequence[str], version: str, lacking: Sequence[str]) -> Text:
    complete = set.intersection(*(set(candidates.get(name, ())) for name in names))
    safe = sorted((one for one in complete if _safe(one)), key=version_key, reverse=True)
    if not any(candidates.get(name) for name in names):
        return say(
            "No repository offers {names}. Look at nvidia_container_toolkit_repo_base_url and "
            "nvidia_container_toolkit_repo_url.",
            names=lacking,
        )
    return say(
        "The repository does not offer {version} of {names}. Complete sets without known holes that it has: {offer}. "
        "Set nvidia_container_toolkit_version to one of them.",
        version=version,
        names=lacking,
        offer=safe[:SHOWN] or say("none that is {floor} or newer", floor=floor()),
    )


def locks(names: Sequence[str], version: str) -> str:
    """Lines of dnf's versionlock: NAME-EPOCH:VERSION-RELEASE.*"""
    return "\n".join(f"{name}-0:{version}.*" for name in names)
