# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as owners of rented machines copy them: `ssh -p 910 root@12.34.56.78`, `user@host:port` and the like.

`parse` reads one line, `read_lines` and `parse_lines` a list of them and name the bad ones with their number; `render`
writes a line that `parse` reads as the same target. Options are those of ssh(1) of OpenSSH 9; what would run a program
on this machine is refused. A password that was pasted along is refused and never shown: what is said of a bad line
names its number and its address, and no other value of it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import ssh_words

# ssh(1): options that take a value, and what they are called in ssh_config(5). None: kept in a field of its own.
KEYWORDS = {
    "B": "BindInterface",
    "b": "BindAddress",
    "c": "Ciphers",
    "e": "EscapeChar",
    "m": "MACs",
}
FORWARDS = {"L": "LocalForward", "R": "RemoteForward", "D": "DynamicForward"}
OWN = "pliJo"
OTHER_PURPOSE = "EFOQPSWw"
# ssh_config(5): keywords that run a program here or load a library, or that start another section of the file
RUNS = {
    "proxycommand",
    "localcommand",
    "permitlocalcommand",
    "knownhostscommand",
    "proxyusefdpass",
    "pkcs11provider",
    "securitykeyprovider",
    "xauthlocation",
}
SECTIONS = {"host", "match", "include"}
# A line that names these would contradict its own address
ADDRESS = {"hostname": "HostName", "hostkeyalias": "HostKeyAlias"}

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_KEYWORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PASSWORD = re.compile(r"[^@\s/\[\]:]+:[^@\s]*@")
_LONE = (
    "it looks like a password, which no file should hold: delete it, and log in with a key (ssh-copy-id) or with "
    "--ask-pass; a machine of that name is written ssh NAME"
)


class LineError(ValueError):
    """The line names no machine; the text says why, without the number of the line and without a value of it."""


@dataclass(frozen=True)
class Problem:
    """A line that names no machine, or none of its own. like: the other line that `why` names, 0 for none."""

    number: int
    shown: str
    why: str
    like: int = 0

    def __str__(self) -> str:
        return f"Line {self.number} ({self.shown}): {self.why}."


@dataclass(frozen=True)
class Hop:
    """One machine on the way, or the machine itself. `port` is None where the line names none."""

    host: str
    port: int | None = None
    user: str = ""


@dataclass(frozen=True)
class Target:
    """What a line says. `options` and `forwards` are (keyword of ssh_config, value as on the command line)."""

    hop: Hop
    jumps: tuple[Hop, ...] = ()
    identities: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    forwards: tuple[tuple[str, str], ...] = ()
    name: str = ""

    @property
    def alias(self) -> str:
        """A name for Host lines and inventories: the comment of the line, else made of address and port."""
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", self.hop.host).strip("-.")
        return self.name or plain + (f"-{self.hop.port}" if self.hop.port not in (None, 22) else "")


def parse(line: str) -> Target:
    """One line. Raises LineError."""
    text, name = _comment(ssh_words.clean(line))
    words = _words(text)
    if words and ssh_words.is_program(words[0], "sshpass", "sshpass.exe"):
        raise LineError("it gives a password to sshpass; use a key (docs/workspace.md), and take the password out")
    if words and ssh_words.is_program(words[0], "ssh", "ssh.exe"):
        words = words[1:]
    return replace(_Reader(words).target(), name=name)


def read_lines(lines: str | Iterable[str]) -> tuple[list[tuple[int, Target]], list[Problem]]:
    """All machines of a list or a text with the number of their line, and what is wrong. Comments are passed over."""
    targets: list[tuple[int, Target]] = []
    problems: list[Problem] = []
    seen: dict[Hop, int] = {}
    # not splitlines: it knows separators that no editor counts
    for number, line in enumerate(re.split(r"\r\n|\r|\n", lines) if isinstance(lines, str) else lines, start=1):
        if not isinstance(line, str):
            problems.append(Problem(number, type(line).__name__, "it is no text: put quotes around it"))
            continue
        text = ssh_words.clean(line)
        if not text or text.startswith("#"):
            continue
        try:
            _no_password(text)
            target = parse(text)
            _no_lone_password(text, target.hop)
        except LineError as error:
            problems.append(Problem(number, ssh_words.shown(text), str(error)))
            continue
        # no port is port 22, unless ~/.ssh/config says otherwise: then it would be the same for both lines
        place = replace(target.hop, port=target.hop.port or 22)
        if place in seen and not target.jumps:
            problems.append(
                Problem(
                    number, ssh_words.shown(text), f"it is the machine of line {seen[place]} once more", seen[place]
                )
            )
            continue
        seen.setdefault(place, number)
        targets.append((number, target))
    return targets, problems


def parse_lines(lines: str | Iterable[str]) -> tuple[list[Target], list[str]]:
    """As read_lines, without numbers: the machines, and one sentence for each bad line."""
    targets, problems = read_lines(lines)
    return [target for _number, target in targets], [str(problem) for problem in problems]


def render(target: Target) -> str:
    """The line in its normal form; `parse` gives the same target back."""
    words = ["ssh"]
    words += [] if target.hop.port is None else ["-p", str(target.hop.port)]
    for path in target.identities:
        words += ["-i", _quoted(path)]
    if target.jumps:
        words += ["-J", ",".join(hop_text(hop) for hop in target.jumps)]
    for keyword, value in target.options:
        words += ["-o", _quoted(f"{keyword}={value}")]
    letters = {keyword: letter for letter, keyword in FORWARDS.items()}
    for keyword, value in target.forwards:
        words += [f"-{letters[keyword]}", _quoted(value)]
    words.append((f"{target.hop.user}@" if target.hop.user else "") + target.hop.host)
    return " ".join(words) + (f"  # {target.name}" if target.name else "")


def hop_text(hop: Hop) -> str:
    """`user@host:port` as ProxyJump takes it, IPv6 in brackets."""
    host = f"[{hop.host}]" if ":" in hop.host else hop.host
    return (f"{hop.user}@" if hop.user else "") + host + ("" if hop.port is None else f":{hop.port}")


def forward_words(keyword: str, value: str) -> list[str]:
    """A forwarding of the command line as the words that ssh_config takes. Raises LineError."""
    listen = r"(?:(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.*_-]*):)?[0-9]{1,5}"
    if keyword != "LocalForward" and re.fullmatch(listen, value):
        return [value]
    found = re.fullmatch(rf"({listen}):((?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):[0-9]{{1,5}})", value)
    if keyword == "DynamicForward" or not found:
        raise LineError("it holds what is no forwarding such as 8889:localhost:8889")
    return [found[1], found[2]]


def parse_hop(text: str) -> Hop:
    """`user@host:port`, `ssh://user@host:port`, `[2001:db8::1]:22` or a bare IPv6 address. Raises LineError."""
    rest = text.removeprefix("ssh://")
    if _PASSWORD.match(rest):
        raise LineError("it holds a password; use a key (docs/workspace.md), and take the password out")
    rest = rest.rstrip("/") if rest != text else rest
    user, at, place = rest.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise LineError("what stands before the @ is no name of a user")
    host, port = _place(place)
    return Hop(host, port, user)


_Value = TypeVar("_Value", str, int)

# -- parts ---------------------------------------------------------------------------------------------------


class _Reader:
    """The words of one line, taken as ssh takes them: options may also stand behind the address."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self.address: list[str] = []
        self.ports: list[int] = []
        self.users: list[str] = []
        self.jumps: tuple[Hop, ...] = ()
        self.identities: list[str] = []
        self.options: list[tuple[str, str]] = []
        self.forwards: list[tuple[str, str]] = []

    def target(self) -> Target:
        while self.words:
            word = self.words.pop(0)
            if word == "--":
                self.address += self.words
                break
            if word.startswith("-") and len(word) > 1:
                self._option(word[1:])
            else:
                self.address.append(word)
        if not self.address:
            raise LineError("it names no machine; expected something like ssh -p 910 root@12.34.56.78")
        if len(self.address) > 1:
            raise LineError(
                "behind the address stands something else; a line holds one address, no command and no password"
            )
        hop = parse_hop(self.address[0])
        ports = self.ports + ([] if hop.port is None else [hop.port])
        users = self.users + ([hop.user] if hop.user else [])
        hop = Hop(hop.host, _one("port", ports), _one("user", users) or "")
        return Target(hop, self.jumps, tuple(self.identities), tuple(self.options), tuple(self.forwards))

    def _option(self, letters: str) -> None:
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in ssh_words.FLAGS:
                continue
            if letter in OTHER_PURPOSE:
                raise LineError(f"option -{letter} does something else than log in to a machine")
            if letter == "I":
                raise LineError("option -I loads a library into ssh on your machine; use a key of a file")
            if letter not in OWN and letter not in KEYWORDS and letter not in FORWARDS:
                raise LineError(f"ssh has no option -{letter}")
            value = letters or (self.words.pop(0) if self.words else "")
            if not value:
                raise LineError(f"option -{letter} needs a value")
            self._value(letter, value)
            return

    def _value(self, letter: str, value: str) -> None:
        if letter == "p":
            self.ports.append(_port(value))
        elif letter == "l":
            if not _USER.fullmatch(value):
                raise LineError("option -l needs the name of a user")
            self.users.append(value)
        elif letter == "i":
            self.identities.append(_plain(value))
        elif letter == "J":
            self.jumps = () if value.lower() == "none" else tuple(parse_hop(part) for part in value.split(","))
        elif letter == "o":
            self._keyword(value)
        elif letter in FORWARDS:
            forward_words(FORWARDS[letter], _plain(value))
            self.forwards.append((FORWARDS[letter], value))
        else:
            self.options.append((KEYWORDS[letter], _plain(value)))

    def _keyword(self, text: str) -> None:
        found = re.fullmatch(r"([^\s=]+)\s*(?:=|\s)\s*(.*\S)\s*", text)
        if not found or not _KEYWORD.fullmatch(found[1]):
            raise LineError("option -o needs Keyword=value")
        keyword, value, low = found[1], found[2], found[1].lower()
        if low in RUNS:
            raise LineError(
                f"{keyword} runs a program on your machine or loads a library into ssh; machines on the way are named "
                "with -J"
            )
        if low in SECTIONS or low in ADDRESS:
            raise LineError(f"{keyword} cannot stand in such a line")
        letter = {"port": "p", "user": "l", "identityfile": "i", "proxyjump": "J"}.get(low)
        forward = {keyword.lower(): letter for letter, keyword in FORWARDS.items()}.get(low)
        if letter:
            self._value(letter, value)
        elif forward:
            self._value(forward, re.sub(r"\s+", ":", value, count=1))
        else:
            self.options.append((keyword, _plain(value)))


def _no_password(text: str) -> None:
    """Refuse a line with a password as rental pages and chats show it beside the command, wherever it stands."""
    if ssh_words.labelled(text) is not None:
        raise LineError(
            "it holds a password, or a word for one, which no file should hold: delete it, and log in with a key "
            "(ssh-copy-id) or with --ask-pass"
        )
    if not re.search(r"[\s.@:]", text) and text not in ssh_words.PROGRAMS:
        raise LineError(_LONE)


def _no_lone_password(text: str, hop: Hop) -> None:
    """Refuse what may be a password alone on its line: such a word is asked for by the word ssh before it."""
    first = _words(text)[0]
    if ssh_words.is_program(first, *ssh_words.PROGRAMS) or first.startswith("ssh://") or hop.port is not None:
        return
    if not ssh_words.is_login(hop.user, hop.host):
        raise LineError(_LONE)


def _one(what: str, values: Sequence[_Value]) -> _Value | None:
    """The value that all places of the line agree on, None where no place names one."""
    if len(set(values)) > 1:
        raise LineError(f"it names two {what}s")
    return values[0] if values else None


def _comment(line: str) -> tuple[str, str]:
    """The line without its comment, and the name that the comment is."""
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and (place == 0 or line[place - 1].isspace()):
            name = line[place + 1 :].strip()
            if name and not _ALIAS.fullmatch(name):
                raise LineError("what stands behind # is no name: letters, digits, dots, - and _")
            return line[:place].strip(), name
    return line, ""


def _words(text: str) -> list[str]:
    try:
        return ssh_words.split(text.removeprefix("$ ").strip())
    except ValueError as error:
        raise LineError("a quote is not closed") from error


def _place(text: str) -> tuple[str, int | None]:
    """Host and port of `host`, `host:port`, `[address]:port` and a bare IPv6 address."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text)
    if bracketed:
        return _address6(bracketed[1]), None if bracketed[2] is None else _port(bracketed[2])
    if text.count(":") > 1:
        return _address6(text), None
    host, colon, port = text.partition(":")
    if not _NAME.fullmatch(host) or len(host) > 253 or ".." in host:
        raise LineError("it holds no name or address of a machine")
    if re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError as error:
            raise LineError("its address is no IPv4 address") from error
    return host, _port(port) if colon else None


def _address6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError as error:
        raise LineError("its address is no IPv6 address; with a port write [2001:db8::1]:22") from error
    if address.scope_id is not None and not re.fullmatch(r"[A-Za-z0-9._-]+", address.scope_id):
        raise LineError("what stands behind % is no name of a network interface")
    return str(address)


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise LineError("its port is no whole number from 1 to 65535")
    return int(text)


def _plain(value: str) -> str:
    """A value that can stand in a file of ssh as well as on its command line."""
    if re.search(r"[\x00-\x1f\x7f\"']", value) or value != value.strip() or not value:
        raise LineError("a value holds quotes, control characters or blanks at its ends")
    return value


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"[\s#]", value) else value
