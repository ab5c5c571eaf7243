# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may open a device node: the list of the OCI runtime and that of systemd."""

from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import device_rules as rules
from hypothesis import given
from hypothesis import strategies as st

DENY = {"allow": False, "access": "rwm"}
NODE = {"allow": True, "type": "c", "major": 195, "minor": 255, "access": "rwm"}
MAJORS = {195: "nvidia-frontend", 510: "nvidia-uvm"}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([DENY, NODE], True),
        ([DENY], False),
        ([], False),
        (None, False),
        ([NODE, DENY], False),
        ([DENY, {"allow": True, "access": "rwm"}], True),
        ([DENY, {**NODE, "minor": -1}], True),
        ([DENY, {**NODE, "minor": 0}], False),
        ([DENY, {**NODE, "type": "b"}], False),
        ([DENY, {**NODE, "access": "m"}], False),
        ([DENY, {**NODE, "access": "r"}], False),
        (["noise", DENY, NODE], True),
    ],
)
def test_oci(entries: object, expected: bool) -> None:
    assert rules.oci_allows(entries, 195, 255) is expected


@pytest.mark.parametrize(
    ("policy", "entries", "expected"),
    [
        ("strict", ["/dev/char/195:255 rwm"], True),
        ("strict", ["/dev/char/195:255 rw"], True),
        ("strict", ["/dev/nvidiactl rw"], True),
        ("strict", ["char-nvidia-frontend rw"], True),
        ("strict", ["char-nvidia* rw"], True),
        ("strict", ["char-195 rw"], True),
        ("strict", ["char-* m", "block-* m"], False),
        ("strict", ["/dev/char/195:0 rwm", "/dev/char/510:0 rwm"], False),
        ("strict", ["/dev/char/195:255 r"], False),
        ("strict", ["char-nvidia rw"], False),
        ("strict", [], False),
        ("closed", [], False),
        ("auto", [], True),
        ("auto", [""], True),
        ("auto", ["char-pts rwm"], False),
    ],
)
def test_systemd(policy: str, entries: list[str], expected: bool) -> None:
    assert rules.systemd_allows(policy, entries, "/dev/nvidiactl", (195, 255), MAJORS) is expected


@given(st.lists(st.text()), st.text(), st.integers(0, 600), st.integers(0, 300))
def test_nothing_raises_and_nothing_unknown_allows(entries: list[str], policy: str, major: int, minor: int) -> None:
    allowed = rules.systemd_allows(policy, entries, "/dev/none", (major, minor), MAJORS)
    if allowed and policy != "auto":
        assert any(entry.strip().startswith(("/dev/", "char-")) for entry in entries)


@pytest.mark.parametrize(
    ("entries", "kind", "expected"),
    [
        (["/dev/block/259:0 rwm"], "block", True),
        (["/dev/char/259:0 rwm"], "block", False),
        (["/dev/block/259:0 rwm"], "char", False),
        (["block-* rwm"], "block", True),
        (["char-* rwm"], "block", False),
        (["block-259 rwm"], "block", True),
        (["block-* m"], "block", False),
    ],
)
def test_systemd_block_devices(entries: list[str], kind: str, expected: bool) -> None:
    assert rules.systemd_allows("strict", entries, "", (259, 0), {}, kind) is expected
