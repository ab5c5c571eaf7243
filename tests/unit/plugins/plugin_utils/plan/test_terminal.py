# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import terminal
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import make_wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.terminal import cells
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from machines_made import ALL, load, machine


def planned(snapshot: dict[str, Any], **wishes: Any) -> dict[str, Any]:
    return make_plan(snapshot, make_wishes(wishes), "gpu01")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ALL)
def test_a_table_is_eighty_columns_wide_and_has_no_blanks_at_the_end(name: str, language: str) -> None:
    lines = terminal.table(planned(load(name)), language)
    assert [line for line in lines if cells(line) > terminal.WIDTH] == []
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("width", [44, 60, 72])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_narrow_table_fits_and_has_its_reasons(width: int, language: str) -> None:
    plan = planned(machine(["2204", "2684"]))
    lines = terminal.table(plan, language, width)
    assert [line for line in lines if cells(line) > width] == []
    told = "".join("".join(lines).split())
    if width < 70:
        for item in plan["choices"]:
            assert "".join(item["reason_zh" if language == "zh" else "reason"].split()) in told


def test_the_parts_of_a_table() -> None:
    lines = terminal.table(planned(machine(["2204"]), driver_branch="580"))
    assert lines[0].startswith("── gpu01: plan ──")
    assert lines[1] == "1 x GeForce RTX 3090 · ubuntu 24.04 · x86_64"
    head = next(line for line in lines if line.startswith("Choice"))
    assert head.split() == ["Choice", "Value", "Reason"]
    row = next(line for line in lines if line.startswith("torch index"))
    assert row[head.index("Value") :].startswith("cu130")
    assert row[head.index("Reason") :].startswith("driver 580")
    # a value that is too long is cut behind a separator, none is lost
    column = slice(head.index("Value"), head.index("Reason"))
    values = "".join(line[column].strip() for line in lines[4:])
    assert "nvidia/cuda:13.0.3-cudnn-devel-ubuntu24.04" in values


def test_entries_of_a_list_have_a_line_each_and_equal_ones_are_counted() -> None:
    lines = terminal.table(planned(machine(["2204", "2204", "2684"]), driver_packages=["one", "two"]))
    shown = [line[18:42].strip() for line in lines]
    assert "2 x NVIDIA GeForce RTX" in shown and "NVIDIA GeForce RTX 4090" in shown
    assert shown.index("two") == shown.index("one") + 1


def test_a_refusal_stands_under_the_choices_and_can_be_copied() -> None:
    lines = terminal.table(planned(machine(["2b85"]), cuda_image="cu121"))
    at = next(number for number, line in enumerate(lines) if line.startswith("refused (image): CUDA 12.1"))
    assert any(line.startswith("Container") for line in lines[:at])
    assert any(line.startswith("    -e plan_cuda_image=nvidia/cuda:13.") for line in lines[at:])
    chinese = "\n".join(terminal.table(planned(machine(["2b85"]), cuda_image="cu121"), "zh"))
    assert "已拒绝（image）：镜像的 CUDA 12.1 不能为" in chinese
    assert "    -e plan_cuda_image=nvidia/cuda:13." in chinese


def test_what_is_not_known_is_said() -> None:
    lines = terminal.table(planned({}))
    assert lines[1] == "GPUs not known"
    assert any(line.startswith("refused (gpus):") for line in lines)


def test_notes_are_shown() -> None:
    assert any(line.startswith("note: 0000:01:00.0 (10de:2fff)") for line in terminal.table(planned(machine(["2fff"]))))


def test_control_characters_of_a_foreign_name_stay_out() -> None:
    snapshot = machine(["2204"])
    snapshot["os"]["id"] = "evil\x1b[2J\nos"
    assert not any("\x1b" in line or "\n" in line for line in terminal.table(planned(snapshot)))


def test_a_folder_has_a_line_for_each_machine_the_refused_first() -> None:
    plans = [
        make_plan(machine(devices), make_wishes({"torch": "2.15"}), host)
        for host, devices in (("a4090", ["2684"]), ("titan", ["1db6"]), ("none", []))
    ]
    lines = terminal.folder(plans)
    assert lines[0].startswith("titan  REFUSED  torch 2.15 has no code for Tesla V100-PCIE-32GB (sm 7.0)")
    rest = [line.split()[0] for line in lines if line and not line.startswith(" ")][1:]
    assert rest == ["a4090", "none", "2"]
    assert lines[-1] == "2 planned, 1 refused"
    assert any("no Linux driver · torch 2.15 cpu" in line for line in lines)
    assert all(cells(line) <= terminal.WIDTH for line in lines)
    assert terminal.folder([]) == ["", "0 planned, 0 refused"]
    assert "已拒绝" in terminal.folder(plans, "zh")[0]


@given(st.lists(st.text(max_size=60), max_size=3), st.text(max_size=80))
def test_any_value_fits_its_column(values: list[str], reason: str) -> None:
    item = {"id": "x", "title": "driver packages", "value": values, "reason": reason}
    for line in terminal._rows([item], "en", 80):
        # combining characters make a line longer than it looks
        assert cells(line) <= 80 or " " not in reason
