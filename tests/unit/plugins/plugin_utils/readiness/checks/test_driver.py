# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cases in tests/fixtures/cases/driver_*.yml do not show: roles, policy, order, remedies, both languages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver import common, kernel_log
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.checks.driver.registry import CHECKS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy import PolicyError, make_policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge

OLD = "525.60.13"
UNLOADED = {"driver.module": {"loaded": False, "version": None, "flavour": None}}
# readiness-checks.md, end of §3.4: what a tenant can measure
RENTED = {
    "DRV-VERSION-MATCH", "DRV-SMI", "DRV-CUINIT", "DRV-GPU-COUNT", "DRV-MEM-SIZE", "DRV-ECC-MODE", "DRV-ECC-UNC",
    "DRV-ECC-CORR", "DRV-REMAP", "DRV-XID", "DRV-PCIE-GEN", "DRV-PCIE-REPLAY", "DRV-POWER", "DRV-THERMAL", "DRV-IDLE",
}  # fmt: skip


def versions(value: str) -> dict[str, Any]:
    return {
        "driver.module.version": value,
        "driver.libraries.nvidia_ml": value,
        "driver.libraries.cuda": value,
        "kernel.installed.0.nvidia.version": value,
    }


BRANCH_CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("pass", "new enough", {}, {"policy": {"cuda_wanted": "13.0"}}),
    ("pass", "new enough", versions("615.71.09"), {}),
    ("warn", "fixed in 580.159.03", versions("580.95.05"), {}),
    ("fail", "fixed in 580.159.03", versions("580.95.05"), {"policy": {"driver_below_floor": "fail"}}),
    ("warn", "no security fixes", versions("550.163.01"), {}),
    ("fail", "cannot run CUDA 12.8", versions("470.256.02"), {"policy": {"cuda_wanted": "12.8"}}),
    ("unknown", "version", {"driver.module.version": None}, {}),
]


@pytest.mark.parametrize(("status", "says", "changes", "options"), BRANCH_CASES)
def test_the_branch(
    status: str, says: str, changes: dict[str, Any], options: dict[str, Any], expect: Callable[..., None]
) -> None:
    expect("DRV-BRANCH-MIN", status, says, changes, options)


def test_an_old_driver_names_the_branch_to_install(results_of: Callable[..., list[dict[str, Any]]]) -> None:
    (result,) = results_of("DRV-BRANCH-MIN", changes=versions(OLD), policy={"cuda_wanted": "13.0"})
    assert (result["remedy"]["role"], result["remedy"]["vars"]) == (None, {"nvidia_driver_branch": "580"})
    assert result["remedy"]["command"].startswith("ansible-playbook playbooks/upgrade_driver.yml -i ")
    assert result["remedy"]["command"].endswith(" -e nvidia_driver_branch=580")
    assert "--tags" not in result["remedy"]["command"]


def test_persistence_can_be_made_serious(results_of: Callable[..., list[dict[str, Any]]]) -> None:
    policy = {"severity": {"DRV-PERSIST": "major"}}
    (result,) = results_of("DRV-PERSIST", changes={"gpus.0.persistence": False}, policy=policy)
    assert result["status"] == "fail"


def test_a_tenant_is_asked_what_a_tenant_can_measure() -> None:
    assert {check.id for check in CHECKS if not check.host_only} == RENTED


def test_ids_are_of_this_stage_and_stand_once() -> None:
    ids = [check.id for check in CHECKS]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("DRV-") for name in ids)


def test_prerequisites_exist() -> None:
    assert {name for check in CHECKS for name in check.after} <= set(CHECK_IDS)
    assert set(common.EXPLAINS_NO_MODULE) <= set(CHECK_IDS)


def test_without_a_module_nothing_else_is_red(snapshot: Callable[..., dict[str, Any]]) -> None:
    report = judge(snapshot("ready_host", UNLOADED), host="gpu01", stages=["driver"])
    assert [r["id"] for r in report["results"] if r["status"] in ("fail", "unknown")] == ["DRV-MODULE"]
    assert all(r["caused_by"] == "DRV-MODULE" for r in report["results"] if r["id"] == "DRV-DEVNODES")


def test_preflight_explains_a_missing_module_only_while_it_is_red(
    results_of: Callable[..., list[dict[str, Any]]],
) -> None:
    changes = {**UNLOADED, "driver.nouveau.loaded": True}
    (explained,) = results_of("DRV-MODULE", changes=changes)
    (switched_off,) = results_of("DRV-MODULE", changes=changes, policy={"skip": ["PRE-NOUVEAU", "PRE-BOUND-DRIVER"]})
    assert (explained["status"], explained["caused_by"]) == ("skip", "PRE-NOUVEAU")
    assert switched_off["status"] == "fail"


def test_the_gpu_to_reset_is_named(results_of: Callable[..., list[dict[str, Any]]]) -> None:
    rows = {"correctable": 0, "uncorrectable": 1, "pending": True, "failure": False}
    results = results_of("DRV-REMAP", changes={"gpus.1.remapped_rows": rows})
    (bad,) = [result for result in results if result["status"] == "fail"]
    assert bad["remedy"]["command"].endswith("'nvidia-smi --gpu-reset -i 0000:41:00.0'")
    assert bad["message_zh"] == "有显存坏行待复位后替换"


LINE = "NVRM: Xid (PCI:0000:18:00): 154, "
CHANGED = f"{LINE}GPU recovery action changed from "


@pytest.mark.parametrize(
    ("text", "action"),
    [
        (f"{CHANGED}0x0 (None) to 0x1 (GPU Reset Required)", "reset_gpu"),
        (f"{CHANGED}0x0 (None) to 0x2 (Node Reboot Required)", "reboot"),
        (f"{CHANGED}0x0 (None) to 0x4 (Drain and Reset)", "reset_gpu"),
        (f"{CHANGED}0x2 (Node Reboot Required) to 0x0 (None)", "ignore"),
        (f"{LINE}pid=1, name=x", None),
    ],
)
def test_the_drivers_own_word(text: str, action: str | None) -> None:
    assert kernel_log._own_word(text) == action


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        ({"xid_actions": {79: "pray"}}, "xid_actions"),
        ({"xid_actions": {"x": "ignore"}}, "xid_actions"),
        ({"pcie_width": {"T4": "x8"}}, "pcie_width"),
        ({"mig": "maybe"}, "mig"),
        ({"ecc": "maybe"}, "ecc"),
        ({"xid_hours": -1}, "xid_hours"),
    ],
)
def test_a_wrong_policy_is_refused(policy: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PolicyError, match=complaint):
        make_policy(policy, CHECK_IDS)
