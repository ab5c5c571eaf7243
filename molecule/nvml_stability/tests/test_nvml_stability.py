# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container keeps its GPU over what takes it away: a reload of systemd and the start of a unit in the same slice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from testinfra.host import Host

IMAGE = "gpuready-sandbox/base:trixie"
WAYS = {"cdi": "--device nvidia.com/gpu=all", "runtime": "--runtime nvidia -e NVIDIA_VISIBLE_DEVICES=all"}
# ENXIO ("No such device") is what a node without a driver says; EPERM would be the device cgroup
PROBE = "bash -c 'test -c /dev/nvidiactl && : < /dev/nvidiactl' 2>&1"


@pytest.fixture(params=WAYS)
def container(host: Host, request: pytest.FixtureRequest) -> Iterator[str]:
    host.check_output("docker load --quiet --input /srv/images/base-trixie.tar")
    identity = host.check_output(f"docker run -d {WAYS[request.param]} {IMAGE} sleep 600")
    yield identity
    host.check_output(f"docker rm -f {identity}")


def test_the_unit_holds_a_rule_for_each_node(host: Host, container: str) -> None:
    allowed = host.check_output(f"systemctl show docker-{container}.scope -p DeviceAllow")
    for node in ("240:0", "240:255", "241:0"):
        assert re.search(rf"/dev/char/{node}\b", allowed), allowed


def test_the_oci_specification_holds_them_too(host: Host, container: str) -> None:
    path = f"/run/containerd/io.containerd.runtime.v2.task/moby/{container}/config.json"
    rules = json.loads(host.file(path).content_string)["linux"]["resources"]["devices"]
    assert any(rule["allow"] and rule.get("major") == 240 and rule.get("minor") == 255 for rule in rules)


def test_the_gpu_stays_after_reloads(host: Host, container: str) -> None:
    assert "No such device" in host.run(f"docker exec {container} {PROBE}").stdout
    for _turn in range(5):
        host.check_output("systemctl daemon-reload && systemd-run --quiet --wait true")
        assert "No such device" in host.run(f"docker exec {container} {PROBE}").stdout
    assert "RTX 4090" in host.check_output(f"docker exec {container} nvidia-smi -L")


def test_cdi_is_on(host: Host) -> None:
    assert json.loads(host.check_output("docker info --format '{{json .CDISpecDirs}}'"))


def test_the_toolkit_writes_cgroup_rules(host: Host) -> None:
    config = host.file("/etc/nvidia-container-runtime/config.toml").content_string
    assert not re.search(r"^\s*no-cgroups\s*=\s*true", config, re.MULTILINE)
