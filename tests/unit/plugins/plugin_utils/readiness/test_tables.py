# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import data, tables
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("device", "name", "architecture", "capability", "memory", "board", "modules"),
    [
        ("2204", "NVIDIA GeForce RTX 3090", "ampere", "8.6", 24576, "geforce", "either"),
        ("2230", "NVIDIA RTX A6000", "ampere", "8.6", 49140, "workstation", "either"),
        ("2236", "NVIDIA A10", "ampere", "8.6", 23028, "datacenter", "either"),
        ("20b0", "NVIDIA A100-SXM4-40GB", "ampere", "8.0", 40960, "datacenter", "either"),
        ("2684", "NVIDIA GeForce RTX 4090", "ada", "8.9", 24564, "geforce", "either"),
        ("2685", "NVIDIA GeForce RTX 4090 D", "ada", "8.9", 24564, "geforce", "either"),
        ("26b9", "NVIDIA L40S", "ada", "8.9", 46068, "datacenter", "either"),
        ("2330", "NVIDIA H100 80GB HBM3", "hopper", "9.0", 81559, "datacenter", "either"),
        ("2335", "NVIDIA H200", "hopper", "9.0", 143771, "datacenter", "either"),
        ("2342", "NVIDIA GH200 480GB", "hopper", "9.0", 97871, "datacenter", "open"),
        ("2901", "NVIDIA B200", "blackwell", "10.0", 183359, "datacenter", "open"),
        ("31c2", "NVIDIA GB300", "blackwell", "10.3", 284208, "datacenter", "open"),
        ("2b85", "NVIDIA GeForce RTX 5090", "blackwell", "12.0", 32607, "geforce", "open"),
        ("2e12", "NVIDIA GB10", "blackwell", "12.1", None, "workstation", "open"),
        ("1eb8", "Tesla T4", "turing", "7.5", 15360, "datacenter", "either"),
        ("1db1", "Tesla V100-SXM2-16GB", "volta", "7.0", 16384, "datacenter", "proprietary"),
        ("15f8", "Tesla P100-PCIE-16GB", "pascal", "6.0", 16384, "datacenter", "proprietary"),
        ("1b06", "NVIDIA GeForce GTX 1080 Ti", "pascal", "6.1", 11264, "geforce", "proprietary"),
        ("17fd", "Tesla M40", "maxwell", "5.2", None, "datacenter", "proprietary"),
        ("2717", "NVIDIA GeForce RTX 4090 Laptop GPU", "ada", "8.9", None, "laptop", "either"),
    ],
)
def test_boards_of_the_reference(
    device: str, name: str, architecture: str, capability: str, memory: int | None, board: str, modules: str
) -> None:
    found = tables.gpu(device)
    assert found is not None
    assert (found.name, found.architecture, found.compute_capability) == (name, architecture, capability)
    assert (found.memory_mib, found.board, found.modules) == (memory, board, modules)


def test_ids_are_read_in_any_writing_and_unknown_ones_are_none() -> None:
    assert tables.gpu("0x2B85") == tables.gpu("2b85")
    assert [tables.gpu(odd) for odd in ("ffff", "", "2684:", None)] == [None] * 4


def test_driver_branches_of_boards() -> None:
    def of(device: str) -> tuple[int, int | None]:
        board = tables.gpu(device)
        assert board is not None
        return board.first_branch, board.last_branch

    assert of("1db1")[1] == of("1b06")[1] == of("17c8")[1] == 580
    assert of("2b85") == (570, None)
    assert of("2b8c") == (580, None)  # 5090 D v2
    assert of("3182") == (580, None)  # B300
    assert of("2335") == (550, None)  # H200 is in no list of 535
    assert of("1eb8") == (418, None)  # the open modules listed the T4 late; the driver had it from the start


def test_nvlinks_of_switch_systems_only() -> None:
    links = {device: board.nvlink_links for device in tables.gpu_ids() if (board := tables.gpu(device))}
    assert (links["20b2"], links["2330"], links["2335"], links["2901"]) == (12, 18, 18, 18)
    assert links["2230"] is None and links["20b5"] is None and links["2204"] is None


@pytest.mark.parametrize(
    ("device", "mib", "fits"),
    [
        ("2684", 24564, True),
        ("2684", 49140, False),  # a board with twice the memory soldered on
        ("26b9", 46068, True),
        ("26b9", 49140, True),  # ECC off
        ("2230", 46068, True),  # ECC on
        ("2329", 50000, False),  # a slice of an H20
        ("1db1", 16160, True),  # as old drivers say it
        ("2531", 12282, False),
        ("2e12", 1, None),
    ],
)
def test_memory(device: str, mib: int, fits: bool | None) -> None:
    board = tables.gpu(device)
    assert board is not None and board.memory_fits(mib) is fits


def test_ids_before_maxwell() -> None:
    assert tables.too_old("102d")  # Tesla K80
    assert tables.too_old("1287")  # GeForce GT 730
    assert not any(tables.too_old(device) for device in ("1380", "2684", "31ff", "zz", None))


def test_xid_catalogue() -> None:
    bus = tables.xid(79)
    assert bus is not None and (bus.action, str(bus.meaning)) == ("reboot", "the GPU has fallen off the PCIe bus")
    actions = {code: found.action for code in range(200) if (found := tables.xid(code))}
    assert {code for code, action in actions.items() if action == "reset_gpu"} == {
        46, 62, 64, 95, 109, 110, 119, 120, 136, 140, 143, 155, 156, 158,
    }  # fmt: skip
    assert (actions[63], actions[94], actions[54], actions[78]) == (
        "ignore",
        "restart_app",
        "replace_hardware",
        "update",
    )
    assert (actions[151], actions[48], actions[154], actions[13]) == (
        "restart_vm",
        "workflow",
        "workflow",
        "restart_app",
    )
    assert tables.xid(1) is None and tables.xid(999) is None
    assert bus.meaning.into("zh") == "GPU 从 PCIe 总线上掉线"


@pytest.mark.parametrize(
    ("cuda", "driver"), [("11.8", "450.80.02"), ("12.8", "525.60.13"), ("13.2.1", "580"), ("13", "580")]
)
def test_driver_for_cuda(cuda: str, driver: str) -> None:
    assert tables.min_driver_for_cuda(cuda) == driver


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("580.159.03", "13.0"),
        ("550.163.01", "12.4"),
        ("535.309.01", "12.2"),
        ("615.71.09", "13.4"),
        ("700.1", "13.4"),
        ("576.88", "12.9"),  # WSL2 shows the Windows driver
        ("390.157", None),
        ("new", None),
        (None, None),
    ],
)
def test_cuda_of_a_driver(driver: str | None, cuda: str | None) -> None:
    assert tables.max_cuda_for_driver(driver) == cuda


def test_unknown_cuda_has_no_driver() -> None:
    assert [tables.min_driver_for_cuda(odd) for odd in ("99.0", "", "x", None)] == [None] * 4


def test_torch_wheels() -> None:
    assert tables.torch_archs("2.15.0", "13.2") == ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
    assert tables.torch_archs("2.10.0+cu126", "12.6") == tables.torch_archs("2.10", "12.6.3")
    assert tables.torch_archs("2.11.0", "13.0") == tables.torch_archs("2.15.0", "13.2")
    assert "compute_120" in (tables.torch_archs("2.10.0", "13.0") or ())
    assert tables.torch_archs("2.15.0", "12.6") is None
    assert tables.torch_archs("0.4.1", "9.0") is None
    assert [tables.torch_archs(odd, "13.0") for odd in ("", "nightly", None)] == [None] * 3
    assert tables.torch_archs("2.15.0", "13") is None


def test_torch_that_serves_a_gpu() -> None:
    assert tables.torch_choices("7.0")[0] == ("2.14", "12.6")  # the last home of Volta
    assert tables.torch_choices("12.0")[0] == ("2.15", "13.2")
    assert tables.torch_choices("12.0", "570.211.01")[0] == ("2.11", "12.9")
    assert tables.torch_choices("12.0")[-1] == ("2.7", "12.8")
    assert tables.torch_choices("8.6", "470.256.02")[0][1] == "11.8"
    assert tables.torch_choices("8.6", "no version") == []


@pytest.mark.parametrize(
    ("arch", "capability", "covers"),
    [
        ("sm_86", "8.9", True),
        ("sm_86", "8.6", True),
        ("sm_86", "8.0", False),
        ("sm_80", "8.6", True),
        ("sm_80", "9.0", False),
        ("sm_80", "8.7", False),
        ("sm_87", "8.7", True),
        ("sm_60", "6.1", True),
        ("sm_90", "10.0", False),
        ("sm_90a", "9.0", True),
        ("sm_100", "10.3", True),
        ("sm_100a", "10.3", False),
        ("sm_100f", "10.3", True),
        ("sm_100f", "12.0", False),
        ("sm_120", "12.1", True),
        ("sm_120", "10.0", False),
        ("compute_90", "12.0", True),
        ("compute_90", "9.0", True),
        ("compute_120", "10.3", False),
        ("compute_80", "8.7", True),
        ("compute_90a", "12.0", False),
        ("compute_100f", "10.3", True),
        ("sm_", "8.6", False),
        ("gfx942", "9.4", False),
        ("sm_86", "", False),
        ("sm_86", "8.6.1", False),
    ],
)
def test_code_for_one_gpu_on_another(arch: str, capability: str, covers: bool) -> None:
    assert tables.arch_covers(arch, capability) is covers


def test_open_holes_of_the_toolkit() -> None:
    assert tables.toolkit_holes("1.20.0") == tables.toolkit_holes("1.19.1") == []
    assert tables.toolkit_holes("1.19.0-1") == ["CVE-2026-24260"]
    assert tables.toolkit_holes("1.17.3") == ["CVE-2025-23359", "CVE-2025-23266", "CVE-2025-23267", "CVE-2026-24260"]
    assert tables.toolkit_holes("1.16.1")[0] == "CVE-2024-0132" and len(tables.toolkit_holes("1.16.1")) == 10
    assert tables.toolkit_holes(None) == tables.toolkit_holes("") == []


def test_driver_branches() -> None:
    lts = tables.driver_branch(tables.branch_of("580.159.03"))
    assert lts is not None and (lts.kind, lts.state, lts.security_floor) == ("lts", "supported", "580.159.03")
    assert tables.driver_branch(1) is None and tables.driver_branch(None) is None


@given(st.text(max_size=12), st.text(max_size=12))
def test_odd_input_never_raises(one: str, other: str) -> None:
    tables.gpu(one)
    tables.too_old(one)
    tables.min_driver_for_cuda(one)
    tables.max_cuda_for_driver(one)
    tables.torch_archs(one, other)
    tables.arch_covers(one, other)
    tables.toolkit_holes(one)
    tables.torch_choices(one, other)


@given(st.from_regex(r"\A[0-9]{1,12}(\.[0-9]{1,5}){0,3}\Z"))
def test_any_version_has_an_answer(version: str) -> None:
    assert tables.max_cuda_for_driver(version) is None or tables.branch_of(version) is not None
    assert isinstance(tables.toolkit_holes(version), list)


def read_all() -> float:
    """Processor seconds for all tables."""
    data.load.cache_clear()
    started = time.process_time()
    for name in tables.TABLES:
        tables.table(name)
    return time.process_time() - started


def test_all_tables_are_read_in_60_ms() -> None:
    # the machine of a test run may be slow and busy: the best of three, and a factor of two
    assert min(read_all() for _time in range(3)) < 0.12
