# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.ladder import STATUSES, ladder
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View
from hypothesis import given, settings
from hypothesis import strategies as st

SNAPSHOTS = Path(__file__).resolve().parents[4] / "fixtures" / "snapshots"
READY: dict[str, Any] = json.loads((SNAPSHOTS / "ready_host.json").read_text(encoding="utf-8"))
DRIVER = READY["driver"]["module"]["version"]


def rungs(snapshot: Any) -> list[dict[str, Any]]:
    return ladder(View(snapshot))


def changed(**changes: Any) -> dict[str, Any]:
    """The ready host with values at dotted paths (dots written as __) replaced; lists by index."""
    snapshot = copy.deepcopy(READY)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place: Any = snapshot
        for key in parents:
            place = place[int(key)] if isinstance(place, list) else place[key]
        place[int(last) if isinstance(place, list) else last] = value
    return snapshot


def rung(snapshot: Any, rung_id: str) -> dict[str, Any]:
    found = [item for item in rungs(snapshot) if item["id"] == rung_id]
    assert len(found) == 1, found
    return found[0]


def test_a_sound_host_has_every_rung_and_all_are_ok() -> None:
    found = rungs(READY)
    assert [item["id"] for item in found] == [
        "kernel", "module", "module_disk", "nvidia_ml", "cuda", "smi", "gsp", "toolkit", "cdi", "image", "torch",
        "torch_archs",
    ]  # fmt: skip
    assert {item["status"] for item in found} == {"ok"}
    assert set(found[0]) == {"id", "label", "label_zh", "value", "status", "note", "note_zh", "entity"}
    assert (found[1]["label"], found[1]["label_zh"]) == ("Kernel module, loaded", "内核模块（已加载）")


@pytest.mark.parametrize(
    ("rung_id", "change", "status", "note"),
    [
        ("kernel", {"kernel__newest": "6.8.0-90-generic"}, "mismatch", "6.8.0-90-generic is installed"),
        ("kernel", {"kernel__newest": None}, "unknown", "not known"),
        ("module", {"driver__module__flavour": None}, "unknown", "driver.module.flavour"),
        ("module", {"pci__gpus__0__device": "ffff"}, "unknown", "does not hold all"),
        ("module", {"pci__gpus__1__device": "1db1"}, "mismatch", "Tesla V100-SXM2-16GB needs the proprietary"),
        ("module", {"pci__gpus__1__device": "2b8c", "driver__module__version": "570.1"}, "mismatch", "branch 580 on"),
        ("nvidia_ml", {"driver__libraries__nvidia_ml": None}, "missing", "not found"),
        ("cuda", {"driver__libraries__cuda": "580.178.04"}, "mismatch", f"running driver is {DRIVER}"),
        ("cuda", {"driver__libraries__cuda": "580.159"}, "mismatch", f"running driver is {DRIVER}"),
        ("cuda", {"driver__module__version": None}, "unknown", "running driver is not known"),
        ("smi", {"driver__smi__rc": 18}, "mismatch", "differ"),
        ("smi", {"driver__smi__rc": 9}, "unknown", "code 9"),
        ("smi", {"driver__smi__present": False}, "missing", "not found"),
        ("toolkit", {"toolkit__version": "1.17.3"}, "mismatch", "CVE-2026-24260"),
        ("toolkit", {"toolkit__version": "unstable"}, "unknown", None),
        ("toolkit", {"toolkit__present": False}, "missing", "not installed"),
        ("cdi", {"cdi__specs": []}, "missing", "no CDI file"),
        ("cdi", {"cdi__specs__0__driver_version": "550.163.01"}, "mismatch", f"running driver is {DRIVER}"),
        ("cdi", {"cdi__specs__0__driver_version": None}, "unknown", "does not name"),
        ("image", {"dev__containers__0__cuda_image__version": "99.1"}, "unknown", "which driver"),
        (
            "image",
            {"dev__containers__0__driver_version": "550.163"},
            "mismatch",
            "needs driver 580 or newer, the running one is 550.163",
        ),
        (
            "image",
            {"dev__containers__0__driver_version": "550.163", "dev__containers__0__libcuda__compat": True},
            "unknown",
            "data-centre",
        ),
        ("torch", {"dev__containers__0__envs__0__torch__cuda": None}, "mismatch", "without CUDA"),
        ("torch", {"dev__containers__0__driver_version": "570.211.01"}, "mismatch", "needs driver 580"),
        (
            "torch_archs",
            {"dev__containers__0__envs__0__torch__archs": ["sm_90"]},
            "mismatch",
            "holds no code for sm_89",
        ),
        ("torch_archs", {"dev__containers__0__envs__0__torch__version": "0.4"}, "unknown", "not known"),
        ("torch_archs", {"dev__containers__0__envs__0__torch__archs": []}, "unknown", "not known"),
    ],
)
def test_rungs_that_do_not_hold(rung_id: str, change: dict[str, Any], status: str, note: str | None) -> None:
    found = rung(changed(**change), rung_id)
    assert found["status"] == status
    assert (note is None and found["note"] is None) or note in found["note"]
    assert found["note"] is None or found["note_zh"] != found["note"]


def test_the_next_kernel_has_a_rung_of_its_own() -> None:
    new = {"release": "6.8.0-90-generic", "vmlinuz": True, "nvidia": None}
    snapshot = changed(kernel__newest=new["release"])
    snapshot["kernel"]["installed"].append(new)
    found = [item for item in rungs(snapshot) if item["id"] == "module_disk"]
    assert [(item["entity"], item["status"]) for item in found] == [
        (READY["kernel"]["running"], "ok"),
        ("6.8.0-90-generic", "missing"),
    ]


def test_a_module_that_was_replaced_on_disk() -> None:
    found = rung(changed(kernel__installed__0__nvidia__version="580.178.04"), "module_disk")
    assert (found["status"], found["value"]) == ("mismatch", "580.178.04")


def test_the_fabric_manager_has_a_rung_where_there_are_switches() -> None:
    snapshot = changed(pci__nvswitches=[{"bdf": "0000:06:00.0", "vendor": "10de", "device": "22a3"}])
    assert rung(snapshot, "fabric_manager")["status"] == "missing"
    snapshot["packages"]["installed"]["nvidia-fabricmanager"] = f"{DRIVER}-1"
    assert rung(snapshot, "fabric_manager")["status"] == "ok"
    snapshot["packages"]["installed"]["nvidia-fabricmanager"] = "580.126.09-1"
    assert rung(snapshot, "fabric_manager")["status"] == "mismatch"


def test_gsp_firmware_of_each_gpu() -> None:
    assert "gsp" not in [item["id"] for item in rungs(changed(gpus__0__gsp_firmware=None, gpus__1__gsp_firmware=None))]
    found = [item for item in rungs(changed(gpus__1__gsp_firmware="570.1")) if item["id"] == "gsp"]
    assert [(item["status"], item["entity"]) for item in found] == [
        ("ok", READY["gpus"][0]["bdf"]),
        ("mismatch", READY["gpus"][1]["bdf"]),
    ]


def test_capabilities_come_from_the_pci_ids_where_cuda_does_not_run() -> None:
    snapshot = changed(cuda=None, dev__containers__0__cuinit=None)
    assert rung(snapshot, "torch_archs")["status"] == "ok"
    snapshot["pci"]["gpus"][1]["device"] = "1db1"
    assert "sm_70" in rung(snapshot, "torch_archs")["note"]
    snapshot["pci"]["gpus"][1]["device"] = "ffff"
    assert rung(snapshot, "torch_archs")["status"] == "unknown"


def test_a_machine_without_gpus_is_not_blamed_for_them() -> None:
    snapshot = changed(pci__gpus=[], gpus=[], driver__module__loaded=False)
    snapshot["dev"]["containers"][0]["envs"][0]["torch"]["cuda"] = None
    assert [(item["id"], item["status"]) for item in rungs(snapshot)] == [("kernel", "ok"), ("torch", "ok")]


def test_a_rented_container_has_no_rungs_of_its_host() -> None:
    snapshot = json.loads((SNAPSHOTS / "rented_container.json").read_text(encoding="utf-8"))
    found = {item["id"] for item in rungs(snapshot)}
    assert not found & {"kernel", "module_disk", "toolkit", "cdi", "fabric_manager"}
    assert {"module", "cuda", "smi", "torch", "torch_archs"} <= found


def test_wsl2_runs_on_the_driver_of_windows() -> None:
    snapshot = changed(virt__wsl=True, driver__module={"loaded": False, "version": None, "flavour": None}, pci__gpus=[])
    found = {item["id"]: item["status"] for item in rungs(snapshot)}
    assert not set(found) & {"module", "module_disk", "nvidia_ml", "cuda"}
    assert (found["smi"], found["torch"]) == ("ok", "ok")


def test_an_empty_snapshot_is_unknown_throughout() -> None:
    found = rungs({})
    assert len(found) > 10 and {item["status"] for item in found} == {"unknown"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key of every object of a snapshot, down to those of the lists."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from paths(item, (*path, number))


BASES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(SNAPSHOTS.glob("*.json"))}
READ = ("scope", "virt", "kernel", "pci", "driver", "gpus", "packages", "toolkit", "cdi", "cuda", "dev")
PLACES = [(name, path) for name, base in BASES.items() for path in paths(base) if path[0] in READ]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_a_damaged_snapshot_never_raises(where: tuple[str, tuple[Any, ...]], damage: Any) -> None:
    name, (*parents, last) = where
    snapshot = copy.deepcopy(BASES[name])
    place: Any = snapshot
    for key in parents:
        place = place[key]
    place[last] = damage
    assert all(item["status"] in STATUSES for item in rungs(snapshot))


@given(JSON)
def test_something_that_is_no_snapshot_never_raises(anything: Any) -> None:
    assert all(item["status"] in STATUSES for item in rungs(anything))


def broken() -> dict[str, Any]:
    """Every rung that can be wrong is wrong, so that a missing fact has something to hide."""
    snapshot = changed(
        kernel__newest="6.8.0-90-generic",
        driver__libraries__cuda="580.1",
        driver__libraries__nvidia_ml=None,
        driver__smi__driver_version="580.1",
        toolkit__version="1.17.3",
        cdi__specs__0__driver_version="550.1",
        gpus__1__gsp_firmware="550.1",
        dev__containers__0__driver_version="550.1",
        dev__containers__0__envs__0__torch__archs=["sm_90"],
        pci__gpus__1__device="1db1",
        kernel__installed__0__nvidia__version="580.1",
        pci__nvswitches=[{"bdf": "0000:06:00.0", "vendor": "10de", "device": "22a3"}],
    )
    snapshot["packages"]["installed"]["nvidia-fabricmanager"] = "550.1"
    return snapshot


@pytest.mark.parametrize("base", ["broken", *BASES])
def test_a_missing_fact_never_makes_a_rung_ok(base: str) -> None:
    whole = broken() if base == "broken" else BASES[base]
    good = {(item["id"], item["entity"]) for item in rungs(whole) if item["status"] == "ok"}
    for path in paths(whole):
        if path[0] not in READ:
            continue
        snapshot = copy.deepcopy({key: whole[key] for key in READ if key in whole})
        place: Any = snapshot
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
        now = {(item["id"], item["entity"]) for item in rungs(snapshot) if item["status"] == "ok"}
        assert now <= good, path
