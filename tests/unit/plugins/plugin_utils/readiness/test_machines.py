# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorded machines: sound ones must not raise an alarm (readiness-checks.md §6.4, golden verdicts)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge

MACHINES = Path(__file__).resolve().parents[4] / "fixtures" / "snapshots" / "machines"

# machine -> what is not pass or skip in the driver stage under the default policy
GOLDEN: dict[str, dict[str, str]] = {
    "h100x8": {},
    "h200": {},
    "b200x8": {"DRV-PERSIST": "warn"},
    "a100": {},
    "l40s": {"DRV-PCIE-WIDTH": "warn"},
    "t4": {"DRV-PCIE-WIDTH": "warn"},
    "rtx4090x8": {},
    "rtx4080s": {"DRV-PERSIST": "warn"},
    "rtx2080s": {"DRV-PERSIST": "warn"},
    "rtx2080s_610": {"DRV-PERSIST": "warn"},
    "titanv": {},
}
# the recordings are older than the security fixes of today; that is true of them, and no alarm about the machine
OLD_DRIVERS = {"h100x8", "h200", "b200x8", "a100", "rtx4090x8", "titanv"}
ORDER = ("fail", "unknown", "warn", "skip", "pass")

FILES = sorted(path.stem for path in MACHINES.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((MACHINES / f"{name}.json").read_text(encoding="utf-8"))
    return data


def worst(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for result in judge(data, host="gpu01", stages=["driver"])["results"]:
        known = found.get(result["id"])
        if known is None or ORDER.index(result["status"]) < ORDER.index(known["status"]):
            found[result["id"]] = result
    return found


def said(data: Mapping[str, Any]) -> dict[str, str]:
    quiet = ("pass", "skip")
    return {name: result["status"] for name, result in worst(data).items() if result["status"] not in quiet}


def test_there_are_recorded_machines() -> None:
    assert FILES
    assert set(FILES) <= set(GOLDEN), "a recorded machine without a golden verdict"


@pytest.mark.parametrize("name", FILES)
def test_a_recorded_machine_has_its_golden_verdict(name: str) -> None:
    aged = {"DRV-BRANCH-MIN": "warn"} if name in OLD_DRIVERS else {}
    assert said(load(name)) == {**GOLDEN[name], **aged}


def mig_of_one(data: dict[str, Any]) -> None:
    data["gpus"][0].update(mig=True, mig_pending=True)


def lost_and_remap(data: dict[str, Any]) -> None:
    data["gpus"][1]["state"] = "lost"
    data["gpus"][0]["remapped_rows"].update(uncorrectable=1, pending=True)


def ecc_injected(data: dict[str, Any]) -> None:
    data["gpus"][0]["ecc_errors"]["volatile"]["dram_uncorrectable"] = 2
    data["gpus"][0]["remapped_rows"].update(uncorrectable=1, pending=True)


def fabric_degraded(data: dict[str, Any]) -> None:
    data["gpus"][1]["fabric"].update(health="Unhealthy")


def hot(data: dict[str, Any]) -> None:
    data["gpus"][2]["throttle"]["active"] = ["hw_slowdown", "hw_thermal_slowdown"]


FAULTS: list[tuple[Callable[[dict[str, Any]], None], dict[str, str], dict[str, str]]] = [
    (lost_and_remap, {"DRV-GPU-LOST": "fail", "DRV-REMAP": "fail"}, {"DRV-GPU-LOST": "1", "DRV-REMAP": "0"}),
    (ecc_injected, {"DRV-ECC-UNC": "fail", "DRV-REMAP": "fail"}, {"DRV-ECC-UNC": "0", "DRV-REMAP": "0"}),
    (fabric_degraded, {"DRV-FABRIC": "fail"}, {"DRV-FABRIC": "1"}),
    (hot, {"DRV-THERMAL": "fail"}, {"DRV-THERMAL": "2"}),
    (mig_of_one, {"DRV-MIG": "fail"}, {"DRV-MIG": "0"}),
]


@pytest.mark.parametrize(("fault", "wanted", "where"), FAULTS, ids=lambda value: getattr(value, "__name__", None))
def test_a_fault_of_one_gpu_of_eight(
    fault: Callable[[dict[str, Any]], None], wanted: dict[str, str], where: dict[str, str]
) -> None:
    """The faults of the mocked machines of the catalogue, each on the GPU that has it and on no other."""
    data = copy.deepcopy(load("h100x8"))
    fault(data)
    assert said(data) == {**wanted, "DRV-BRANCH-MIN": "warn"}
    results = judge(data, host="gpu01", stages=["driver"])["results"]
    for name, index in where.items():
        entities = [r["entity"] for r in results if r["id"] == name and r["status"] == "fail"]
        assert entities == [data["gpus"][int(index)]["bdf"]]
