# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which boot loader a machine has, and whether its command line can be written at all."""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.module_utils._boot_loaders.base import Job, Loader, LoaderError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._boot_loaders.entries import FOLDERS, Entries
from ansible_collections.gpuready.bootstrap.plugins.module_utils._boot_loaders.grub import FOLDER, Grub
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import boot as parse

# the menu, and the program that makes it: Debian's names, RHEL's, and RHEL 8's with UEFI
_MENUS = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/etc/grub2-efi.cfg")
_GENERATORS = ("grub-mkconfig", "grub2-mkconfig")
# what systemd-boot says of itself, in UTF-16 behind four bytes of attributes (Boot Loader Interface)
_LOADER_INFO = "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_CONTAINER = ("/run/systemd/container", "/.dockerenv", "/run/.containerenv")
# Proxmox copies kernels and menu to boot partitions by itself
_PROXMOX = "/etc/kernel/proxmox-boot-uuids"


def find(job: Job, wanted: str) -> Loader:
    """The boot loader of the machine, or the one that is asked for. Raises LoaderError where none can be written."""
    host = job.host
    if host.exists(_PROXMOX):
        raise LoaderError(
            "proxmox-boot-tool copies the boot files of this machine to other partitions; set the parameter in "
            "/etc/kernel/cmdline and run proxmox-boot-tool refresh"
        )
    menu = next((path for path in _MENUS if host.exists(path)), None)
    base = next(
        (path for path in FOLDERS if any(n.endswith(".conf") for n in host.names(f"{path}/loader/entries"))), None
    )
    name = _name(host, menu, base) if wanted == "auto" else wanted
    if name == "grub":
        return _grub(job, menu)
    if name in ("grubby", "systemd-boot"):
        if base is None:
            folders = ", ".join(f"{path}/loader/entries" for path in FOLDERS)
            raise LoaderError(f"loader is {name}, but there are no entries in {folders}")
        return Entries(job, name, base)
    raise LoaderError(_none(host, base))


def _name(host: Host, menu: str | None, base: str | None) -> str:
    if menu is not None and not _systemd_boot(host):
        return "grubby" if base is not None and parse.uses_entries(host.read(menu)) else "grub"
    return "" if base is None else "systemd-boot"


def _systemd_boot(host: Host) -> bool:
    """GRUB's files stay behind on a machine that went over to systemd-boot."""
    try:
        told = host.read_bytes(_LOADER_INFO, 512)[4:]
    except OSError:
        return False
    return told.decode("utf-16-le", "replace").startswith("systemd-boot")


def _grub(job: Job, menu: str | None) -> Grub:
    generator = next((path for path in map(job.runner.which, _GENERATORS) if path), None)
    if menu is None or generator is None:
        missing = "no grub.cfg" if menu is None else f"{menu}, but no program that makes it (grub-mkconfig)"
        raise LoaderError(f"the boot loader is GRUB, and there is {missing}; install grub2-common, or mend GRUB first")
    with open(generator, encoding="utf-8", errors="replace") as program:
        if FOLDER.lstrip("/").partition("/")[2] not in program.read():
            raise LoaderError(
                f"{generator} does not read {FOLDER}, where this module would put the parameter, and "
                "/etc/default/grub is "
                "yours: set it there by hand and run the program"
            )
    return Grub(job, menu, generator)


def _none(host: Host, base: str | None) -> str:
    images = [
        f"{path}/EFI/Linux" for path in FOLDERS if any(n.endswith(".efi") for n in host.names(f"{path}/EFI/Linux"))
    ]
    if images and base is None:
        return (
            f"the kernels are unified images ({images[0]}), which hold their command line, signed with the rest; "
            "build them anew with another one (kernel-install, or the tool that made them)"
        )
    if any(host.exists(path) for path in _CONTAINER):
        return (
            "this is a container, which has no boot loader and runs with its host's kernel and command line; set the "
            "parameter on the host"
        )
    return (
        "no boot loader that can be written was found (GRUB with grub.cfg, or entries of the Boot Loader "
        "Specification); set "
        "the parameter where this machine gets its command line from"
    )
