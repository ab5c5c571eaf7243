# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mirrors need to know of a machine, read from a snapshot that may lack or misstate anything."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Linux's names of architectures -> dpkg's; the kernel's name will do, since 32-bit userlands of a 64-bit kernel take
# their packages from the same archive (amd64 and i386; arm64 and armhf)
_DPKG = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "i386": "i386",
    "i686": "i386",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv7l": "armhf",
    "ppc64le": "ppc64el",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
_RPM = {"amd64": "x86_64", "arm64": "aarch64", "ppc64el": "ppc64le", "s390x": "s390x"}
# folders: conda's subdirs, nodejs.org/dist, developer.download.nvidia.com/compute/cuda/repos
_CONDA = {"amd64": "linux-64", "arm64": "linux-aarch64"}
_NODE = {"amd64": "x64", "arm64": "arm64"}
_CUDA = {"amd64": "x86_64", "arm64": "sbsa"}
# below download.docker.com/linux
_DOCKER = {"debian": "debian", "ubuntu": "ubuntu", "rhel": "rhel", "centos": "centos"}
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*")
VENDORS = ("aliyun", "tencent", "huaweicloud", "volces")


@dataclass(frozen=True)
class Machine:
    """One host. Empty texts: not known. `now`: epoch seconds of the snapshot, None if it does not say."""

    id: str = ""
    name: str = ""
    version: str = ""
    codename: str = ""
    family: str = ""
    arch: str = ""
    vendor: str = ""
    now: float | None = None
    memory: Mapping[str, Any] = field(default_factory=dict)
    # addresses that are set on the host now: where, address
    in_use: tuple[tuple[str, str], ...] = ()
    # by which other roles go, by service
    addresses: Mapping[str, Any] = field(default_factory=dict)
    token: str = ""

    @property
    def rhel(self) -> bool:
        return self.family == "rhel"

    def words(self) -> dict[str, str]:
        """What addresses of the catalogue may name in braces; without those that are not known."""
        major = self.version.partition(".")[0]
        numbers = {"ubuntu": self.version.replace(".", ""), "debian": major}
        folder = f"rhel{major}" if self.rhel and major else self.id + numbers.get(self.id, "")
        known = {
            "codename": self.codename,
            "arch": self.arch,
            "machine": _RPM.get(self.arch, ""),
            "major": major,
            "docker_distro": _DOCKER.get(self.id, "centos" if self.rhel else ""),
            "cuda_distro": folder if self.rhel or numbers.get(self.id) else "",
            "cuda_arch": _CUDA.get(self.arch, ""),
            "conda_subdir": _CONDA.get(self.arch, ""),
            "node_arch": _NODE.get(self.arch, ""),
        }
        return {name: value for name, value in known.items() if value}


def read(snapshot: Any) -> Machine:
    """The machine of a snapshot. Whatever is missing or of the wrong kind counts as not known."""
    system, virt = _part(snapshot, "os"), _part(snapshot, "virt")
    vendor = _text(virt.get("cloud"))
    return Machine(
        id=_word(system.get("id")).lower(),
        name=_text(system.get("name")) or _text(system.get("id")),
        version=_word(system.get("version")),
        codename=_word(system.get("codename")).lower(),
        family=_word(system.get("family")),
        arch=_DPKG.get(_text(system.get("machine")), ""),
        vendor=vendor if vendor in VENDORS else "",
        now=moment(_part(snapshot, "").get("collected_at")),
        memory=_part(snapshot, "mirrors"),
        in_use=tuple(_in_use(snapshot)),
        addresses=_part(snapshot, "mirror_addresses"),
        token=next(_tokens(snapshot), ""),
    )


def moment(value: Any) -> float | None:
    """Epoch seconds of '2026-11-21T10:00:00Z'; None for what is no time."""
    try:
        found = datetime.datetime.fromisoformat(_text(value).replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return None


def _part(snapshot: Any, name: str) -> Mapping[str, Any]:
    found = snapshot.get(name) if name and isinstance(snapshot, Mapping) else snapshot
    return found if isinstance(found, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _word(value: Any) -> str:
    """A text that may become part of an address."""
    text = _text(value)
    return text if _WORD.fullmatch(text) else ""


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _in_use(snapshot: Any) -> Iterator[tuple[str, str]]:
    daemon = _part(snapshot, "daemon_json")
    for url in _list(_part(daemon, "data").get("registry-mirrors")):
        yield _text(daemon.get("path")) or "/etc/docker/daemon.json", _text(url)
    for entry in _list(_part(snapshot, "packages").get("sources")):
        if isinstance(entry, Mapping) and entry.get("enabled", True):
            yield from ((_text(entry.get("file")), _text(url)) for url in _list(entry.get("uris")))


def _tokens(snapshot: Any) -> Iterator[str]:
    """Files that set a token of Hugging Face for everybody; never the token."""
    for entry in _list(_part(snapshot, "environment").get("variables")):
        if isinstance(entry, Mapping) and entry.get("name") in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            yield _text(entry.get("file")) or "the environment"
