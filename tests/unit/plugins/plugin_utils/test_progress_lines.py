# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress_lines import choose


@pytest.mark.parametrize(
    ("wish", "given", "expected"),
    [
        ("live", {}, "live"),
        ("live", {"terminal": False}, "lines"),
        ("live", {"term": "dumb"}, "lines"),
        ("live", {"term": ""}, "lines"),
        ("live", {"plain": True}, "lines"),
        ("live", {"rich": False}, "lines"),
        ("lines", {}, "lines"),
        ("off", {}, "off"),
    ],
)
def test_which_mode(wish: str, given: dict[str, Any], expected: str) -> None:
    usual: dict[str, Any] = {"terminal": True, "term": "xterm", "plain": False, "rich": True}
    assert choose(wish, **{**usual, **given}) == expected
