# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's JSON, and which way a container gets its GPUs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import docker_api as api
from hypothesis import given
from hypothesis import strategies as st

GPUS = {"Driver": "", "Count": -1, "DeviceIDs": None, "Capabilities": [["gpu"]]}
CDI = {"Driver": "cdi", "Count": 0, "DeviceIDs": ["nvidia.com/gpu=all"], "Capabilities": None}
NODES = [{"PathOnHost": "/dev/nvidia0"}, {"PathOnHost": "/dev/nvidiactl"}, {"PathOnHost": "/dev/fuse"}]


@pytest.mark.parametrize(
    ("host", "env", "version", "via", "devices"),
    [
        ({"DeviceRequests": [CDI]}, [], "28.3.0", "cdi", ["nvidia.com/gpu=all"]),
        ({"DeviceRequests": [{**CDI, "Driver": ""}]}, [], "28.3.0", "cdi", ["nvidia.com/gpu=all"]),
        ({"DeviceRequests": [GPUS]}, [], "26.1.5+dfsg1", "hook", ["all"]),
        ({"DeviceRequests": [GPUS]}, [], "29.1.5", "hook", ["all"]),
        ({"DeviceRequests": [GPUS]}, [], "29.2.0", "cdi", ["all"]),
        ({"DeviceRequests": [{**GPUS, "Driver": "nvidia"}]}, [], "28.0.0", "hook", ["all"]),
        ({"DeviceRequests": [{**GPUS, "Count": 2}]}, [], "28.0.0", "hook", ["count=2"]),
        ({"DeviceRequests": [{**GPUS, "Count": 0, "DeviceIDs": ["1"]}]}, [], "28.0.0", "hook", ["1"]),
        ({"DeviceRequests": [{**GPUS, "Driver": "amd"}]}, [], "28.0.0", None, []),
        ({"DeviceRequests": [GPUS], "Runtime": "nvidia"}, [], "28.0.0", "runtime", ["all"]),
        ({"DeviceRequests": [GPUS], "Devices": NODES}, [], "28.0.0", "hook", ["all"]),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES=0,1"], "28.0.0", "runtime", ["0", "1"]),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES=void"], "28.0.0", None, []),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES=none"], "28.0.0", None, []),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES="], "28.0.0", None, []),
        ({"Runtime": "nvidia"}, [], "28.0.0", None, []),
        ({"Runtime": "runc"}, ["NVIDIA_VISIBLE_DEVICES=all"], "28.0.0", None, []),
        ({"Devices": NODES}, [], "28.0.0", "devices", ["/dev/nvidia0", "/dev/nvidiactl"]),
        ({"Devices": None, "DeviceRequests": None}, [], None, None, []),
    ],
)
def test_the_way(host: dict[str, Any], env: list[str], version: str, via: str | None, devices: list[str]) -> None:
    gpu = api.gpu_request({"Env": env}, host, version)
    assert (gpu["via"], gpu["devices"], gpu["requested"]) == (via, devices, via is not None)
    assert (gpu["rules_ok"], gpu["missing"]) == (None, [])


def test_a_container_without_its_secrets() -> None:
    found = api.container(
        {
            "Id": "ab",
            "Name": "/dev",
            "Image": "sha256:1",
            "RestartCount": 2,
            "State": {"Status": "running", "StartedAt": "2026-11-22T00:00:00Z", "Health": {"Status": "healthy"}},
            "Config": {
                "Image": "gpuready/dev:1",
                "Env": ["JUPYTER_TOKEN=hunter2", "NVIDIA_VISIBLE_DEVICES=void"],
                "Cmd": ["--token=hunter2"],
                "Labels": {
                    "io.gpuready.digest": "d",
                    "com.docker.compose.service": "dev",
                    "traefik.password": "hunter2",
                },
            },
            "HostConfig": {"ShmSize": 8 * 1024**3},
            "NetworkSettings": {"Ports": {"22/tcp": [{"HostIp": "127.0.0.1", "HostPort": "2222"}], "80/tcp": None}},
        },
        "28.0.0",
    )
    assert "hunter2" not in json.dumps(found)
    assert found["labels"] == {"com.docker.compose.service": "dev", "io.gpuready.digest": "d"}
    assert found["ports"] == [{"container": "22/tcp", "host_ip": "127.0.0.1", "host_port": 2222}]
    assert (found["name"], found["health"], found["shm_mib"], found["restart_count"]) == ("dev", "healthy", 8192, 2)


def test_never_started() -> None:
    found = api.container({"State": {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}}, None)
    assert found["started_at"] is None


def test_untagged_images_stay() -> None:
    listing = [
        {"Id": "a", "RepoTags": None},
        {"Id": "b", "RepoTags": ["<none>:<none>"]},
        {"Id": "c", "RepoTags": ["x:1"]},
    ]
    assert [image["tags"] for image in api.images(listing)] == [[], [], ["x:1"]]


KEYS = [
    "Config",
    "HostConfig",
    "State",
    "Labels",
    "Env",
    "Devices",
    "DeviceRequests",
    "Ports",
    "DeviceIDs",
    "Id",
    "NetworkSettings",
    "Capabilities",
    "Count",
    "Runtime",
    "Runtimes",
    "ShmSize",
    "RepoTags",
    "Health",
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
        )
    ),
    max_leaves=15,
)


@given(ANYTHING, st.text(max_size=6) | st.none())
def test_odd_answers_never_raise(answer: Any, version: str | None) -> None:
    json.dumps(api.container(api.as_dict(answer), version))
    json.dumps(api.images(answer))
    json.dumps(api.engine(api.as_dict(answer), api.as_dict(answer)))


def test_the_parts_of_the_engine() -> None:
    version = {
        "Components": [{"Name": "containerd", "Version": "1.7.24"}, {"Name": "runc", "Version": "1.1.5+ds1"}, None]
    }
    devices = [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}, {"Source": "cdi", "ID": "nvidia.com/gpu=0"}, {}]
    found = api.engine(version, {"SecurityOptions": ["name=seccomp,profile=default"], "DiscoveredDevices": devices})
    assert (found["containerd_version"], found["runc_version"], found["rootless"]) == ("1.7.24", "1.1.5+ds1", False)
    assert found["discovered_devices"] == ["nvidia.com/gpu=0", "nvidia.com/gpu=all"]
    assert api.engine({}, {"SecurityOptions": ["name=rootless"]})["rootless"] is True


def test_an_engine_that_says_nothing_is_not_taken_for_one_that_says_no() -> None:
    found = api.engine({}, {})
    names = ("runc_version", "containerd_version", "rootless", "discovered_devices")
    assert [found[name] for name in names] == [None] * 4


def test_mounts_and_privilege() -> None:
    mounts = [
        {"Type": "volume", "Source": "/var/lib/docker/volumes/home/_data", "Destination": "/home/dev", "RW": True},
        {"Type": "bind", "Source": "//me:hunter2@nas/share", "Destination": "/data", "RW": False},
        {"Type": "tmpfs"},
    ]
    found = api.container({"Mounts": mounts, "HostConfig": {"Privileged": True}}, None)
    assert found["privileged"] is True
    assert [(item["destination"], item["type"], item["rw"]) for item in found["mounts"]] == [
        ("/data", "bind", False),
        ("/home/dev", "volume", True),
    ]
    assert api.container({}, None)["privileged"] is None
