# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed kernels: what each can boot with, and which NVIDIA module it would load."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, parallel
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import version_key

_MODULES = "/lib/modules"
# Debian names the file nvidia-current.ko or nvidia-tesla-535.ko; nvidia-uvm.ko and others are its companions
_NVIDIA = re.compile(r"nvidia(?:-(?:current|tesla|legacy)(?:-\d+\w*)?)?(?:-open)?\.ko(?:\.(?:xz|zst|gz))?")
# depmod(8) searches "updates" first; then dkms of RHEL, weak links to another kernel's module, drivers of the tree
_FOLDERS = (
    "updates/dkms",
    "updates",
    "extra",
    "weak-updates",
    "kernel/drivers/video",
    "kernel/drivers/video/nvidia",
    "kernel/drivers/char",
    "kernel/drivers/misc",
    "misc",
)
_MODINFO_S = 5
# the licence that the open kernel modules declare (open-gpu-kernel-modules, kernel-open/nvidia/nv.c)
_OPEN_LICENSE = "Dual MIT/GPL"


def releases(host: Host) -> list[str]:
    """Return the kernels that are installed."""
    return [
        name
        for name in host.names(_MODULES)
        # a removed kernel leaves a folder with dkms modules behind; it has no modules of its own
        if host.is_dir(f"{_MODULES}/{name}/kernel") or _image(host, name)
    ]


def newest(installed: list[dict[str, Any]]) -> str | None:
    """Return the newest kernel that can be booted: boot loaders sort like dpkg and take the last one."""
    bootable = [kernel["release"] for kernel in installed if kernel["vmlinuz"]]
    return max(bootable, key=version_key) if bootable else None


def installed(host: Host, running: str | None) -> list[dict[str, Any]]:
    """Return every installed kernel. modinfo is asked about the running and the newest one only."""
    found = [_kernel(host, release) for release in releases(host)]
    ask = [
        kernel["nvidia"]
        for kernel in found
        if kernel["nvidia"] is not None and kernel["release"] in (running, newest(found))
    ]
    if host.live and ask:
        answers = parallel([partial(_modinfo, host, module["path"]) for module in ask], _MODINFO_S + 2)
        for module, answer in zip(ask, answers):
            module.update({key: value for key, value in (answer or {}).items() if value is not None})
    return found


def _kernel(host: Host, release: str) -> dict[str, Any]:
    return {
        "release": release,
        "vmlinuz": _image(host, release),
        "initramfs": _initramfs(host, release),
        # a link to headers that were removed is none
        "headers": host.exists(f"{_MODULES}/{release}/build/Makefile"),
        "nvidia": _module(host, release),
    }


def _image(host: Host, release: str) -> bool:
    # RHEL keeps a copy beside the modules, but boots the one in /boot; with systemd-boot there is only an entry
    return host.exists(f"/boot/vmlinuz-{release}") or _entry(host, release, "linux")


def _initramfs(host: Host, release: str) -> bool:
    names = (f"/boot/initrd.img-{release}", f"/boot/initramfs-{release}.img", f"/boot/initrd-{release}")
    return any(host.exists(name) for name in names) or _entry(host, release, "initrd")


def _entry(host: Host, release: str, name: str) -> bool:
    """Look where kernel-install(8) puts things: BOOT/MACHINE-ID/RELEASE/linux."""
    machine = host.text("/etc/machine-id")
    if not machine or not re.fullmatch(r"[0-9a-f]{32}", machine):
        return False
    folders = [f"{boot}/{machine}/{release}" for boot in ("/boot", "/boot/efi", "/efi")]
    return any(host.exists(f"{folder}/{name}") for folder in folders)


def _module(host: Host, release: str) -> dict[str, Any] | None:
    base = f"{_MODULES}/{release}"
    # Ubuntu's signed modules: kernel/nvidia-580-open; RHEL's kmods: extra/nvidia, extra/drivers/video/nvidia
    folders = [f"{base}/{folder}" for folder in _FOLDERS]
    for parent in ("kernel", "extra", "weak-updates", "updates"):
        folders += [f"{base}/{parent}/{name}" for name in host.names(f"{base}/{parent}") if name.startswith("nvidia")]
    folders.append(f"{base}/extra/drivers/video/nvidia")
    for folder in folders:
        for name in host.names(folder):
            if _NVIDIA.fullmatch(name):
                path = f"{folder}/{name}"
                return {
                    "path": path,
                    "version": _dkms_version(host, release) if "/updates/" in path or "/extra/" in path else None,
                    "flavour": _flavour(path),
                    "signer": None,
                }
    return None


def _flavour(path: str) -> str | None:
    """Return what the names tell: Ubuntu's kernel/nvidia-580srv-open, Debian's nvidia-current-open.ko."""
    folder, _slash, name = path.rpartition("/")
    if folder.endswith("-open") or name.startswith(("nvidia-current-open", "nvidia-open")):
        return "open"
    return "proprietary" if re.search(r"/kernel/nvidia-\d+\w*$", folder) else None


def _dkms_version(host: Host, release: str) -> str | None:
    """Return the version that dkms built for a kernel: /var/lib/dkms/NAME/VERSION/RELEASE."""
    found = [
        version
        for name in host.names("/var/lib/dkms")
        if name.startswith("nvidia")
        for version in host.names(f"/var/lib/dkms/{name}")
        if re.fullmatch(r"\d{3,}\.\d+(?:\.\d+)?", version)
        and not name.endswith("-fs")
        and host.is_dir(f"/var/lib/dkms/{name}/{version}/{release}")
    ]
    return max(found, key=version_key) if found else None


def _modinfo(host: Host, path: str) -> dict[str, str | None]:
    result = host.runner.run(["modinfo", path], timeout=_MODINFO_S)
    host.probes.command("modinfo", f"modinfo {path}", result)
    return modinfo(result.stdout) if result.status == "ok" else {}


def modinfo(text: str) -> dict[str, str | None]:
    """Return {version, flavour, signer} of the output of modinfo(8)."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name in ("version", "license", "signer"):
            fields.setdefault(name, value.strip())
    license_ = fields.get("license")
    return {
        "version": fields.get("version") or None,
        "flavour": None if not license_ else "open" if license_ == _OPEN_LICENSE else "proprietary",
        "signer": fields.get("signer") or None,
    }


def compilers(host: Host) -> list[str]:
    """Return the C compilers that are installed: gcc-13, gcc, cc, clang-18."""
    names = [name for name in host.names("/usr/bin") if re.fullmatch(r"cc|(?:gcc|clang)(?:-\d{1,2})?", name)]
    if "gcc" in names and not any(name.startswith("gcc-") for name in names):
        # RHEL has no gcc-11: the folder of the compiler proper tells
        for base in ("/usr/libexec/gcc", "/usr/lib/gcc"):
            for triple in host.names(base):
                for major in host.names(f"{base}/{triple}"):
                    if major.isdigit() and host.exists(f"{base}/{triple}/{major}/cc1"):
                        names.append(f"gcc-{major}")
    return sorted(set(names))
