# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remember a measurement on the host: read and write /var/lib/gpuready/mirrors.json through the gate.

The format is described and checked by _snapshot/parsers/mirrors.py, which gpu_facts uses, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import mirrors

PATH = mirrors.PATH
# an outage must not be remembered for a week
RETRY_HOURS = 1.0
# a clock that was set back a little
_SLACK = 300


def read(gate: FileGate) -> tuple[dict[str, Any] | None, str]:
    """What is remembered, and why nothing is: "" when there is no file. A damaged file counts as no memory."""
    raw = gate.read(PATH)
    if raw is None:
        return None, ""
    try:
        return mirrors.parse(raw.decode("utf-8")), ""
    except ValueError as error:
        return None, f"{PATH} is unreadable ({error})"


def valid(document: Mapping[str, Any] | None, key: str, ttl_hours: float, now: float) -> bool:
    """Whether nothing needs to be measured. A shorter ttl than the remembered one counts at once."""
    if document is None or document["key"] != key:
        return False
    measured = document["measured_at"]
    return bool(measured - _SLACK <= now < min(document["expires_at"], measured + ttl_hours * 3600))


def compose(services: Mapping[str, Any], key: str, ttl_hours: float, now: float) -> dict[str, Any]:
    """The document. A service without any usable site is asked again after an hour, not after the whole ttl."""
    hopeless = any(not service["urls"] for service in services.values())
    hours = min(ttl_hours, RETRY_HOURS) if hopeless else ttl_hours
    return {
        "schema": mirrors.SCHEMA,
        "measured_at": int(now),
        "expires_at": int(now + hours * 3600),
        "key": key,
        "services": dict(services),
    }


def choice(document: Mapping[str, Any] | None) -> Any:
    """The part of a memory that other files are made from; speeds, dates and reasons are not in it."""
    if document is None:
        return None
    return {name: (service["site"], list(service["urls"])) for name, service in document["services"].items()}


def render(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write(gate: FileGate, document: Mapping[str, Any]) -> bool:
    return gate.write(PATH, render(document), mode=0o644)


def forget(gate: FileGate) -> bool:
    """Delete the memory. It has no original: what stood there before was an older memory of ours."""
    removed = gate.remove(PATH)
    gate.forget(PATH)
    return removed
