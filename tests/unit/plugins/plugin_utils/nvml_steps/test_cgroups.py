# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two choices about control groups: where they are refused, what they write, and that nothing else is touched."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps import cgroups
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps.machine import Machine
from hypothesis import given
from hypothesis import strategies as st

NONE: frozenset[str] = frozenset()
V2: dict[str, Any] = {"systemd": 252, "cgroup": "v2", "cmdline": "ro quiet", "cmdline_next": "ro quiet"}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, ""),
        ({"systemd": 239}, ""),
        ({"systemd": 255}, ""),
        ({"systemd": 256}, "systemd 256 no longer boots with cgroup v1 (255 was the last one)"),
        ({"systemd": 257}, "through CDI"),
        ({"systemd": 262}, "systemd 262"),
        ({"systemd": None}, "version of systemd is not known"),
        ({"in_container": True}, "no boot loader"),
        ({"in_container": True, "systemd": 257}, "no boot loader"),
        ({"wsl": True}, ".wslconfig"),
        ({"cmdline_next": None}, "boot loader"),
    ],
)
def test_cgroup_v1_is_refused_where_it_cannot_boot(more: dict[str, Any], reason: str) -> None:
    refused = cgroups.refuse_v1(Machine(**{**V2, **more}))
    assert (refused is None) is (reason == "")
    assert reason in str(refused or "")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, ""),
        ({"kubelet": True}, "Kubernetes"),
        ({"rootless": True}, "rootless"),
        ({"in_container": True}, "container"),
    ],
)
def test_the_cgroupfs_driver_is_refused_beside_other_managers(more: dict[str, Any], reason: str) -> None:
    refused = cgroups.refuse_cgroupfs(Machine(**{**V2, **more}))
    assert (refused is None) is (reason == "")
    assert reason in str(refused or "")


P = cgroups.PARAMETER


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (None, None),
        ("", None),
        ("ro quiet", None),
        (f"ro {P}=0 quiet", True),
        (f"ro {P}=false", True),
        (f"ro {P}=No", True),
        (f"ro {P}=1", False),
        (f"ro {P}=true", False),
        (f"ro {P}", False),
        (f"{P}=0 {P}=1", False),
        (f"{P}=1 {P}=0", True),
        (f"x{P}=0", None),
        (f'dyndbg="file a.c +p; {P}=0"', None),
        (f'broken="quote {P}=0', True),
    ],
)
def test_the_parameter_is_read_as_systemd_reads_it(line: str | None, says: bool | None) -> None:
    assert cgroups.is_v1(line) is says


@pytest.mark.parametrize(
    ("more", "noted", "wanted"),
    [
        ({}, NONE, True),
        ({"cgroup": "hybrid"}, NONE, False),
        ({"cgroup": "v1"}, NONE, False),
        # it boots with v1 because of us, or of somebody's parameter, which is then ours to keep
        ({"cgroup": "hybrid"}, frozenset({"cgroup_v1"}), True),
        ({"cgroup": "hybrid", "cmdline": f"ro {P}=0"}, NONE, True),
    ],
)
def test_a_machine_that_boots_with_v1_needs_no_parameter(
    more: dict[str, Any], noted: frozenset[str], wanted: bool
) -> None:
    assert cgroups.v1_wanted(Machine(**{**V2, **more}), noted) is wanted


@pytest.mark.parametrize(
    ("now", "following", "told"),
    [
        ("ro", "ro", ""),
        ("ro", f"ro {P}=0", "cgroup v1 comes with the next boot"),
        (f"ro {P}=0", "ro", "cgroup v2 comes back"),
        (f"ro {P}=0", f"ro {P}=false", ""),
        (f"ro {P}=0", None, ""),
        ("ro", f"ro {P}=1", ""),
    ],
)
def test_a_boot_that_is_due_is_told(now: str, following: str | None, told: str) -> None:
    said = cgroups.pending(Machine(cmdline=now, cmdline_next=following))
    assert told in str(said or "") and bool(said) is bool(told)
    assert cgroups.pending(Machine(in_container=True, cmdline=now, cmdline_next=following)) is None


@pytest.mark.parametrize(
    ("present", "wanted"),
    [
        (None, [cgroups.CGROUPFS]),
        ([], [cgroups.CGROUPFS]),
        (["isolation=x"], ["isolation=x", cgroups.CGROUPFS]),
        (["native.cgroupdriver=systemd", "isolation=x"], ["isolation=x", cgroups.CGROUPFS]),
        ([cgroups.CGROUPFS, "isolation=x"], [cgroups.CGROUPFS, "isolation=x"]),
        ("nonsense", [cgroups.CGROUPFS]),
    ],
)
def test_other_options_of_the_engine_stay(present: Any, wanted: list[str]) -> None:
    data = {} if present is None else {"exec-opts": present}
    assert cgroups.exec_opts(data) == wanted


@given(st.lists(st.text(max_size=12)))
def test_options_are_merged_once(words: list[str]) -> None:
    once = cgroups.exec_opts({"exec-opts": words})
    others = [word for word in words if word.partition("=")[0].strip() != cgroups.DRIVER]
    assert [word for word in once if word != cgroups.CGROUPFS] == others
    assert once.count(cgroups.CGROUPFS) == 1
    assert cgroups.exec_opts({"exec-opts": once}) == once


@given(st.lists(st.text(alphabet="abc=0.-_ \"'", max_size=10)))
def test_any_command_line_can_be_read(words: list[str]) -> None:
    assert cgroups.is_v1(" ".join(words)) is None
    assert cgroups.is_v1(f"{shlex.join(words)} {P}=0") is True


def test_an_engine_that_uses_cgroupfs_by_itself_is_left_alone() -> None:
    assert cgroups.cgroupfs_settings(Machine(cgroup_driver="cgroupfs"), {}, NONE) == {}
    kept = cgroups.cgroupfs_settings(Machine(cgroup_driver="cgroupfs"), {}, frozenset({"cgroupfs"}))
    assert kept == {"exec-opts": [cgroups.CGROUPFS]}
    assert cgroups.cgroupfs_settings(Machine(cgroup_driver="systemd", in_container=True), {}, NONE) == {}
