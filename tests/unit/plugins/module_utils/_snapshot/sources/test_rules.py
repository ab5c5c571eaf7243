# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Will a running container keep its device nodes? Uses /dev/null and /dev/zero as the nodes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import rules

DOCUMENTS = {
    "nvidia.com/gpu": [
        {
            "kind": "nvidia.com/gpu",
            "devices": [
                {"name": "all", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0", "hostPath": "/dev/zero"}]}}
            ],
            "containerEdits": {"deviceNodes": [{"path": "/dev/null"}]},
        }
    ]
}
NULL = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}
ZERO = {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rwm"}
DENY = {"allow": False, "access": "rwm"}
SCOPE = {"DevicePolicy": ["strict"], "DeviceAllow": ["/dev/char/1:3 rwm", "/dev/char/1:5 rw", "char-* m"]}


class Machine(Host):
    """This machine with one container's config.json."""

    entries: Any = None

    def exists(self, path: str) -> bool:
        return path.endswith("/aa/config.json") and self.entries is not None

    def read(self, path: str, limit: int = 0) -> str:
        return json.dumps({"linux": {"resources": {"devices": self.entries}}})


def judged(live: Host, entries: Any, blocks: dict[str, Any], driver: str, **gpu: Any) -> tuple[bool | None, list[str]]:
    host = Machine("/", live.runner)
    host.entries = entries
    container = {
        "id": "aa",
        "state": "running",
        "gpu": {
            "requested": True,
            "via": "cdi",
            "devices": ["nvidia.com/gpu=all"],
            "rules_ok": None,
            "missing": [],
            **gpu,
        },
    }
    rules.judge(host, {"cgroup_driver": driver, "containers": [container]}, blocks, DOCUMENTS)
    found = container["gpu"]
    assert isinstance(found, dict)
    return found["rules_ok"], found["missing"]


@pytest.mark.parametrize(
    ("entries", "blocks", "driver", "expected"),
    [
        ([DENY, NULL, ZERO], {"docker-aa.scope": SCOPE}, "systemd", (True, [])),
        ([DENY, NULL, ZERO], {}, "cgroupfs", (True, [])),
        ([DENY, NULL], {"docker-aa.scope": SCOPE}, "systemd", (False, ["/dev/zero"])),
        ([DENY], {}, "cgroupfs", (False, ["/dev/null", "/dev/zero"])),
        (
            [DENY, NULL, ZERO],
            {"docker-aa.scope": {"DevicePolicy": ["strict"], "DeviceAllow": ["/dev/char/1:3 rwm"]}},
            "systemd",
            (False, ["/dev/zero"]),
        ),
        ([{"allow": True, "access": "rwm"}], {"docker-aa.scope": {"DevicePolicy": ["auto"]}}, "systemd", (True, [])),
        ([DENY, NULL, ZERO], {}, "systemd", (None, [])),
        (None, {"docker-aa.scope": SCOPE}, "systemd", (None, [])),
        ("noise", {"docker-aa.scope": SCOPE}, "systemd", (None, [])),
    ],
)
def test_verdicts(live: Host, entries: Any, blocks: dict[str, Any], driver: str, expected: tuple[Any, Any]) -> None:
    assert judged(live, entries, blocks, driver) == expected


def test_an_unknown_device_is_not_judged(live: Host) -> None:
    assert judged(live, [DENY, NULL, ZERO], {}, "cgroupfs", devices=["nvidia.com/gpu=7"]) == (None, [])


def test_hook_requests_are_judged_by_the_same_nodes(live: Host) -> None:
    assert judged(live, [DENY], {}, "cgroupfs", via="hook", devices=["all"]) == (False, ["/dev/null", "/dev/zero"])


def test_plain_devices(live: Host) -> None:
    found = judged(live, [DENY, NULL], {}, "cgroupfs", via="devices", devices=["/dev/null"])
    assert found == (True, [])


def test_without_a_specification_all_is_what_dev_holds(live: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "names", lambda path: ["null", "nvidia0", "nvidia12", "nvidiactl", "nvidia-uvm"])
    gpu = {"via": "hook", "devices": ["all"]}
    assert rules.expected(live, gpu, {}) == (
        ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidia12"],
        True,
    )
    assert rules.expected(live, {"via": "hook", "devices": ["count=1"]}, {})[1] is False
