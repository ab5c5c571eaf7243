# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who needs links in /dev/char: a table over runc, systemd, cgroup driver and NVIDIA driver."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps import links
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

# whether this version drops rules without a link; None: not known
RUNC = {None: False, "1.0.3": False, "1.1.2": False, "1.1.3": True, "1.1.5+ds1": True, "1.1.6": True, "1.1.7": False}
RUNC |= {"1.1.15+ds1": False, "1.3.4": False}
SYSTEMD = {None: False, 239: True, 240: False, 252: False, 257: False}
# whether the driver leaves it to others
DRIVERS = {None: False, "525.147.05": True, "535.43.01": True, "535.43.02": False, "580.159.03": False}
MODES = {"systemd": True, "cgroupfs": False, None: False}


@pytest.mark.parametrize(("runc", "systemd"), list(itertools.product(RUNC, SYSTEMD)))
@pytest.mark.parametrize(("mode", "driver"), list(itertools.product(MODES, DRIVERS)))
def test_links_are_made_where_they_are_needed_and_nobody_makes_them(
    runc: str | None, systemd: int | None, mode: str | None, driver: str | None
) -> None:
    here = Machine(runc=runc, systemd=systemd, cgroup_driver=mode, driver=driver)
    assert links.needed(here) is (MODES[mode] and (RUNC[runc] or SYSTEMD[systemd]))
    assert links.wanted(here, "auto") is (links.needed(here) and DRIVERS[driver])


OLD: dict[str, Any] = {"runc": "1.1.5", "systemd": 252, "cgroup_driver": "systemd", "driver": "525.147.05"}


@pytest.mark.parametrize(
    ("choice", "more", "wanted"),
    [
        ("auto", {}, True),
        ("absent", {}, False),
        ("present", {"runc": "1.3.4"}, True),
        ("auto", {"in_container": True}, False),
        ("present", {"in_container": True}, False),
        ("present", {"wsl": True}, False),
        ("auto", {"rootless": True}, False),
    ],
)
def test_the_choice_decides_but_not_against_the_machine(choice: str, more: dict[str, Any], wanted: bool) -> None:
    assert links.wanted(Machine(**{**OLD, **more}), choice) is wanted


def test_a_choice_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="nvml_stability_dev_char_links must be one of auto"):
        links.wanted(Machine(), "yes")


def test_a_newer_runc_is_named() -> None:
    (said,) = links.note(Machine(**OLD))
    assert "1.1.5" in str(said) and "1.1.7" in str(said)
    assert links.note(Machine(**{**OLD, "runc": "1.3.4"})) == []
    # there it is systemd that looks them up
    assert links.note(Machine(**{**OLD, "runc": "1.3.4", "systemd": 239})) == []


@pytest.mark.parametrize(
    ("nodes", "link"),
    [
        ([], ""),
        ([{"path": "/dev/nvidia0", "major": 195, "minor": 0}], ""),
        ([{"path": "/dev/nvidiactl", "major": 195, "minor": 255}], "/dev/char/195:255"),
        ([{"path": "/dev/nvidiactl", "major": None, "minor": None}], ""),
    ],
)
def test_the_link_of_nvidiactl_says_that_all_are_there(nodes: list[dict[str, Any]], link: str) -> None:
    assert links.sign(View({"driver": {"devnodes": nodes}})) == link
    assert links.sign(View({})) == ""
