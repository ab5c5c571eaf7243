# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that tell about the driver without asking it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import driver_files

MakeHost = Callable[[dict[str, str]], Host]


def test_gsp_firmware_of_the_loaded_version(host_of: MakeHost) -> None:
    host = host_of(
        {
            "/lib/firmware/nvidia/580.95.05/gsp_ga10x.bin": "",
            "/lib/firmware/nvidia/580.95.05/gsp_tu10x.bin.zst": "",
            "/lib/firmware/nvidia/580.95.05/README": "",
            "/lib/firmware/nvidia/550.163.01/gsp_ga10x.bin": "",
            "/usr/lib/firmware/nvidia/470.256.02/gsp.bin": "",
        }
    )
    assert driver_files.section(host, "580.95.05")["gsp_files"] == ["gsp_ga10x.bin", "gsp_tu10x.bin.zst"]
    assert driver_files.section(host, "470.256.02")["gsp_files"] == ["gsp.bin"]
    assert driver_files.section(host, "595.1")["gsp_files"] == []
    assert driver_files.section(host, None)["gsp_files"] == []


LOG = "nvidia-installer log file '/var/log/nvidia-installer.log'\ncreation time: Thu\ninstaller version: 535.129.03\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, (False, None)),
        ({"/usr/bin/nvidia-uninstall": "", "/var/log/nvidia-installer.log": LOG}, (True, "535.129.03")),
        ({"/usr/bin/nvidia-installer": ""}, (True, None)),
        # the driver went, its log did not
        ({"/var/log/nvidia-installer.log": LOG}, (False, None)),
        ({"/usr/bin/nvidia-uninstall": "", "/var/log/nvidia-installer.log": "\0\0"}, (True, None)),
    ],
)
def test_run_installer(host_of: MakeHost, files: dict[str, str], expected: tuple[bool, str | None]) -> None:
    found = driver_files.section(host_of({"/x": "", **files}), None)
    assert (found["runfile"], found["runfile_version"]) == expected


@pytest.mark.parametrize(
    ("files", "uvm", "nouveau"),
    [
        ({}, False, None),
        ({"/sys/module/nvidia_uvm/refcnt": "0"}, True, None),
        ({"/proc/modules": "nvidia_uvm 1 0 - Live 0x0\nnouveau 1 0 - Live 0x0\n"}, True, "nouveau"),
        ({"/sys/module/nova_core/refcnt": "1"}, False, "nova_core"),
    ],
)
def test_modules(host_of: MakeHost, files: dict[str, str], uvm: bool, nouveau: str | None) -> None:
    host = host_of({"/x": "", **files})
    assert driver_files.section(host, None)["uvm_loaded"] is uvm
    assert driver_files.nouveau(host) == nouveau


def test_every_copy_of_libcuda_once(host_of: MakeHost) -> None:
    host = host_of(
        {
            "/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05": "",
            "/usr/local/cuda-13.0/compat/libcuda.so.580.95.05": "",
            "/usr/local/cuda-13.0/targets/x86_64-linux/lib/stubs/libcuda.so": "",
            "/opt/driver/libcuda.so.550.1": "",
            "/opt/deep/libcuda.so.1.1": "",
            "/usr/lib/x86_64-linux-gnu/libcudart.so.13": "",
            "/etc/ld.so.conf": "include ld.so.conf.d/*.conf\n/opt/driver # old\n",
            "/etc/ld.so.conf.d/x.conf": "/opt/deep\n",
            "/etc/ld.so.conf.d/y.bak": "/opt/none\n",
        }
    )
    root = Path(host.root)
    (root / "usr/lib/x86_64-linux-gnu/libcuda.so.1").symlink_to("libcuda.so.580.95.05")
    (root / "usr/local/cuda").symlink_to("cuda-13.0")
    assert driver_files.section(host, None)["libcuda_files"] == [
        "/opt/deep/libcuda.so.1.1",
        "/opt/driver/libcuda.so.550.1",
        "/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05",
        "/usr/local/cuda-13.0/compat/libcuda.so.580.95.05",
        "/usr/local/cuda-13.0/targets/x86_64-linux/lib/stubs/libcuda.so",
    ]


def test_a_conf_that_includes_itself_ends(host_of: MakeHost) -> None:
    host = host_of({"/etc/ld.so.conf": "include /etc/ld.so.conf\n/a\n"})
    assert driver_files.section(host, None)["libcuda_files"] == []


def test_the_keys_are_those_of_a_failure(host_of: MakeHost) -> None:
    assert set(driver_files.section(host_of({"/x": ""}), None)) == set(driver_files.EMPTY)
