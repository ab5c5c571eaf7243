# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of authorized_keys: what they hold, their fingerprints, and whether sshd would read the file at all.

The format is that of sshd(8), "AUTHORIZED_KEYS FILE FORMAT": options, type, base64, comment; the blob begins with its
own type (RFC 4253, 6.6). A fingerprint is the base64 of the SHA-256 of the blob without padding, as `ssh-keygen -lf`
prints it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
import struct
from typing import NamedTuple

TYPE = re.compile(
    r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com|"
    r"sk-ecdsa-sha2-nistp256@openssh\.com)(?:-cert-v01@openssh\.com)?"
)
CERTIFICATE = re.compile(r"(?:ssh|ecdsa|sk)-[\w-]+-cert-v01@openssh\.com")
# OpenSSH 9.8 takes 1024 and more (sshd_config(5), RequiredRSASize); fewer than 2048 can be broken with effort
RSA_BITS = 2048


class KeyTextError(Exception):
    """A text is no public key; the text of the error says what is wrong with it."""


class Key(NamedTuple):
    """One line of authorized_keys."""

    options: str
    type: str
    blob: str
    comment: str

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")

    @property
    def line(self) -> str:
        return " ".join(part for part in self if part)


def words(line: str) -> list[str]:
    """A line at its blanks, but not at those within double quotes; quotes and backslashes stay."""
    found, word, quoted, escaped = [], "", False, False
    for sign in line.strip():
        if sign in " \t" and not quoted:
            if word:
                found.append(word)
            word = ""
            continue
        if sign == '"' and not escaped:
            quoted = not quoted
        escaped = sign == "\\" and not escaped
        word += sign
    return [*found, word] if word else found


def parse(line: str) -> Key | None:
    """One line of the file; None for a comment, a blank line, and what sshd would skip."""
    if not line.strip() or line.lstrip().startswith("#"):
        return None
    parts = words(line)
    at = next((n for n, word in enumerate(parts[:2]) if TYPE.fullmatch(word) or CERTIFICATE.fullmatch(word)), None)
    if at is None or len(parts) < at + 2 or _inner_type(parts[at + 1]) != parts[at]:
        return None
    return Key(" ".join(parts[:at]), parts[at], parts[at + 1], " ".join(parts[at + 2 :]))


def _raw(blob: str) -> bytes:
    try:
        return base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _field(raw: bytes, offset: int) -> tuple[bytes, int]:
    """One string of RFC 4251, 5: four bytes of length, then the bytes."""
    if len(raw) < offset + 4:
        return b"", len(raw)
    size = struct.unpack(">I", raw[offset : offset + 4])[0]
    return raw[offset + 4 : offset + 4 + size], offset + 4 + size


def _inner_type(blob: str) -> str:
    return _field(_raw(blob), 0)[0].decode("ascii", "replace")


def rsa_bits(blob: str) -> int:
    """Length of the modulus: the third string of the blob (RFC 4253, 6.6)."""
    raw = _raw(blob)
    _type, offset = _field(raw, 0)
    _exponent, offset = _field(raw, offset)
    modulus, _end = _field(raw, offset)
    return int.from_bytes(modulus, "big").bit_length()


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:36]}..."


def checked(line: str) -> Key:
    """A key that somebody wants to let in. Raises KeyTextError for what is not one, or not a safe one."""
    text = line.strip()
    if "PRIVATE KEY" in text:
        raise KeyTextError("this is a private key, which belongs on no other machine; give the text of the .pub file")
    if text.startswith(("---- BEGIN", "-----BEGIN")):
        raise KeyTextError("this is not in OpenSSH's format; convert it with `ssh-keygen -i -f FILE`")
    key = parse(text)
    if key is None:
        raise KeyTextError(
            f"{_short(text)!r} is not a public key in one line (TYPE BASE64 COMMENT); give the text of the .pub file"
        )
    if key.type == "ssh-dss":
        raise KeyTextError("DSA keys are no longer accepted by OpenSSH; make a new one with `ssh-keygen -t ed25519`")
    if key.type == "ssh-rsa" and rsa_bits(key.blob) < RSA_BITS:
        raise KeyTextError(f"the RSA key has {rsa_bits(key.blob)} bits, fewer than {RSA_BITS}; make an ed25519 key")
    return key


def keys_of(content: bytes) -> list[Key]:
    """All keys that a file of authorized_keys lets in."""
    found = (parse(line) for line in content.decode("utf-8", "replace").split("\n"))
    return [key for key in found if key is not None]


def unsafe(path: str, uid: int, home: str) -> str:
    """Why StrictModes makes sshd pass over a file, empty where it does not (sshd_config(5); the file and the folders
    above it, up to the home directory or the root)."""
    full, top = os.path.realpath(path), os.path.realpath(home)
    while True:
        info = os.stat(full)
        if info.st_uid not in (0, uid):
            return f"{full} belongs to another account (uid {info.st_uid})"
        if info.st_mode & 0o022:
            return f"{full} may be written by others (mode {stat.S_IMODE(info.st_mode):04o}; `chmod go-w {full}`)"
        if full in (top, "/"):
            return ""
        full = os.path.dirname(full)


def file_of(setting: str, name: str, uid: int, home: str) -> str:
    """A value of AuthorizedKeysFile as a path: %h, %u, %U and %% stand for what sshd_config(5) says."""
    table = {"%h": home, "%u": name, "%U": str(uid), "%%": "%"}
    path = re.sub(r"%[huU%]", lambda found: table[found.group(0)], setting)
    return path if path.startswith("/") else os.path.join(home, path)
