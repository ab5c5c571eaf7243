# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who keeps the clock, and does it run right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import clock

MakeHost = Callable[[dict[str, Any]], Host]


@pytest.mark.parametrize(
    ("files", "services", "synchronized", "service"),
    [
        ({"/run/systemd/timesync/synchronized": ""}, None, True, "systemd-timesyncd"),
        ({"/run/systemd/timesync/other": ""}, None, False, "systemd-timesyncd"),
        ({"/run/chrony/chronyd.pid": "812\n"}, None, None, "chrony"),
        ({"/run/ntpd.pid": "812\n"}, None, None, "ntpd"),
        ({"/run/chrony/chronyd.pid": "nonsense"}, None, None, None),
        ({"/x": ""}, {"chronyd.service": {"active": "active"}}, None, "chrony"),
        ({"/x": ""}, {"systemd-timesyncd.service": {"active": "inactive"}}, None, None),
        ({"/x": ""}, {"systemd-timesyncd.service": {"active": None}}, None, None),
        ({"/x": ""}, None, None, None),
    ],
)
def test_time(
    host_of: MakeHost, files: dict[str, str], services: Any, synchronized: bool | None, service: str | None
) -> None:
    host = host_of(files)
    assert clock.section(host, services) == {
        "ntp_synchronized": synchronized,
        "ntp_service": service,
        "controller_skew_s": None,
    }
    assert host.probes.status("time") == "ok"


@pytest.mark.parametrize(("answer", "synchronized"), [(True, True), (False, False), (None, None)])
def test_the_live_kernel_knows_best(
    live: Host, monkeypatch: pytest.MonkeyPatch, answer: bool | None, synchronized: bool | None
) -> None:
    monkeypatch.setattr(clock, "_kernel_synchronized", lambda: answer)
    monkeypatch.setattr(live, "exists", lambda path: False)
    monkeypatch.setattr(live, "is_dir", lambda path: False)
    monkeypatch.setattr(live, "text", lambda path: None)
    assert clock.section(live)["ntp_synchronized"] is synchronized


def test_this_kernel_gives_an_answer_or_none(live: Host) -> None:
    assert clock.section(live)["ntp_synchronized"] in (True, False, None)
    assert live.probes.status("time") == "ok"
