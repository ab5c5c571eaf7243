# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PCI Express extended capabilities, as sysfs gives them in the file `config`, and the counters of AER."""

from __future__ import annotations

import re

# PCI Express Base Specification, "Access Control Services Extended Capability"
_ACS = 0x000D
_FIRST = 0x100
_SIZE = 4096
_SOURCE_VALIDATION = 0x0001


def capability(config: bytes, wanted: int) -> int | None:
    """Return where an extended capability begins, or None. A chain that runs in a circle ends."""
    offset, seen = _FIRST, set()
    while _FIRST <= offset <= min(len(config), _SIZE) - 4 and offset not in seen:
        seen.add(offset)
        header = int.from_bytes(config[offset : offset + 4], "little")
        if header in (0, 0xFFFFFFFF):
            return None
        if header & 0xFFFF == wanted:
            return offset
        # the two lowest bits are reserved
        offset = (header >> 20) & 0xFFC
    return None


def acs(config: bytes) -> bool | None:
    """Say whether Access Control Services are on (source validation). None: the extended space was not readable.

    Without privileges sysfs gives 64 bytes only.
    """
    if len(config) <= _FIRST:
        return None
    offset = capability(config, _ACS)
    if offset is None:
        return False
    control = config[offset + 6 : offset + 8]
    if len(control) < 2:
        return None
    return bool(int.from_bytes(control, "little") & _SOURCE_VALIDATION)


def speed_gts(text: str | None) -> float | None:
    """Return the GT/s of "16.0 GT/s PCIe"; None for "Unknown"."""
    match = re.match(r"(\d{1,3}(?:\.\d{1,2})?) GT/s", text or "")
    return float(match.group(1)) if match else None


def width(text: str | None) -> int | None:
    """Return the lanes of a link. 0 and 63 (all bits set) are no width: the link is down or the device is gone."""
    value = int(text) if text and text.isascii() and text.isdigit() and len(text) < 4 else 0
    return value if 0 < value < 63 else None


def aer_total(text: str | None) -> int | None:
    """Return the sum line of aer_dev_correctable, aer_dev_nonfatal or aer_dev_fatal."""
    match = re.search(r"^TOTAL_ERR_\w+ (\d{1,18})$", text or "", re.MULTILINE)
    return int(match.group(1)) if match else None
