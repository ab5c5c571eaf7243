# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way we are logged in, and whether settings of sshd would let the same account in again in the same way.

The account is that of the process right below sshd, not that of sudo. How it proved itself stands in sshd's log, in the
line "Accepted METHOD for USER from ADDRESS port PORT ssh2: TYPE FINGERPRINT" (auth.c of OpenSSH, auth_log); the port of
the client makes it the line of this very connection (SSH_CONNECTION of ssh(1)).
"""

from __future__ import annotations

import contextlib
import fnmatch
import grp
import ipaddress
import os
import pwd
import re
from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _ssh_keys
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner

LOGS = ("/var/log/auth.log", "/var/log/secure")
LOG_TAIL = 4 * 1024 * 1024  # bytes of a log that are looked at
_ACCEPTED = re.compile(r"Accepted (\S+) for (\S+) from (\S+) port (\d+)(?: ssh2(?:: (\S+) (SHA256:[\w+/]+))?)?")
Effective = Mapping[str, "list[str]"]


class Session(NamedTuple):
    """How this run came onto the host; `account` is '' where it did not come through sshd."""

    account: str
    address: str
    client_port: str
    local_address: str
    port: str
    method: str = ""  # publickey, password, keyboard-interactive/pam, ...; '' where no log says it
    fingerprint: str = ""


class Account(NamedTuple):
    """What sshd asks of an account."""

    name: str
    uid: int
    home: str
    groups: list[str]
    locked: bool


NOBODY = Session("", "", "", "", "")


def account(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    groups = [group.gr_name for group in grp.getgrall() if name in group.gr_mem]
    with contextlib.suppress(KeyError):
        groups.append(grp.getgrgid(entry.pw_gid).gr_name)
    return Account(name, entry.pw_uid, entry.pw_dir, groups, _locked(name))


def _locked(name: str) -> bool:
    """A password field that begins with ! : sshd without PAM lets nobody in (auth.c, LOCKED_PASSWD_PREFIX)."""
    try:
        with open("/etc/shadow", encoding="utf-8", errors="replace") as stream:
            fields = (line.split(":") for line in stream)
            return any(field[0] == name and field[1].startswith("!") for field in fields if len(field) > 1)
    except OSError:
        return False


# -- who we are --------------------------------------------------------------------------------------------------------
def _stat(pid: int, proc: str) -> tuple[str, int]:
    """Short name and parent of a process."""
    with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as stream:
        head, _bracket, tail = stream.read().rpartition(")")
    return head.partition("(")[2], int(tail.split()[1])


def connection(pid: int, proc: str = "/proc") -> tuple[int, str]:
    """(uid, SSH_CONNECTION) of the process right below sshd among the ancestors; (-1, '') where there is none."""
    below = pid
    while pid > 1:
        try:
            name, parent = _stat(pid, proc)
            if name.startswith("sshd"):
                with open(f"{proc}/{below}/environ", "rb") as stream:
                    pairs = stream.read().decode("utf-8", "replace").split("\0")
                found = [pair.partition("=")[2] for pair in pairs if pair.startswith("SSH_CONNECTION=")]
                return os.stat(f"{proc}/{below}").st_uid, found[0] if found else ""
        except (OSError, ValueError, IndexError):
            break
        below, pid = pid, parent
    return -1, ""


def find(runner: Runner, given: str = "", proc: str = "/proc") -> Session:
    """This run's own session. given: the account that Ansible logs in with, where the machine does not say it."""
    uid, text = connection(os.getpid(), proc)
    text = text or os.environ.get("SSH_CONNECTION", "")
    parts = text.split()
    if len(parts) != 4:
        return NOBODY
    try:
        name = pwd.getpwuid(uid).pw_name if uid >= 0 else given or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = given
    return _judged(Session(name, *parts), runner)


def _judged(session: Session, runner: Runner) -> Session:
    asked = runner.run(
        ["journalctl", "--no-pager", "-b", "-o", "cat", "-n", "20000", "-t", "sshd", "-t", "sshd-session"]
    )
    for text in (asked.stdout, *map(_tail, LOGS)):
        method, fingerprint = accepted(text, session)
        if method:
            return session._replace(method=method, fingerprint=fingerprint)
    return session


def accepted(log: str, session: Session) -> tuple[str, str]:
    """Method and fingerprint of the newest line of the log that is about this connection."""
    found = [
        (match.group(1), match.group(6) or "")
        for match in _ACCEPTED.finditer(log)
        if match.group(2, 3, 4) == (session.account, session.address, session.client_port)
    ]
    return found[-1] if found else ("", "")


def _tail(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - LOG_TAIL))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""


# -- whether we would be let in ----------------------------------------------------------------------------------------
def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _address_fits(address: str, pattern: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return _fits(address, pattern)


def user_fits(name: str, address: str, pattern: str) -> bool:
    """USER or USER@HOST of AllowUsers and DenyUsers (sshd_config(5), PATTERNS of ssh_config(5))."""
    user, at, host = pattern.rpartition("@")
    return _fits(name, user) and _address_fits(address, host) if at else _fits(name, pattern)


def _list(found: Effective, keyword: str) -> list[str]:
    return [word for value in found.get(keyword, []) for word in value.split()]


def _one(found: Effective, keyword: str, default: str = "") -> str:
    return found.get(keyword, [default])[0]


def shut_out(found: Effective, who: Account, address: str) -> str:
    """Why the account may not log in at all, in the order of sshd (auth.c, allowed_user); '' where it may."""
    if any(user_fits(who.name, address, pattern) for pattern in _list(found, "denyusers")):
        return f"DenyUsers names {who.name}"
    allowed = _list(found, "allowusers")
    if allowed and not any(user_fits(who.name, address, pattern) for pattern in allowed):
        return f"AllowUsers ({' '.join(allowed)}) does not name {who.name}" + (f" from {address}" if address else "")
    if any(_fits(group, pattern) for group in who.groups for pattern in _list(found, "denygroups")):
        return f"DenyGroups names a group of {who.name}"
    groups = _list(found, "allowgroups")
    if groups and not any(_fits(group, pattern) for group in who.groups for pattern in groups):
        return f"AllowGroups ({' '.join(groups)}) names no group of {who.name}"
    if who.locked and _one(found, "usepam") == "no":
        return f"the password of {who.name} is locked and UsePAM is off (`usermod -p '*' {who.name}`)"
    root = _one(found, "permitrootlogin", "prohibit-password")
    if who.uid == 0 and root in ("no", "forced-commands-only"):
        return f"PermitRootLogin is {root}"
    return ""


def no_key(found: Effective, who: Account, fingerprint: str) -> str:
    """Why no key of the account is accepted; '' where one is. fingerprint: the one that must be; '' for any."""
    if _one(found, "pubkeyauthentication", "yes") != "yes":
        return "PubkeyAuthentication is off"
    if _one(found, "authorizedkeyscommand", "none") != "none" or _one(found, "trustedusercakeys", "none") != "none":
        return ""  # keys come from elsewhere, and nothing about that changes here
    reasons = []
    for setting in _list(found, "authorizedkeysfile") or [".ssh/authorized_keys"]:
        path = _ssh_keys.file_of(setting, who.name, who.uid, who.home)
        try:
            with open(path, "rb") as stream:
                keys = _ssh_keys.keys_of(stream.read())
            danger = _ssh_keys.unsafe(path, who.uid, who.home) if _one(found, "strictmodes", "yes") == "yes" else ""
        except OSError:
            continue
        there = [key for key in keys if fingerprint in ("", key.fingerprint)]
        if there and not danger:
            return ""
        if there:
            reasons.append(f"sshd passes over {path}, because {danger}")
    what = f"the key of this session ({fingerprint})" if fingerprint else "no key"
    return reasons[0] if reasons else f"{what} is {'not ' if fingerprint else ''}authorised for {who.name}"


def refusal(found: Effective, session: Session, who: Account, before: Effective) -> str:
    """Why a new login like this session's would be turned away, '' where it would not. before: what is in force now."""
    reason = shut_out(found, who, session.address)
    if reason:
        return reason
    methods = _one(found, "authenticationmethods", "any")
    if methods != "any" and found.get("authenticationmethods") != before.get("authenticationmethods"):
        return f"AuthenticationMethods asks for {methods}, and nobody can say beforehand that {who.name} has all of it"
    key = no_key(found, who, session.fingerprint if session.method == "publickey" else "")
    if session.method == "publickey" or not session.method:
        return key
    password = _one(found, "passwordauthentication", "yes") == "yes"
    if who.uid == 0 and _one(found, "permitrootlogin") != "yes":
        password = False
    if session.method == "password" and password:
        return ""
    if session.method.startswith("keyboard-interactive") and _one(found, "kbdinteractiveauthentication") == "yes":
        return ""
    if session.method in ("password", "keyboard-interactive/pam", "keyboard-interactive/bsdauth"):
        return f"this session of {who.name} logged in by {session.method.partition('/')[0]}, which would be off"
    return ""
