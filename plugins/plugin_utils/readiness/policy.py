# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Default policy, and the user's wishes laid over it."""

from __future__ import annotations

import copy
import datetime
import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Severity, version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy_model import Policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tables import XID_ACTIONS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tiers import tier_ids, tier_policy

_CHOICES: dict[str, tuple[str, ...]] = {
    "profile": ("host", "rented"),
    "headers_missing": ("fail", "warn"),
    "driver_below_floor": ("fail", "warn"),
    "ecc": ("datacenter", "on", "off", "any"),
    "mig": ("on", "off", "any"),
    "driver_modules": ("open", "proprietary"),
    "driver_secure_boot": ("off", "signed", "enrol", "stop"),
}
_MAY_BE_NULL: dict[str, type] = {
    "expected_gpus": int,
    "cuda_wanted": str,
    "tier": str,
    "driver_branch": str,
    "driver_modules": str,
    "driver_secure_boot": str,
}
_KIND_NAMES = {
    int: "a whole number of 0 or more",
    str: "a text",
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
}
_VERSIONS = ("cuda_wanted", "driver_branch", "docker_min", "compose_min", "toolkit_min")
_VERSION_TABLES = ("driver_security_floor", "cuda_min_driver")
_SIZE_TABLES = ("disk_needs_mib",)
_NUMBER_TABLES = ("pcie_width", "nvlink_links", "application_clock_mhz")


class PolicyError(ValueError):
    """A policy that cannot be used: says which key, which value, and what is wanted."""


def default_values() -> dict[str, Any]:
    values: dict[str, Any] = copy.deepcopy(load("readiness_policy"))
    return values


def nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


Layer = tuple[str, Mapping[str, Any]]


def make_policy(wishes: Mapping[str, Any] | Sequence[Layer] | None, check_ids: Collection[str]) -> Policy:
    """The built-in policy <- that of the tier <- the layers of `wishes` in their order (inventory, then `-e`).

    A layer is (where it comes from, values). Raises PolicyError for anything it does not understand.
    """
    given: Any = wishes  # from a user: _check_layer refuses what is no mapping
    layers: list[tuple[str, Mapping[str, Any]]] = (
        list(given) if isinstance(given, (list, tuple)) else [("the policy", given or {})]
    )
    values = default_values()
    for origin, layer in layers:
        _check_layer(origin, layer, values)
    tier = next((layer["tier"] for _origin, layer in reversed(layers) if layer.get("tier")), None)
    if tier is not None:
        if tier not in tier_ids():
            raise PolicyError(f"policy key 'tier' is {tier!r}, which is no tier; there are {', '.join(tier_ids())}")
        layers = [(f"tier {tier}", tier_policy(tier)), *layers]
    for _origin, layer in layers:
        for key, value in layer.items():
            values[key] = {**values[key], **value} if isinstance(values[key], dict) else value
    _check_values(values)
    _check_ids(values, check_ids)
    return Policy(**values)


def _check_layer(origin: str, layer: Any, values: Mapping[str, Any]) -> None:
    if not isinstance(layer, Mapping):
        raise PolicyError(f"{origin} is {layer!r}; it must be a mapping of policy keys and values")
    for key, value in layer.items():
        if key not in values:
            raise PolicyError(f"policy key {key!r} is not known{nearest(str(key), values)} (in {origin})")
        _check_kind(key, value, values[key])


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
    for table in _NUMBER_TABLES:
        for name, value in values[table].items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise PolicyError(f"policy key {table}[{name!r}] is {value!r}; it must be {_KIND_NAMES[int]}")
    for code, action in values["xid_actions"].items():
        if action not in XID_ACTIONS or not str(code).isdigit():
            raise PolicyError(
                f"policy key xid_actions[{code!r}] is {action!r}; it must give a number one of {', '.join(XID_ACTIONS)}"
            )
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
