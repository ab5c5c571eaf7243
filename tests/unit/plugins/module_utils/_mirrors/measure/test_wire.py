# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections: names are asked for once, both families of addresses are tried, and time ends everything."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure import wire

IPV4 = [(socket.AF_INET, 1, 6, "", (f"192.0.2.{number}", 80)) for number in range(1, 7)]
IPV6 = [(socket.AF_INET6, 1, 6, "", (f"2001:db8::{number}", 80, 0, 0)) for number in range(1, 7)]


@pytest.mark.parametrize(
    ("addresses", "tried"),
    [
        ([], []),
        (IPV4[:1], IPV4[:1]),
        (IPV4, IPV4[:4]),
        (IPV6 + IPV4, [IPV6[0], IPV4[0], IPV6[1], IPV6[2]]),
        (IPV4[:2] + IPV6[:1], [IPV4[0], IPV6[0], IPV4[1]]),
    ],
)
def test_both_families_are_among_the_first_two(addresses: list[Any], tried: list[Any]) -> None:
    assert wire._both_families(addresses) == tried


def test_a_name_is_asked_for_once_and_not_longer_than_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def slow(host: str, *_args: Any) -> list[Any]:
        asked.append(host)
        time.sleep(0.4)
        return IPV4[:1]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    resolver = wire.Resolver()
    began = time.monotonic()
    for _attempt in range(2):
        with pytest.raises(wire.TimeIsUpError):
            resolver.addresses("a.example.org", 80, wire.Clock(0.05))
    assert time.monotonic() - began < 0.3
    assert resolver.addresses("a.example.org", 80, wire.Clock(2)) == IPV4[:1]
    assert asked == ["a.example.org"]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")], ids=repr)
def test_a_name_without_address(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(wire.ResolveError):
        wire.connect("a.example.org", 80, wire.Clock(1), wire.Resolver())


def test_a_clock_ends() -> None:
    assert 4 < wire.Clock(5).left() <= 5
    with pytest.raises(wire.TimeIsUpError):
        wire.Clock(0).left()
