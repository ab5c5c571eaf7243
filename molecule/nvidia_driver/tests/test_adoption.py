# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver that works is left alone: one from elsewhere is adopted, one of another branch replaced only when asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

from testinfra.host import Host

PROJECT = Path(__file__).resolve().parents[3]
VERSION = "580.159.03-1"


def converge(host: Host, *extra: str) -> subprocess.CompletedProcess[str]:
    """Run the role on one host, as the scenario does."""
    name = host.backend.get_pytest_id().removeprefix("ssh://")
    argv = ["ansible-playbook", "-i", "molecule/inventory", "molecule/shared/converge.yml", "-l", name, *extra]
    return subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_a_driver_from_elsewhere_that_works_is_adopted(host: Host) -> None:
    # what is left then: a loaded module, nvidia-smi and libraries that no package of ours brought
    host.check_output("cp /usr/bin/nvidia-smi /usr/share/gpuready-standin/nvidia-smi-q-x.xml /root/")
    host.check_output("dpkg --remove --force-depends nvidia-driver-cuda nvidia-kernel-open-dkms")
    host.check_output("mkdir -p /usr/share/gpuready-standin && cp /root/*.xml /usr/share/gpuready-standin/")
    host.check_output("cp /root/nvidia-smi /usr/bin/")
    try:
        done = converge(host)
        assert done.returncode == 0 and "changed=0" in done.stdout, done.stdout
        assert not host.package("nvidia-driver-cuda").is_installed
    finally:
        assert converge(host, "-e", "nvidia_driver_allow_change=true").returncode == 0
    assert host.package("nvidia-driver-cuda").version == VERSION


def test_a_loaded_driver_is_not_replaced_by_another_branch_unasked(host: Host) -> None:
    done = converge(host, "-e", "nvidia_driver_branch=595")
    assert done.returncode == 2
    said = done.stdout + done.stderr  # under Molecule failures go to stderr
    assert "nvidia_driver_allow_change" in said and "wants 595" in said, said
    assert host.package("nvidia-driver-cuda").version == VERSION
