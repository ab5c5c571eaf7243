# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""torch on a rented machine: the build that fits its driver, by itself, and what readiness says of another one.

With stand-ins for torch's wheels (shared/torch_stand_in.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch_stand_in as torch
import wheel_index
from machine import Machine
from rented import DIR, ssh
from testinfra.host import Host

LOOK = f"{DIR}/venv/bin/python -c 'import torch; print(torch.__version__, torch.version.cuda)'"
UV = f"{DIR}/tools/bin/uv pip {{}} --quiet --python {DIR}/venv/bin/python"


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


@pytest.fixture
def index(machine: Machine) -> Iterator[str]:
    yield f"{wheel_index.serve(machine, torch.packages())}/{{cuda}}"
    wheel_index.stop(machine)
    ssh(machine.host, UV.format("uninstall") + " torch")
    back = machine.converge()
    assert back.rc == 0, back.output[-3000:]


def judged(machine: Machine, folder: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """What readiness says of torch's build, with the policy of playbooks/dev_inplace.yml."""
    policy = {"profile": "rented"}
    given = {"gpuready_policy": policy, "readiness_stages": ["dev"], "readiness_report_dir": str(folder)}
    machine.play("playbooks/readiness.yml", dev_torch=wanted, **given)
    report = json.loads((folder / f"{machine.name}.report.json").read_text())
    (found,) = [one for one in report["results"] if one["id"] == "DEV-TORCH-CUDA"]
    return dict(found)


def test_the_build_for_the_driver_comes_and_another_one_is_found(machine: Machine, index: str, tmp_path: Path) -> None:
    """The plan chooses CUDA 13.0 for this driver, which the release on the package index is not built for."""
    wanted: dict[str, Any] = {"packages": ["torch"], "version": torch.OLDER}
    run = machine.converge(
        dev_torch=wanted, dev_inplace_mirrors={"torch": index}, dev_inplace_lock_dir=str(tmp_path / "locks")
    )
    assert run.rc == 0, run.output[-5000:]
    assert ssh(machine.host, LOOK).strip() == f"{torch.FOR_DRIVER} 13.0"
    assert judged(machine, tmp_path, wanted)["status"] == "pass"
    url = index.format(cuda="cpu")
    ssh(machine.host, UV.format("install") + f" --default-index {url} torch=={torch.CPU}")
    accident = judged(machine, tmp_path, wanted)
    assert (accident["status"], accident["severity"], accident["observed"]) == ("fail", "blocker", torch.CPU)
    assert "in its place" in accident["remedy"]["text"]
    wished = judged(machine, tmp_path, {"packages": ["torch"], "backend": "cpu", "cpu_accepted": True})
    assert (wished["status"], wished["severity"]) == ("warn", "info")
