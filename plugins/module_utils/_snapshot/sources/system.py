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
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import (
    boot,
    cgroup,
    kernels,
    mok,
    rented,
)

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
_SETUP_MODE = "/sys/firmware/efi/efivars/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_MIB = 1024 * 1024
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
# whose cloud the firmware names; the first is what cloud-init looks for (ds-identify), the others are from memory
_CLOUDS = (
    ("Alibaba Cloud", "aliyun"),
    ("Tencent Cloud", "tencent"),
    ("Huawei Cloud", "huaweicloud"),
    ("HUAWEICLOUD", "huaweicloud"),
    ("Volcengine", "volces"),
    ("ByteDance", "volces"),
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
    environ = parse.environ(host.text("/proc/1/environ") or "")
    names = rented.variables(host, environ)
    container, markers = _container(host, environ, names)
    machine = _machine(host)
    if detected in _CONTAINERS and detected != "wsl":
        container = detected
        markers.append(f"systemd-detect-virt: {detected}")
    elif detected not in (None, "none", "wsl"):
        machine = machine or detected
    wsl = _wsl(host)
    markers += wsl
    if machine:
        markers.append(f"machine: {machine}")
    if container and (host.exists("/var/run/docker.sock") or host.exists("/run/docker.sock")):
        # a daemon inside the container, or the socket of the one outside
        markers.append("nested: /var/run/docker.sock")
    return {
        "kind": "container" if container else "vm" if (machine or wsl) else "bare",
        "container": container is not None,
        "technology": container or ("wsl" if wsl else machine),
        "wsl": bool(wsl),
        "markers": markers,
        # a virtual machine with a folder of the same name is nobody's container
        "rented": rented.find(host, names) if container else {"provider": None, "markers": []},
        "jetson": _jetson(host),
        "cloud": next((cloud for word, cloud in _CLOUDS if any(word in found for found in _firmware(host))), None),
    }


def _wsl(host: Host) -> list[str]:
    found = [f"wsl: {path}" for path in ("/dev/dxg", "/usr/lib/wsl/lib") if host.exists(path)]
    if "microsoft" in (host.text("/proc/sys/kernel/osrelease") or "").lower():
        found.append("wsl: /proc/sys/kernel/osrelease")
    # toolkits leave the folder behind on machines that are no WSL
    return [] if found == ["wsl: /usr/lib/wsl/lib"] else found


def _jetson(host: Host) -> bool:
    """Say whether this is NVIDIA's Tegra: its GPU is part of the chip, and its driver of the system image."""
    family = host.text("/sys/devices/soc0/family") or ""
    return host.exists("/etc/nv_tegra_release") or family.lower().startswith("tegra")


def _container(host: Host, environ: dict[str, str], names: set[str]) -> tuple[str | None, list[str]]:
    found: list[tuple[str, str]] = []
    if host.exists("/run/.containerenv"):
        found.append(("podman", "/run/.containerenv"))
    if host.exists("/.dockerenv"):
        found.append(("docker", "/.dockerenv"))
    named = host.text("/run/systemd/container")
    if named:
        found.append((named, "/run/systemd/container"))
    if environ.get("container"):
        found.append((environ["container"], "/proc/1/environ: container"))
    if host.exists("/dev/lxd/sock") or host.exists("/dev/incus/sock"):
        found.append(("lxc", "/dev/lxd/sock"))
    # cgroup v1, or v2 without a namespace of its own: "/docker/ID", "/lxc.payload.NAME", "/kubepods/..."
    match = re.search(r"/(docker|lxc|kubepods|libpod)[/.-]", host.text("/proc/1/cgroup") or "")
    if match:
        technology = {"kubepods": "container-other", "libpod": "podman"}.get(match.group(1), match.group(1))
        found.append((technology, f"/proc/1/cgroup: {match.group(1)}"))
    for name in ("KUBERNETES_SERVICE_HOST", *rented.telling(names)):
        if name in names:
            found.append(("container-other", f"environment: {name}"))
    if host.exists("/init/others/help"):
        found.append(("container-other", "/init/others/help"))
    return (found[0][0] if found else None), [marker for _name, marker in found]


def _firmware(host: Host) -> list[str]:
    return [host.text(f"/sys/class/dmi/id/{name}") or "" for name in ("product_name", "sys_vendor", "board_vendor")]


def _machine(host: Host) -> str | None:
    words = _firmware(host)
    for word, technology in _DMI:
        if any(word in found for found in words):
            return technology
    cpuinfo = host.text("/proc/cpuinfo") or ""
    return "vm-other" if re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.MULTILINE) else None


def kernel_section(host: Host, family: str) -> dict[str, Any]:
    """Which kernel runs, which are installed, and whether a reboot is due."""
    running = None
    with host.probes.watch("kernel", "/proc/sys/kernel/osrelease, /lib/modules, /boot"):
        release = _release(host)
        # it becomes part of paths
        if not re.fullmatch(r"[\w.+~-]{1,100}", release):
            raise ValueError(f"{release[:40]!r} is no name of a kernel")
        running = release
    installed = kernels.installed(host, running)
    required = host.exists("/run/reboot-required") or host.exists("/var/run/reboot-required")
    packages = host.text("/run/reboot-required.pkgs") or host.text("/var/run/reboot-required.pkgs") or ""
    return {
        "running": running,
        "cmdline": parse.mask(host.text("/proc/cmdline")),
        "cmdline_next": boot.cmdline_next(host),
        "installed": installed,
        "headers": bool(running) and host.exists(f"/lib/modules/{running}/build"),
        # only Debian and Ubuntu keep this flag file
        "reboot_required": required if family == "debian" else (True if required else None),
        "reboot_packages": sorted(set(packages.split())),
        "newest": kernels.newest(installed),
        "compiler": parse.os_compiler(host.text("/proc/version") or ""),
        "compilers": kernels.compilers(host),
        "initramfs": boot.initramfs(host),
    }


def _release(host: Host) -> str:
    try:
        # the file first: our test hosts put another kernel's name there
        return host.read("/proc/sys/kernel/osrelease").strip()
    except OSError:
        if host.live:
            return os.uname().release
        raise


EMPTY_FIRMWARE: dict[str, Any] = {
    "efi": None,
    "secure_boot": None,
    "setup_mode": None,
    "lockdown": None,
    "mok_keys": None,
    "mok": mok.EMPTY,
}


def firmware_section(host: Host) -> dict[str, Any]:
    """UEFI and Secure Boot; null where /sys/firmware is empty (masked in containers)."""
    enrolled: list[bytes] | None = None
    keys: dict[str, Any] = dict(mok.EMPTY)
    with host.probes.watch("mok", "MokListRT, /etc/dkms/framework.conf"):
        enrolled = mok.certificates(host)
        keys = mok.section(host, enrolled)
    found = {**EMPTY_FIRMWARE, "lockdown": _lockdown(host), "mok": keys}
    if not host.names("/sys/firmware"):
        host.probes.record("firmware", "missing", "/sys/firmware", error="/sys/firmware is empty or cannot be read")
        return found
    efi = host.is_dir("/sys/firmware/efi")
    found.update(efi=efi, secure_boot=None if efi else False)
    with host.probes.watch("firmware", _SECURE_BOOT if efi else "/sys/firmware"):
        if efi:
            found["mok_keys"] = mok.owners(enrolled)
            found["secure_boot"] = _efi_flag(host, _SECURE_BOOT)
            found["setup_mode"] = _efi_flag(host, _SETUP_MODE) if host.exists(_SETUP_MODE) else None
    return found


def _efi_flag(host: Host, path: str) -> bool:
    value = host.read_bytes(path, 16)
    if len(value) < 5:
        raise ValueError(f"{path} has {len(value)} bytes, expected 5")
    return value[4] == 1


def _lockdown(host: Host) -> str | None:
    word = parse.bracketed(host.text("/sys/kernel/security/lockdown"))
    return word if word in ("none", "integrity", "confidentiality") else None


def memory_section(host: Host) -> dict[str, Any]:
    """Memory of the machine and what of it we may use, in MiB."""
    text = ""
    with host.probes.watch("memory", "/proc/meminfo"):
        text = host.read("/proc/meminfo")
    total = parse.meminfo_mib(text, "MemTotal")
    return {
        "total_mib": total,
        "available_mib": parse.meminfo_mib(text, "MemAvailable"),
        "limit_mib": cgroup.memory_mib(host, total),
        "shm_mib": _shm_mib(host),
    }


def _shm_mib(host: Host) -> int | None:
    if host.live:
        try:
            status = os.statvfs("/dev/shm")
        except OSError:
            return None
        return status.f_blocks * status.f_frsize // _MIB
    for mount in parse.mounts(host.text("/proc/self/mounts") or ""):
        size = next((option[5:] for option in mount["options"] if option.startswith("size=")), "")
        if mount["mount"] == "/dev/shm" and re.fullmatch(r"\d{1,15}k", size):
            return int(size[:-1]) // 1024
    return None


def cpu_section(host: Host) -> dict[str, Any]:
    """Processors that are online, and how many of them we may use."""
    text = ""
    with host.probes.watch("cpu", "/proc/cpuinfo"):
        text = host.read("/proc/cpuinfo")
    count = len(re.findall(r"^processor\s*:", text, re.MULTILINE))
    model = re.search(r"^model name\s*: *(\S.*)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    sockets = set(re.findall(r"^physical id\s*: *(\d+)$", text, re.MULTILINE))
    return {
        "count": count or None,
        "model": model.group(1).strip()[:200] if model else None,
        "sockets": len(sockets) or _packages(host, count),
        # only x86 has "flags"; others say "Features"
        "avx2": "avx2" in flags.group(1).split() if flags else None,
        "limit": cgroup.cpus(host),
    }


def _packages(host: Host, count: int) -> int | None:
    """Return the sockets that sysfs tells, for machines whose cpuinfo does not (aarch64)."""
    found = {
        host.text(f"/sys/devices/system/cpu/cpu{number}/topology/physical_package_id")
        for number in range(min(count, 512))
    } - {None, "", "-1"}
    return len(found) or None


def selinux_section(host: Host) -> dict[str, Any]:
    """Whether SELinux enforces; null where there is no SELinux."""
    return {"enforcing": {"1": True, "0": False}.get(host.text("/sys/fs/selinux/enforce") or "")}


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
