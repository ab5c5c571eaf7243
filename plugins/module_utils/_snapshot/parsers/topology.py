# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How GPUs are joined: `nvidia-smi topo -p2p r`, `nvidia-smi topo -m` and `nvidia-smi nvlink -s`."""

from __future__ import annotations

import re
from typing import Any

# nvidia-smi underlines the first line of its matrices even when the output is no terminal
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_DEVICE = re.compile(r"(?:GPU|NIC)\d+|mlx5_\w+|ib\w*\d+")
_NVLINK_GPU = re.compile(r"^\s*GPU (\d+):")
_NVLINK_LINK = re.compile(r"^\s*Link \d+:\s*(\S.*)$")
_INACTIVE = re.compile(r"all links are inactive", re.IGNORECASE)


def matrix(text: str) -> dict[str, Any] | None:
    """Return {labels, rows} of a matrix of devices, rows in the order of the labels; None if there is none."""
    labels: list[str] = []
    rows: dict[str, list[str]] = {}
    for line in _ANSI.sub("", text).splitlines():
        if line.strip().lower().startswith(("legend", "nic legend")):
            break
        cells = _cells(line)
        if not labels:
            labels = _header(cells)
        elif cells and cells[0] in labels and len(cells) > len(labels):
            rows.setdefault(cells[0], cells[1 : len(labels) + 1])
    if not labels or any(label not in rows for label in labels):
        return None
    return {"labels": labels, "rows": [rows[label] for label in labels]}


def _cells(line: str) -> list[str]:
    # tabs; pasted copies have runs of blanks instead
    cells = re.split(r"\t", line.strip()) if "\t" in line else re.split(r"\s+", line.strip())
    return [cell.strip() for cell in cells]


def _header(cells: list[str]) -> list[str]:
    labels: list[str] = []
    for cell in cells:
        if _DEVICE.fullmatch(cell):
            labels.append(cell)
        elif labels:
            # "CPU Affinity" and what follows are no devices
            break
        elif cell:
            return []
    return labels


def p2p(text: str) -> dict[str, Any] | None:
    """Return {labels, read} of `topo -p2p r`: X, OK, CNS, GNS, TNS, NS, DR or U for each pair."""
    found = matrix(text)
    return None if found is None else {"labels": found["labels"], "read": found["rows"]}


def nvlink(text: str) -> tuple[list[dict[str, int]] | None, str | None]:
    """Return the links of each GPU that has any, and what nvidia-smi says in their place.

    A GPU whose links "are all inActive" has none that is active; one in MIG mode or without NVLink is not judged.
    """
    found: dict[int, dict[str, int]] = {}
    messages: list[str] = []
    index: int | None = None
    for line in _ANSI.sub("", text).splitlines():
        gpu, link = _NVLINK_GPU.match(line), _NVLINK_LINK.match(line)
        if gpu:
            index = int(gpu.group(1))
        elif link and index is not None:
            entry = found.setdefault(index, {"index": index, "active": 0, "inactive": 0})
            entry["inactive" if "inactive" in link.group(1).lower() else "active"] += 1
        elif line.strip():
            if index is not None and _INACTIVE.search(line):
                found.setdefault(index, {"index": index, "active": 0, "inactive": 0})
            if line.strip() not in messages:
                messages.append(line.strip())
    links = [found[index] for index in sorted(found)]
    return links or None, " ".join(messages)[:300] or None
