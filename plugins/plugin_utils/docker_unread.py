# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether containers of Docker are unknown: an engine that runs and gives no answer is not an idle one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_RUNS = ("active", "activating", "reloading", "deactivating")


def unread(facts: Mapping[str, Any]) -> str:
    """Why the containers of an engine that runs are not known; '' where they are, or where no engine runs."""
    docker = facts.get("docker") or {}
    service = (facts.get("services") or {}).get("docker.service") or {}
    if not docker.get("present") or docker.get("reachable") or service.get("active") not in _RUNS:
        return ""
    return str(docker.get("error") or "no reason given").rstrip(".")
