# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounted file systems with their free space."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host, parallel
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import text as parse

_DISKS = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "vfat", "exfat", "ntfs3", "bcachefs"}
)
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "gpfs", "beegfs", "glusterfs", "9p", "virtiofs"})
# programs are unpacked and run there; Debian 13 keeps it in memory. A node without a disk may keep its kernels there
_TEMPORARY = frozenset({"/tmp", "/var/tmp", "/boot"})
# what a share's options may hold, and layers of containers, which are long and say nothing
_SECRET = re.compile(r"((?:pass(?:word)?|secret|username|user|credentials|key)\w*=).*", re.IGNORECASE)
_LAYERS = ("lowerdir=", "upperdir=", "workdir=")
_MIB = 1024 * 1024
# a dead NFS server blocks statvfs for ever
_WAIT_S = 2.0


def section(host: Host) -> dict[str, Any]:
    """Return the file systems that hold data; pseudo file systems and layers of containers are left out."""
    found: list[dict[str, Any]] = []
    with host.probes.watch("storage", "/proc/self/mounts"):
        by_mount = {entry["mount"]: entry for entry in parse.mounts(host.read("/proc/self/mounts"))}
        chosen = [entry for entry in by_mount.values() if _holds_data(host, entry)]
        sizes: list[Any] = [None] * len(chosen)
        if host.live:
            sizes = parallel([partial(_sizes, entry["mount"]) for entry in chosen], _WAIT_S, width=16)
        found = [_entry(entry, size or {}) for entry, size in zip(chosen, sizes)]
        late = [entry["mount"] for entry, size in zip(found, sizes) if host.live and size is None]
        if late:
            raise TimeoutError(f"statvfs of {', '.join(late)} did not answer within {_WAIT_S:.0f} s")
    return {"fs": found}


def _holds_data(host: Host, entry: dict[str, Any]) -> bool:
    kind, mount = entry["type"], entry["mount"]
    if mount == "/":
        return True
    if mount.startswith(("/var/lib/docker/", "/snap/", "/run/", "/proc/", "/sys/")):
        return False
    if kind == "tmpfs":
        return mount in _TEMPORARY
    if kind in _NETWORK or kind.startswith("fuse."):
        return True
    # /etc/hosts and the like are single files bound into a container
    return kind in _DISKS and host.is_dir(mount)


def _sizes(mount: str) -> dict[str, Any]:
    try:
        status = os.statvfs(mount)
    except OSError:
        return {}
    return {
        "size_mib": status.f_blocks * status.f_frsize // _MIB,
        "free_mib": status.f_bavail * status.f_frsize // _MIB,
        # btrfs and others have no fixed number of inodes
        "inodes_free_pct": round(100 * status.f_ffree / status.f_files) if status.f_files else None,
    }


def _entry(entry: dict[str, Any], size: dict[str, Any]) -> dict[str, Any]:
    return {
        "mount": entry["mount"],
        "source": parse.mask(entry["source"]),
        "type": entry["type"],
        "ro": "ro" in entry["options"],
        "size_mib": size.get("size_mib"),
        "free_mib": size.get("free_mib"),
        "inodes_free_pct": size.get("inodes_free_pct"),
        "options": [
            _SECRET.sub(r"\1***", parse.mask(option))[:200]
            for option in entry["options"]
            if option and not option.startswith(_LAYERS)
        ],
    }
