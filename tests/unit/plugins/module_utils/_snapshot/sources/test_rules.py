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
        # what systemd puts back decides, whatever config.json says
        ([DENY, NULL], {"docker-aa.scope": SCOPE}, "systemd", (True, [])),
        # no scope, no reload that could take anything away
        ([DENY], {}, "cgroupfs", (True, [])),
        (None, {}, "cgroupfs", (True, [])),
        (
            [DENY, NULL, ZERO],
            {"docker-aa.scope": {"DevicePolicy": ["strict"], "DeviceAllow": ["/dev/char/1:3 rwm"]}},
            "systemd",
            (False, ["/dev/zero"]),
        ),
        ([{"allow": True, "access": "rwm"}], {"docker-aa.scope": {"DevicePolicy": ["auto"]}}, "systemd", (True, [])),
        ([DENY, NULL, ZERO], {}, "systemd", (None, [])),
        ([DENY, NULL], {}, "systemd", (False, ["/dev/zero"])),
        (None, {}, "systemd", (None, [])),
        ("noise", {}, "systemd", (None, [])),
        ("noise", {"docker-aa.scope": SCOPE}, "systemd", (True, [])),
        ([DENY, NULL, ZERO], {"docker-aa.scope": {"LoadState": ["loaded"]}}, "systemd", (None, [])),
        ([DENY, NULL, ZERO], {"docker-aa.scope": SCOPE}, None, (None, [])),
    ],
)
def test_verdicts(live: Host, entries: Any, blocks: dict[str, Any], driver: str, expected: tuple[Any, Any]) -> None:
    assert judged(live, entries, blocks, driver) == expected


def test_an_unknown_device_is_not_judged(live: Host) -> None:
    assert judged(live, [DENY, NULL, ZERO], {}, "cgroupfs", devices=["nvidia.com/gpu=7"]) == (None, [])


def test_hook_requests_are_judged_by_the_same_nodes(live: Host) -> None:
    blocks = {"docker-aa.scope": {"DevicePolicy": ["strict"], "DeviceAllow": ["char-* m"]}}
    found = judged(live, [DENY], blocks, "systemd", via="hook", devices=["all"])
    assert found == (False, ["/dev/null", "/dev/zero"])


def test_plain_devices(live: Host) -> None:
    blocks = {"docker-aa.scope": {"DevicePolicy": ["strict"], "DeviceAllow": ["/dev/char/1:3 rwm"]}}
    assert judged(live, [DENY, NULL], blocks, "systemd", via="devices", devices=["/dev/null"]) == (True, [])
    assert judged(live, [DENY, NULL], blocks, "systemd", via="devices", devices=["/dev/zero"])[0] is False


def test_without_a_specification_all_is_what_dev_holds(live: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "names", lambda path: ["null", "nvidia0", "nvidia12", "nvidiactl", "nvidia-uvm"])
    gpu = {"via": "hook", "devices": ["all"]}
    assert rules.expected(live, gpu, {}) == (
        ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidia12"],
        True,
    )
    assert rules.expected(live, {"via": "hook", "devices": ["count=1"]}, {})[1] is False


# Tried with real runc, systemd and kernel (reference: losing the GPU at daemon-reload, section 2): how the device came,
# DeviceAllow of the scope, and whether the container still had it after a reload.
NODES = {"/dev/nvidiactl": (195, 255), "/dev/nvidia0": (195, 0), "/dev/nvidia1": (195, 1), "/dev/nvidia-uvm": (510, 0)}
FRONTEND = "Character devices:\n195 nvidia-frontend\n510 nvidia-uvm\n\nBlock devices:\n"
SPEC = [
    {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"} for major, minor in NODES.values()
]
CHARS = [f"/dev/char/{major}:{minor} rwm" for major, minor in NODES.values()]
WILDCARD = [{"allow": True, "type": "c", "major": 195, "minor": -1, "access": "rwm"}]


@pytest.mark.parametrize(
    ("via", "config", "allow", "devices", "keeps"),
    [
        pytest.param("hook", [], [], FRONTEND, False, id="--gpus all, hook"),
        pytest.param("runtime", [], [], FRONTEND, False, id="runtime nvidia, mode legacy"),
        pytest.param("runtime", SPEC, CHARS, FRONTEND, True, id="runtime nvidia, jit-cdi"),
        pytest.param("cdi", SPEC, CHARS, FRONTEND, True, id="--device nvidia.com/gpu=all"),
        pytest.param("devices", SPEC, CHARS, FRONTEND, True, id="--device /dev/nvidia..."),
        pytest.param("hook", WILDCARD, [], "", False, id="wildcard rule, major not in /proc/devices"),
        pytest.param(
            "hook", WILDCARD, ["char-nvidia-frontend rwm", "char-nvidia-uvm rwm"], FRONTEND, True, id="wildcard rule"
        ),
        pytest.param("runtime", SPEC, [], FRONTEND, False, id="C4: runc 1.1.5, jit-cdi, no /dev/char"),
        pytest.param("cdi", SPEC, [], FRONTEND, False, id="C4: runc 1.1.5, CDI, no /dev/char"),
        pytest.param("devices", SPEC, [], FRONTEND, False, id="C4: runc 1.1.5, --device, no /dev/char"),
        pytest.param("cdi", SPEC, CHARS, FRONTEND, True, id="C4: with links in /dev/char"),
        pytest.param("hook", [], [f"{node} rwm" for node in NODES], FRONTEND, True, id="hook, then set-property"),
    ],
)
def test_what_was_seen_to_happen(
    live: Host,
    monkeypatch: pytest.MonkeyPatch,
    via: str,
    config: list[Any],
    allow: list[str],
    devices: str,
    keeps: bool,
) -> None:
    monkeypatch.setattr(rules, "_number", lambda _host, path: NODES.get(path))
    monkeypatch.setattr(Machine, "text", lambda _host, _path: devices)
    monkeypatch.setattr(Machine, "names", lambda _host, _path: [name[5:] for name in NODES])
    document = {"containerEdits": {"deviceNodes": [{"path": node} for node in [*NODES, "/dev/dri/card0"]]}}
    monkeypatch.setitem(DOCUMENTS, "nvidia.com/gpu", [{"devices": [{"name": "all"}], **document}])
    wanted = list(NODES) if via == "devices" else ["all"]
    blocks = {"docker-aa.scope": {"DevicePolicy": ["strict"], "DeviceAllow": [*allow, "char-pts rwm"]}}
    ok, missing = judged(live, [DENY, *config], blocks, "systemd", via=via, devices=wanted)
    assert ok is keeps
    assert sorted(missing) == ([] if keeps else sorted(NODES))


def test_one_of_two_cards_is_named(live: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_number", lambda _host, path: NODES.get(path))
    blocks = {"docker-aa.scope": {"DevicePolicy": ["strict"], "DeviceAllow": [*CHARS[:2], CHARS[3]]}}
    found = judged(live, SPEC, blocks, "systemd", via="devices", devices=list(NODES))
    assert found == (False, ["/dev/nvidia1"])


@pytest.mark.parametrize(
    ("state", "blocks", "scope"),
    [
        ("running", {"docker-aa.scope": SCOPE}, "docker-aa.scope"),
        # a scope of the same name that has just ended
        ("exited", {"docker-aa.scope": SCOPE}, None),
        ("running", {"docker-bb.scope": SCOPE}, None),
    ],
)
def test_the_scope_of_a_container(live: Host, state: str, blocks: dict[str, Any], scope: str | None) -> None:
    # no GPU: the scope is told all the same
    container = {"id": "aa", "state": state, "gpu": {"requested": False, "scope": None}}
    rules.judge(live, {"cgroup_driver": "systemd", "containers": [container]}, blocks, DOCUMENTS)
    assert container["gpu"] == {"requested": False, "scope": scope}
