# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inputs of the role docker_engine mean as settings of the daemon, and as files beside it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _proxy_url as proxy_url
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

File = dict[str, str]
_OURS = "# Managed by gpuready.bootstrap.docker_engine: changes made here are overwritten.\n"
PROXY = "/etc/systemd/system/docker.service.d/gpuready-proxy.conf"
# systemd takes only *.conf in that folder for drop-ins. A file of its own: "systemctl show" tells every user of the
# machine what Environment= says, and of a file only its name
PROXY_VARIABLES = "/etc/systemd/system/docker.service.d/gpuready-proxy.env"
HOLD = "/etc/apt/preferences.d/gpuready-docker-engine-hold"
UNATTENDED = "/etc/apt/apt.conf.d/52gpuready-docker-engine"
LOCKS = "/etc/dnf/plugins/versionlock.list"
_PROXY_KEYS = {"http": "http-proxy", "https": "https-proxy", "no_proxy": "no-proxy"}
_PROXY_VARIABLES = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "no_proxy": "NO_PROXY"}
# "proxies" in daemon.json: Docker Engine 23.0 and newer (its release notes)
PROXIES_SINCE = 23
# drivers that know max-size and max-file (Docker's documentation, "Configure logging drivers")
_ROTATING = ("json-file", "local")


def settings(inputs: Mapping[str, Any], engine: int) -> dict[str, Any]:
    """Keys of daemon.json. engine: the major version that is there or will come."""
    own = dict(inputs["daemon_settings"])
    found: dict[str, Any] = {"live-restore": bool(inputs["live_restore"])}
    driver = own.get("log-driver") or inputs["log_driver"]
    if inputs["log_driver"]:
        found["log-driver"] = inputs["log_driver"]
    if driver in _ROTATING and inputs["log_driver"]:
        found["log-opts"] = {"max-size": str(inputs["log_max_size"]), "max-file": str(inputs["log_max_file"])}
    if inputs["data_root"]:
        found["data-root"] = inputs["data_root"]
    if inputs["address_pools"]:
        found["default-address-pools"] = [
            {"base": str(pool["base"]), "size": int(pool["size"])} for pool in inputs["address_pools"]
        ]
    if inputs["registry_mirrors"]:
        found["registry-mirrors"] = list(inputs["registry_mirrors"])
    if inputs["proxies"] and engine >= PROXIES_SINCE:
        found["proxies"] = {_PROXY_KEYS[name]: str(value) for name, value in sorted(inputs["proxies"].items()) if value}
    return _combined(found, own)


def _combined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(first)
    for key, value in second.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = _combined(old, value) if both and isinstance(old, dict) else value
    return result


def held(wanted: Any, there: Any) -> bool:
    """Whether the file holds the settings. Both sides are compared with the passwords of addresses taken out."""
    if isinstance(wanted, dict):
        if not isinstance(there, dict):
            return False
        return all(
            (key not in there) if value is None else (key in there and held(value, there[key]))
            for key, value in wanted.items()
        )
    wanted, there = masked(wanted), masked(there)
    return bool(wanted == there) and isinstance(wanted, bool) == isinstance(there, bool)


def masked(value: Any) -> Any:
    """A value without user names and passwords in addresses."""
    if isinstance(value, str):
        # up to the last "@" of the word: a password may hold "@" and "/"
        return re.sub(r"(?<=://)[^\s\"']*@", "***@", value)
    if isinstance(value, list):
        return [masked(item) for item in value]
    return {key: masked(item) for key, item in value.items()} if isinstance(value, dict) else value


def proxy_files(inputs: Mapping[str, Any], engine: int) -> list[File]:
    """What gives an old daemon its proxies: a drop-in, and variables that only root reads: they may hold a password."""
    if not inputs["proxies"] or engine >= PROXIES_SINCE:
        return []
    lines = [
        f'{_PROXY_VARIABLES[name]}="{_quoted(str(value))}"\n'
        for name, value in sorted(inputs["proxies"].items())
        if value
    ]
    return [
        {"path": PROXY_VARIABLES, "content": _OURS + "".join(lines), "mode": "0600"},
        {"path": PROXY, "content": f"{_OURS}[Service]\nEnvironmentFile={PROXY_VARIABLES}\n", "mode": "0644"},
    ]


def _quoted(value: str) -> str:
    """As systemd reads a value between double quotes in a file (systemd.exec(5), EnvironmentFile); % is plain there."""
    return re.sub(r'(["\\\\`$])', r"\\\1", value)


def hold_files(versions: Mapping[str, str]) -> list[File]:
    """What keeps APT and unattended upgrades from changing the engine under running containers."""
    if not versions:
        return []
    stanzas = [
        f"Package: {name}\nPin: version {version}\nPin-Priority: 1001\n" for name, version in sorted(versions.items())
    ]
    # unattended-upgrades matches Python regular expressions at the start of a name; APT's files know no escape
    names = "".join(f'  "{name}$";\n' for name in sorted(versions))
    blacklist = "Unattended-Upgrade::Package-Blacklist {\n" + names + "};\n"
    return [
        {"path": HOLD, "content": _OURS + "\n".join(stanzas), "mode": "0644"},
        {"path": UNATTENDED, "content": _OURS.replace("# ", "// ") + blacklist, "mode": "0644"},
    ]


def locks(versions: Mapping[str, str]) -> str:
    """The same for dnf's versionlock: NAME-EPOCH:VERSION-RELEASE.ARCH."""
    return "\n".join(
        f"{name}-{version if ':' in version else '0:' + version}.*" for name, version in sorted(versions.items())
    )


def mistakes(inputs: Mapping[str, Any]) -> Iterator[Text]:
    """Values that no type can tell."""
    for pool in inputs["address_pools"]:
        yield from _pool(pool)
    for name in inputs["proxies"]:
        if name not in _PROXY_KEYS:
            yield say("docker_engine_proxies knows http, https and no_proxy, not {name}", name=name)
    for name in ("http", "https"):
        url = str(inputs["proxies"].get(name) or "")
        if url and proxy_url.mistake(url):
            yield say(
                "{url} in docker_engine_proxies is no address such as http://proxy.example.org:3128; signs such as / "
                "and @ in a password are written as %2F and %40",
                url=proxy_url.shown(url),
            )
    for url in inputs["registry_mirrors"]:
        if not re.fullmatch(r"https?://[^/\s]+/?", str(url)):
            yield say(
                "{url} in docker_engine_registry_mirrors is not an address without a path, such as "
                "https://mirror.example.org, and Docker takes no other",
                url=masked(str(url)),
            )
    if inputs["version"] and not re.fullmatch(r"[0-9][\w.:~+-]*", inputs["version"]):
        yield say("docker_engine_version {version} is no version such as 28.5.1", version=inputs["version"])
    if inputs["data_root"] and not re.fullmatch(r"/[^/\s].*", inputs["data_root"]):
        yield say("docker_engine_data_root {path} is not the absolute path of a folder", path=inputs["data_root"])


def _pool(pool: Any) -> Iterator[Text]:
    try:
        network = ipaddress.ip_network(str(pool["base"]))
        size = int(pool["size"])
        right = network.prefixlen <= size <= network.max_prefixlen - 2
    except (KeyError, TypeError, ValueError):
        right = False
    if not right:
        yield say(
            "{pool} in docker_engine_address_pools is not a network and the size of its parts, such as "
            "base: 10.200.0.0/16, size: 24",
            pool=str(pool),
        )
