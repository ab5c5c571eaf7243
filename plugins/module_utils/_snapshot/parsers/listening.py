# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening TCP sockets, from /proc/net/tcp and /proc/net/tcp6."""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any

# include/net/tcp_states.h
_LISTEN = "0A"
_LITTLE = sys.byteorder == "little"


def parse(text: str) -> list[dict[str, Any]]:
    """Return [{port, address, inode}] of the sockets that listen. The kernel lists them before all others."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 10 or fields[3] != _LISTEN:
            continue
        host, colon, port = fields[1].partition(":")
        address = _address(host)
        try:
            number, inode = int(port, 16), int(fields[9])
        except ValueError:
            continue
        if colon and address is not None and 0 < number < 65536:
            found.append({"port": number, "address": address, "inode": inode})
    return found


def _address(text: str) -> str | None:
    """Turn the kernel's words of 32 bits, in the order of the processor, into an address."""
    if len(text) not in (8, 32):
        return None
    try:
        words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
        packed = b"".join(struct.pack("<I" if _LITTLE else ">I", word) for word in words)
        return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
    except (ValueError, OSError, struct.error):
        return None
