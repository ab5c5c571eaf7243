# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide from a stamp whether the images that kernels boot with must be built anew. Reads only; builds nothing.

The stamp says which contents of which files were built into the image of which kernel. update-initramfs(8) and
dracut(8) know nothing of the kind: they build when they are told to, and a run that was killed in between leaves no
trace.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError, sha256
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.text import version_key

STAMP = "/var/lib/gpuready/initramfs.json"
SCHEMA = "gpuready.initramfs/1"
MIB = 1024 * 1024
# an image that was never built: Debian's and Ubuntu's with MODULES=most are 40 to 150 MiB
NEW_IMAGE_MIB = 150
# both tools write beside the image and rename: update-initramfs NAME.new; dracut NAME.tmp
LEFTOVERS = (".new", ".tmp")

Inputs = dict[str, Optional[str]]


@dataclass(frozen=True)
class Image:
    """What identifies a built image: bytes, and seconds since 1970."""

    size: int
    mtime: int


@dataclass(frozen=True)
class Stamp:
    """inputs: sha256 by path, None for a file that was not there. kernels: image by release."""

    inputs: Inputs = field(default_factory=dict)
    kernels: Mapping[str, Image] = field(default_factory=dict)


def read_stamp(raw: bytes | None) -> Stamp | None:
    """The stamp; None where there is none or a damaged one, which says nothing about the images."""
    try:
        data = json.loads((raw or b"").decode("utf-8"))
        if data["schema"] != SCHEMA:
            return None
        inputs = {str(path): None if digest is None else str(digest) for path, digest in data["inputs"].items()}
        kernels = {str(name): Image(int(k["size"]), int(k["mtime"])) for name, k in data["kernels"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return Stamp(inputs, kernels)


def render_stamp(stamp: Stamp) -> str:
    kernels = {name: {"size": image.size, "mtime": image.mtime} for name, image in stamp.kernels.items()}
    data = {"schema": SCHEMA, "inputs": stamp.inputs, "kernels": kernels}
    return json.dumps(data, indent=2, sort_keys=True) + "\n"


def digests(gate: FileGate, paths: Iterable[str]) -> Inputs:
    """sha256 of each file, None for one that is not there."""
    found: Inputs = {}
    for path in paths:
        content = gate.read(path)
        found[path] = None if content is None else sha256(content)
    return found


def changed_inputs(now: Inputs, stamp: Stamp) -> list[str]:
    """Paths whose content is not what was built in. One that the stamp does not know may have been there or not."""
    return sorted(path for path in now if path not in stamp.inputs or now[path] != stamp.inputs[path])


def current(image: Image | None, release: str, stamp: Stamp) -> bool:
    """Say whether an image holds what the stamp says.

    A newer image was built since, by the package of a kernel or by hand, from the same files. That holds for a kernel
    that the stamp does not know, too, if its image is newer than all that it knows. An older one came from a backup.
    """
    if image is None or image.size == 0:
        return False
    known = stamp.kernels.get(release)
    if known is not None:
        return image.mtime > known.mtime or image == known
    return bool(stamp.kernels) and image.mtime >= max(other.mtime for other in stamp.kernels.values())


def stale(now: Inputs, images: Mapping[str, Image | None], stamp: Stamp | None) -> tuple[list[str], str]:
    """The kernels whose image must be built, in the order of `images`, and why; ([], "") where all is well."""
    if not images:
        return [], ""
    if stamp is None:
        return list(images), "nothing tells what the images were built from"
    differ = changed_inputs(now, stamp)
    if differ:
        return list(images), f"changed since the images were built: {', '.join(differ)}"
    todo = [release for release in images if not current(images[release], release, stamp)]
    return todo, f"missing, or not the image that was built: {', '.join(todo)}" if todo else ""


def room_needed(images: Sequence[Image | None], spare_mib: int) -> int:
    """Bytes that must be free before building: each new image stays, an old one gives its room back after the next."""
    new = sum(NEW_IMAGE_MIB * MIB for image in images if image is None)
    return new + max((image.size for image in images if image is not None), default=0) + spare_mib * MIB


class Boot:
    """The folder /boot and the kernels, read below the gate's root."""

    def __init__(self, gate: FileGate) -> None:
        self.gate = gate

    def _exists(self, path: str) -> bool:
        return os.path.exists(self.gate.real(path))

    def running(self) -> str:
        """The running kernel. The file comes first: a container may be shown another kernel than uname(2) says."""
        release = (self.gate.read("/proc/sys/kernel/osrelease") or b"").decode("utf-8", "replace").strip()
        return release or os.uname().release

    def newest(self) -> str | None:
        """The newest kernel that can be booted: boot loaders sort like dpkg and take the last one."""
        folder = self.gate.real("/boot")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        # RHEL's rescue image is a copy of some kernel, without modules of its own name
        found = [name[8:] for name in names if name.startswith("vmlinuz-") and "-rescue-" not in name]
        found = [release for release in found if self.has_modules(release)] or found
        return max(found, key=version_key) if found else None

    def with_image(self) -> list[str]:
        """Kernels that have an image in /boot itself."""
        folder = self.gate.real("/boot")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        found = [re.fullmatch(r"initrd\.img-(.+)|initramfs-(.+)\.img", name) for name in sorted(names)]
        releases = [match.group(1) or match.group(2) for match in found if match is not None]
        return [release for release in releases if self.has_modules(release)]

    def has_modules(self, release: str) -> bool:
        return os.path.isdir(self.gate.real(f"/lib/modules/{release}"))

    def image_path(self, release: str, tool: str) -> str:
        """Where the image of a kernel is, or will be: Debian's name, dracut's, or that of kernel-install(8)."""
        debian, dracut = f"/boot/initrd.img-{release}", f"/boot/initramfs-{release}.img"
        if tool == "update-initramfs":
            return debian
        machine = (self.gate.read("/etc/machine-id") or b"").decode("utf-8", "replace").strip()
        entries = []
        if re.fullmatch(r"[0-9a-f]{32}", machine):
            entries = [f"{boot}/{machine}/{release}" for boot in ("/efi", "/boot/efi", "/boot")]
        entry = next((folder + "/initrd" for folder in entries if os.path.isdir(self.gate.real(folder))), None)
        candidates = [path for path in (entry, dracut, debian) if path is not None]
        return next((path for path in candidates if self._exists(path)), candidates[0])

    def image(self, path: str) -> Image | None:
        try:
            info = os.stat(self.gate.real(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileGateError(f"Cannot look at {path}: {error.strerror or error}") from error
        return Image(info.st_size, int(info.st_mtime))

    def free(self, path: str) -> int:
        """Bytes that are free in the file system of a path's folder, or of the nearest folder above that exists."""
        folder = os.path.dirname(path)
        while folder != "/" and not self._exists(folder):
            folder = os.path.dirname(folder)
        info = os.statvfs(self.gate.real(folder))
        return info.f_bavail * info.f_frsize

    def leftovers(self, path: str) -> set[str]:
        """Half-written images that lie beside an image."""
        return {path + end for end in LEFTOVERS if self._exists(path + end)}


def same_stamp(stamp: Stamp | None, other: Stamp) -> bool:
    return stamp is not None and render_stamp(stamp) == render_stamp(other)
