# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client side of ssh: machines as a person reaches them, the snippet for ~/.ssh/config, and commands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.containers import expand
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.dev_env.inplace import jupyter_port
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.ssh_lines import (
    Hop,
    LineError,
    Target,
    forward_words,
    hop_text,
    parse_hop,
    parse_lines,
)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Of a pasted line: what would switch off the check of host keys
_HOST_KEYS = {"stricthostkeychecking": "accept-new", "userknownhostsfile": "", "globalknownhostsfile": ""}
HEAD = """\
# Written by the role workspace_files. Include this file at the top of ~/.ssh/config:
#   Include {path}
# or copy what you need. `ssh NAME` opens a session, `ssh -N NAME-tunnel` holds the tunnels open.
"""


@dataclass(frozen=True)
class Tunnel:
    """A service of the machine, and the port under which it is reached here."""

    label: str
    local: int
    remote: int


@dataclass(frozen=True)
class Machine:
    """What `ssh ALIAS` leads to. via: the machine in front of it, which has a key and hops of its own.

    key_alias: the name of its host key, where the address is no name for it.
    """

    alias: str
    target: Target
    home: str
    tunnels: tuple[Tunnel, ...] = ()
    key_alias: str = ""
    via: str = ""

    @property
    def port(self) -> int:
        return self.target.hop.port or 22


def machines(
    spec: Mapping[str, Any], host: Mapping[str, Any], pasted: Sequence[str] | str, identity: str
) -> tuple[list[Machine], list[str]]:
    """Those of the pasted lines, else the host with its containers; and what is wrong, one sentence each.

    host: name, address, port, user, jumps (a list of user@host:port). The first machine is the one to work on.
    """
    if pasted:
        targets, problems = parse_lines(pasted)
        aliases: dict[str, int] = {}
        found = [_pasted(spec, target, number, identity, aliases) for number, target in enumerate(targets)]
        return found, [f"workspace_files_pasted: {problem}" for problem in problems]
    try:
        jumps = tuple(parse_hop(str(jump)) for jump in host.get("jumps") or [])
        address = parse_hop(str(host["address"]))
        hop = Hop(
            address.host, address.port or int(host.get("port") or 22), address.user or str(host.get("user") or "")
        )
    except LineError as error:
        return [], [f"The way to {host.get('name')}: {error}."]
    identities = (identity,) if identity else ()
    itself = Target(hop, jumps, identities, name=str(host["name"]))
    containers = [_container(one, itself) for one in expand(spec)]
    reached = [machine for machine in containers if machine is not None]
    tunnels = () if reached else _tunnels(spec, "publish")
    return [*reached, Machine(str(host["name"]), itself, _home(hop.user), tunnels)], []


def snippet(found: Sequence[Machine], path: str) -> str:
    """The text for ~/.ssh/config. path: where this text lies on the client."""
    return HEAD.format(path=path) + "".join(map(_section, found))


def command(machine: Machine, *options: str, program: str = "ssh") -> str:
    """The command for a machine without the snippet. options: such as -N."""
    target, words = machine.target, [program, *options]
    if target.jumps:
        words += ["-J", ",".join(map(hop_text, target.jumps))]
    if target.hop.port not in (None, 22):
        words += ["-p", str(target.hop.port)]
    return " ".join([*words, account(machine)])


def account(machine: Machine) -> str:
    """user@host of a machine."""
    hop = machine.target.hop
    return (f"{hop.user}@" if hop.user else "") + hop.host


def rsync(machine: Machine, source: str, target: str) -> str:
    """Copies a folder to a machine, and goes on where it was broken off."""
    way, _space, _account = command(machine).rpartition(" ")
    shell = "" if way == "ssh" else f" -e '{way}'"
    hop = machine.target.hop
    host = f"[{hop.host}]" if ":" in hop.host else hop.host
    return f"rsync -aP{shell} {source} {(hop.user + '@') if hop.user else ''}{host}:{target}"


# -- machines ------------------------------------------------------------------------------------------------


def _pasted(spec: Mapping[str, Any], target: Target, number: int, identity: str, aliases: dict[str, int]) -> Machine:
    times = aliases[target.alias] = aliases.get(target.alias, 0) + 1
    alias = target.alias + (f"-{times}" if times > 1 else "")
    if not target.identities and identity:
        target = replace(target, identities=(identity,))
    # set up in place, as rented machines are
    here = {**spec, "jupyter": {**spec["jupyter"], "port": jupyter_port(spec)}}
    return Machine(alias, target, _home(target.hop.user), _tunnels(here, "port", number))


def _container(spec: Mapping[str, Any], host: Target) -> Machine | None:
    """A container with an ssh server of its own; None for one without."""
    ssh, user = spec["ssh"], spec["user"]
    if not ssh["enabled"] or not ssh["publish"]:
        return None
    alias = f"{host.name}-{spec['name']}"
    home = str(spec["workdir"]) or f"/home/{user['name']}"
    tunnels = _tunnels(spec, "port")
    if ssh["bind"] in LOOPBACK:
        # that address is another machine on each host: its key needs a name of its own
        hop, jumps = Hop("127.0.0.1", int(ssh["publish"]), str(user["name"])), (*host.jumps, host.hop)
        return Machine(alias, Target(hop, jumps, host.identities), home, tunnels, alias, host.name)
    hop = Hop(host.hop.host, int(ssh["publish"]), str(user["name"]))
    return Machine(alias, Target(hop, host.jumps, host.identities), home, tunnels)


def _tunnels(spec: Mapping[str, Any], remote: str, shift: int = 0) -> tuple[Tunnel, ...]:
    """Here a service has the port that its host publishes, which no two containers of a host share."""
    found = []
    for name, label in (("jupyter", "JupyterLab"), ("code_server", "code-server")):
        service = spec[name]
        if service["enabled"]:
            local = int(service["publish"] or service["port"]) + shift
            found.append(Tunnel(label, local, int(service[remote] or service["port"])))
    return tuple(found)


def _home(user: str) -> str:
    return "/root" if user in ("", "root") else f"/home/{user}"


# -- text ----------------------------------------------------------------------------------------------------


def _section(machine: Machine) -> str:
    target, tunnel = machine.target, f"{machine.alias}-tunnel"
    lines = [f"Host {machine.alias}" + (f" {tunnel}" if machine.tunnels else "")]
    # a percent sign starts a token there; an interface of IPv6 has one
    lines.append(f"  HostName {target.hop.host.replace('%', '%%')}")
    lines += [f"  Port {target.hop.port}"] if target.hop.port else []
    lines += [f"  User {target.hop.user}"] if target.hop.user else []
    lines += [f"  HostKeyAlias {machine.key_alias}"] if machine.key_alias else []
    way = machine.via or ",".join(map(hop_text, target.jumps))
    lines += [f"  ProxyJump {way}"] if way else []
    lines += [f"  IdentityFile {_quoted(path)}" for path in target.identities]
    lines += ["  IdentitiesOnly yes"] if target.identities else []
    given = {keyword.lower() for keyword, _value in target.options}
    lines += ["  ServerAliveInterval 60"] if "serveraliveinterval" not in given else []
    lines += [f"  {keyword} {_quoted(value)}" for keyword, value in _safe(target.options)]
    lines += [f"  {keyword} {' '.join(forward_words(keyword, value))}" for keyword, value in target.forwards]
    if machine.tunnels:
        lines += ["", f"Host {tunnel}", "  ExitOnForwardFailure yes"]
        lines += [f"  LocalForward 127.0.0.1:{one.local} 127.0.0.1:{one.remote}" for one in machine.tunnels]
    return "\n" + "\n".join(lines) + "\n"


def _safe(options: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pasted options, but never a switched off check of host keys: an unknown key is accepted, a changed one is not."""
    found = []
    for keyword, value in options:
        weak = keyword.lower() in _HOST_KEYS and value.lower() in ("no", "off", "/dev/null", "nul")
        chosen = _HOST_KEYS[keyword.lower()] if weak else value
        if chosen and keyword.lower() != "identitiesonly":
            found.append((keyword, chosen))
    return found


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) else value
