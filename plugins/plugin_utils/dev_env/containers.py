# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of one host, each with a whole specification of its own, and what must differ between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.schema import options, parts_of

SERVICES = ("ssh", "jupyter", "code_server")


class Published(NamedTuple):
    """A port of the host. path: the key of the specification that says it."""

    container: str
    path: str
    port: int
    bind: str


def expand(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A whole specification for each container of a normalised one; one where it names none.

    Mappings are merged key by key, lists and texts are replaced; of the mappings with free keys (env, volumes, ulimits)
    a null takes a key away. Published ports are not shifted by themselves: taking out one container would move
    those of the others, which then had to be made anew.
    """
    base = {name: value for name, value in spec.items() if name != "containers"}
    found = [_merged(options(), base, override) for override in spec["containers"]] or [_copy(base)]
    return [{**one, "containers": []} for one in found]


def _merged(known: Mapping[str, Any], base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = _copy(base)
    for name, value in override.items():
        option = known.get(name, {})
        if not isinstance(value, Mapping) or option.get("type") != "dict":
            result[name] = _copy(value)
        elif parts_of(option):
            result[name] = _merged(parts_of(option), result.get(name, {}), value)
        else:
            both = {**result.get(name, {}), **value}
            result[name] = {key: _copy(item) for key, item in both.items() if item is not None}
    return result


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def published(spec: Mapping[str, Any]) -> Iterator[Published]:
    """The ports of the host that one container's specification publishes."""
    for service in SERVICES:
        one = spec[service]
        if one["enabled"] and one["publish"]:
            yield Published(spec["name"], f"dev_{service}.publish", one["publish"], one["bind"])
    for port in spec["ports"]:
        yield Published(spec["name"], f"dev_ports ({port['name']})", port["publish"], port["bind"])


def _meet(one: str, other: str) -> bool:
    """Whether two addresses of the host hold the same port; every address of IPv6 takes those of IPv4, too."""
    return one == other or "::" in (one, other) or ("0.0.0.0" in (one, other) and ":" not in one + other)


def clashes(specs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence for each port of the host that is published twice."""
    ports = [port for spec in specs for port in published(spec)]
    for number, one in enumerate(ports):
        for other in ports[:number]:
            if one.port != other.port or not _meet(one.bind, other.bind):
                continue
            if one.container == other.container:
                yield f"{one.path}: {other.path} publishes {one.port} already; give each its own port of the host"
            else:
                yield (
                    f"{one.path}: the containers {other.container} and {one.container} both publish {one.port}; "
                    "give each of dev_containers its own port of the host"
                )


def shared_gpus(specs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence for each two containers with one GPU: that works, they only take memory from each other."""
    for number, one in enumerate(specs):
        for other in specs[:number]:
            both = _gpus(one["gpu"]) & _gpus(other["gpu"])
            named = "all GPUs" if "all" in (both | _all(one) | _all(other)) else f"GPU {', '.join(sorted(both))}"
            if both or (_all(one) and _gpus(other["gpu"])) or (_all(other) and _gpus(one["gpu"])):
                yield (
                    f"dev_gpu.devices: the containers {other['name']} and {one['name']} share {named}; "
                    "they take its memory from each other"
                )


def _gpus(gpu: Mapping[str, Any]) -> set[str]:
    if gpu["mode"] == "none":
        return set()
    return {str(number) for number in range(gpu["count"])} if gpu["count"] else set(gpu["devices"])


def _all(spec: Mapping[str, Any]) -> set[str]:
    return _gpus(spec["gpu"]) & {"all"}
