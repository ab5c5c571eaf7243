# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The XML of `nvidia-smi -q -x` as flat leaves: path below the GPU -> body."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.nvidia_smi_values import Leaves

START = "<nvidia_smi_log"
# the document type names a file that is nowhere; an internal subset could define entities
_DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]*(\[.*?\])?\s*>", re.DOTALL)
# hundreds of clock steps, and lists that are read on their own
_LEFT_OUT = frozenset(("supported_clocks", "processes", "accounted_processes", "mig_devices"))


class Gpu(NamedTuple):
    """One GPU as nvidia-smi names it."""

    bus_id: str | None
    leaves: Leaves
    processes: list[Leaves]


def leaves(text: str) -> tuple[Leaves, list[Gpu]]:
    """Return the leaves of the head and of each GPU; a ValueError if it is no such document."""
    start = text.find(START)
    if start < 0:
        raise ValueError("no <nvidia_smi_log> element in the output of nvidia-smi -q -x")
    try:
        root = ET.fromstring(_DOCTYPE.sub("", text[start:].rpartition(">")[0] + ">"))
    except ET.ParseError as exc:
        raise ValueError(f"the output of nvidia-smi -q -x is not well-formed XML: {exc}") from exc
    head = {child.tag: (child.text or "").strip() for child in root if child.tag != "gpu"}
    return head, [_gpu(element) for element in root.findall("gpu")]


def _gpu(element: ET.Element) -> Gpu:
    found: Leaves = {}
    for child in element:
        if child.tag not in _LEFT_OUT:
            _walk(child, child.tag, found)
    processes: list[Leaves] = []
    for process in element.findall("processes/process_info"):
        one: Leaves = {}
        for child in process:
            _walk(child, child.tag, one)
        processes.append(one)
    return Gpu(element.get("id"), found, processes)


def _walk(element: ET.Element, path: str, found: Leaves) -> None:
    children = list(element)
    body = (element.text or "").strip()
    # an element that failed as a whole has a body in its children's place
    if body or not children:
        found.setdefault(path, body)
    for child in children:
        _walk(child, f"{path}/{child.tag}", found)
