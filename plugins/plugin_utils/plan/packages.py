# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a driver can come from, and what its packages are called there: the questions to data/driver_sources.yml."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load

SOURCES = ("nvidia", "distribution")
# NVIDIA's name of an architecture in the address of a repository
_FOLDERS = {"x86_64": "x86_64", "aarch64": "sbsa"}
# Ubuntu's kernels: version, ABI number, flavour ("generic", "aws", "generic-64k")
_UBUNTU_KERNEL = re.compile(r"(\d+\.\d+)\.\d+-\d+-([a-z][a-z0-9-]*)")


@dataclass(frozen=True)
class Repository:
    """A repository of packages. fingerprints: () where none is confirmed. stream: of dnf's module nvidia-driver."""

    kind: str
    folder: str
    base_url: str
    url: str
    suites: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    key_file: str = ""
    fingerprints: tuple[str, ...] = ()
    stream: str | None = None


@dataclass(frozen=True)
class Offer:
    """One source of drivers on one system: "nvidia" or "distribution"."""

    source: str
    system: str
    row: Mapping[str, Any]

    @property
    def branches(self) -> tuple[int, ...]:
        """The branches to choose from, oldest first."""
        if self.source == "distribution":
            return tuple(self.row["branches"])
        return tuple(number for number in tables.table("drivers")["branches"] if number >= self.row["first"])

    def has(self, branch: int) -> bool:
        """Whether a branch can be had. NVIDIA's repository may have branches that are newer than our table."""
        return branch in self.branches or (self.source == "nvidia" and branch > max(self.branches))

    def flavours(self, branch: int) -> tuple[str, ...]:
        """The flavours of kernel modules that there are of a branch."""
        here = tuple(name for name in ("open", "proprietary") if name in self._rule(branch))
        if branch > _table()["last_proprietary"]:
            here = tuple(name for name in here if name != "proprietary")
        return here if branch >= 515 else tuple(name for name in here if name != "open")

    def broken(self, branch: int) -> bool:
        """Whether the modules of a branch are known not to compile against the system's own kernel."""
        return branch in self.row.get("broken", ())

    def newest(self, branch: int) -> str | None:
        """The newest version of a branch that was seen in this source."""
        version: str | None = self.row.get("versions", {}).get(branch)
        if version is None:
            version = tables.table("drivers")["branches"].get(branch, {}).get("newest")
        return version

    def fabric(self, switch: str, branch: int, arch: str | None) -> tuple[str, ...] | None:
        """The packages for a switch; None where this source does not have them."""
        rules = _table()["fabric"].get(self.row["names"])
        if rules is None:
            return None
        rule = _before(rules, branch)
        if switch == "nvswitch":
            return _filled(rule["nvswitch"], branch)
        if "nvlink5" not in rule:
            return None
        more = [*rule["nvlink5"], *(rule["x86_64"] if arch == "x86_64" else ())]
        return _filled([*rule["nvswitch"], *more], branch)

    def packages(self, branch: int, modules: str, kernel_flavour: str | None) -> tuple[str, ...]:
        """The packages of a branch with one flavour of modules."""
        rule = self._rule(branch)
        if rule.get("prebuilt") and kernel_flavour is None:
            rule = rule["built"]
        return _filled(rule[modules], branch, kernel_flavour or "")

    def prebuilt(self, kernel_flavour: str | None) -> bool:
        """Whether the modules come compiled and signed by the distribution."""
        return kernel_flavour is not None and any(rule.get("prebuilt") for rule in _table()["names"][self.row["names"]])

    def optional(self, branch: int, version: str) -> tuple[str, ...]:
        """Packages that keep apt on a branch or a version; not every mirror has them."""
        if self.source != "nvidia" or self.row["manager"] != "apt" or branch < _table()["pinning_first"]:
            return ()
        return (f"nvidia-driver-pinning-{version or branch}",)

    def repository(self, arch: str | None, base_url: str, url: str, branch: int, modules: str) -> Repository | None:
        """The repository to add; None where the distribution's own archive is enough."""
        if self.source == "distribution":
            return None
        base = (base_url or str(_table()["base_url"])).rstrip("/")
        folder = f"{self.row['folder']}/{_FOLDERS.get(arch or '', arch)}"
        key = self.row["key"]
        flat = self.row["manager"] == "apt"
        return Repository(
            kind=self.row["manager"],
            folder=folder,
            base_url=base,
            url=url or f"{base}/{folder}",
            suites=("/",) if flat else (),
            key_file=key,
            fingerprints=tuple(_table()["keys"][key]),
            stream=f"{branch}-{'open' if modules == 'open' else 'dkms'}" if self.row.get("streams") else None,
        )

    def _rule(self, branch: int) -> Mapping[str, Any]:
        return _before(_table()["names"][self.row["names"]], branch)


def offers(machine: Machine) -> dict[str, Offer]:
    """The sources of drivers that there are for a machine: {} for a system that is not supported."""
    system = system_of(machine)
    rows: Mapping[str, Any] = _table()["systems"].get(system, {})
    found = {source: Offer(source, str(system), rows[source]) for source in SOURCES if source in rows}
    if "nvidia" in found and machine.arch not in found["nvidia"].row["architectures"]:
        del found["nvidia"]
    return found if machine.arch in _FOLDERS else {}


def system_of(machine: Machine) -> str | None:
    """'ubuntu24.04', 'debian13', 'rhel9' (also of Rocky Linux 9.6)."""
    name = _table()["identities"].get(machine.os_id)
    if name is None or not machine.os_version:
        return None
    version = machine.os_version if name == "ubuntu" else machine.os_version.split(".")[0]
    return f"{name}{version}"


def supported() -> tuple[str, ...]:
    return tuple(_table()["systems"])


def kernel_flavour(machine: Machine, offer: Offer) -> str | None:
    """Ubuntu's flavour of the kernel that boots next, 'generic-hwe-24.04'; None for a kernel that is not Ubuntu's."""
    found = _UBUNTU_KERNEL.fullmatch(machine.kernel_newest or machine.kernel or "")
    base = offer.row.get("kernel")
    if base is None:
        return None
    if found is None:
        return None if machine.kernel and machine.own_kernel else "generic"
    version, flavour = found.groups()
    # the generic kernels of newer releases have metapackages of their own
    newer = version != base and flavour.startswith(("generic", "lowlatency"))
    return f"{flavour}-hwe-{machine.os_version}" if newer else flavour


def headers(machine: Machine) -> tuple[str, ...]:
    """The packages with headers of the running kernel and of the one that boots next."""
    if not machine.own_kernel:
        return ()
    name = "kernel-devel" if machine.family == "rhel" else "linux-headers"
    kernels = dict.fromkeys(kernel for kernel in (machine.kernel, machine.kernel_newest) if kernel)
    return tuple(f"{name}-{kernel}" for kernel in kernels)


def pinned() -> tuple[str, ...]:
    """Names that a hold covers; each ends with the only wildcard."""
    return tuple(_table()["pinned"])


def _table() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = load("driver_sources")
    return loaded


def _before(rules: Sequence[Mapping[str, Any]], branch: int) -> Mapping[str, Any]:
    """The rule of a branch: the first whose limit is not reached."""
    return next(rule for rule in rules if "until" not in rule or branch < rule["until"])


def _filled(names: Sequence[str], branch: int, flavour: str = "") -> tuple[str, ...]:
    return tuple(name.format(b=branch, flavour=flavour) for name in names)
