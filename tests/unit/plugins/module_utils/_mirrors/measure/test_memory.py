# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory: valid for how long, what counts as its choice."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure import memory

NOW = 1_800_000_000.0


def document(hours: float = 168, **services: list[str]) -> dict[str, Any]:
    found = {
        name: {"site": "a" if urls else None, "urls": urls, "score": 1, "measured": []}
        for name, urls in services.items()
    }
    return memory.compose(found, "k", hours, NOW)


@pytest.mark.parametrize(
    ("key", "ttl", "hours_later", "valid"),
    [
        ("k", 168, 0, True),
        ("k", 168, 167.9, True),
        ("k", 168, 168, False),
        ("other", 168, 0, False),
        ("k", 1, 2, False),
        ("k", 1000, 169, False),
        # the clock was set back: by seconds, and by a day
        ("k", 168, -0.01, True),
        ("k", 168, -24, False),
    ],
)
def test_valid(key: str, ttl: float, hours_later: float, valid: bool) -> None:
    assert memory.valid(document(pypi=["https://a.example.org/"]), key, ttl, NOW + hours_later * 3600) is valid
    assert not memory.valid(None, key, ttl, NOW)


def test_what_has_no_mirror_is_asked_again_soon() -> None:
    assert document(pypi=["https://a.example.org/"])["expires_at"] == NOW + 168 * 3600
    assert document(pypi=["https://a.example.org/"], npm=[])["expires_at"] == NOW + 3600
    assert document(0.5, npm=[])["expires_at"] == NOW + 1800


def test_the_choice_is_sites_and_addresses() -> None:
    one, two = document(pypi=["https://a.example.org/"]), document(1, pypi=["https://a.example.org/"])
    two["services"]["pypi"]["score"] = 5
    assert memory.choice(one) == memory.choice(two) != memory.choice(document(pypi=[]))
    assert memory.choice(None) is None
