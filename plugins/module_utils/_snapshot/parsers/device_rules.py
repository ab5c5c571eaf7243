# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a container's device cgroup let it use a device node?

Two lists decide (reference: Docker with the systemd cgroup driver). The OCI config.json of the container is what
runc applies at start; systemd's DeviceAllow is what comes back after a daemon-reload. A node that only the prestart
hook opened is in neither, and is lost at the next reload: "Failed to initialize NVML: Unknown Error".
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any

Number = tuple[int, int]


def oci_allows(rules: Any, major: int, minor: int) -> bool:
    """Say whether `linux.resources.devices` of a config.json lets a character device be read and written."""
    allowed = False
    for rule in rules if isinstance(rules, list) else []:
        if isinstance(rule, dict) and _oci_matches(rule, major, minor):
            access = str(rule.get("access") or "rwm")
            if rule.get("allow"):
                allowed = allowed or ("r" in access and "w" in access)
            elif "r" in access or "w" in access:
                allowed = False
    return allowed


def _oci_matches(rule: dict[str, Any], major: int, minor: int) -> bool:
    if rule.get("type") not in (None, "", "a", "c"):
        return False
    # a missing number and -1 both stand for "any" (runtime-spec, config-linux "Allowed Device list")
    return rule.get("major") in (None, -1, major) and rule.get("minor") in (None, -1, minor)


def systemd_allows(
    policy: str | None,
    entries: Sequence[str],
    node: str,
    number: Number,
    majors: Mapping[int, str],
    kind: str = "char",
) -> bool:
    """Say whether DevicePolicy and DeviceAllow of a scope let a device be read and written; `kind` is char or block."""
    # systemd.resource-control(5): "auto" without any DeviceAllow allows everything
    if policy == "auto" and not any(entry.strip() for entry in entries):
        return True
    return any(_systemd_matches(entry, node, number, majors, kind) for entry in entries)


def _systemd_matches(entry: str, node: str, number: Number, majors: Mapping[int, str], kind: str) -> bool:
    specifier, _blank, access = entry.strip().partition(" ")
    access = access.strip() or "rwm"
    if "r" not in access or "w" not in access:
        return False
    if specifier == node:
        return True
    exact = re.fullmatch(rf"/dev/{kind}/(\d+):(\d+)", specifier)
    if exact:
        return (int(exact.group(1)), int(exact.group(2))) == number
    if specifier.startswith(f"{kind}-"):
        group = specifier[len(kind) + 1 :]
        if group.isdigit():
            return int(group) == number[0]
        return fnmatch.fnmatchcase(majors.get(number[0], ""), group) if group != "*" else True
    return False
