# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extended capabilities, link text and error counters."""

from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import pci_config as parse
from hypothesis import given
from hypothesis import strategies as st


def config(*capabilities: tuple[int, int, bytes], size: int = 4096) -> bytes:
    """Return a configuration space with (offset, id, body) in a chain."""
    data = bytearray(size)
    for (offset, number, body), following in zip(capabilities, [*(c[0] for c in capabilities[1:]), 0]):
        data[offset : offset + 4] = (following << 20 | 1 << 16 | number).to_bytes(4, "little")
        data[offset + 4 : offset + 4 + len(body)] = body
    return bytes(data)


AER = (0x100, 0x0001, b"\0" * 8)


@pytest.mark.parametrize(
    ("data", "acs"),
    [
        (config(AER, (0x148, 0x000D, b"\x5f\0\x1d\0")), True),
        (config(AER, (0x148, 0x000D, b"\x5f\0\0\0")), False),
        (config((0x100, 0x000D, b"\x5f\0\x01\0")), True),
        # source validation off, another bit on
        (config((0x100, 0x000D, b"\x5f\0\x10\0")), False),
        (config(AER), False),
        (config(AER)[:64], None),
        (config(AER)[:256], None),
        (b"", None),
        (b"\xff" * 4096, False),
        # the chain leads to the end of what could be read
        (config(AER, (0x148, 0x000D, b""))[:0x14C], None),
    ],
)
def test_acs(data: bytes, acs: bool | None) -> None:
    assert parse.acs(data) is acs


def test_a_chain_in_a_circle_ends() -> None:
    data = bytearray(4096)
    data[0x100:0x104] = (0x100 << 20 | 1).to_bytes(4, "little")
    assert parse.capability(bytes(data), 0x000D) is None


@given(st.binary(max_size=5000))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    parse.acs(data)
    parse.acs(b"\0" * 0x100 + data)


@pytest.mark.parametrize(
    ("text", "gts"),
    [("16.0 GT/s PCIe", 16.0), ("2.5 GT/s", 2.5), ("8 GT/s", 8.0), ("64.0 GT/s PCIe\n", 64.0), ("Unknown", None)],
)
def test_speed(text: str, gts: float | None) -> None:
    assert parse.speed_gts(text) == gts


@pytest.mark.parametrize(("text", "lanes"), [("16", 16), ("0", None), ("63", None), ("255", None), ("x", None)])
def test_width(text: str, lanes: int | None) -> None:
    assert parse.width(text) == lanes


def test_counters() -> None:
    assert parse.aer_total("RxErr 3\nBadTLP 1\nTOTAL_ERR_COR 4\n") == 4
    assert parse.aer_total("RxErr 3\n") is None


@given(st.one_of(st.none(), st.text()))
def test_no_text_makes_them_raise(text: str | None) -> None:
    parse.aer_total(text)
    parse.speed_gts(text)
    parse.width(text)
