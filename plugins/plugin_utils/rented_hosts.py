# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pasted login commands as hosts of an inventory: their names, groups and variables. Pure.

Providers are rows of `data/rented.yml`.
"""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.role_inputs import PLATFORM, PROVIDER
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.ssh_lines import (
    Hop,
    LineError,
    Problem,
    Target,
    hop_text,
    parse_hop,
    read_lines,
    render,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.ssh_words import shown

GROUP = "rented"
AUTO, OTHER = "auto", "other"
# ssh_config(5), StrictHostKeyChecking
HOST_KEY_CHECKING = {"accept-new": "accept-new", "strict": "yes", "off": "no"}
# What the inventory decides for all hosts, and what is for people at a terminal
_NOT_TAKEN = {
    "stricthostkeychecking",
    "userknownhostsfile",
    "globalknownhostsfile",
    "remotecommand",
    "requesttty",
    "sessiontype",
    "forkafterauthentication",
    "stdinnull",
    "escapechar",
}


@dataclass(frozen=True)
class Options:
    """What the inventory file says besides its lines. `known_hosts`: an absolute path."""

    known_hosts: str
    host_key_checking: str = "accept-new"
    provider: str = AUTO
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RentedHost:
    name: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any]


def providers() -> list[str]:
    """The names that `provider` takes."""
    return [AUTO, *load("rented")["providers"], OTHER]


def group_of(provider: str) -> str:
    """The group of a provider's hosts, such as rented_vast_ai."""
    return f"{GROUP}_{re.sub('[^a-z0-9]', '_', provider)}"


def hosts(lines: Any, options: Options) -> tuple[list[RentedHost], list[Problem], int]:
    """Hosts in the order of their lines, all that is wrong, and how many lines there were. `lines`: a text or a list.

    Hosts count only where nothing is wrong. A problem of the whole file has the number 0.
    """
    read, problems = read_lines(lines)
    total = len(read) + len(problems)
    named, wrong = _wanted_names(options.names, read)
    problems += wrong
    found: list[RentedHost] = []
    seen: dict[str, int] = {}
    for number, target in read:
        provider = options.provider if options.provider != AUTO else provider_of(target.hop.host)
        provider = "" if provider == OTHER else provider
        name = named.get(number) or _name(target, provider)
        why = _refused(target, provider) or _bad_name(name, seen)
        if why:
            problems.append(Problem(number, shown(render(target)), why, seen.get(name, 0)))
            continue
        seen[name] = number
        groups = (GROUP, *([group_of(provider)] if provider else []))
        found.append(RentedHost(name, groups, _variables(target, provider, options)))
    if not total:
        problems.append(Problem(0, "", "it names no machine; expected a line such as ssh -p 910 root@12.34.56.78"))
    return found, sorted(problems, key=lambda problem: problem.number), total


def provider_of(host: str) -> str:
    """The provider whose address this is, "" where it tells nothing."""
    for name, row in load("rented")["providers"].items():
        if any(fnmatch.fnmatch(host.lower(), pattern) for pattern in row["hosts"]):
            return str(name)
    return ""


def numbers_in_file(text: str, key: str) -> list[int] | int | None:
    """Where the lines below `key` stand in a YAML file, counted from 1.

    A block (`key: |`): the number of the line before its first. A list: the number of each item. Else None.
    """
    try:
        tree = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    if not isinstance(tree, yaml.MappingNode):
        return None
    for name, value in tree.value:
        if name.value != key:
            continue
        if isinstance(value, yaml.SequenceNode):
            return [item.start_mark.line + 1 for item in value.value]
        if isinstance(value, yaml.ScalarNode) and value.style == "|":
            return int(value.start_mark.line) + 1
    return None


# -- parts ---------------------------------------------------------------------------------------------------


def _variables(target: Target, provider: str, options: Options) -> dict[str, Any]:
    """Variables of Ansible's connection; what the line does not say is left to ~/.ssh/config."""
    found: dict[str, Any] = {PLATFORM: "rented", "ansible_host": target.hop.host}
    if target.hop.port is not None:
        found["ansible_port"] = target.hop.port
    if target.hop.user:
        found["ansible_user"] = target.hop.user
    if target.identities:
        found["ansible_ssh_private_key_file"] = target.identities[0]
    if provider:
        found[PROVIDER] = provider
    found["ansible_ssh_common_args"] = " ".join(shlex.quote(word) for word in _arguments(target, options))
    return found


def _arguments(target: Target, options: Options) -> list[str]:
    """ssh takes the first value of a keyword: the policy of the inventory stands before the words of the line."""
    off = options.host_key_checking == "off"
    settings = [
        ("StrictHostKeyChecking", HOST_KEY_CHECKING[options.host_key_checking]),
        ("UserKnownHostsFile", "/dev/null" if off else options.known_hosts),
    ]
    settings += [("IdentityFile", path) for path in target.identities[1:]]
    if target.jumps:
        settings.append(("ProxyJump", ",".join(hop_text(hop) for hop in target.jumps)))
    settings += [(keyword, value) for keyword, value in target.options if keyword.lower() not in _NOT_TAKEN]
    words: list[str] = []
    for keyword, value in settings:
        # -o is read like a line of ssh_config, where blanks part values
        words += [
            "-o",
            f'{keyword}="{value}"' if re.search(r"\s", value) and _is_path(keyword) else f"{keyword}={value}",
        ]
    return words


def _is_path(keyword: str) -> bool:
    return keyword.lower() in ("userknownhostsfile", "identityfile", "certificatefile", "identityagent")


def _name(target: Target, provider: str) -> str:
    if not target.name and provider and load("rented")["providers"][provider].get("by_user") and target.hop.user:
        return f"{re.sub(r'[^A-Za-z0-9.]+', '-', target.hop.user).strip('-.')}-{target.alias}"
    return target.alias


def _refused(target: Target, provider: str) -> str:
    rules = load("rented")["providers"][provider].get("refused", {}) if provider else {}
    return next((why for pattern, why in rules.items() if fnmatch.fnmatch(target.hop.host.lower(), pattern)), "")


def _bad_name(name: str, seen: Mapping[str, int]) -> str:
    if name in seen:
        return f"it would be called {name} like line {seen[name]}; write a name of its own behind #"
    groups = {"all", "ungrouped", GROUP, *(group_of(name) for name in providers())}
    if name in groups:
        return f"{name} is the name of a group; write another one behind #"
    return ""


def _wanted_names(names: Mapping[str, str], read: list[tuple[int, Target]]) -> tuple[dict[int, str], list[Problem]]:
    """The names by number of line, and what is wrong with them."""
    found: dict[int, str] = {}
    problems: list[Problem] = []
    for address, name in names.items():
        label = f"names: {shown(str(address))}"
        try:
            wanted = parse_hop(str(address))
        except LineError as error:
            problems.append(Problem(0, label, str(error)))
            continue
        label = f"names: {hop_text(wanted)}"
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            problems.append(Problem(0, label, f"{name!r} is no name: letters, digits, dots, - and _"))
            continue
        lines = [number for number, target in read if _is(target.hop, wanted)]
        if len(lines) != 1:
            why = (
                "it is the address of no line"
                if not lines
                else f"it is the address of {len(lines)} lines: add user and port"
            )
            problems.append(Problem(0, label, why))
        found.update(dict.fromkeys(lines[:1], name))
    return found, problems


def _is(hop: Hop, wanted: Hop) -> bool:
    same_user = not wanted.user or wanted.user == hop.user
    return same_user and hop.host == wanted.host and (wanted.port is None or (hop.port or 22) == wanted.port)
