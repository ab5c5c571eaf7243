# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy of the inventory as other roles take it: no input raises, and no_proxy has no entry that became two."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.filter import mirror_proxy
from hypothesis import given
from hypothesis import strategies as st

shared = mirror_proxy.FilterModule().filters()["mirror_proxy"]
ANYTHING = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=20), max_size=4)
WISHES = st.dictionaries(st.sampled_from(["http", "https", "no_proxy", "for_mirrors", "other"]), ANYTHING)


@given(WISHES | ANYTHING, st.lists(st.text(max_size=30), max_size=4))
def test_no_input_raises(wish: Any, addresses: list[str]) -> None:
    found = shared(wish, addresses)
    assert set(found) <= {"http", "https", "no_proxy"} and all(isinstance(value, str) for value in found.values())
    entries = found.get("no_proxy", "localhost").split(",")
    assert "localhost" in entries and len(entries) == len(set(entries))
    assert not [entry for entry in entries if not entry or any(mark in entry for mark in " \t\n\"'")]
