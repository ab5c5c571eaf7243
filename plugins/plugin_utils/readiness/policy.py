# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Default policy, and the user's wishes laid over it."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Policy,
    Severity,
    version_key,
)

DATA = Path(__file__).resolve().parent.parent / "data" / "readiness_policy.yml"

_CHOICES: dict[str, tuple[str, ...]] = {
    "profile": ("host", "rented"),
    "headers_missing": ("fail", "warn"),
    "driver_below_floor": ("fail", "warn"),
}
_MAY_BE_NULL: dict[str, type] = {"expected_gpus": int, "cuda_wanted": str}
_KIND_NAMES = {
    int: "a whole number of 0 or more",
    str: "a text",
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
}
_VERSIONS = ("cuda_wanted", "docker_min", "compose_min", "toolkit_min")
_VERSION_TABLES = ("driver_security_floor", "cuda_min_driver")
_SIZE_TABLES = ("disk_needs_mib",)


class PolicyError(ValueError):
    """A policy that cannot be used: says which key, which value, and what is wanted."""


def default_values() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    return values


def nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def make_policy(wishes: Mapping[str, Any] | None, check_ids: Collection[str]) -> Policy:
    """The default policy with `wishes` laid over it; raises PolicyError for anything it does not understand."""
    values = default_values()
    for key, value in (wishes or {}).items():
        if key not in values:
            raise PolicyError(f"policy key {key!r} is not known{nearest(str(key), values)}")
        _check_kind(key, value, values[key])
        values[key] = {**values[key], **value} if isinstance(values[key], dict) else value
    _check_values(values)
    _check_ids(values, check_ids)
    return Policy(**values)


def _check_kind(key: str, value: Any, default: Any) -> None:
    if key in _MAY_BE_NULL and value is None:
        return
    wanted: type = _MAY_BE_NULL.get(key) or type(default)
    fits = isinstance(value, Mapping if wanted is dict else (list, tuple) if wanted is list else wanted)
    if wanted is int:
        fits = fits and not isinstance(value, bool) and value >= 0
    if not fits:
        raise PolicyError(f"policy key {key!r} is {value!r}; it must be {_KIND_NAMES[wanted]}")
    if key in _CHOICES and value not in _CHOICES[key]:
        raise PolicyError(f"policy key {key!r} is {value!r}; it must be one of {', '.join(_CHOICES[key])}")


def _check_values(values: Mapping[str, Any]) -> None:
    versions = {key: values[key] for key in _VERSIONS if values[key] is not None}
    for table in _VERSION_TABLES:
        versions.update({f"{table}.{name}": value for name, value in values[table].items()})
    for key, value in versions.items():
        try:
            version_key(str(value))
        except ValueError:
            raise PolicyError(f"policy key {key!r} is {value!r}; it must be a version such as '1.2.3'") from None
        if not isinstance(value, str):
            raise PolicyError(f"policy key {key!r} is the number {value!r}; put the version in quotes")
    for table in _SIZE_TABLES:
        for name, value in values[table].items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise PolicyError(f"policy key {table}[{name!r}] is {value!r}; it must be a size in MiB")
    for name, releases in values["os_supported"].items():
        if not isinstance(releases, (list, tuple)) or not all(isinstance(item, str) for item in releases):
            raise PolicyError(
                f"policy key os_supported[{name!r}] is {releases!r}; it must be a list of quoted versions"
            )


def _check_ids(values: Mapping[str, Any], check_ids: Collection[str]) -> None:
    for name, severity in values["severity"].items():
        _known_check("severity", name, check_ids)
        if severity not in [item.value for item in Severity]:
            raise PolicyError(f"policy key severity[{name!r}] is {severity!r}; it must be one of {', '.join(Severity)}")
    for name in values["skip"]:
        _known_check("skip", name, check_ids)
    for waiver in values["waive"]:
        if not isinstance(waiver, Mapping) or not waiver.get("reason") or "until" not in waiver:
            raise PolicyError(f"policy key 'waive' holds {waiver!r}; each waiver needs id, until and reason")
        _known_check("waive", waiver.get("id"), check_ids)
        try:
            datetime.date.fromisoformat(str(waiver["until"]))
        except ValueError:
            raise PolicyError(
                f"the waiver of {waiver['id']} ends on {waiver['until']!r}; write the day as '2027-01-31'"
            ) from None


def _known_check(key: str, name: Any, check_ids: Collection[str]) -> None:
    if name not in check_ids:
        raise PolicyError(
            f"policy key {key!r} names the check {name!r}, which does not exist{nearest(str(name), check_ids)}"
        )
