# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints of OpenPGP public keys without gpg (RFC 4880, RFC 9580). Reads only; verifies no signatures."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

_BEGIN = re.compile(rb"^-----BEGIN PGP ([A-Z ]+)-----[ \t\r]*$", re.MULTILINE)
_PUBLIC_KEY, _PUBLIC_SUBKEY = 6, 14
_SECRET_TAGS = (5, 7)
_MARKER, _PADDING = 10, 21
_USER_ID = 13


class OpenPgpError(Exception):
    """The data is no OpenPGP public key that can be trusted; the text says why."""


class ArmorError(OpenPgpError):
    """The ASCII armor is broken: bad base64, wrong checksum, no end line."""


class PacketError(OpenPgpError):
    """The binary packets are cut off or malformed."""


class KeyVersionError(OpenPgpError):
    """A key of a version whose fingerprint is not collision resistant enough to pin (v2, v3) or is unknown."""


@dataclass(frozen=True)
class PublicKey:
    """One key packet. `primary` is False for subkeys."""

    fingerprint: str
    version: int
    primary: bool
    user_ids: tuple[str, ...] = ()


def crc24(data: bytes) -> int:
    """The armor checksum (RFC 9580, 6.1.1)."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _bit in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc & 0xFFFFFF


def is_armored(data: bytes) -> bool:
    return _BEGIN.search(data) is not None


def armor(data: bytes) -> bytes:
    """Binary key -> ASCII armor, as apt wants it in an .asc file."""
    body = base64.b64encode(data)
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    check = b"=" + base64.b64encode(crc24(data).to_bytes(3, "big"))
    begin, end = b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END PGP PUBLIC KEY BLOCK-----"
    return b"\n".join([begin, b"", *lines, check, end, b""])


def dearmor(data: bytes) -> bytes:
    """The packets of every armored block in the data, one after the other."""
    data = data.replace(b"\r\n", b"\n")
    out = b""
    for match in _BEGIN.finditer(data):
        kind = match.group(1)
        if kind != b"PUBLIC KEY BLOCK":
            raise ArmorError(f"it is a PGP {kind.decode('ascii').lower()}, not a public key block")
        end = data.find(b"-----END PGP " + kind + b"-----", match.end())
        if end < 0:
            raise ArmorError("the armored key is cut off: its END line is missing")
        out += _block(data[match.end() + 1 : end])
    if not out:
        raise ArmorError("there is no armored key block in it")
    return out


def _block(text: bytes) -> bytes:
    lines = [line.strip() for line in text.rstrip().split(b"\n")]
    if b"" not in lines:
        raise ArmorError("the empty line after the armor headers is missing")
    body = [line for line in lines[lines.index(b"") + 1 :] if line]
    check = body.pop() if body and re.fullmatch(rb"=[A-Za-z0-9+/]{4}", body[-1]) else None
    try:
        decoded = base64.b64decode(b"".join(body), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ArmorError(f"the armored key is not valid base64 ({error})") from error
    if check is not None and crc24(decoded) != int.from_bytes(base64.b64decode(check[1:]), "big"):
        raise ArmorError("the armor checksum is wrong: the key was damaged on its way")
    return decoded


def packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk binary OpenPGP data: (tag, body) of each packet."""
    position = 0
    while position < len(data):
        head = data[position]
        if not head & 0x80:
            raise PacketError(f"byte {position} does not start an OpenPGP packet")
        if head & 0x40:
            tag, body, position = head & 0x3F, *_new_body(data, position + 1)
        else:
            tag, body, position = (head >> 2) & 0x0F, *_old_body(data, position, head & 3)
        yield tag, body


def _take(data: bytes, start: int, count: int) -> bytes:
    if start + count > len(data):
        raise PacketError(f"the key is cut off: {start + count - len(data)} bytes are missing at its end")
    return data[start : start + count]


def _old_body(data: bytes, position: int, length_type: int) -> tuple[bytes, int]:
    if length_type == 3:
        raise PacketError("a packet of indeterminate length cannot be part of a key")
    size = 1 << length_type
    length = int.from_bytes(_take(data, position + 1, size), "big")
    start = position + 1 + size
    return _take(data, start, length), start + length


def _new_body(data: bytes, position: int) -> tuple[bytes, int]:
    first = _take(data, position, 1)[0]
    if first < 192:
        start, length = position + 1, first
    elif first < 224:
        start, length = position + 2, ((first - 192) << 8) + _take(data, position + 1, 1)[0] + 192
    elif first == 255:
        start, length = position + 5, int.from_bytes(_take(data, position + 1, 4), "big")
    else:
        raise PacketError("a packet of partial length cannot be part of a key")
    return _take(data, start, length), start + length


def fingerprint(body: bytes) -> tuple[str, int]:
    """Fingerprint and version of a key packet's body."""
    version = body[0] if body else 0
    if version == 4:
        # the standard's own definition of a v4 fingerprint; the pinned 160 bits are compared as a whole
        digest = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False)
    elif version in (5, 6):
        digest = hashlib.sha256(bytes([0x95 + version]) + len(body).to_bytes(4, "big") + body)
    else:
        raise KeyVersionError(f"it holds an OpenPGP key of version {version}; only versions 4, 5 and 6 can be pinned")
    return digest.hexdigest().upper(), version


def read_keys(data: bytes) -> list[PublicKey]:
    """All public keys in armored or binary data, primaries with their user ids."""
    keys: list[PublicKey] = []
    for tag, body in packets(dearmor(data) if is_armored(data) else data):
        if tag in _SECRET_TAGS:
            raise PacketError("it holds a secret key; give the public key instead")
        if not keys and tag not in (_PUBLIC_KEY, _MARKER, _PADDING):
            raise PacketError(f"it does not start with a public key (packet type {tag})")
        if tag in (_PUBLIC_KEY, _PUBLIC_SUBKEY):
            if len(body) > 0xFFFF and body[0] == 4:
                raise PacketError("a version 4 key packet is longer than 65535 bytes")
            keys.append(PublicKey(*fingerprint(body), primary=tag == _PUBLIC_KEY))
        elif tag == _USER_ID:
            keys = _with_user_id(keys, body.decode("utf-8", "replace"))
    if not keys:
        raise PacketError("it holds no OpenPGP key")
    return keys


def _with_user_id(keys: list[PublicKey], user_id: str) -> list[PublicKey]:
    last = max(i for i, key in enumerate(keys) if key.primary)
    key = keys[last]
    named = PublicKey(key.fingerprint, key.version, True, (*key.user_ids, user_id))
    return [*keys[:last], named, *keys[last + 1 :]]


def primary_fingerprints(data: bytes) -> list[str]:
    """The fingerprints that decide whom apt would trust with this key file."""
    return [key.fingerprint for key in read_keys(data) if key.primary]


def normal_fingerprint(text: str) -> str:
    """'0x9dc8 5822…' -> upper case hex without spaces; refuses short key ids."""
    value = re.sub(r"[\s:]", "", text).upper()
    value = value[2:] if value.startswith("0X") else value
    if not re.fullmatch(r"[0-9A-F]{40}|[0-9A-F]{64}", value):
        raise OpenPgpError(
            f"{text!r} is not a full key fingerprint: give all 40 (or 64) hexadecimal digits, key ids can be forged"
        )
    return value
