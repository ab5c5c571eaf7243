# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boards, distributions and wishes: the table of plans, and what holds for any combination of them."""

from __future__ import annotations

import fnmatch
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import boards
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.driver import Driver, choices, choose
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes, make_wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import render
from hypothesis import given, settings
from hypothesis import strategies as st

# tests are imported each for itself (--import-mode=importlib); these share a file
sys.path.insert(0, str(Path(__file__).parent))

from hosts_made import TABLE, gpus, host, short

IDS = ("platform", "gpus", "driver_source", "driver_branch", "driver_modules", "driver_packages")
IDS += ("fabric_manager", "secure_boot", "persistence")
RUNGS = {"platform", "gpus", "driver_source", "driver_branch", "driver_version", "driver_modules", "fabric_manager"}
INPUTS = {"nvidia_driver_" + name for name in ("source", "branch", "version", "modules", "allow_change")}
TOOLKIT = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "nvidia-container-runtime",
    "nvidia-docker2",
    "libnvidia-container1",
    "libnvidia-container-tools",
)

# --- the table


def test_the_table_has_enough_boards_systems_and_wishes() -> None:
    assert len(TABLE["boards"]) >= 40
    assert len(TABLE["systems"]) >= 4
    assert len(TABLE["wishes"]) >= 4
    boards = [tables.gpu(device) for device in TABLE["boards"]]
    assert {board.architecture for board in boards if board is not None} == set(tables.ARCHITECTURES)
    for device, name in TABLE["boards"].items():
        board = tables.gpu(device)
        assert board is not None and board.name == name
    for wish, groups in TABLE["plans"].items():
        assert sorted(device for group in groups for device in group["boards"]) == sorted(TABLE["boards"]), wish


@pytest.mark.parametrize("system", TABLE["systems"])
@pytest.mark.parametrize("wish", TABLE["wishes"])
def test_the_plan_of_each_board(wish: str, system: str) -> None:
    expected = {device: group[system] for group in TABLE["plans"][wish] for device in group["boards"]}
    found = {device: short(host(device, system=system), **TABLE["wishes"][wish]) for device in expected}
    assert found == expected


# --- what holds for any combination

DEVICES = st.one_of(
    st.sampled_from(tables.gpu_ids()),
    st.sampled_from(["0fc6", "1180", "1eff", "3fff", "2fff", "zz", None]),
)
SYSTEMS: Any = st.sampled_from(
    [*TABLE["systems"].values(), {"os_id": "fedora", "os_version": "44", "family": "other"}, {}]
)
PACKAGES: Any = st.sampled_from(
    [
        {},
        {"nvidia-driver-cuda": "580.159.03-1", "nvidia-kernel-open-dkms": "580.159.03-1"},
        {"nvidia-driver-535-server": "535.261.03-0ubuntu0.24.04.1"},
        {
            "linux-modules-nvidia-595-server-open-generic": "6.8.0-87.87",
            "nvidia-utils-595-server": "595.71.05-0ubuntu0.24.04.1",
        },
        {"nvidia-driver-580": "580.95.05-0ubuntu0~gpu24.04.1"},
        {"kmod-nvidia-open-dkms": "3:580.95.05-1.el9", "nvidia-driver-cuda": "3:580.95.05-1.el9"},
        {"nvidia-container-toolkit": "1.20.0-1", "libnvidia-container1": "1.20.0-1"},
    ]
)


@st.composite
def machines(draw: Any) -> Machine:
    devices = draw(st.lists(DEVICES, max_size=4))
    system = draw(SYSTEMS)
    loaded = draw(st.sampled_from([None, None, "580.159.03", "550.163.01", "470.256.02", "999.1"]))
    base = host(packages=draw(PACKAGES), secure_boot=draw(st.sampled_from([None, True, False])))
    return Machine(
        **{
            **{name: getattr(base, name) for name in base.__dataclass_fields__},
            **{"os_id": None, "os_version": None, "family": "other", "kernel": None, **system},
            "arch": draw(st.sampled_from(["x86_64", "aarch64", "riscv64", None])),
            "platform": draw(st.sampled_from(["host", "host", "host", "rented", "wsl2", "jetson"])),
            "gpus": gpus(*devices, passthrough=draw(st.sampled_from([False, False, False, True]))),
            "switch": draw(st.sampled_from([None, None, "nvswitch", "nvlink5"])),
            "loaded": loaded,
            "unknown_driver": loaded is None and draw(st.sampled_from([False, False, False, True])),
            "loaded_flavour": draw(st.sampled_from([None, "open", "proprietary"])),
            "runfile": draw(st.sampled_from([False, False, True])),
            "mok_enrolled": draw(st.sampled_from([None, True, False])),
        }
    )


WISHES = st.fixed_dictionaries(
    {},
    optional={
        "driver_source": st.sampled_from(["auto", "nvidia", "distribution", "none"]),
        "driver_branch": st.sampled_from(["470", "535", "550", "561", "570", "580", "595", "615", "999", "000"]),
        "driver_modules": st.sampled_from(["auto", "open", "proprietary"]),
        "driver_allow_change": st.booleans(),
        "driver_packages": st.sampled_from([[], ["nvidia-open"]]),
        "driver_repo_url": st.sampled_from(["", "https://mirror.example/nvidia"]),
        "fabric_manager": st.sampled_from(["auto", "present", "absent"]),
    },
)


def check_installed(machine: Machine, wishes: Wishes, driver: Driver) -> None:
    """What holds for a driver that the role installs."""
    branch = int(driver.branch or 0)
    for board in machine.boards:
        assert board.first_branch <= branch <= (board.last_branch or 9999)
        assert board.modules in ("either", driver.modules)
        oldest = boards.floor(board)
        if oldest is not None and tables.branch_of(oldest) == branch:
            assert driver.min_version is not None and version_at_least(driver.min_version, oldest)
    assert driver.packages
    assert bool(driver.fabric_packages) == (
        wishes.fabric_manager == "present" or (machine.switch is not None and wishes.fabric_manager == "auto")
    )
    assert ("nvidia-fabricmanager.service" in driver.services) == bool(driver.fabric_packages)
    assert (driver.repository is None) == (driver.source == "distribution")
    assert driver.build or not driver.headers
    assert [choice.id for choice in choices(driver)] == list(IDS)
    if not wishes.driver_packages:
        ours = [*driver.packages, *driver.fabric_packages]
        own_versions = {"nvlsm", "infiniband-diags"}
        assert [name for name in ours if name not in own_versions and not matches(name, driver.pinned)] == []


def matches(name: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)


@settings(max_examples=400, deadline=None)
@given(machine=machines(), given_wishes=WISHES)
def test_any_combination_is_planned_or_refused_with_a_reason(machine: Machine, given_wishes: dict[str, Any]) -> None:
    wishes = make_wishes(given_wishes)
    made: list[Any] = []
    try:
        driver = choose(machine, wishes, made)
    except RefusedError as error:
        assert error.rung in RUNGS
        assert str(error.reason) and render(error.reason, "zh") != str(error.reason)
        assert all(set(near.vars) <= INPUTS for near in error.nearest)
        assert [choice.id for choice in made] == list(IDS[: len(made)])
        return
    assert list(driver.made) == made
    assert not any(matches(name, driver.pinned) for name in TOOLKIT)
    if driver.source in ("nvidia", "distribution"):
        check_installed(machine, wishes, driver)
    else:
        assert driver.source in ("none", "as_is")
        assert not driver.packages and not driver.fabric_packages and not driver.pinned and driver.repository is None
    for choice in choices(driver):
        data = choice.as_dict()
        assert data["reason"] and data["reason_zh"] != data["reason"], data


@settings(max_examples=200, deadline=None)
@given(machine=machines(), given_wishes=WISHES)
def test_what_is_named_as_nearest_works(machine: Machine, given_wishes: dict[str, Any]) -> None:
    """A person who takes the advice gets a plan, and no next refusal."""
    wishes = make_wishes(given_wishes)
    try:
        choose(machine, wishes)
    except RefusedError as error:
        for near in error.nearest:
            if "nvidia_driver_modules" not in near.vars or "nvidia_driver_branch" not in near.vars:
                continue
            inputs = {name.replace("nvidia_", ""): value for name, value in near.vars.items()}
            taken = make_wishes({**given_wishes, "driver_version": "", "driver_branch": "", **inputs})
            driver = choose(machine, taken)
            assert driver.branch == near.vars["nvidia_driver_branch"]
            # the branch that runs is kept as it is
            if driver.source != "as_is":
                assert (driver.source, driver.modules) == (
                    near.vars["nvidia_driver_source"],
                    near.vars["nvidia_driver_modules"],
                )
