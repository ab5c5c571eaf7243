# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operating system, virtualization, kernel, firmware, memory."""

from __future__ import annotations

import os
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
    assert found["container"] is (kind == "container")
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
    assert [kernel["release"] for kernel in found["installed"]] == ["6.1.0-1", "6.1.0-2"]
    assert (found["newest"], found["compiler"], found["compilers"]) == ("6.1.0-2", None, [])
    assert (found["running"], found["headers"]) == ("6.1.0-1", True)
    assert (found["reboot_required"], found["reboot_packages"]) == (True, ["a", "b"])


def test_nonsense_is_no_kernel(host_of: MakeHost) -> None:
    host = host_of({"/proc/sys/kernel/osrelease": b"\0x/../y"})
    found = system.kernel_section(host, "debian")
    assert (found["running"], found["headers"]) == (None, False)
    assert host.probes.status("kernel") == "unparsable"


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
    found = system.firmware_section(host)
    assert (found["efi"], found["secure_boot"], found["setup_mode"]) == (efi, secure_boot, None)
    assert host.probes.status("firmware") == status


def test_simulation(host_of: MakeHost) -> None:
    assert system.simulation(host_of({"/x": ""})) == {"gpu": False, "host": False, "text": None}
    path = "/etc/gpuready/simulation.json"
    assert system.simulation(host_of({path: '{"gpu": true, "text": "t"}'})) == {"gpu": True, "host": False, "text": "t"}
    host = host_of({path: "[]"})
    assert system.simulation(host)["gpu"] is False
    assert host.probes.status("simulation") == "unparsable"


def signature_list(*keys: bytes, kind: str = "a159c0a5e494a74a87b5ab155c2bf072") -> bytes:
    lists = b""
    for key in keys:
        each = 16 + len(key)
        sizes = b"".join(number.to_bytes(4, "little") for number in (28 + each, 0, each))
        lists += bytes.fromhex(kind) + sizes + b"\x50" * 16 + key
    return lists


VENDOR = b"0\x82 Canonical Ltd. Master Certificate Authority"
OWNER = b"0\x82 gpu1 Secure Boot Module Signature key"
MOK = "/sys/firmware/efi/mok-variables/MokListRT"
MOK_VARIABLE = "/sys/firmware/efi/efivars/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23"


@pytest.mark.parametrize(
    ("files", "keys"),
    [
        ({MOK: signature_list(VENDOR)}, 0),
        ({MOK: signature_list(VENDOR, OWNER)}, 1),
        ({MOK: signature_list(b"h" * 32, kind="26" * 16)}, 0),
        ({MOK_VARIABLE: b"\x06\0\0\0" + signature_list(OWNER, OWNER)}, 2),
        ({MOK: b"x" * 40}, None),
        ({EFI: b"\x06\0\0\0\0"}, 0),
    ],
)
def test_keys_of_the_owner_are_counted_and_not_those_of_the_distribution(
    host_of: MakeHost, files: dict[str, Any], keys: int | None
) -> None:
    assert system.firmware_section(host_of(files))["mok_keys"] == keys


def test_setup_mode_and_lockdown(host_of: MakeHost) -> None:
    host = host_of(
        {
            EFI: b"\x06\0\0\0\0",
            EFI.replace("SecureBoot", "SetupMode"): b"\x06\0\0\0\x01",
            "/sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
        }
    )
    found = system.firmware_section(host)
    assert (found["setup_mode"], found["lockdown"]) == (True, "integrity")
    assert system.firmware_section(host_of({"/sys/kernel/security/lockdown": "odd"}))["lockdown"] is None


@pytest.mark.parametrize(
    ("files", "provider", "marker"),
    [
        ({"/.dockerenv": "", "/root/autodl-tmp/x": ""}, "autodl", "/root/autodl-tmp"),
        ({"/proc/1/environ": "AutoDLContainerUUID=secret\0"}, "autodl", "environment: AutoDLContainerUUID"),
        ({"/proc/1/environ": "CNB_BUILD_ID=secret\0CNB_TOKEN=secret\0"}, "cnb", "environment: CNB_BUILD_ID"),
        ({"/proc/1/environ": "COLAB_RELEASE_TAG=secret\0"}, "colab", "environment: COLAB_RELEASE_TAG"),
        ({"/.dockerenv": "", "/kaggle/working/x": ""}, "kaggle", "/kaggle/working"),
        ({"/proc/1/environ": "VAST_CONTAINERLABEL=secret\0"}, "vast.ai", "environment: VAST_CONTAINERLABEL"),
        ({"/proc/1/environ": "RUNPOD_POD_ID=secret\0"}, "runpod", "environment: RUNPOD_POD_ID"),
        ({"/.dockerenv": "", "/hy-tmp/x": ""}, "gpushare", "/hy-tmp"),
        # two providers' signs: more of them win
        ({"/.dockerenv": "", "/hy-tmp/x": "", "/root/autodl-tmp/x": "", "/root/autodl-pub/x": ""}, "autodl", None),
        ({"/.dockerenv": ""}, None, None),
        # somebody's own machine with such a folder
        ({"/root/autodl-tmp/x": ""}, None, None),
    ],
)
def test_rented(host_of: MakeHost, files: dict[str, Any], provider: str | None, marker: str | None) -> None:
    found = system.virt_section(host_of(files), None)
    assert found["rented"]["provider"] == provider
    assert marker is None or marker in found["rented"]["markers"]
    assert (found["kind"] == "container") == (provider is not None or "/.dockerenv" in files)
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("text", "technology"),
    [
        ("12:cpu:/docker/0123456789abcdef\n", "docker"),
        ("0::/lxc.payload.web\n", "lxc"),
        ("1:name=systemd:/kubepods/besteffort/pod1\n", "container-other"),
        ("0::/machine.slice/libpod-0123.scope\n", None),
        ("0::/init.scope\n", None),
        ("0::/\n", None),
    ],
)
def test_the_control_group_of_process_1_tells_a_container(host_of: MakeHost, text: str, technology: str | None) -> None:
    expected = "podman" if "libpod" in text else technology
    assert system.virt_section(host_of({"/proc/1/cgroup": text}), None)["technology"] == expected


def test_a_docker_socket_in_a_container_is_told(host_of: MakeHost) -> None:
    host = host_of({"/.dockerenv": "", "/run/docker.sock": "", "/usr/lib/wsl/lib/x": ""})
    found = system.virt_section(host, None)
    assert "nested: /var/run/docker.sock" in found["markers"]
    # the folder alone is no WSL
    assert found["wsl"] is False


CPU = (
    "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nphysical id\t: 0\nflags\t\t: fpu avx avx2\n\n"
    "processor\t: 1\nphysical id\t: 1\n"
)


def test_memory_and_processors(host_of: MakeHost) -> None:
    host = host_of({"/proc/meminfo": "MemTotal: 4096 kB\n", "/proc/cpuinfo": CPU})
    assert system.memory_section(host) == {"total_mib": 4, "available_mib": None, "limit_mib": None, "shm_mib": None}
    assert system.cpu_section(host) == {
        "count": 2,
        "model": "Some CPU @ 2 GHz",
        "sockets": 2,
        "avx2": True,
        "limit": None,
    }


def test_a_processor_without_flags(host_of: MakeHost) -> None:
    folder = "/sys/devices/system/cpu/cpu0/topology/physical_package_id"
    found = system.cpu_section(host_of({"/proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\n", folder: "0\n"}))
    assert (found["avx2"], found["sockets"], found["model"]) == (None, 1, None)
    assert system.cpu_section(host_of({"/proc/cpuinfo": "flags : fpu\n"}))["avx2"] is False


@pytest.mark.parametrize(
    ("files", "cpus", "mib"),
    [
        ({"/sys/fs/cgroup/cpu.max": "max 100000\n", "/sys/fs/cgroup/memory.max": "max\n"}, None, None),
        ({"/sys/fs/cgroup/cpu.max": "150000 100000\n", "/sys/fs/cgroup/memory.max": "1073741824\n"}, 1.5, 1024),
        # a limit of a group above ours holds, too
        (
            {
                "/proc/self/cgroup": "0::/user.slice/session.scope\n",
                "/sys/fs/cgroup/user.slice/cpu.max": "400000 100000\n",
                "/sys/fs/cgroup/user.slice/session.scope/cpu.max": "800000 100000\n",
            },
            4.0,
            None,
        ),
        (
            {
                "/proc/self/cgroup": "3:cpu,cpuacct:/docker/x\n2:memory:/docker/x\n",
                "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
                "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n",
            },
            3.0,
            2048,
        ),
        (
            {
                "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            None,
            None,
        ),
        # more than the machine has is no limit
        ({"/sys/fs/cgroup/memory.max": "99999999999999\n", "/sys/fs/cgroup/cpu.max": "1 0"}, None, None),
    ],
)
def test_limits(host_of: MakeHost, files: dict[str, Any], cpus: float | None, mib: int | None) -> None:
    host = host_of({"/proc/meminfo": "MemTotal: 16777216 kB\n", "/proc/cpuinfo": CPU, **files})
    assert system.cpu_section(host)["limit"] == cpus
    assert system.memory_section(host)["limit_mib"] == mib


def test_shared_memory_of_another_root_is_that_of_its_mounts(host_of: MakeHost) -> None:
    mounts = "tmpfs / tmpfs rw 0 0\nshm /dev/shm tmpfs rw,nosuid,size=65536k 0 0\n"
    host = host_of({"/proc/meminfo": "", "/proc/self/mounts": mounts})
    assert system.memory_section(host)["shm_mib"] == 64


@pytest.mark.parametrize(("text", "enforcing"), [("1", True), ("0\n", False), ("?", None), (None, None)])
def test_selinux(host_of: MakeHost, text: str | None, enforcing: bool | None) -> None:
    files = {"/x": ""} if text is None else {"/sys/fs/selinux/enforce": text}
    assert system.selinux_section(host_of(files)) == {"enforcing": enforcing}


@pytest.mark.parametrize(
    ("files", "jetson"),
    [
        ({}, False),
        ({"/etc/nv_tegra_release": "# R36 (release)\n"}, True),
        ({"/sys/devices/soc0/family": "Tegra\n"}, True),
        ({"/sys/devices/soc0/family": "tegra234\n"}, True),
        ({"/sys/devices/soc0/family": "Snapdragon\n"}, False),
        ({"/sys/devices/soc0/family": "not tegra\n"}, False),
    ],
)
def test_jetson(host_of: MakeHost, files: dict[str, str], jetson: bool) -> None:
    assert system.virt_section(host_of({"/x": "", **files}), None)["jetson"] is jetson


def test_the_kernel_is_the_one_that_the_file_names(
    host_of: MakeHost, live: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = live.read_bytes
    told = b"6.12.1-sandbox\n"

    def pretend(path: str, limit: int = 0) -> bytes:
        if path == "/proc/sys/kernel/osrelease":
            if not told:
                raise FileNotFoundError(2, "No such file", path)
            return told
        return read(path, limit)

    monkeypatch.setattr(live, "read_bytes", pretend)
    assert system.kernel_section(live, "debian")["running"] == "6.12.1-sandbox"
    told = b""
    assert system.kernel_section(live, "debian")["running"] == os.uname().release
    # the kernel of this machine says nothing of another tree
    assert system.kernel_section(host_of({"/x": ""}), "debian")["running"] is None


def test_the_next_command_line_and_our_note_belong_to_the_kernel(host_of: MakeHost) -> None:
    found = system.kernel_section(
        host_of(
            {
                "/proc/sys/kernel/osrelease": "6.1\n",
                "/etc/kernel/cmdline": "ro quiet\n",
                "/var/lib/gpuready/initramfs.json": '{"inputs": {}, "kernels": {}}',
            }
        ),
        "debian",
    )
    assert (found["cmdline_next"], found["initramfs"]) == ("ro quiet", {"inputs": {}, "kernels": {}})


@pytest.mark.parametrize(
    ("vendor", "cloud"),
    [("Alibaba Cloud", "aliyun"), ("Tencent Cloud", "tencent"), ("ByteDance", "volces"), ("ASUSTeK", None), ("", None)],
)
def test_the_cloud_that_the_firmware_names(host_of: MakeHost, vendor: str, cloud: str | None) -> None:
    assert system.virt_section(host_of({"sys/class/dmi/id/sys_vendor": vendor}), None)["cloud"] == cloud
