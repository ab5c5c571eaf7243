# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of `nvidia-smi -q` as flat leaves under the names of the XML.

Sections are lines without a colon, four blanks deeper each; a label is padded with blanks up to " : ". Labels were
read from captures of drivers 535 to 610 (utkuozdemir/nvidia_gpu_exporter:internal/captures, leptonai/gpud).
"""

from __future__ import annotations

import re

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.nvidia_smi_values import Leaves
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers.nvidia_smi_xml import Gpu

START = "NVSMI LOG"
_LEAF = re.compile(r"^( *)(\S.*?) +:(?: (.*))?$")
_GPU = re.compile(r"^GPU ([0-9A-Fa-f:.]+)$")
_STEP = 4

_LINK = "pci/pci_gpu_link_info"
# label path of the text -> path of the XML; what is not listed has the same name in both, or is not needed
_NAMES = {
    "gpu_uuid": "uuid",
    "serial_number": "serial",
    "mig_mode/current": "mig_mode/current_mig",
    "mig_mode/pending": "mig_mode/pending_mig",
    "driver_model/current": "driver_model/current_dm",
    "driver_model/pending": "driver_model/pending_dm",
    "pci/bus_id": "pci/pci_bus_id",
    "pci/device_id": "pci/pci_device_id",
    "pci/gpu_link_info/pcie_generation/max": f"{_LINK}/pcie_gen/max_link_gen",
    "pci/gpu_link_info/pcie_generation/current": f"{_LINK}/pcie_gen/current_link_gen",
    "pci/gpu_link_info/pcie_generation/device_max": f"{_LINK}/pcie_gen/max_device_link_gen",
    "pci/gpu_link_info/pcie_generation/host_max": f"{_LINK}/pcie_gen/max_host_link_gen",
    "pci/gpu_link_info/link_width/max": f"{_LINK}/link_widths/max_link_width",
    "pci/gpu_link_info/link_width/current": f"{_LINK}/link_widths/current_link_width",
    "pci/replays_since_reset": "pci/replay_counter",
    "ecc_mode/current": "ecc_mode/current_ecc",
    "ecc_mode/pending": "ecc_mode/pending_ecc",
    "ecc_errors/volatile/sram_uncorrectable_sec_ded": "ecc_errors/volatile/sram_uncorrectable_secded",
    "ecc_errors/aggregate/sram_uncorrectable_sec_ded": "ecc_errors/aggregate/sram_uncorrectable_secded",
    "retired_pages/single_bit_ecc": "retired_pages/multiple_single_bit_retirement/retired_count",
    "retired_pages/double_bit_ecc": "retired_pages/double_bit_retirement/retired_count",
    "retired_pages/pending_page_blacklist": "retired_pages/pending_blacklist",
    "remapped_rows/correctable_error": "remapped_rows/remapped_row_corr",
    "remapped_rows/uncorrectable_error": "remapped_rows/remapped_row_unc",
    "remapped_rows/pending": "remapped_rows/remapped_row_pending",
    "remapped_rows/remapping_failure_occurred": "remapped_rows/remapped_row_failure",
    "temperature/gpu_current_temp": "temperature/gpu_temp",
    # renamed in r610
    "temperature/gpu_t_limit_temp": "temperature/gpu_temp_tlimit",
    "temperature/gpu_current_t_limit_temp": "temperature/gpu_temp_tlimit",
    "temperature/gpu_slowdown_temp": "temperature/gpu_temp_slow_threshold",
    "temperature/gpu_slowdown_t_limit_temp": "temperature/gpu_temp_slow_tlimit_threshold",
    "temperature/memory_current_temp": "temperature/memory_temp",
    "gpu_power_readings/instantaneous_power_draw": "gpu_power_readings/instant_power_draw",
    "clocks/sm": "clocks/sm_clock",
    "clocks/memory": "clocks/mem_clock",
    "applications_clocks/graphics": "applications_clocks/graphics_clock",
    "max_clocks/graphics": "max_clocks/graphics_clock",
    "max_clocks/sm": "max_clocks/sm_clock",
}
_ECC_CELLS = {"texture_shared": "texture_shm"}
_PROCESS = {
    "process_id": "pid",
    "type": "type",
    "name": "process_name",
    "used_gpu_memory": "used_memory",
}


def leaves(text: str) -> tuple[Leaves, list[Gpu]]:
    """Return the leaves of the head and of each GPU; a ValueError if it is no such text."""
    start = text.find(START)
    if start < 0:
        raise ValueError('no "NVSMI LOG" in the output of nvidia-smi -q')
    head: Leaves = {}
    gpus: list[Gpu] = []
    current, sections = head, _Sections()
    for line in text[start:].splitlines()[1:]:
        match = _GPU.match(line.rstrip())
        if match:
            gpus.append(Gpu(match.group(1), {}, []))
            current, sections = gpus[-1].leaves, _Sections()
        elif line.strip():
            _line(line.rstrip(), sections, current, gpus[-1].processes if gpus else [])
    return head, gpus


class _Sections:
    """The labels above a line, by indentation."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, depth: int, label: str) -> str:
        """Note a label and return its path."""
        while self._open and self._open[-1][0] >= depth:
            self._open.pop()
        self._open.append((depth, label))
        return "/".join(name for _depth, name in self._open)


def _line(line: str, sections: _Sections, current: Leaves, processes: list[Leaves]) -> None:
    match = _LEAF.match(line)
    if match is None:
        sections.enter((len(line) - len(line.lstrip())) // _STEP, _label(line))
        return
    indent, label, body = match.groups()
    path = sections.enter(len(indent) // _STEP, _label(label))
    if path.startswith("processes/"):
        _process(path.rpartition("/")[2], (body or "").strip(), processes)
        return
    parent, _slash, name = path.rpartition("/")
    if parent.startswith("ecc_errors/"):
        path = f"{parent}/{_ECC_CELLS.get(name, name)}"
    current.setdefault(_NAMES.get(path, path), (body or "").strip())


def _process(name: str, body: str, processes: list[Leaves]) -> None:
    if name == "process_id":
        processes.append({})
    if processes and name in _PROCESS:
        processes[-1][_PROCESS[name]] = body


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.strip().lower()).strip("_")
