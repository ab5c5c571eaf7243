# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role tells others of its steps: whether there is anything to do, what to probe, what to judge by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_RIGHT = ("sources_right", "packages_right", "hold_right", "files_right", "initramfs_right", "services_right")


def outputs(found: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """`found`: the steps. `inputs`: of the role; `reboot` and `own_packages` count here."""
    asks = {
        "name": "NVIDIA driver",
        "variable": "nvidia_driver_repo_url",
        "url": _repository_url(found),
        "packages": found["packages"],
    }
    return {"todo": _todo(found), "asks": asks, "policy": _policy(found, inputs)}


def _todo(found: Mapping[str, Any]) -> bool:
    right = all(found[name] for name in _RIGHT)
    due = found["modules_missing"] or found["reload"] or found["reboot"]
    return bool(found["refusal"] or (found["managed"] and (due or not right)))


def _repository_url(found: Mapping[str, Any]) -> str:
    """What preflight may ask for over the network; '' where there is nothing to ask."""
    for source in found["sources"]:
        url = str(source.get("uris", [""])[0])
        if url.startswith(("http://", "https://")) and "signed_by" not in source:
            return f"{url}/InRelease"
    return ""


def _policy(found: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of the readiness policy: what a judge must know before the driver is installed, changed or booted."""
    if found["reboot"] and inputs.get("reboot") == "when_needed":
        return {"driver_reboot_planned": True}
    if found["packages_right"]:
        return {}
    return {
        "driver_branch": found["driver"]["branch"],
        # whoever names packages knows which modules they bring
        "driver_modules": None if inputs.get("own_packages") else found["driver"]["modules"],
        "driver_secure_boot": found["driver"]["secure_boot"],
        "driver_change_planned": bool(found["loaded"]),
    }
