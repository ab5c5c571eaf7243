# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets that listen."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import listening as parse
from hypothesis import given
from hypothesis import strategies as st

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def line(local: str, state: str = "0A", inode: str = "12345") -> str:
    return f"   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0\n"


def test_only_what_listens() -> None:
    text = HEAD + line("0100007F:0016") + line("00000000:22B8", inode="7") + line("0100007F:1F90", state="01")
    assert parse.parse(text) == [
        {"port": 22, "address": "127.0.0.1", "inode": 12345},
        {"port": 8888, "address": "0.0.0.0", "inode": 7},
    ]


def test_addresses_of_version_6() -> None:
    text = HEAD + line("00000000000000000000000000000000:0016") + line("000080FE00000000FF005450B6AD1DFE:0050")
    assert [entry["address"] for entry in parse.parse(text)] == ["::", "fe80::5054:ff:fe1d:adb6"]


def test_broken_lines_are_left_out() -> None:
    text = line("0100007F:XX") + line("01:0016") + line("ZZZZZZZZ:0016") + line("0100007F:0016", inode="x") + "short 0A"
    assert parse.parse(text + line("0100007F:0000")) == []


@given(st.one_of(st.text(), st.text(alphabet="0123456789ABCDEF: \n").map(lambda text: HEAD + text)))
def test_no_text_makes_it_raise(text: str) -> None:
    parse.parse(text)
