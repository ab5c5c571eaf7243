# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress import titles
from hypothesis import given
from hypothesis import strategies as st


@given(st.text())
def test_nothing_moves_the_cursor(value: str) -> None:
    assert all(char.isprintable() or char == " " or char.isspace() for char in titles.clean(value))
    assert "\x1b" not in titles.clean(f"\x1b[31m{value}\x1b]0;title\x07")


def test_a_message_cannot_paint_over_the_display() -> None:
    assert titles.clean("\x1b[2J\x1b[31mred\x1b[0m\rover\tit\x1b]0;title\x07!") == "red over it!"
