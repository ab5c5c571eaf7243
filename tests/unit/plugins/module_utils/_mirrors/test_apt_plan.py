# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wish; the files are shown in tests/unit/plugins/modules/test_package_mirrors*.py."""

from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors import apt
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.apt_plan import AptWish, unique


@pytest.mark.parametrize(
    ("uris", "failover", "chain"),
    [
        ([], True, ()),
        (["official"], True, ()),
        (["official"], False, ()),
        (["a"], True, ("a",)),
        (["a", "b"], True, ("a", "b")),
        (["a", "b"], False, ("a",)),
        (["a", "official"], True, ("a", "official")),
        (["official", "a"], False, ("official", "a")),
        (["a/", "b", "a"], True, ("a/", "b")),
    ],
)
def test_wish(uris: list[str], failover: bool, chain: tuple[str, ...]) -> None:
    wish = AptWish.of(uris, [], failover)
    assert wish.uris == {apt.MAIN: chain, apt.SECURITY: ()} and bool(wish) == bool(chain)


def test_unique_keeps_the_first_and_the_order() -> None:
    assert unique(["b", "a", "b/", "c"]) == ("b", "a", "c")
