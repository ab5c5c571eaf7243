# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that runs and does not answer is not an idle one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.docker_unread import unread

PRESENT: dict[str, Any] = {"present": True, "reachable": False, "error": "timed out."}


@pytest.mark.parametrize(
    ("docker", "service", "said"),
    [
        (PRESENT, {"active": "active"}, "timed out"),
        (PRESENT, {"active": "activating"}, "timed out"),
        ({**PRESENT, "error": None}, {"active": "active"}, "no reason given"),
        (PRESENT, {"active": "inactive"}, ""),
        (PRESENT, {"active": "failed"}, ""),
        (PRESENT, None, ""),
        ({**PRESENT, "reachable": True}, {"active": "active"}, ""),
        ({"present": False}, {"active": "active"}, ""),
        (None, {"active": "active"}, ""),
    ],
)
def test_why_containers_are_not_known(docker: Any, service: Any, said: str) -> None:
    assert unread({"docker": docker, "services": {"docker.service": service}}) == said


def test_facts_that_say_nothing() -> None:
    assert unread({}) == unread({"docker": None, "services": None}) == ""
