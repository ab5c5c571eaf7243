# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight changes nothing on a good machine, and stops a bad one with one sentence."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from testinfra.host import Host

PROJECT = Path(__file__).resolve().parents[3]
PLAYBOOK = PROJECT / "molecule" / "shared" / "converge.yml"


def preflight(host: Host, *extra: str) -> subprocess.CompletedProcess[str]:
    """Run the role on one host, as the scenario does."""
    name = host.backend.get_pytest_id().removeprefix("ssh://")
    argv = ["ansible-playbook", "-i", str(PROJECT / "molecule" / "inventory"), str(PLAYBOOK), "-l", name, *extra]
    return subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)


def footprint(host: Host) -> str:
    """What a machine is made of: its files in /etc and its packages."""
    return str(host.check_output("find /etc -type f -exec sha256sum {} + | sort; dpkg-query -W"))


def test_no_engine_no_driver_no_mark(host: Host) -> None:
    assert not host.file("/etc/docker").exists
    assert not host.file("/var/lib/gpuready").exists
    assert not host.package("nvidia-driver-cuda").is_installed


def test_unknown_system_is_refused_and_nothing_changes(host: Host) -> None:
    host.check_output("cp /etc/os-release /root/os-release")
    host.check_output("sed -i 's/^VERSION_ID=.*/VERSION_ID=9/' /etc/os-release")
    try:
        before = footprint(host)
        done = preflight(host)
        assert footprint(host) == before
    finally:
        host.check_output("cat /root/os-release > /etc/os-release && rm /root/os-release")
    assert done.returncode == 2
    assert "PRE-OS" in done.stdout and "debian 9" in done.stdout


def test_a_machine_without_gpu_is_refused_and_monitoring_is_told(host: Host) -> None:
    host.check_output("mkdir /run/gone && mv /sys/bus/pci/devices/* /run/gone/")
    try:
        done = preflight(host, "-e", "preflight_textfile_dir=/var/tmp")
        metrics = host.check_output("cat /var/tmp/gpuready.prom && rm /var/tmp/gpuready.prom")
    finally:
        host.check_output("mv /run/gone/* /sys/bus/pci/devices/ && rmdir /run/gone")
    assert done.returncode == 2
    assert "PRE-GPU-PCI" in done.stdout and "no NVIDIA GPU" in done.stdout
    assert re.search(r'^gpuready_check_status\{id="PRE-GPU-PCI".* 2$', metrics, re.MULTILINE), metrics
    assert re.search(r"^gpuready_verdict\S* 2$", metrics, re.MULTILINE), metrics


def test_an_unreachable_repository_is_named_with_its_variable(host: Host) -> None:
    repository = (
        '{"preflight_repositories": [{"name": "Docker", "variable": "docker_engine_repo_url",'
        ' "url": "http://127.0.0.1:9/InRelease", "packages": ["docker-ce"]}]}'
    )
    done = preflight(host, "-e", repository)
    assert done.returncode == 2
    assert "PRE-REPOS" in done.stdout and "docker_engine_repo_url" in done.stdout and "127.0.0.1:9" in done.stdout


def test_a_good_machine_passes(host: Host) -> None:
    done = preflight(host)
    assert done.returncode == 0, done.stdout
    assert "changed=0" in done.stdout and not host.file("/var/tmp/gpuready.prom").exists


@pytest.mark.parametrize("package", ["gpuready-half"])
def test_an_interrupted_installation_is_finished(host: Host, package: str) -> None:
    fields = (f"Package: {package}", "Version: 1", "Architecture: all", "Maintainer: t <t@example.invalid>")
    control = " ".join(f"'{field}'" for field in (*fields, "Description: t"))
    host.check_output(
        "set -e; d=$(mktemp -d); mkdir -p $d/DEBIAN; chmod 755 $d;"
        f" printf '%s\\n' {control} > $d/DEBIAN/control;"
        f" dpkg-deb -b $d /tmp/{package}.deb; dpkg --unpack /tmp/{package}.deb"
    )
    try:
        assert preflight(host).returncode == 0
        assert host.check_output(f"dpkg-query -W -f '${{Status}}' {package}") == "install ok installed"
    finally:
        host.check_output(f"dpkg --purge {package}")
