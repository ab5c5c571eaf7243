# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The toolkit (stand-in packages here) as the machine and Docker show it."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

PACKAGES = [
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_four_packages_at_one_version(host: Host, package: str) -> None:
    assert host.package(package).version == "1.20.0-1"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_version_is_held(host: Host, package: str) -> None:
    policy = host.check_output(f"apt-cache policy {package}")
    assert "1001" in policy and "Candidate: 1.20.0-1" in policy


def test_the_daemon_knows_the_runtime(host: Host) -> None:
    runtimes = json.loads(host.check_output("docker info --format '{{json .Runtimes}}'"))
    assert runtimes["nvidia"]["path"] == "nvidia-container-runtime"
    default = host.check_output("docker info --format '{{.DefaultRuntime}}'")
    assert default == "runc", "containers that ask for no GPU get none"


def test_the_cdi_specification_names_the_gpu(host: Host) -> None:
    assert "nvidia.com/gpu=all" in host.check_output("nvidia-ctk cdi list").splitlines()
    assert host.service("nvidia-cdi-refresh.path").is_enabled


@pytest.mark.parametrize("unit", ["docker.service", "containerd.service"])
def test_engines_wait_for_the_specification_at_boot(host: Host, unit: str) -> None:
    after = host.check_output(f"systemctl show {unit} -p After --value").split()
    assert "nvidia-cdi-refresh.service" in after


def test_a_hung_driver_does_not_keep_the_engines_from_starting(host: Host) -> None:
    shown = host.check_output("systemctl show nvidia-cdi-refresh.service -p TimeoutStartUSec -p NeedDaemonReload")
    assert set(shown.splitlines()) == {"TimeoutStartUSec=1min 30s", "NeedDaemonReload=no"}


def test_the_runtime_gives_the_gpu(host: Host) -> None:
    suite = "trixie" if host.system_info.release.startswith("13") else "bookworm"
    host.check_output(f"docker load --quiet --input /srv/images/base-{suite}.tar")
    options = "--rm --runtime nvidia -e NVIDIA_VISIBLE_DEVICES=all"
    found = host.check_output(f"docker run {options} gpuready-sandbox/base:{suite} nvidia-smi -L")
    assert "RTX 4090" in found
