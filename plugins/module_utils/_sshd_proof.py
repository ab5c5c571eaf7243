# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether settings of sshd come into force, and whether they leave us a way in; asked before they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _ssh_session, _sshd_service
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._ssh_session import Effective, Session
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_ask import SettingsError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_config import Tree
from ansible_collections.gpuready.bootstrap.plugins.module_utils._sshd_service import Daemon


def obstacle(tree: Tree, keyword: str, values: Sequence[str], options: Sequence[str], path: str) -> str:
    """Why a keyword of the file at `path` does not come in force. options: of sshd's own command line."""
    name = keyword.lower()
    sentence = f"{keyword} would stay {' '.join(values)}"
    if any(option.lower().startswith(name) for option in options) or (name == "port" and "-p" in options):
        return f"{sentence}: sshd's own command line says so; change SSHD_OPTS or the unit"
    others = [line for line in tree.lines if line.keyword == name and line.path != path]
    below = [line for line in others if line.match]
    first = tree.first(name)
    if not others:
        return f"{sentence}, though {path} says otherwise"
    blame = below[0] if first is not None and first.path == path and below else others[0]
    why = f"below Match {blame.match}" if blame.match else f"{keyword} {blame.value}"
    return f"{sentence}: {blame.place} ({why}) comes in force before ours; take it out there"


def remarks(tree: Tree, keywords: set[str], every: Mapping[str, Effective], accounts: Sequence[str]) -> list[str]:
    """What a person should know. keywords: ours; every: what is in force for each account."""
    notes = []
    for line in tree.exceptions(keywords):
        notes.append(f"{line.place} sets {line.keyword} {line.value} for those whom Match {line.match} fits, and wins.")
    for name in accounts:
        who = _ssh_session.account(name)
        reason = f"there is no account {name}" if who is None else _ssh_session.shut_out(every[name], who, "")
        if reason:
            notes.append(f"{name} cannot log in: {reason}.")
    return notes


class WayIn:
    """The way that this session came, which must stay open."""

    def __init__(self, runner: Runner, daemon: Daemon, session: Session) -> None:
        self.runner, self.daemon, self.session = runner, daemon, session

    def keep_in(self, name: str, found: Effective, before: Effective, given: Sequence[str]) -> None:
        """Raises SettingsError for what would keep us out. before: what is in force now; given: ports of the plan."""
        who = _ssh_session.account(name)
        if who is None:
            return
        reason = _ssh_session.refusal(found, self.session, who, before)
        if reason:
            raise SettingsError(f"this would lock out the account that this run logs in with: {reason}")
        port, now = self.session.port, self.ports(before, [])
        after = self.ports(found, given if self.daemon.socket else [])
        if port in now and port not in after:
            raise SettingsError(
                f"this session came through port {port}, on which nobody would listen any more (but on "
                f"{', '.join(after)}); keep {port} among the ports, set ansible_port to a new one, then run without"
            )
        if not self.daemon.socket:
            taken = [number for number in _sshd_service.listening(after) if number not in now]
            if taken:
                raise SettingsError(f"another program listens on port {', '.join(taken)} already; choose another port")

    def ports(self, found: Effective, given: Sequence[str]) -> list[str]:
        """Where it is listened, with these settings, on an address that reaches our session's."""
        if self.daemon.socket:
            return list(given) or _sshd_service.socket_ports(self.runner, self.daemon.socket)
        ports = []
        for value in found.get("listenaddress", []) or [f"0.0.0.0:{port}" for port in found.get("port", ["22"])]:
            address, _colon, port = value.partition(" ")[0].rpartition(":")
            if address.strip("[]") in ("0.0.0.0", "::", self.session.local_address):
                ports.append(port)
        return sorted(set(ports), key=int)
