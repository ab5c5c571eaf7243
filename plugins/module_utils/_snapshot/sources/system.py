# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operating system, virtualization, kernel, firmware, memory and processors."""

from __future__ import annotations

import os
import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import text as parse

_DEBIAN = frozenset({"debian", "ubuntu"})
_RHEL = frozenset({"rhel", "fedora", "centos"})
_SYSTEMD_LIBS = ("/usr/lib/systemd", "/usr/lib/x86_64-linux-gnu/systemd", "/usr/lib/aarch64-linux-gnu/systemd")
# systemd-detect-virt(1): the names of container managers
_CONTAINERS = frozenset(
    {
        "openvz",
        "lxc",
        "lxc-libvirt",
        "systemd-nspawn",
        "docker",
        "podman",
        "rkt",
        "wsl",
        "proot",
        "pouch",
        "container-other",
    }
)
# UEFI: the variable SecureBoot of the global vendor; efivarfs puts four bytes of attributes before the value
_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
# what the firmware of a virtual machine says of itself in DMI (product name and vendor)
_DMI = (
    ("KVM", "kvm"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VirtualBox", "oracle"),
    ("Amazon EC2", "amazon"),
    ("Google Compute Engine", "google"),
    ("Virtual Machine", "microsoft"),
    ("Alibaba Cloud ECS", "kvm"),
    ("Tencent Cloud", "kvm"),
    ("OpenStack", "kvm"),
    ("Xen", "xen"),
)


def os_section(host: Host) -> dict[str, Any]:
    """Which distribution and which init system this is."""
    values: dict[str, str] = {}
    with host.probes.watch("os", "/etc/os-release"):
        name = "/etc/os-release" if host.exists("/etc/os-release") else "/usr/lib/os-release"
        values = parse.os_release(host.read(name))
    like = values.get("ID_LIKE", "").split()
    words = {values.get("ID", ""), *like}
    family = "debian" if words & _DEBIAN else "rhel" if words & _RHEL else "other"
    return {
        "id": values.get("ID"),
        "version": values.get("VERSION_ID"),
        "id_like": like,
        "codename": values.get("VERSION_CODENAME"),
        "name": values.get("PRETTY_NAME") or values.get("NAME"),
        # /proc/sys/kernel/arch exists since Linux 6.1
        "machine": os.uname().machine if host.live else host.text("/proc/sys/kernel/arch"),
        "family": family,
        "systemd": {"running": host.is_dir("/run/systemd/system"), "version": _systemd_version(host)},
        "cgroup": _cgroup(host),
    }


def _systemd_version(host: Host) -> int | None:
    # the private library carries the version in its name: no process needed
    for folder in _SYSTEMD_LIBS:
        for name in host.names(folder):
            match = re.fullmatch(r"libsystemd-shared-(\d+).*\.so", name)
            if match:
                return int(match.group(1))
    return None


def _cgroup(host: Host) -> str | None:
    text = host.text("/proc/self/mounts")
    kinds = {mount["mount"]: mount["type"] for mount in parse.mounts(text or "")}
    if kinds.get("/sys/fs/cgroup") == "cgroup2":
        return "v2"
    if kinds.get("/sys/fs/cgroup/unified") == "cgroup2":
        return "hybrid"
    if "cgroup" in kinds.values():
        return "v1"
    return "v2" if host.exists("/sys/fs/cgroup/cgroup.controllers") else None


def virt_section(host: Host, detected: str | None) -> dict[str, Any]:
    """Bare metal, virtual machine or container. `detected` is the answer of systemd-detect-virt, if any."""
    container, markers = _container(host)
    wsl = host.exists("/dev/dxg") or "microsoft" in (host.text("/proc/sys/kernel/osrelease") or "").lower()
    machine = _machine(host)
    if detected in _CONTAINERS and detected != "wsl":
        container = detected
        markers.append(f"systemd-detect-virt: {detected}")
    elif detected not in (None, "none", "wsl"):
        machine = machine or detected
    if wsl:
        markers.append("wsl")
    if machine:
        markers.append(f"machine: {machine}")
    kind = "container" if container else "vm" if (machine or wsl) else "bare"
    return {
        "kind": kind,
        "technology": container or ("wsl" if wsl else machine),
        "wsl": wsl,
        "markers": markers,
    }


def _container(host: Host) -> tuple[str | None, list[str]]:
    found: list[tuple[str, str]] = []
    if host.exists("/run/.containerenv"):
        found.append(("podman", "/run/.containerenv"))
    if host.exists("/.dockerenv"):
        found.append(("docker", "/.dockerenv"))
    named = host.text("/run/systemd/container")
    if named:
        found.append((named, "/run/systemd/container"))
    environ = parse.environ(host.text("/proc/1/environ") or "")
    if environ.get("container"):
        found.append((environ["container"], "/proc/1/environ: container"))
    for name in ("KUBERNETES_SERVICE_HOST", "AutoDLContainerUUID"):
        if name in environ or (host.live and name in os.environ):
            found.append(("container-other", f"environment: {name}"))
    if host.exists("/init/others/help"):
        found.append(("container-other", "/init/others/help"))
    return (found[0][0] if found else None), [marker for _name, marker in found]


def _machine(host: Host) -> str | None:
    words = [host.text(f"/sys/class/dmi/id/{name}") or "" for name in ("product_name", "sys_vendor", "board_vendor")]
    for word, technology in _DMI:
        if any(word in found for found in words):
            return technology
    cpuinfo = host.text("/proc/cpuinfo") or ""
    return "vm-other" if re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.MULTILINE) else None


def kernel_section(host: Host, family: str) -> dict[str, Any]:
    """Which kernel runs, which are installed, and whether a reboot is due."""
    running = None
    with host.probes.watch("kernel", "/proc/sys/kernel/osrelease, /lib/modules, /boot"):
        running = host.read("/proc/sys/kernel/osrelease").strip() or None
    releases = [
        name
        for name in host.names("/lib/modules")
        # a removed kernel leaves a folder with dkms modules behind; it has no modules of its own
        if host.is_dir(f"/lib/modules/{name}/kernel") or host.exists(f"/boot/vmlinuz-{name}")
    ]
    required = host.exists("/run/reboot-required") or host.exists("/var/run/reboot-required")
    packages = host.text("/run/reboot-required.pkgs") or host.text("/var/run/reboot-required.pkgs") or ""
    return {
        "running": running,
        "cmdline": host.text("/proc/cmdline"),
        "installed": [{"release": release} for release in releases],
        "headers": bool(running) and host.exists(f"/lib/modules/{running}/build"),
        # only Debian and Ubuntu keep this flag file
        "reboot_required": required if family == "debian" else (True if required else None),
        "reboot_packages": sorted(set(packages.split())),
    }


def firmware_section(host: Host) -> dict[str, Any]:
    """UEFI and Secure Boot; null where /sys/firmware is empty (masked in containers)."""
    if not host.names("/sys/firmware"):
        host.probes.record("firmware", "missing", "/sys/firmware", error="/sys/firmware is empty or cannot be read")
        return {"efi": None, "secure_boot": None}
    efi = host.is_dir("/sys/firmware/efi")
    secure_boot: bool | None = None if efi else False
    with host.probes.watch("firmware", _SECURE_BOOT if efi else "/sys/firmware"):
        if efi:
            value = host.read_bytes(_SECURE_BOOT, 16)
            if len(value) < 5:
                raise ValueError(f"{_SECURE_BOOT} has {len(value)} bytes, expected 5")
            secure_boot = value[4] == 1
    return {"efi": efi, "secure_boot": secure_boot}


def memory_section(host: Host) -> dict[str, Any]:
    """Memory of the machine in MiB."""
    text = ""
    with host.probes.watch("memory", "/proc/meminfo"):
        text = host.read("/proc/meminfo")
    return {
        "total_mib": parse.meminfo_mib(text, "MemTotal"),
        "available_mib": parse.meminfo_mib(text, "MemAvailable"),
    }


def cpu_section(host: Host) -> dict[str, Any]:
    """Number of processors that are online."""
    count = 0
    with host.probes.watch("cpu", "/proc/cpuinfo"):
        count = len(re.findall(r"^processor\s*:", host.read("/proc/cpuinfo"), re.MULTILINE))
    return {"count": count or None}


def simulation(host: Host) -> dict[str, Any]:
    """What our own test hosts say is simulated in them; a real machine has no such file."""
    path = "/etc/gpuready/simulation.json"
    value: dict[str, Any] = {}
    if host.exists(path):
        with host.probes.watch("simulation", path):
            value = parse.json_object(host.read(path))
    text = value.get("text")
    return {
        "gpu": bool(value.get("gpu")),
        "host": bool(value.get("host")),
        "text": None if text is None else str(text),
    }
