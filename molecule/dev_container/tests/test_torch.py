# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A torch for the CPU comes into a container by an explicit wish only, and readiness tells of each that is there.

With stand-ins for torch's wheels (shared/torch_stand_in.py). The tests stand in the order of one container's life.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch_stand_in as torch
import wheel_index
from dev_login import SSH_PORT, says
from machine import Machine, Run
from testinfra.host import Host

FIRST, NAME, SSH = "gpuready-dev", "ada", 40024
LOOK = "python -c 'import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())'"
# what the runs of this file have made, for the tests that look at them
SEEN: dict[str, Any] = {}


@pytest.fixture
def machine(host: Host) -> Machine:
    return Machine(host)


@pytest.fixture(scope="module")
def locks(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("locks"))


@pytest.fixture
def index(machine: Machine) -> str:
    """For the locks, the builds and the user; the last test stops it."""
    if "index" not in SEEN:
        SEEN["index"] = f"{wheel_index.serve(machine, torch.packages())}/{{cuda}}"
    return str(SEEN["index"])


def wish(backend: str, **more: object) -> dict[str, Any]:
    """A container beside the first one, with torch and nothing else."""
    own = {"gpu": {"devices": ["1"]}, "ssh": {"publish": SSH}, "jupyter": {"enabled": False}, "python": {"groups": []}}
    wanted = {"packages": ["torch"], "version": torch.RELEASE, "backend": backend, **more}
    return {"dev_containers": [{"name": FIRST}, {"name": NAME, **own, "torch": wanted}]}


def bring(machine: Machine, index: str, locks: str, wished: dict[str, Any]) -> Run:
    mirrors = {
        "debian": "http://mirror.example.org:8103/debian",
        "pypi": "{{ sandbox_machine.pip_index_url }}",
        "torch": index,
    }
    return machine.converge(
        **wished, dev_container_only=[NAME], dev_container_lock_dir=locks, dev_container_mirrors=mirrors
    )


def judged(machine: Machine, folder: Path, wished: dict[str, Any]) -> tuple[Run, dict[str, dict[str, Any]]]:
    """playbooks/readiness.yml, as a user runs it; what it says of torch's build, by container."""
    run = machine.play("playbooks/readiness.yml", **wished, readiness_report_dir=str(folder), readiness_stages=["dev"])
    report = json.loads((folder / f"{machine.name}.report.json").read_text())
    return run, {one["entity"]: one for one in report["results"] if one["id"] == "DEV-TORCH-CUDA"}


def add_cpu_build(machine: Machine, index: str, port: int) -> None:
    """As somebody does who follows a guide for machines without a GPU."""
    url = index.format(cuda="cpu")
    says(machine.host, f"uv pip install --quiet --default-index {url} torch=={torch.CPU}", port=port)


@pytest.fixture
def with_cuda(machine: Machine, index: str, locks: str) -> Machine:
    if "with_cuda" not in SEEN:
        run = bring(machine, index, locks, wish("cu126"))
        assert run.rc == 0, run.output[-5000:]
        SEEN["with_cuda"] = run
    return machine


def test_without_the_wish_it_is_refused_before_anything_is_done(machine: Machine, index: str, locks: str) -> None:
    run = bring(machine, index, locks, wish("cpu"))
    assert run.rc != 0 and run.changed == []
    assert "dev_torch.backend: cpu cannot use the GPU; set dev_torch.cpu_accepted to true" in run.sentence
    assert machine.rc(f"test -e /opt/gpuready/{NAME}") != 0


def test_an_index_that_gives_the_wrong_build_fails_the_image(machine: Machine, index: str, locks: str) -> None:
    run = bring(machine, index, locks, wish("cu128"))
    assert run.rc != 0, run.output[-3000:]
    assert f"torch {torch.CPU} is a build without CUDA, and the wanted backend is cu128" in run.sentence
    assert machine.rc(f"docker container inspect {NAME}") != 0


def test_of_two_builds_the_one_with_cuda_comes(with_cuda: Machine, tmp_path: Path) -> None:
    assert says(with_cuda.host, LOOK, port=SSH) == f"{torch.CUDA} 12.6 True"
    _run, found = judged(with_cuda, tmp_path, wish("cu126"))
    assert found[NAME]["status"] == "pass"


def test_one_that_came_in_by_accident_is_found(with_cuda: Machine, index: str, tmp_path: Path) -> None:
    add_cpu_build(with_cuda, index, SSH)
    assert says(with_cuda.host, LOOK, port=SSH) == f"{torch.CPU} None False"
    run, found = judged(with_cuda, tmp_path, wish("cu126"))
    assert run.rc != 0
    said = found[NAME]
    assert (said["status"], said["severity"], said["observed"]) == ("fail", "blocker", torch.CPU)
    assert "is a CPU build: it cannot use the GPU" in said["message"] and said["message"] in run.output
    assert "dev_torch_backend" in said["remedy"]["text"] and said["remedy"]["role"] == "dev_container"


def test_by_an_explicit_wish_it_comes_and_is_told(with_cuda: Machine, index: str, locks: str, tmp_path: Path) -> None:
    """And for that container only: in another one it is still an accident."""
    wished = wish("cpu", cpu_accepted=True)
    done = bring(with_cuda, index, locks, wished)
    assert done.rc == 0, done.output[-5000:]
    assert says(with_cuda.host, LOOK, port=SSH) == f"{torch.CPU} None False"
    noted = json.loads(says(with_cuda.host, "cat /usr/share/devenv/torch.json", port=SSH))
    assert (noted["backend"], noted["cpu_accepted"], noted["cuda"]) == ("cpu", True, None)
    add_cpu_build(with_cuda, index, SSH_PORT)
    try:
        run, found = judged(with_cuda, tmp_path, wished)
    finally:
        says(with_cuda.host, "uv pip uninstall --quiet torch")
    assert (found[NAME]["status"], found[NAME]["severity"]) == ("warn", "info")
    assert "is a CPU build, as accepted: it cannot use the GPU" in found[NAME]["message"]
    assert found[NAME]["message"] in run.output
    assert (found[FIRST]["status"], found[FIRST]["severity"]) == ("fail", "blocker")


def test_it_goes_again(with_cuda: Machine, locks: str) -> None:
    wheel_index.stop(with_cuda)
    given: dict[str, Any] = {"dev_container_state": "absent", "dev_container_remove_volumes": True}
    run = with_cuda.converge(**wish("cu126"), **given, dev_container_only=[NAME], dev_container_lock_dir=locks)
    assert run.rc == 0, run.output[-3000:]
    assert with_cuda.sh("docker ps -a --format '{{.Names}}'").split() == [FIRST]
