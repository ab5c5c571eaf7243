# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operating system, virtualization, kernel, firmware, memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import system

MakeHost = Callable[[dict[str, Any]], Host]
EFI = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("ID=debian\n", "debian"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "debian"),
        ("ID=rocky\nID_LIKE='rhel centos fedora'\n", "rhel"),
        ("ID=fedora\n", "rhel"),
        ("ID=arch\n", "other"),
    ],
)
def test_family(host_of: MakeHost, text: str, family: str) -> None:
    assert system.os_section(host_of({"/etc/os-release": text}))["family"] == family


def test_without_os_release_everything_is_unknown_and_the_probe_says_so(host_of: MakeHost) -> None:
    host = host_of({"/x": ""})
    section = system.os_section(host)
    assert (section["id"], section["family"]) == (None, "other")
    assert host.probes.status("os") == "missing"


@pytest.mark.parametrize(
    ("mounts", "cgroup"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "v2"),
        (
            "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
            "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n",
            "hybrid",
        ),
        ("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n", "v1"),
        ("tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "v2"),
        ("", None),
    ],
)
def test_cgroup(host_of: MakeHost, mounts: str, cgroup: str | None) -> None:
    assert system.os_section(host_of({"/proc/self/mounts": mounts}))["cgroup"] == cgroup


@pytest.mark.parametrize(
    ("files", "detected", "kind", "technology"),
    [
        ({}, None, "bare", None),
        ({}, "none", "bare", None),
        ({}, "kvm", "vm", "kvm"),
        ({}, "lxc", "container", "lxc"),
        ({"/.dockerenv": ""}, "kvm", "container", "docker"),
        ({"/run/.containerenv": ""}, None, "container", "podman"),
        ({"/run/systemd/container": "systemd-nspawn\n"}, None, "container", "systemd-nspawn"),
        ({"/proc/1/environ": "container=lxc\0"}, None, "container", "lxc"),
        ({"/proc/1/environ": "A=b\0AutoDLContainerUUID=x\0"}, None, "container", "container-other"),
        ({"/init/others/help": ""}, None, "container", "container-other"),
        ({"/sys/class/dmi/id/sys_vendor": "QEMU\n"}, None, "vm", "qemu"),
        ({"/sys/class/dmi/id/product_name": "VMware Virtual Platform\n"}, None, "vm", "vmware"),
        ({"/proc/cpuinfo": "flags\t\t: fpu hypervisor lm\n"}, None, "vm", "vm-other"),
        ({"/proc/sys/kernel/osrelease": "5.15.167.4-microsoft-standard-WSL2\n"}, "wsl", "vm", "wsl"),
        ({"/dev/dxg": ""}, None, "vm", "wsl"),
    ],
)
def test_virt(
    host_of: MakeHost, files: dict[str, str], detected: str | None, kind: str, technology: str | None
) -> None:
    found = system.virt_section(host_of({"/x": "", **files}), detected)
    assert (found["kind"], found["technology"]) == (kind, technology)
    assert bool(found["markers"]) == (kind != "bare")


def test_kernel(host_of: MakeHost) -> None:
    host = host_of(
        {
            "/proc/sys/kernel/osrelease": "6.1.0-1\n",
            "/lib/modules/6.1.0-1/kernel/x": "",
            "/lib/modules/6.1.0-1/build/Makefile": "",
            "/lib/modules/6.1.0-2/modules.dep": "",
            "/boot/vmlinuz-6.1.0-2": "",
            "/lib/modules/5.10.0-9/updates/dkms/nvidia.ko": "",
            "/run/reboot-required": "",
            "/run/reboot-required.pkgs": "b\na\nb\n",
        }
    )
    found = system.kernel_section(host, "debian")
    assert found["installed"] == [{"release": "6.1.0-1"}, {"release": "6.1.0-2"}]
    assert (found["running"], found["headers"]) == ("6.1.0-1", True)
    assert (found["reboot_required"], found["reboot_packages"]) == (True, ["a", "b"])


def test_reboot_is_unknown_where_nobody_keeps_the_flag(host_of: MakeHost) -> None:
    host = host_of({"/proc/sys/kernel/osrelease": "5.14\n"})
    assert system.kernel_section(host, "rhel")["reboot_required"] is None
    assert system.kernel_section(host, "debian")["reboot_required"] is False


@pytest.mark.parametrize(
    ("files", "efi", "secure_boot", "status"),
    [
        ({EFI: b"\x06\0\0\0\x01"}, True, True, "ok"),
        ({EFI: b"\x06\0\0\0\x00"}, True, False, "ok"),
        ({EFI: b"\x06"}, True, None, "unparsable"),
        ({"/sys/firmware/efi/config_table": ""}, True, None, "missing"),
        ({"/sys/firmware/dmi/x": ""}, False, False, "ok"),
        ({"/x": ""}, None, None, "missing"),
    ],
)
def test_firmware(
    host_of: MakeHost, files: dict[str, Any], efi: bool | None, secure_boot: bool | None, status: str
) -> None:
    host = host_of(files)
    assert system.firmware_section(host) == {"efi": efi, "secure_boot": secure_boot}
    assert host.probes.status("firmware") == status


def test_simulation(host_of: MakeHost) -> None:
    assert system.simulation(host_of({"/x": ""})) == {"gpu": False, "host": False, "text": None}
    path = "/etc/gpuready/simulation.json"
    assert system.simulation(host_of({path: '{"gpu": true, "text": "t"}'})) == {"gpu": True, "host": False, "text": "t"}
    host = host_of({path: "[]"})
    assert system.simulation(host)["gpu"] is False
    assert host.probes.status("simulation") == "unparsable"


def test_memory_and_processors(host_of: MakeHost) -> None:
    host = host_of({"/proc/meminfo": "MemTotal: 4096 kB\n", "/proc/cpuinfo": "processor\t: 0\n\nprocessor\t: 1\n"})
    assert system.memory_section(host) == {"total_mib": 4, "available_mib": None}
    assert system.cpu_section(host) == {"count": 2}
