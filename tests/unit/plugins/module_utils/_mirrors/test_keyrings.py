# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.keyrings import conflicts

ONE = "/etc/apt/sources.list"
TWO = "/etc/apt/sources.list.d/debian.sources"
STANZA = "Types: deb\nURIs: https://near.example.org/debian/\nSuites: trixie trixie-updates\nComponents: main\n"


@pytest.mark.parametrize(
    ("line", "stanza", "count"),
    [
        ("deb [signed-by=/a.gpg] https://near.example.org/debian trixie main", "Signed-By: /b.gpg\n", 1),
        ("deb-src [signed-by=/a.gpg] https://near.example.org/debian trixie contrib", "Signed-By: /b.gpg\n", 1),
        ("deb [signed-by=/a.gpg] https://near.example.org/debian trixie main", "Signed-By: /a.gpg\n", 0),
        ("deb [signed-by=/a.gpg] https://near.example.org/debian trixie main", "", 0),
        ("deb https://near.example.org/debian trixie main", "Signed-By: /a.gpg\n", 0),
        ("deb [signed-by=/a.gpg] https://near.example.org/debian sid main", "Signed-By: /b.gpg\n", 0),
        ("deb [signed-by=/a.gpg] https://far.example.org/debian trixie main", "Signed-By: /b.gpg\n", 0),
        ("deb [signed-by=/a.gpg] https://near.example.org/debian trixie main", "Signed-By: /b.gpg\nEnabled: no\n", 0),
    ],
)
def test_conflicts(line: str, stanza: str, count: int) -> None:
    found = conflicts({ONE: line + "\n", TWO: STANZA + stanza})
    assert len(found) == count
    assert all(ONE in one and TWO in one and "/a.gpg" in one and "/b.gpg" in one for one in found)
