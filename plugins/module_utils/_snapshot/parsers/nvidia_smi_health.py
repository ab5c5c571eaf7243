# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nvidia-smi says about a GPU's health: state, error counters, repairs, slowdowns, fabric.

A section is null if it does not apply to the board (all its readings are "N/A", or it is missing); a reading of a
section that applies is null if it is not there or failed. So null at the top is "nothing to judge", and null inside is
"not measured".
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import (
    nvidia_smi_values as values,
)

REASONS = ("clocks_event_reasons", "clocks_throttle_reasons")
_COUNTERS = ("clocks_event_reasons_counters", "clocks_throttle_reasons_counters")
_REASON_PREFIX = re.compile(r"^clocks_(?:event|throttle)_reasons?_(?:counters_)?")
# the XML and the text name some reasons and counters differently
_REASON_NAMES = {"idle": "gpu_idle", "display_clock_setting": "display_clocks_setting"}
_COUNTER_NAMES = {
    "sw_power_cap": "sw_power_capping",
    "sw_therm_slowdown": "sw_thermal_slowdown",
    "hw_therm_slowdown": "hw_thermal_slowdown",
    "hw_power_brake": "hw_power_braking",
}
# a GPU that fell off the bus still shows its name and uuid; only live readings tell. An "Unknown Error" in any other
# leaf (Addressing Mode on driver 535) is harmless.
_TELLING = ("fb_memory_usage", "utilization", "temperature", "ecc_errors", "ecc_mode")
_SRAM_CELLS = ("register_file", "l1_cache", "l2_cache", "texture_memory", "texture_shm", "cbu")
_COUNTS = re.compile(r"^ecc_errors(/(volatile|aggregate)(/.*)?)?$")


def state(leaves: values.Leaves) -> str:
    """Return ok, lost or error, by the readings that need a live GPU."""
    bodies = list(values.below(leaves, *_TELLING).values())
    if any(values.lost(body) for body in bodies):
        return "lost"
    return "error" if any(values.broken(body) for body in bodies) else "ok"


def errors(leaves: values.Leaves) -> dict[str, str]:
    """Return the leaves that hold an error in a value's place."""
    found = ((path, values.error(body)) for path, body in leaves.items())
    return {path: text for path, text in found if text is not None}


def recovery_action(leaves: values.Leaves) -> str | None:
    """Return what the driver asks for; "None" is the good answer."""
    action = values.text(leaves, "gpu_recovery_action")
    if action is not None:
        return action
    # before 570 there was only gpu_reset_status
    required = values.switch(leaves, "gpu_reset_status/reset_required")
    return None if required is None else ("GPU Reset" if required else "None")


def throttle(leaves: values.Leaves) -> dict[str, Any]:
    """Return the active reasons for a lower clock, and the counters of the time spent so (us)."""
    active = []
    for path, body in values.below(leaves, *REASONS).items():
        name = _REASON_PREFIX.sub("", path.rpartition("/")[2])
        if values.bare(body).lower() == "active":
            active.append(_REASON_NAMES.get(name, name))
    counters = {}
    for path in values.below(leaves, *_COUNTERS):
        name = _REASON_PREFIX.sub("", path.rpartition("/")[2])
        value = values.integer(leaves, path)
        if value is not None:
            counters[_COUNTER_NAMES.get(name, name)] = value
    return {"active": active, "counters_us": counters}


def ecc_errors(leaves: values.Leaves) -> dict[str, Any] | None:
    """Return the counters of memory errors, or None for a board without ECC or with ECC off."""
    section = values.below(leaves, "ecc_errors")
    repairs = {
        name: values.switch(leaves, f"ecc_errors/{name}") for name in ("channel_repair_pending", "tpc_repair_pending")
    }
    counted = values.applicable(body for path, body in section.items() if _COUNTS.match(path))
    # boards that count nothing may still answer "No" to pending repairs
    if not counted and not any(repairs.values()):
        return None
    return {
        "volatile": _ecc_counts(leaves, "ecc_errors/volatile"),
        "aggregate": _ecc_counts(leaves, "ecc_errors/aggregate"),
        "sram_threshold_exceeded": values.switch(
            leaves, "ecc_errors/aggregate/sram_threshold_exceeded", "ecc_errors/sram_threshold_exceeded"
        ),
        **repairs,
    }


def _ecc_counts(leaves: values.Leaves, base: str) -> dict[str, int | None]:
    def add(*names: str) -> int | None:
        bodies = [leaves[f"{base}/{name}"] for name in names if f"{base}/{name}" in leaves]
        # half of a sum is no sum
        if any(values.error(body) for body in bodies):
            return None
        numbers = [values.integer(leaves, f"{base}/{name}") for name in names]
        known = [value for value in numbers if value is not None]
        return sum(known) if known else None

    def first(*counts: int | None) -> int | None:
        return next((count for count in counts if count is not None), None)

    # before Ampere: one uncorrectable count, or (Volta and older) one per kind of cell
    split = ("sram_uncorrectable_parity", "sram_uncorrectable_secded")
    return {
        "sram_uncorrectable": first(
            add(*split), add("sram_uncorrectable"), add(*(f"double_bit/{cell}" for cell in _SRAM_CELLS))
        ),
        "sram_correctable": first(add("sram_correctable"), add(*(f"single_bit/{cell}" for cell in _SRAM_CELLS))),
        "dram_uncorrectable": first(add("dram_uncorrectable"), add("double_bit/device_memory")),
        "dram_correctable": first(add("dram_correctable"), add("single_bit/device_memory")),
    }


def remapped_rows(leaves: values.Leaves) -> dict[str, Any] | None:
    """Return the rows that were remapped (Ampere and later); None before."""
    if not values.applicable(values.below(leaves, "remapped_rows").values()):
        return None
    return {
        "correctable": values.integer(leaves, "remapped_rows/remapped_row_corr"),
        "uncorrectable": values.integer(leaves, "remapped_rows/remapped_row_unc"),
        "pending": values.switch(leaves, "remapped_rows/remapped_row_pending"),
        "failure": values.switch(leaves, "remapped_rows/remapped_row_failure"),
    }


def retired_pages(leaves: values.Leaves) -> dict[str, Any] | None:
    """Return the pages that were retired (before Ampere); None since."""
    base = "retired_pages"
    if not values.applicable(values.below(leaves, base).values()):
        return None
    pending = [values.switch(leaves, f"{base}/{name}") for name in ("pending_blacklist", "pending_retirement")]
    known = [value for value in pending if value is not None]
    return {
        "single_bit": values.integer(leaves, f"{base}/multiple_single_bit_retirement/retired_count"),
        "double_bit": values.integer(leaves, f"{base}/double_bit_retirement/retired_count"),
        "pending": any(known) if known else None,
    }


def fabric(leaves: values.Leaves) -> dict[str, Any] | None:
    """Return the state of the NVLink fabric; its health is "N/A" on sound H100 and H200 systems."""
    bodies = values.below(leaves, "fabric/state", "fabric/status", "fabric").values()
    if not values.applicable(bodies):
        return None
    return {
        "state": values.text(leaves, "fabric/state"),
        "status": values.text(leaves, "fabric/status"),
        "health": values.text(leaves, "fabric/health/summary"),
    }
