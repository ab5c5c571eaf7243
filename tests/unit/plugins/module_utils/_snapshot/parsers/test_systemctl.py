# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of systemctl show."""

from __future__ import annotations

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import systemctl
from hypothesis import given
from hypothesis import strategies as st

OUTPUT = """\
DevicePolicy=strict
DeviceAllow=/dev/char/195:255 rwm
DeviceAllow=char-pts rwm
Id=docker-00ff.scope
Names=docker-00ff.scope

Id=sshd.service
Names=sshd.service ssh.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=
ActiveEnterTimestamp=Sun 2026-11-22 00:24:41 UTC
"""


def test_blocks_aliases_and_repeated_properties() -> None:
    units = systemctl.by_name(systemctl.show(OUTPUT))
    assert units["docker-00ff.scope"]["DeviceAllow"] == ["/dev/char/195:255 rwm", "char-pts rwm"]
    assert units["ssh.service"] is units["sshd.service"]
    assert systemctl.unit(units["ssh.service"]) == {
        "load": "loaded",
        "active": "active",
        "sub": "running",
        "enabled": None,
    }
    assert set(systemctl.unit(None).values()) == {None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Sun 2026-11-22 00:24:41 UTC", "2026-11-22T00:24:41Z"),
        ("Sun 2026-11-22 00:24:41.123456 UTC", "2026-11-22T00:24:41Z"),
        ("@0", "1970-01-01T00:00:00Z"),
        ("Sun 2026-11-22 08:24:41 CST", None),
        ("n/a", None),
        ("", None),
        (None, None),
    ],
)
def test_timestamps(value: str | None, expected: str | None) -> None:
    assert systemctl.timestamp(value) == expected


@given(st.integers(0, 4_000_000_000))
def test_seconds_and_iso_are_inverse(moment: int) -> None:
    assert systemctl.seconds(systemctl.iso(moment)) == moment
    assert systemctl.timestamp(f"@{moment}") == systemctl.iso(moment)


@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    systemctl.by_name(systemctl.show(text))
    systemctl.timestamp(text)
    systemctl.seconds(text)
