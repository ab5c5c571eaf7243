# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading from Ansible's output what a run changed."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

# What `ansible-playbook` prints, shortened: an unchanged task, changed ones in a role and outside of it, a loop with
# two changed items, a task that changes and fails, and a handler.
OUTPUT = """\
PLAY [Bring GPU hosts to a verified development environment] *******************

TASK [Look once at everything that the decisions need] *************************
ok: [gpuready-sandbox]

TASK [gpuready.bootstrap.docker_engine : Present | Install the engine] *********
changed: [gpuready-sandbox]

TASK [gpuready.bootstrap.docker_engine : Present | Write the files] ************
changed: [gpuready-sandbox] => (item=daemon.json)
changed: [gpuready-sandbox] => (item=docker.service.d)

TASK [gpuready.bootstrap.readiness : Judge] ************************************
fatal: [gpuready-sandbox]: FAILED! => {"changed": true, "msg": "changed: [nothing]"}

TASK [A task outside of roles] *************************************************
changed: [gpuready-sandbox -> localhost]

RUNNING HANDLER [gpuready.bootstrap.mirrors : Refresh] *************************
changed: [gpuready-sandbox]

PLAY RECAP *********************************************************************
gpuready-sandbox           : ok=5    changed=4    unreachable=0    failed=1    skipped=0    rescued=0    ignored=0
"""


@pytest.fixture(scope="module")
def lab(load_program: Callable[[str], ModuleType]) -> ModuleType:
    return load_program("tests/integration/lab.py")


def test_changed_tasks_are_named_once_with_their_role_and_in_order(lab: ModuleType) -> None:
    assert lab.changed_tasks(OUTPUT) == (
        "docker_engine : Present | Install the engine",
        "docker_engine : Present | Write the files",
        "A task outside of roles",
        "mirrors : Refresh",
    )


@pytest.mark.parametrize("output", ["", "ERROR! no such playbook", "TASK [x] ***\nok: [h]\n  changed: [h]\n"])
def test_nothing_changed_is_nothing(lab: ModuleType, output: str) -> None:
    assert lab.changed_tasks(output) == ()


@given(results=st.lists(st.sampled_from(["ok", "changed", "skipping", "fatal"])))
def test_exactly_the_changed_tasks_are_returned(lab: ModuleType, results: list[str]) -> None:
    output = "".join(f"TASK [role : task {n}] ****\n{result}: [host]\n\n" for n, result in enumerate(results))
    expected = tuple(f"role : task {n}" for n, result in enumerate(results) if result == "changed")
    assert lab.changed_tasks(output) == expected


def test_errors_are_the_lines_that_say_what_went_wrong(lab: ModuleType) -> None:
    run = lab.Run(2, OUTPUT + "[ERROR]: Task failed\n[WARNING]: not this\n", ())
    assert [line.split(":")[0] for line in run.errors.splitlines()] == ["fatal", "[ERROR]"]
