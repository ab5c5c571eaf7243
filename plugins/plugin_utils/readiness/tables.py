# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of GPUs, Xid codes, CUDA, torch and the container toolkit.

The facts, their sources and dates are in data/*.yml; here are only the questions that the checks ask. A table is read
at the first question. Nothing here raises on odd input: what is not in a table is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import load
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least, version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text

TABLES = ("gpus", "xid", "cuda", "torch", "toolkit", "drivers", "tiers")

ARCHITECTURES = ("maxwell", "pascal", "volta", "turing", "ampere", "ada", "hopper", "blackwell")
BOARDS = ("geforce", "workstation", "datacenter", "laptop")
MODULE_RULES = ("open", "proprietary", "either")
XID_ACTIONS = (
    "ignore",
    "check_app",
    "restart_app",
    "reset_gpu",
    "reboot",
    "restart_vm",
    "replace_hardware",
    "contact",
    "workflow",
    "update",
)

# '580.159.03-1', '1:535.261.03-1~deb12u1', '3:580.159.03-1.el9': the driver's version within a package's
_PACKAGED = re.compile(r"(?:\d+:)?(\d{3}\.\d{1,3}(?:\.\d{1,3})?)(?=[-+~]|$)")

# What a driver keeps for itself differs by branch: up to 2 % on older ones (TITAN Xp 12196 of 12288 MiB).
MEMORY_TOLERANCE = 0.03
# GDDR boards hold their ECC bits in the memory itself: 1/16 of it (A10: 24564 -> 23028 MiB).
INLINE_ECC = 15 / 16


@dataclass(frozen=True)
class Gpu:
    """A board by its PCI device id. `memory_mib` as nvidia-smi shows it, with ECC as the board is delivered."""

    device: str
    name: str
    architecture: str
    compute_capability: str
    memory_mib: int | None
    board: str
    nvlink_links: int | None
    modules: str
    first_branch: int
    last_branch: int | None
    chip: str = ""
    inline_ecc: bool = False

    def memory_fits(self, mib: int) -> bool | None:
        """Whether a board of this id can show so much memory, with ECC on or off. None: the id fixes no size."""
        if self.memory_mib is None:
            return None
        sizes = [self.memory_mib]
        if self.inline_ecc:
            sizes += [int(self.memory_mib * INLINE_ECC), int(self.memory_mib / INLINE_ECC)]
        return any(abs(mib - size) <= size * MEMORY_TOLERANCE for size in sizes)


@dataclass(frozen=True)
class Xid:
    """One code of NVIDIA's Xid catalogue and what to do at once."""

    code: int
    name: str
    action: str
    meaning: Text


@dataclass(frozen=True)
class Branch:
    """One branch of the driver. `eol` is a month, '2028-06', or None where NVIDIA named none."""

    number: int
    kind: str
    state: str
    security_floor: str | None
    eol: str | None
    cuda: str | None


def table(name: str) -> Mapping[str, Any]:
    """The whole table data/NAME.yml."""
    loaded: Mapping[str, Any] = load(name)
    return loaded


def gpu(device: str | None) -> Gpu | None:
    """The board of a PCI device id such as '2684' or '0x2684'; None where the id is not in the table."""
    if not isinstance(device, str):
        return None
    return _gpu(device.lower().removeprefix("0x"))


@cache
def _gpu(device: str) -> Gpu | None:
    found = _rows().get(device)
    if found is None:
        return None
    board, row = found
    known = table("gpus")
    chip: Mapping[str, Any] = known["chips"][row["chip"]]
    family: Mapping[str, Any] = known["architectures"][chip["architecture"]]
    rules = {**family, **chip, **row}
    return Gpu(
        device=device,
        name=row["name"],
        architecture=chip["architecture"],
        compute_capability=chip["compute_capability"],
        memory_mib=row.get("memory_mib"),
        board=board,
        nvlink_links=row.get("nvlink_links"),
        modules=rules["modules"],
        first_branch=rules["first_branch"],
        last_branch=rules.get("last_branch"),
        chip=row["chip"],
        inline_ecc=chip.get("memory") == "gddr" and board in ("datacenter", "workstation"),
    )


@cache
def _rows() -> Mapping[str, tuple[str, Mapping[str, Any]]]:
    """Device id -> (kind of board, row)."""
    return {device: (board, row) for board, rows in table("gpus")["boards"].items() for device, row in rows.items()}


def gpu_ids() -> tuple[str, ...]:
    return tuple(_rows())


def too_old(device: str | None) -> bool:
    """Whether an id that is not in the table belongs to a GPU from before Maxwell.

    NVIDIA gives ids roughly in the order of the chips: Kepler ends at 1300 (GK208), Maxwell starts at 1340.
    """
    if not isinstance(device, str) or gpu(device) is not None:
        return False
    try:
        return int(device, 16) < 0x1340
    except ValueError:
        return False


def xid(code: int) -> Xid | None:
    """The catalogue's entry of a code; None for codes that it does not explain."""
    row = table("xid")["codes"].get(code)
    if row is None:
        return None
    return Xid(code, row["name"], row["action"], Text(row["meaning"]))


def driver_version(package_version: str) -> str | None:
    """The driver's version in that of a package; None for packages that are not versioned like the driver."""
    found = _PACKAGED.match(package_version)
    return found.group(1) if found else None


def branch_of(driver: str | None) -> int | None:
    """'580.159.03' -> 580."""
    parts = _version(driver)
    return parts[0] if parts else None


def driver_branch(number: int | None) -> Branch | None:
    """What is known of a driver branch."""
    row = table("drivers")["branches"].get(number)
    if row is None or number is None:
        return None
    return Branch(number, row["kind"], row["state"], row.get("security_floor"), row.get("eol"), row.get("cuda"))


def min_driver_for_cuda(version: str | None) -> str | None:
    """The oldest driver that runs programs built with this CUDA, by the compatibility within a major version."""
    parts = _version(version)
    if not parts:
        return None
    floor: str | None = table("cuda")["min_driver"].get(str(parts[0]))
    return floor


def max_cuda_for_driver(driver: str | None) -> str | None:
    """The CUDA version that a driver brings itself, as nvidia-smi shows it.

    Programs built with a newer minor version of the same major run, too, unless they need code made at run time (PTX)
    or features of that newer version. A driver newer than the table brings at least the newest version in it.
    """
    branch = branch_of(driver)
    if branch is None:
        return None
    brought: Mapping[int, str] = table("cuda")["of_branch"]
    known = [number for number in brought if number <= branch]
    return brought[max(known)] if known else None


def torch_archs(release: str | None, cuda: str | None) -> tuple[str, ...] | None:
    """The targets in the official Linux x86_64 wheel of torch: ('sm_75', 'sm_80', ...), 'compute_120' for PTX."""
    row = torch_release(release)
    parts = _version(cuda)
    if row is None or len(parts) < 2:
        return None
    archs = row["cuda"].get(f"{parts[0]}.{parts[1]}")
    return None if archs is None else tuple(table("torch")["archs"][archs])


def torch_release(release: str | None) -> Mapping[str, Any] | None:
    """The row of a torch release: {cuda: {'13.0': targets}, pypi: '13.0', python_min: '3.10'}."""
    parts = _version(release)
    if len(parts) < 2:
        return None
    row: Mapping[str, Any] | None = table("torch")["releases"].get(f"{parts[0]}.{parts[1]}")
    return row


def torch_choices(capability: str, driver: str | None = None) -> list[tuple[str, str]]:
    """(torch release, CUDA) whose official wheel runs on a GPU, newest first; with `driver`, only what that runs."""
    found = []
    for release, row in table("torch")["releases"].items():
        for cuda, archs in row["cuda"].items():
            floor = min_driver_for_cuda(cuda)
            fits = driver is None or (floor is not None and _at_least(driver, floor))
            if fits and any(arch_covers(arch, capability) for arch in table("torch")["archs"][archs]):
                found.append((release, cuda))
    return sorted(found, key=lambda pair: (version_key(pair[0]), version_key(pair[1])), reverse=True)


def arch_covers(arch: str, capability: str) -> bool:
    """Whether code for `arch` ('sm_86', 'sm_90a', 'compute_120') runs on a GPU of a compute capability ('8.9').

    Machine code runs on the same major version with an equal or newer minor one, except on 8.7 (Jetson Orin), which
    needs its own. Code with the suffix a runs only on its own GPU, with f within its family. PTX is compiled when the
    program starts, for any newer GPU.
    """
    target = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", arch)
    device = re.fullmatch(r"(\d+)\.(\d)", capability)
    if target is None or device is None:
        return False
    made = (int(target.group(2)), int(target.group(3)))
    have = (int(device.group(1)), int(device.group(2)))
    if target.group(4) == "a":
        return made == have
    if target.group(1) == "compute" and not target.group(4):
        return have >= made
    if have == (8, 7) and made != have:
        return False
    return made[0] == have[0] and have[1] >= made[1]


def toolkit_holes(version: str | None) -> list[str]:
    """The CVE ids that are open in a version of the NVIDIA Container Toolkit, oldest first."""
    if not _version(version):
        return []
    fixes = table("toolkit")["cves"]
    return [cve for cve, row in fixes.items() if not _at_least(str(version), row["fixed"])]


def texts() -> Iterator[Text]:
    """All texts for people that are kept in tables: the contract test looks for their translations."""
    for row in table("xid")["codes"].values():
        yield Text(row["meaning"])
    for row in table("tiers")["tiers"].values():
        yield Text(row["title"])
        yield Text(row["good_for"])


def _version(value: str | None) -> tuple[int, ...]:
    """'2.15.0+cu130' -> (2, 15, 0); () for what is no version."""
    if not isinstance(value, str):
        return ()
    try:
        return version_key(value)
    except ValueError:
        return ()


def _at_least(version: str, floor: str) -> bool:
    try:
        return version_at_least(version, floor)
    except ValueError:
        return False
