# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan must know of a machine, read from a snapshot. What the snapshot lacks is None; nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import installed as packages_found
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

# Where the role nvidia_driver remembers what came with the driver
# (the second one: while an installation is on its way, so that one that was cut off is not taken for somebody else's)
_RECORDS = frozenset({"/var/lib/gpuready/nvidia-driver.json", "/var/lib/gpuready/nvidia-driver-before.json"})
PLATFORMS = ("host", "rented", "wsl2", "jetson")
# GPUs whose NVLink5 runs over switches that are no PCI devices of NVIDIA: B200 and B300 baseboards
_NVLINK5_CHIPS = ("GB100", "GB102", "GB110")


@dataclass(frozen=True)
class GpuFound:
    """A GPU on the PCI bus. `board` is None where its id is in no table; `passthrough`: bound to vfio-pci."""

    bdf: str
    device: str | None
    board: tables.Gpu | None
    name: str
    passthrough: bool = False


@dataclass(frozen=True)
class Machine:
    """`loaded` is the version of the driver that runs, `installed` all packages that the snapshot names.

    unknown_driver: one runs whose version could not be read; `loaded` is None then.
    runfile: a driver of NVIDIA's .run installer is there. own_kernel: false in a simulated host that has none.
    recorded: the role nvidia_driver has installed a driver here, or began to, and remembers it.
    switch: "nvswitch" (A100, H100, H200 baseboards), "nvlink5" (B200, B300) or None. kernel: the running release;
    pci_seen: the PCI bus could be looked at. kernel_newest: what boots next; None where it is the same or not known.
    """

    platform: str = "host"
    os_id: str | None = None
    os_version: str | None = None
    family: str = "other"
    arch: str | None = None
    kernel: str | None = None
    kernel_newest: str | None = None
    gpus: tuple[GpuFound, ...] = ()
    pci_seen: bool = True
    switch: str | None = None
    mig: bool | None = None
    secure_boot: bool | None = None
    mok_enrolled: bool | None = None
    mok_pending: bool | None = None
    loaded: str | None = None
    unknown_driver: bool = False
    loaded_flavour: str | None = None
    installed_branch: str | None = None
    installed_source: str | None = None
    installed_flavour: str | None = None
    runfile: bool = False
    simulated: bool = False
    own_kernel: bool = True
    recorded: bool = False
    provider: str | None = None
    installed: Mapping[str, str] = field(default_factory=dict)

    @property
    def boards(self) -> tuple[tables.Gpu, ...]:
        """The known boards that a driver of this machine has to serve."""
        return tuple(gpu.board for gpu in self.served if gpu.board is not None)

    @property
    def served(self) -> tuple[GpuFound, ...]:
        """The GPUs that belong to this machine, not to a virtual machine on it."""
        return tuple(gpu for gpu in self.gpus if not gpu.passthrough)


def read(facts: View) -> Machine:
    """The machine of a snapshot."""
    gpus = _gpus(facts)
    installed = {str(name): str(version) for name, version in _mapping(facts, "packages.installed").items()}
    kernel, newest = facts.text_or_none("kernel.running"), facts.text_or_none("kernel.newest")
    arch, os_id = facts.text_or_none("os.machine"), facts.text_or_none("os.id")
    loaded = _loaded(facts)
    family, runfile = facts.text_or_none("os.family") or "other", facts.is_true("driver.runfile")
    return Machine(
        platform=_platform(facts),
        os_id=os_id,
        os_version=facts.text_or_none("os.version"),
        family=family,
        arch=arch,
        kernel=kernel,
        kernel_newest=newest if newest != kernel else None,
        gpus=gpus,
        pci_seen=isinstance(_mapping(facts, "pci").get("gpus"), list)
        and facts.text_or_none("probes.pci.status") in (None, "ok"),
        switch=_switch(facts, gpus, arch),
        mig=_mig(facts),
        secure_boot=_secure_boot(facts),
        mok_enrolled=_flag(facts, "firmware.mok.enrolled"),
        mok_pending=_flag(facts, "firmware.mok.pending"),
        loaded=loaded,
        unknown_driver=loaded is None and facts.is_true("driver.module.loaded"),
        loaded_flavour=facts.text_or_none("driver.module.flavour"),
        installed_branch=packages_found.branch(installed),
        installed_source=packages_found.source(installed, os_id, family) or ("runfile" if runfile else None),
        installed_flavour=packages_found.flavour(installed),
        runfile=runfile,
        simulated=facts.is_true("simulated.host") or facts.is_true("simulated.gpu"),
        recorded=not _RECORDS.isdisjoint(_mapping(facts, "files")),
        own_kernel=not facts.is_true("simulated.host") or kernel in _kernels(facts),
        provider=facts.text_or_none("virt.rented.provider"),
        installed=installed,
    )


def _kernels(facts: View) -> list[str | None]:
    try:
        return [one.text_or_none("release") for one in facts.views("kernel.installed")]
    except UnmeasuredError:
        return []


def _flag(facts: View, path: str) -> bool | None:
    try:
        return facts.flag(path)
    except UnmeasuredError:
        return None


def _mapping(facts: View, path: str) -> Mapping[str, Any]:
    try:
        return facts.mapping(path)
    except UnmeasuredError:
        return {}


def _views(facts: View, path: str) -> list[View]:
    try:
        return [view for view in facts.views(path) if isinstance(view.data, Mapping)]
    except UnmeasuredError:
        return []


def _platform(facts: View) -> str:
    if facts.is_true("virt.wsl"):
        return "wsl2"
    if facts.is_true("virt.jetson"):
        return "jetson"
    return "rented" if facts.text_or_none("scope") == "container" else "host"


def _gpus(facts: View) -> tuple[GpuFound, ...]:
    names = {view.text_or_none("bdf"): view.text_or_none("name") for view in _views(facts, "gpus")}
    return tuple(_gpu(view, names) for view in _views(facts, "pci.gpus"))


def _gpu(view: View, names: Mapping[str | None, str | None]) -> GpuFound:
    bdf, device = view.text_or_none("bdf") or "", view.text_or_none("device")
    board = tables.gpu(device)
    name = board.name if board is not None else names.get(bdf) or f"10de:{device or '????'}"
    return GpuFound(bdf, device, board, name, view.text_or_none("driver") == "vfio-pci")


def _switch(facts: View, gpus: tuple[GpuFound, ...], arch: str | None) -> str | None:
    if _views(facts, "pci.nvswitches"):
        return "nvswitch"
    told = _flag(facts, "pci.nvlink5")
    if told is not None:
        return "nvlink5" if told else None
    # the collector could not look: several such boards in one x86 machine always sit on one baseboard
    boards = [gpu.board for gpu in gpus if gpu.board is not None]
    fifth = [board for board in boards if board.chip in _NVLINK5_CHIPS and board.nvlink_links]
    return "nvlink5" if len(fifth) > 1 and arch != "aarch64" else None


def _secure_boot(facts: View) -> bool | None:
    """Firmware without EFI has none."""
    return False if _flag(facts, "firmware.efi") is False else _flag(facts, "firmware.secure_boot")


def _mig(facts: View) -> bool | None:
    told = [flag for flag in (_flag(view, "mig") for view in _views(facts, "gpus")) if flag is not None]
    return any(told) if told else None


def _loaded(facts: View) -> str | None:
    """The driver that runs; under WSL2 that of Windows, which only nvidia-smi tells."""
    version = None
    if _flag(facts, "driver.module.loaded") is not False:
        version = facts.text_or_none("driver.module.version")
    if version is None and facts.is_true("virt.wsl"):
        version = facts.text_or_none("driver.smi.driver_version")
    # what is no version is none: a plan compares it
    return version if tables.branch_of(version) is not None else None
