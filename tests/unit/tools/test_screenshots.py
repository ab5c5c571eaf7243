# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture in the docs is what the display looks like now, and fetches nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture
def screenshots(load_program: Callable[[str], ModuleType]) -> ModuleType:
    return load_program("tools/screenshots.py")


def test_the_picture_is_up_to_date(screenshots: ModuleType) -> None:
    assert screenshots.PICTURE.read_text(encoding="utf-8") == screenshots.picture(), "run tools/screenshots.py"


def test_the_picture_fetches_nothing(screenshots: ModuleType) -> None:
    drawn = screenshots.picture()
    assert "url(" not in drawn.replace("url(#", "")
    assert "@font-face" not in drawn
    # the name space of SVG, and who made it
    assert set(re.findall(r"https?://[^/\"\s]+", drawn)) <= {"http://www.w3.org", "https://www.textualize.io"}


def test_chinese_text_has_room_for_its_cells(screenshots: ModuleType) -> None:
    lengths = re.findall(r'textLength="([\d.]+)"[^>]*>&#160;&#160;实验室-03<', screenshots.picture())
    assert lengths
    assert {round(float(length) / 12.2) for length in lengths} == {11}
