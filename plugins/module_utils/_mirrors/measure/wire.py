# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection on which nothing takes longer than its clock: resolving, connecting, TLS, each byte sent or received.

The time limits of Python's own clients hold for one operation at a socket, so that a server which sends one byte a
second is never late. Here each operation gets what is left of one total.
"""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from typing import Any

_MAX_ADDRESSES = 4


class TimeIsUpError(OSError):
    """The time of this piece of work has ended."""


class ResolveError(OSError):
    """The name has no address."""


class Clock:
    """A point in time after which everything ends; monotonic."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, always more than 0."""
        seconds = self.end - time.monotonic()
        if seconds <= 0:
            raise TimeIsUpError("the time is up")
        return seconds


class _Reader(io.RawIOBase):
    """What http.client reads from; each read gets the time that is left."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.wire.sock.settimeout(self.wire.clock.left())
        return int(self.wire.sock.recv_into(buffer))

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.wire.released()


class Wire:
    """A connected socket with a clock, in the shape that http.client needs. Give it a new clock for each request."""

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        self.sock = sock
        self.clock = clock
        self._readers = 0
        self._closing = False

    def sendall(self, data: Any) -> None:
        self.sock.settimeout(self.clock.left())
        self.sock.sendall(data)

    def makefile(self, mode: str = "rb", *args: Any, **options: Any) -> io.BufferedReader:
        self._readers += 1
        return io.BufferedReader(_Reader(self), 65536)

    def released(self) -> None:
        """A reader is done."""
        self._readers -= 1
        if self._closing and self._readers <= 0:
            self.sock.close()

    def close(self) -> None:
        """Close when the last reader is done: http.client lets go before it reads a body without a length."""
        self._closing = True
        if self._readers <= 0:
            self.sock.close()

    def kill(self) -> None:
        """Close now."""
        self.sock.close()

    def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """The limit of a socket is one for the whole handshake, so the clock needs no help here."""
        self.sock.settimeout(self.clock.left())
        self.sock = context.wrap_socket(self.sock, server_hostname=name)


class Resolver:
    """Addresses of hosts, each asked for once. That cannot be interrupted: a thread that is late is left behind."""

    def __init__(self) -> None:
        self._jobs: dict[tuple[str, int], tuple[threading.Thread, list[Any]]] = {}
        self._guard = threading.Lock()

    def start(self, host: str, port: int) -> tuple[threading.Thread, list[Any]]:
        """Begin to ask, so that the answer is there when it is needed."""
        with self._guard:
            if (host, port) not in self._jobs:
                box: list[Any] = []
                thread = threading.Thread(target=_resolve, args=(host, port, box), name=f"resolve {host}", daemon=True)
                self._jobs[(host, port)] = (thread, box)
                thread.start()
            return self._jobs[(host, port)]

    def addresses(self, host: str, port: int, clock: Clock) -> list[Any]:
        thread, box = self.start(host, port)
        thread.join(clock.left())
        if not box:
            raise TimeIsUpError(f"the name {host} was not resolved in time")
        if isinstance(box[0], Exception):
            raise ResolveError(f"the name {host} has no address")
        return list(box[0])


def _resolve(host: str, port: int, box: list[Any]) -> None:
    try:
        box.append(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
    except Exception as error:  # a UnicodeError for a label that is too long
        box.append(error)


def _both_families(addresses: list[Any]) -> list[Any]:
    """The first addresses, but each family among the first two: one of them is often a black hole."""
    first = addresses[:1]
    other = [entry for entry in addresses[1:] if first and entry[0] != first[0][0]][:1]
    rest = [entry for entry in addresses[1:] if entry not in other]
    return (first + other + rest)[:_MAX_ADDRESSES]


def connect(host: str, port: int, clock: Clock, resolver: Resolver) -> Wire:
    """Connect to the first address that answers; each one gets its share of the time that is left."""
    addresses = _both_families(resolver.addresses(host, port, clock))
    last: OSError = ResolveError(f"the name {host} has no address")
    for number, (family, kind, protocol, _name, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(clock.left() / (len(addresses) - number))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Wire(sock, clock)
        except OSError as error:
            sock.close()
            last = error
    raise last
