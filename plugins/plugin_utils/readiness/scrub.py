# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take out of a snapshot, a report or a raw document what names a machine or opens a door, and nothing else.

Serial numbers, UUIDs, host names, IP and MAC addresses become placeholders, the same value the same placeholder, so
that the document still fits together; "N/A", zero and loopback stay, for they say something and name nobody. Secrets
become "***". Keys, lists, numbers and booleans stay as they are. A second pass changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, Callable

HIDDEN = "***"

# words of a key or a label -> kind of identifier; as in nvidia-smi, the kernel's files and our own reports
_SERIAL = ("serial", "serial_number", "board_serial", "chassis_serial_number", "product_serial")
_NUMBER = ("pdi", "gpu_pdi", "gpu_fabric_guid", "node_guid", "sys_image_guid")
_HOST = ("host", "hostname", "nodename", "fqdn", "inventory_hostname", "ansible_host")
_MACHINE = ("machine_id", "boot_id", "machineid", "bootid", "_machine_id", "_boot_id")
_KINDS = {
    **dict.fromkeys(_SERIAL, "serial"),
    **dict.fromkeys(_NUMBER, "number"),
    **dict.fromkeys(_HOST, "host"),
    **dict.fromkeys(_MACHINE, "machine"),
}
_TAG = re.compile(r"<(\w+)>\s*([^<>\n]*?)\s*</\1>")
_LABEL = re.compile(r"^[ \t]*([A-Za-z_][\w ]*?)[ \t]*[:=][ \t]*(\S[^\n]*?)[ \t]*$", re.MULTILINE)
# such a body names nobody
_EMPTY = re.compile(
    r"(?:|n/?a|\[n/a\]|none|not specified|unknown|unknown error|default string|0x0+|0+|localhost)", re.I
)
_LEAST = {"serial": 5, "number": 5, "host": 3, "machine": 8}

_SECRET_KEY = re.compile(
    r"(?:^|_)(?:token|password|passwd|passphrase|secret|api_?key|access_key|private_key|cookie)$", re.I
)
_SECRET_NAME = r"[\w.-]*(?:token|password|passwd|passphrase|secret|api[_-]?key|access[_-]?key)"
_PEM = re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# Up to the last "@": a password that was not percent-encoded may hold "@" and "/". A whole host name before
# the first "/" makes an "@" behind it one of the path (https://HOST/@scope), with a port only right behind a "/": for
# HOST:8080/x@y may be USER:PASSWORD@HOST. Bounded: a long text without "@" would take quadratic time.
USERINFO = re.compile(
    r"(?<=://)(?!(?:\[[^\s\"'\]]{0,99}\](?::\d+)?|[^\s\"'/@:]*)/)(?![^\s\"'/@:]*:\d+/(?:[^\s\"'@]{0,999}/)?@)"
    r"[^\s\"']{0,999}(?=@)"
)
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (USERINFO, HIDDEN),
    (re.compile(r"\b(Bearer|Basic)\s+[\w+/=.~-]{6,}", re.I), rf"\1 {HIDDEN}"),
    # name=value, "name": "value" and a line "name: value"; a sentence with the word in it is left alone
    (re.compile(rf"\b({_SECRET_NAME}=)[^\s&;,'\"]+", re.I), rf"\1{HIDDEN}"),
    (re.compile(rf"(['\"]{_SECRET_NAME}['\"]\s*:\s*['\"])[^'\"\n]*", re.I), rf"\1{HIDDEN}"),
    (re.compile(rf"^(\s*{_SECRET_NAME}:[ \t]+)(?!['\"{{\[|>])[^\s]+$", re.I | re.MULTILINE), rf"\1{HIDDEN}"),
    # tokens that show what they are: Hugging Face, GitHub, GitLab, OpenAI and others, Slack, AWS, JSON web token
    (
        re.compile(
            r"\b(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|sk-[\w-]{20,}"
            r"|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*)"
        ),
        HIDDEN,
    ),
)

_UUID = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Fa-f])")
_MAC = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:-])")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:.])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\w)")
# versions with four parts look like addresses
_VERSIONS = re.compile(r"(?:version|versions|packages|installed|release|vbios|firmware)$", re.I)


class _Placeholders:
    """Numbers each value of a kind in the order in which it is met."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, int]] = {}

    def number(self, kind: str, value: str) -> int:
        """Return the number of a value, from 1."""
        values = self._known.setdefault(kind, {})
        return values.setdefault(value, len(values) + 1)

    def known(self, kind: str) -> list[str]:
        """Return the values of a kind that were met so far."""
        return list(self._known.get(kind, {}))


def _shape(kind: str, number: int) -> str:
    return {
        "serial": f"SERIAL-{number:04d}",
        "number": f"0x{number:016x}",
        "host": f"host-{number}",
        "machine": f"{number:032x}",
    }[kind]


def scrub(data: Any, hosts: Iterable[str] = ()) -> Any:
    """Return `data`, of the same structure, without what names a machine; `hosts` are further host names to replace."""
    numbers = _Placeholders()
    _learn(data, numbers)
    # after what the data tells: a second pass without them gives the same numbers
    for name in hosts:
        if _EMPTY.fullmatch(name.strip()) is None and len(name.strip()) > 1 and _address(name) is None:
            numbers.number("host", name.strip())
    return _Scrubber(numbers).walk(data, "")


def _kind(name: str) -> str | None:
    return _KINDS.get(re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_"))


def _note(numbers: _Placeholders, kind: str, value: str) -> None:
    text = value.strip().strip('"')
    if _EMPTY.fullmatch(text) is None and len(text) >= _LEAST[kind] and _address(text) is None:
        numbers.number(kind, text)


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _learn(data: Any, numbers: _Placeholders) -> None:
    """Collect the values that only their name tells, so that they are found in free text, too."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            kind = _kind(str(key))
            if kind is not None and isinstance(value, str) and "\n" not in value:
                _note(numbers, kind, value)
            else:
                _learn(value, numbers)
    elif isinstance(data, (list, tuple)):
        for value in data:
            _learn(value, numbers)
    elif isinstance(data, str):
        for pattern in (_TAG, _LABEL):
            for name, body in pattern.findall(data):
                kind = _kind(name)
                # "Host : ..." in free text is too common a word
                if kind is not None and (kind != "host" or name.lower() != "host"):
                    _note(numbers, kind, body)


class _Scrubber:
    """Replaces, with the placeholders that were given out."""

    def __init__(self, numbers: _Placeholders) -> None:
        self._numbers = numbers
        shapes = {
            value: _shape(kind, numbers.number(kind, value))
            for kind in ("serial", "number", "machine", "host")
            for value in numbers.known(kind)
        }
        # the longest first: one name may begin another
        names = "|".join(re.escape(value) for value in sorted(shapes, key=len, reverse=True))
        self._named = re.compile(rf"(?<![\w-])(?:{names})(?![\w-])") if names else None
        self._shapes = shapes
        self._steps: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
            (_UUID, self._uuid),
            (_MAC, self._mac),
            (_IPV6, self._ip),
        )

    def walk(self, data: Any, key: str) -> Any:
        """Return `data` with every string scrubbed."""
        if isinstance(data, Mapping):
            return {name: self.walk(value, self._below(key, str(name), value)) for name, value in data.items()}
        if isinstance(data, list):
            return [self.walk(value, key) for value in data]
        if isinstance(data, tuple):
            return tuple(self.walk(value, key) for value in data)
        if not isinstance(data, str):
            return data
        if _SECRET_KEY.search(key) and data:
            return HIDDEN
        return self._text(data, _VERSIONS.search(key) is not None)

    @staticmethod
    def _below(key: str, name: str, value: Any) -> str:
        # packages and their versions: these names are no keys of ours
        return key if key in ("packages", "installed") and isinstance(value, str) else name

    def _text(self, text: str, versions: bool) -> str:
        text = _PEM.sub(rf"-----BEGIN \1PRIVATE KEY-----{HIDDEN}-----END \1PRIVATE KEY-----", text)
        for pattern, replacement in _SECRETS:
            text = pattern.sub(replacement, text)
        if self._named is not None:
            text = self._named.sub(lambda match: self._shapes[match.group(0)], text)
        for pattern, replace in self._steps:
            text = pattern.sub(replace, text)
        return text if versions else _IPV4.sub(self._ip, text)

    def _uuid(self, match: re.Match[str]) -> str:
        value = match.group(0).lower()
        if not value.strip("0-"):
            return match.group(0)
        number = self._numbers.number("uuid", value)
        return f"{number:08x}-0000-4000-8000-{number:012x}"

    def _mac(self, match: re.Match[str]) -> str:
        value = match.group(0).lower().replace("-", ":")
        if value in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"):
            return match.group(0)
        # locally administered addresses
        digits = f"02{self._numbers.number('mac', value):010x}"
        return match.group(1).join(digits[index : index + 2] for index in range(0, 12, 2))

    def _ip(self, match: re.Match[str]) -> str:
        try:
            address = ipaddress.ip_address(match.group(0))
        except ValueError:
            return match.group(0)
        if address.is_loopback or address.is_unspecified or str(address) == "255.255.255.255":
            return match.group(0)
        number = self._numbers.number(f"ip{address.version}", str(address))
        # 2001:db8::/32 is for documentation (RFC 3849), 198.18.0.0/15 for test benches (RFC 2544)
        base = "2001:db8::" if address.version == 6 else "198.18.0.0"
        return str(ipaddress.ip_address(base) + number)
