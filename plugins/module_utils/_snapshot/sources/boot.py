# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the next boot will do: the kernel's arguments in the boot loader, and what we built into the initramfs."""

from __future__ import annotations

import fnmatch
import math
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import boot as parse
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import json_object, mask

# grub-mkconfig's file on Debian and Ubuntu, on RHEL, and on RHEL 8 with UEFI
_GRUB = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/etc/grub2-efi.cfg")
_GRUBENV = ("/boot/grub/grubenv", "/boot/grub2/grubenv")
_LOADER = ("/boot", "/boot/efi", "/efi")
# what a boot loader that follows systemd's Boot Loader Interface says of itself, in UTF-16
_LOADER_INFO = "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_KERNEL_CMDLINE = "/etc/kernel/cmdline"
# our module initramfs writes it after each rebuild that succeeded
STAMP = "/var/lib/gpuready/initramfs.json"
_CAP = 1024 * 1024
_MOST = 200


def cmdline_next(host: Host) -> str | None:
    """Return the arguments that the default entry will give the kernel, without its image.

    None where the boot loader is not known, or where it starts another entry than the first or newest one.
    """
    source = "grub.cfg, loader/entries, /etc/kernel/cmdline"
    found: str | None = None
    with host.probes.watch("cmdline_next", source):
        grub = None if _systemd_boot(host) else next((path for path in _GRUB if host.exists(path)), None)
        found = _of_entries(host) if grub is None else _of_grub(host, host.read(grub, _CAP))
        if found is None:
            raise FileNotFoundError("no boot loader was found whose default entry we can tell")
    return None if found is None else str(mask(found))


def _systemd_boot(host: Host) -> bool:
    # GRUB's files stay behind on a machine that went over to systemd-boot; GRUB 2.12 may name itself here, too
    try:
        told = host.read_bytes(_LOADER_INFO, 512)[4:]
    except OSError:
        return False
    return told.decode("utf-16-le", "replace").startswith("systemd-boot")


def _of_grub(host: Host, text: str) -> str | None:
    environment: dict[str, str] = {}
    for path in _GRUBENV:
        if host.exists(path):
            environment = parse.grubenv(host.read(path, _CAP))
            break
    chosen = parse.default(text, environment)
    values = {**parse.settings(text), **environment}
    if not parse.uses_entries(text):
        first = parse.first_entry(text)
        # an entry below a submenu, or another number: not the one that we can tell
        return (
            None if first is None or chosen not in ("0", first.id, first.title) else parse.expand(first.options, values)
        )
    entries = parse.newest_first(_entries(host))
    named = [entry for entry in entries if chosen in (entry.id, entry.title)] or (entries if chosen == "0" else [])
    return parse.expand(named[0].options, values) if named else None


def _entries(host: Host) -> list[parse.Entry]:
    for base in _LOADER:
        folder = f"{base}/loader/entries"
        names = [name for name in host.names(folder) if name.endswith(".conf")][:_MOST]
        if names:
            return [parse.entry(name[: -len(".conf")], host.read(f"{folder}/{name}", _CAP)) for name in names]
    return []


def _of_entries(host: Host) -> str | None:
    """Return the arguments of systemd-boot's default entry; unified images take them from /etc/kernel/cmdline."""
    entries = parse.newest_first(_entries(host))
    if not entries:
        if not host.exists(_KERNEL_CMDLINE):
            return None
        return " ".join(host.read(_KERNEL_CMDLINE, _CAP).split())
    pattern = _loader_default(host)
    if pattern:
        entries = [entry for entry in entries if fnmatch.fnmatchcase(f"{entry.id}.conf", pattern)]
    return " ".join(entries[0].options.split()) if entries else None


def _loader_default(host: Host) -> str:
    for base in _LOADER:
        for line in (host.text(f"{base}/loader/loader.conf") or "").splitlines():
            words = line.split()
            if len(words) == 2 and words[0] == "default":
                return words[1]
    return ""


def initramfs(host: Host) -> dict[str, Any] | None:
    """Return our note of the last rebuild: digests of what went in, sizes and times of the images that came out."""
    if not host.exists(STAMP):
        return None
    found: dict[str, Any] | None = None
    with host.probes.watch("initramfs", STAMP):
        told = json_object(host.read(STAMP, _CAP))
        inputs, kernels = told.get("inputs"), told.get("kernels")
        if not isinstance(inputs, dict) or not isinstance(kernels, dict):
            raise ValueError(f"{STAMP} has no inputs and kernels")
        found = {
            "inputs": {path: value if isinstance(value, str) else None for path, value in inputs.items()},
            "kernels": {release: _image(value) for release, value in kernels.items()},
        }
    return found


def _image(value: Any) -> dict[str, Any]:
    told = value if isinstance(value, dict) else {}
    return {name: _number(told.get(name)) for name in ("size", "mtime")}


def _number(value: Any) -> int | float | None:
    # JSON as Python reads it knows NaN; as others do, it does not
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value
