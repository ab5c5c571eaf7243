# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

Load = Callable[[str], ModuleType]


def scenario(project: Path, name: str) -> Path:
    folder = project / "molecule" / name
    folder.mkdir(parents=True)
    (folder / "molecule.yml").write_text("---\n")
    return folder


def test_what_runs_on_demand_is_left_out_unless_it_is_named(load_program: Load, tmp_path: Path) -> None:
    tool = load_program("tools/molecule.py")
    scenario(tmp_path, "short")
    scenario(tmp_path, "site")
    (scenario(tmp_path, "slow") / "on-demand").write_text("It takes long.\n")
    assert tool.scenarios(project=tmp_path) == ["site", "short"]
    assert tool.scenarios(on_demand=True, project=tmp_path) == ["site", "short", "slow"]


def test_the_virtual_machine_boots_on_demand_only(load_program: Load) -> None:
    tool = load_program("tools/molecule.py")
    assert "vm_boot" not in tool.scenarios() and "vm_boot" in tool.scenarios(on_demand=True)
    assert "nvml_stability" in tool.scenarios()


def test_the_virtual_machine_has_the_images_it_asks(load_program: Load) -> None:
    """Kernel and archive are asked of a Debian 12 image."""
    assert load_program("tools/molecule.py").images(["vm_boot"]) == ["bookworm", "trixie"]
