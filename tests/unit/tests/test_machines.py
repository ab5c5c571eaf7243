# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of recorded machines: made by the generator, valid, and consistent in themselves."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import judge

ROOT = Path(__file__).resolve().parents[3]
MACHINES = ROOT / "tests" / "fixtures" / "snapshots" / "machines"
PATHS = sorted(MACHINES.glob("*.json"))


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpuready_machines", MACHINES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_those_of_the_generator(generator: ModuleType) -> None:
    files = generator.files()
    assert set(files) == {path.name for path in PATHS}
    for path in PATHS:
        assert path.read_text() == files[path.name], f"run {MACHINES / 'make.py'}"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_valid_and_consistent(path: Path) -> None:
    snapshot: dict[str, Any] = json.loads(path.read_text())
    jsonschema.validate(snapshot, json.loads((ROOT / "docs" / "snapshot.schema.json").read_text()))
    driver, gpus = snapshot["driver"], snapshot["gpus"]
    version = driver["module"]["version"]
    versions = {driver["smi"]["driver_version"], *driver["libraries"].values()}
    versions |= {kernel["nvidia"]["version"] for kernel in snapshot["kernel"]["installed"]}
    versions |= {spec["driver_version"] for spec in snapshot["cdi"]["specs"]}
    assert versions == {version}
    assert [gpu["bdf"] for gpu in gpus] == [gpu["bdf"] for gpu in snapshot["pci"]["gpus"]]
    assert snapshot["cuda"]["count"] == len(gpus)
    assert {f"/dev/nvidia{gpu['minor']}" for gpu in gpus} <= {node["path"] for node in driver["devnodes"]}
    assert (snapshot["topology"]["matrix"] is None) is (len(gpus) == 1)


# what the driver stage says of each machine with the built-in policy; the rest passes or does not apply
GOLDEN = {
    "b200x8": {"DRV-PERSIST": "warn"},
    "l40s": {"DRV-PCIE-WIDTH": "warn"},
    "t4": {"DRV-PCIE-WIDTH": "warn"},
    "rtx4080s": {"DRV-PERSIST": "warn"},
    "rtx2080s": {"DRV-PERSIST": "warn"},
    "rtx2080s_610": {"DRV-PERSIST": "warn"},
}
# the drivers are those of the day of the capture: that a branch has ended since is no fault of the reading
AGEING = {"DRV-BRANCH-MIN"}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_healthy_machine_gives_no_false_alarm(path: Path) -> None:
    report = judge(json.loads(path.read_text()), host="gpu01", inventory=["hosts"])
    alarms = {
        result["id"]: result["status"]
        for result in report["results"]
        if result["status"] not in ("pass", "skip") and result["id"] not in AGEING
    }
    assert alarms == GOLDEN.get(path.stem, {})
