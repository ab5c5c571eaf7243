# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of a measurement as it stands in /var/lib/gpuready/mirrors.json, schema gpuready.mirrors/1. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import mask

PATH = "/var/lib/gpuready/mirrors.json"
SCHEMA = "gpuready.mirrors/1"
STATES = (
    "ok",
    "stale",
    "forbidden",
    "not_found",
    "html",
    "redirected_elsewhere",
    "truncated",
    "timeout",
    "unreachable",
    "wrong_architecture",
    "bad_tls",
    "error",
)
_NUMBER = (int, float)
_URL = re.compile(r"[a-z][a-z0-9+.-]*:/\S+")


def parse(text: str) -> dict[str, Any]:
    """The document, with only the keys of its schema; ValueError says what is wrong with it."""
    # a damaged file may nest deeper than the reader can follow
    try:
        data = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(data, dict):
        raise ValueError("not a mapping")
    if data.get("schema") != SCHEMA:
        raise ValueError(f"schema is {str(data.get('schema'))[:40]!r}, not {SCHEMA!r}")
    services = _typed(data, "services", dict)
    return {
        "schema": SCHEMA,
        "measured_at": _time(data, "measured_at"),
        "expires_at": _time(data, "expires_at"),
        "key": str(_typed(data, "key", str)),
        "services": {str(name): _service(str(name), entry) for name, entry in services.items()},
    }


def _service(name: str, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ValueError(f"{name} is not a mapping")
    urls = _typed(entry, "urls", list)
    # these are written into other files later
    if not all(isinstance(url, str) and _URL.fullmatch(url) for url in urls):
        raise ValueError(f"urls of {name} holds something that is no address")
    site = entry.get("site")
    if site is not None and not isinstance(site, str):
        raise ValueError(f"site of {name} is no name")
    return {
        "site": site,
        "urls": [str(mask(url)) for url in urls],
        "score": _number(entry, "score"),
        "measured": [_measured(name, line) for line in _typed(entry, "measured", list)],
    }


def _measured(name: str, line: Any) -> dict[str, Any]:
    if not isinstance(line, dict) or line.get("state") not in STATES:
        raise ValueError(f"measured of {name} holds a line without a known state")
    date = line.get("date")
    return {
        "site": str(_typed(line, "site", str)),
        "url": str(mask(_typed(line, "url", str))),
        "state": line["state"],
        "reason": str(mask(_typed(line, "reason", str)))[:200],
        "seconds": _number(line, "seconds"),
        "rate": _number(line, "rate"),
        "date": None if date is None else _number(line, "date"),
    }


def _typed(data: dict[str, Any], key: str, kind: type) -> Any:
    if not isinstance(data.get(key), kind):
        raise ValueError(f"{key} is missing or of the wrong type")
    return data[key]


def _number(data: dict[str, Any], key: str) -> float:
    value = data.get(key)
    if not isinstance(value, _NUMBER) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise ValueError(f"{key} is no number")
    return value


def _time(data: dict[str, Any], key: str) -> int:
    return int(_number(data, key))
