# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of GPUs, Xids, CUDA, torch, the toolkit, drivers and tiers: their shape, and that they fit together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import data, tables, text, tiers
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import version_at_least, version_key
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy import default_values, make_policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS
from helpers import ROOT

GPUS = tables.table("gpus")
ROWS = [(board, device, row) for board, rows in GPUS["boards"].items() for device, row in rows.items()]
CVE = re.compile(r"CVE-\d{4}-\d{4,}")
MONTH = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
VERSION = re.compile(r"\d+(\.\d+)*")
CAPABILITY = re.compile(r"\d{1,2}\.\d")


def is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def keys_written(name: str) -> Iterator[str]:
    """Every mapping key of a table that is written twice in the same mapping: YAML keeps the last one in silence."""
    tree = yaml.compose(data.read(f"{name}.yml"))
    pending: list[yaml.Node | None] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, yaml.MappingNode):
            counted = Counter(str(key.value) for key, _value in node.value)
            yield from (key for key, number in counted.items() if number > 1)
            pending += [value for _key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            pending += node.value


@pytest.mark.parametrize("name", tables.TABLES)
def test_every_table_has_a_source_a_date_and_each_key_once(name: str) -> None:
    table = tables.table(name)
    assert MONTH.fullmatch(table["date"])
    assert [key for key in table if key == "source" or key.endswith("_source")], name
    assert all("http" in str(table[key]) or len(str(table[key])) > 20 for key in table if key.endswith("source"))
    assert list(keys_written(name)) == []


# --- GPUs


def test_device_ids_are_four_hex_digits_and_in_one_board_only() -> None:
    assert len(ROWS) > 500
    assert [device for _board, device, _row in ROWS if not re.fullmatch(r"[0-9a-f]{4}", str(device))] == []
    assert [device for device, number in Counter(device for _b, device, _r in ROWS).items() if number > 1] == []
    assert {board for board, _device, _row in ROWS} == set(tables.BOARDS)


def test_rows_of_gpus_hold_what_they_may() -> None:
    allowed = {"name", "chip", "memory_mib", "nvlink_links", "first_branch", "modules", "min_version"}
    for _board, device, row in ROWS:
        assert {"name", "chip"} <= set(row) <= allowed, device
        assert row["chip"] in GPUS["chips"], device
        assert isinstance(row["name"], str) and row["name"].strip() == row["name"], device
        assert re.fullmatch(r"\d{3}\.\d+(\.\d+)?", str(row.get("min_version", "580.1"))), device
        for key in ("memory_mib", "nvlink_links", "first_branch"):
            assert key not in row or is_int(row[key]), (device, key)
        assert 1024 < row.get("memory_mib", 2048) < 400_000, device
        assert row.get("nvlink_links", 12) in (12, 18), device
        assert row.get("modules", "either") in tables.MODULE_RULES, device


def test_chips_and_architectures_fit_together() -> None:
    assert set(GPUS["architectures"]) == set(tables.ARCHITECTURES)
    for name, rules in GPUS["architectures"].items():
        assert set(rules) == {"modules", "first_branch", "last_branch"}, name
        assert rules["modules"] in tables.MODULE_RULES, name
        assert is_int(rules["first_branch"]), name
        assert rules["last_branch"] is None or is_int(rules["last_branch"]), name
    for name, chip in GPUS["chips"].items():
        assert chip["architecture"] in tables.ARCHITECTURES, name
        assert CAPABILITY.fullmatch(chip["compute_capability"]), name
        assert set(chip) <= {"architecture", "compute_capability", "first_branch", "memory"}, name
        assert chip.get("memory", "gddr") == "gddr", name
    assert {row["chip"] for _board, _device, row in ROWS} == set(GPUS["chips"])


def test_ids_grow_with_the_architectures() -> None:
    """NVIDIA README and pci.ids: the open modules start at 1e02; no older GPU has an id from there on."""
    for _board, device, _row in ROWS:
        gpu = tables.gpu(device)
        assert gpu is not None
        assert (int(device, 16) >= 0x1E02) == (gpu.modules != "proprietary"), device
        assert (gpu.last_branch == 580) == (gpu.architecture in ("maxwell", "pascal", "volta")), device
        assert gpu.architecture != "blackwell" or gpu.modules == "open", device
        assert gpu.last_branch is None or gpu.first_branch <= gpu.last_branch, device


def test_the_smallest_code_serves_every_capability() -> None:
    """Each GPU that a driver of today runs is served by some official torch wheel."""
    for capability in {str(chip["compute_capability"]) for chip in GPUS["chips"].values()}:
        assert tables.torch_choices(capability), capability


# --- Xids


def test_xid_rows() -> None:
    for code, row in tables.table("xid")["codes"].items():
        assert is_int(code) and 0 < code < 1000, code
        assert set(row) == {"name", "action", "meaning"}, code
        assert row["action"] in tables.XID_ACTIONS, code
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+", row["name"]), code
        assert "{" not in row["meaning"] and row["meaning"] == row["meaning"].strip(), code


# --- CUDA, drivers, torch, toolkit


def test_cuda_tables() -> None:
    cuda = tables.table("cuda")
    assert all(VERSION.fullmatch(version) for version in cuda["min_driver"].values())
    floors = [version_key(cuda["min_driver"][major]) for major in sorted(cuda["min_driver"], key=int)]
    assert floors == sorted(floors)
    branches = list(cuda["of_branch"])
    assert all(is_int(branch) for branch in branches) and branches == sorted(branches)
    brought = [version_key(version) for version in cuda["of_branch"].values()]
    assert brought == sorted(brought) and len(set(brought)) == len(brought)


def test_the_policy_and_the_table_agree_on_cuda_floors() -> None:
    wanted = default_values()["cuda_min_driver"]
    assert {major: tables.table("cuda")["min_driver"][major] for major in wanted} == wanted


def test_driver_branches() -> None:
    rows: Mapping[int, Mapping[str, Any]] = tables.table("drivers")["branches"]
    for branch, row in rows.items():
        assert is_int(branch)
        assert set(row) == {"kind", "state", "newest", "security_floor", "eol", "cuda"}, branch
        assert row["kind"] in ("lts", "production", "new_feature", "unconfirmed"), branch
        assert row["state"] in ("supported", "eol", "unconfirmed"), branch
        assert row["cuda"] == tables.max_cuda_for_driver(str(branch)), branch
        assert row["eol"] is None or MONTH.fullmatch(row["eol"]), branch
        for key in ("newest", "security_floor"):
            assert row[key] is None or tables.branch_of(row[key]) == branch, (branch, key)
        if row["newest"] and row["security_floor"]:
            assert version_at_least(row["newest"], row["security_floor"]), branch
        assert row["state"] != "supported" or (row["security_floor"] and row["eol"]), branch


def test_the_policy_and_the_table_agree_on_security_floors() -> None:
    rows = tables.table("drivers")["branches"]
    ours = {str(branch): row["security_floor"] for branch, row in rows.items() if row["security_floor"]}
    assert default_values()["driver_security_floor"] == ours


def test_torch_releases() -> None:
    torch = tables.table("torch")
    used = set()
    for release, row in torch["releases"].items():
        assert re.fullmatch(r"\d+\.\d+", release)
        assert set(row) == {"python_min", "pypi", "cuda"}, release
        assert row["pypi"] in row["cuda"], release
        assert re.fullmatch(r"3\.\d+", row["python_min"]), release
        for cuda, archs in row["cuda"].items():
            assert re.fullmatch(r"\d+\.\d", cuda) and tables.min_driver_for_cuda(cuda), release
            used.add(archs)
    assert used == set(torch["archs"])
    for name, archs in torch["archs"].items():
        assert archs and all(re.fullmatch(r"(sm|compute)_\d{2,3}", arch) for arch in archs), name
    releases = [version_key(release) for release in torch["releases"]]
    assert releases == sorted(releases)


def test_the_plan_names_the_toolkit_that_the_role_installs() -> None:
    path = ROOT / "roles" / "nvidia_container_toolkit" / "defaults" / "main.yml"
    default = yaml.safe_load(path.read_text(encoding="utf-8"))["nvidia_container_toolkit_version"]
    table = tables.table("toolkit")
    assert default.rpartition("-")[0] == table["installed"]
    assert version_at_least(table["newest"], table["installed"]) and tables.toolkit_holes(table["installed"]) == []


def test_toolkit_holes() -> None:
    toolkit = tables.table("toolkit")
    fixed = []
    for cve, row in toolkit["cves"].items():
        assert CVE.fullmatch(cve)
        assert set(row) == {"fixed", "bulletin", "date", "severity"}, cve
        assert VERSION.fullmatch(row["fixed"]) and is_int(row["bulletin"]) and MONTH.fullmatch(row["date"]), cve
        assert 0 < row["severity"] <= 10, cve
        fixed.append(version_key(row["fixed"]))
    assert fixed == sorted(fixed)
    assert tables.toolkit_holes(toolkit["newest"]) == []
    # the policy asks for the first version without any known hole
    assert version_key(default_values()["toolkit_min"]) == fixed[-1]


# --- tiers


@pytest.mark.parametrize("tier_id", tiers.tier_ids())
def test_tiers(tier_id: str) -> None:
    row = tables.table("tiers")["tiers"][tier_id]
    assert set(row) == {
        "title", "wsl", "count", "devices", "names", "memory_min_mib", "memory_gb", "depth", "good_for", "policy",
    }  # fmt: skip
    assert (row["count"] > 0) == bool(row["devices"]) == bool(row["names"]) == bool(row["memory_gb"])
    for device in row["devices"]:
        board = tables.gpu(device)
        assert board is not None, device
        assert board.name.removeprefix("NVIDIA ").removeprefix("GeForce ") in row["names"], device
        if board.memory_mib is not None:
            least = board.memory_mib * (tables.INLINE_ECC if board.inline_ecc else 1)
            assert 0.75 * least < row["memory_min_mib"] <= least or row["count"] == 1, device
            assert row["memory_min_mib"] <= least, device


@pytest.mark.parametrize("tier_id", tiers.tier_ids())
def test_tiers_set_policy_keys_that_exist(tier_id: str) -> None:
    wishes = dict(tiers.tier_policy(tier_id))
    assert set(wishes) <= set(default_values())
    assert make_policy(wishes, CHECK_IDS).expected_gpus == tables.table("tiers")["tiers"][tier_id]["count"]


def test_eight_h200_have_the_memory_that_nvidia_says() -> None:
    assert tables.table("tiers")["tiers"]["t4"]["memory_gb"] == 8 * 141


# --- what people read


def test_texts_of_the_tables_exist_in_chinese() -> None:
    chinese = text.catalogue("zh")
    assert [said.template for said in tables.texts() if said.template not in chinese] == []
    assert len(list(tables.texts())) > 130
