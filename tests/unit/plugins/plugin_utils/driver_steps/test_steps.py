# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do, from saved snapshots: a bare host, the same one when all is done, and each way it drifts."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.driver_steps import files, sources, steps
from hypothesis import given, settings
from hypothesis import strategies as st

SNAPSHOTS = Path(__file__).resolve().parents[4] / "fixtures" / "snapshots"
KERNEL = "6.8.0-87-generic"
VERSION = "580.159.03"
INPUTS: dict[str, Any] = {"wishes": {}, "hold": True, "secure_boot": "stop"}
RIGHT = ("sources_right", "packages_right", "hold_right", "files_right", "initramfs_right", "services_right")
Snapshot = dict[str, Any]


def load(name: str) -> Snapshot:
    data: Snapshot = json.loads((SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8"))
    return data


def bare(**os: Any) -> Snapshot:
    data = load("bare_host")
    data["os"].update(os)
    # a host that nouveau has never seen
    data["driver"]["nouveau"] = {"loaded": False, "blacklisted": False, "module": None}
    return data


def ask(facts: Snapshot, **inputs: Any) -> dict[str, Any]:
    return steps.steps(facts, {**INPUTS, **inputs})


def as_file(file: dict[str, str]) -> dict[str, Any]:
    digest = hashlib.sha256(file["content"].encode()).hexdigest()
    return {"sha256": digest, "size": 1, "mode": file["mode"], "uid": 0, "gid": 0}


def converged(facts: Snapshot, **inputs: Any) -> Snapshot:
    """The same host when everything that steps() asks for is there."""
    wanted = ask(facts, **inputs)
    done = copy.deepcopy(facts)
    release = "1.el9" if wanted["manager"] == "dnf" else "1"
    done["packages"]["installed"] |= dict.fromkeys(wanted["packages"], f"{VERSION}-{release}")
    for source in wanted["sources"]:
        for path in sources.files(source):
            done["files"][path] = {"sha256": "0" * 64, "mode": "0644", "uid": 0, "as_written": True}
        done["files"][sources.files(source)[0]]["stamp"] = source["stamp"]
        done["packages"]["streams"] = dict(source.get("stream", {}))
    hold = steps.hold_files(wanted["driver"], VERSION, wanted["manager"], True)
    done["files"] |= {file["path"]: as_file(file) for file in [*hold, *wanted["files"]]}
    stamp = {path: done["files"][path]["sha256"] for path in wanted["initramfs_inputs"]}
    done["kernel"]["initramfs"] = {"inputs": stamp, "kernels": {KERNEL: {"size": 1, "mtime": 1}}}
    module = {"path": f"/lib/modules/{KERNEL}/updates/dkms/nvidia.ko", "version": VERSION, "flavour": "open"}
    done["kernel"]["installed"][0]["nvidia"] = module
    done["driver"]["module"] = {"loaded": True, "version": VERSION, "flavour": wanted["driver"]["modules"]}
    unit = {"load": "loaded", "active": "active", "enabled": "enabled"}
    done["services"] |= {name: dict(unit) for name in wanted["services"]}
    done["packages"]["holds"] = [line.rsplit("-", 2)[0] for line in ask(done, **inputs)["locks"].splitlines()]
    return done


DONE = converged(bare())


def test_a_bare_host_gets_everything() -> None:
    found = ask(bare())
    assert found["managed"] and not found["adopted"] and found["refusal"] == ""
    assert not any(found[name] for name in RIGHT if name != "services_right")
    assert found["packages"] and all("580" in name or "nvidia" in name or "cuda" in name for name in found["packages"])
    assert found["keep"] == found["version"] == ""
    assert files.NOUVEAU in [file["path"] for file in found["files"]]
    assert (found["reload"], found["reboot"], found["busy"]) == ([], [], [])


def test_a_host_on_which_all_is_done_needs_nothing() -> None:
    found = ask(DONE)
    assert {name: found[name] for name in RIGHT} == dict.fromkeys(RIGHT, True)
    assert (found["version"], found["reload"], found["reboot"], found["refusal"]) == (VERSION, [], [], "")
    assert found["managed"] and not found["adopted"]


def test_a_driver_from_elsewhere_that_works_is_adopted() -> None:
    found = ask(load("ready_host"))
    assert found["adopted"] and not found["managed"] and found["packages"] == [] and found["refusal"] == ""
    assert all(found[name] for name in RIGHT)


def test_no_hardware_no_driver() -> None:
    facts = bare()
    facts["pci"]["gpus"], facts["gpus"] = [], []
    found = ask(facts)
    assert not found["managed"] and not found["adopted"] and found["packages"] == []


def test_what_cannot_work_is_refused_with_what_works() -> None:
    facts = bare()
    facts["pci"]["gpus"][0]["device"] = "1b80"  # GTX 1080: no open modules, and 580 is its last branch
    found = ask(facts, wishes={"driver_branch": "595"})
    assert not found["managed"] and "595" in found["refusal"] and "What works: " in found["refusal"]
    assert "580" in found["refusal"]
    said = steps.steps(facts, {**INPUTS, "wishes": {"driver_branch": "595"}}, "zh")["refusal"]
    assert said != found["refusal"] and "595" in said


def test_a_bad_wish_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="driver_modules"):
        ask(bare(), wishes={"driver_modules": "closed"})


def _package(facts: Snapshot) -> Any:
    del facts["packages"]["installed"][ask(DONE)["packages"][0]]


def _older(facts: Snapshot) -> Any:
    facts["packages"]["installed"][ask(DONE)["packages"][0]] = "580.126.09-1"


def _half(facts: Snapshot) -> Any:
    facts["packages"]["broken"] = ["nvidia-driver-cuda"]


def _headers(facts: Snapshot) -> Any:
    facts["kernel"]["installed"][0]["headers"] = False


def _stamp(facts: Snapshot) -> Any:
    facts["kernel"]["initramfs"]["inputs"][files.NOUVEAU] = "1" * 64


def _no_stamp(facts: Snapshot) -> Any:
    facts["kernel"]["initramfs"] = None


def _service(facts: Snapshot) -> Any:
    facts["services"]["nvidia-persistenced.service"]["active"] = "inactive"


def _companion(facts: Snapshot) -> Any:
    facts["packages"]["installed"]["libnvidia-nscq"] = "580.95.05-1"


def _disabled(facts: Snapshot) -> Any:
    facts["services"]["nvidia-persistenced.service"]["enabled"] = "disabled"


DRIFT: dict[str, tuple[Callable[[Snapshot], Any], set[str]]] = {
    "a package is gone": (_package, {"packages_right", "hold_right"}),
    "a package is older": (_older, {"packages_right", "hold_right"}),
    "a part that nobody wishes any more lags behind": (_companion, {"packages_right", "hold_right"}),
    "a package is half installed": (_half, {"packages_right", "hold_right"}),
    "the headers are gone": (_headers, {"packages_right", "hold_right"}),
    "the image holds something else": (_stamp, {"initramfs_right"}),
    "nobody knows what the image holds": (_no_stamp, {"initramfs_right"}),
    "the daemon does not run": (_service, {"services_right"}),
    "the daemon will not start at boot": (_disabled, {"services_right"}),
}


@pytest.mark.parametrize("case", DRIFT)
def test_each_drift_is_seen_and_nothing_else(case: str) -> None:
    facts = copy.deepcopy(DONE)
    DRIFT[case][0](facts)
    found = ask(facts)
    assert {name for name in RIGHT if not found[name]} == DRIFT[case][1]


def our_files() -> Iterator[tuple[str, str]]:
    wanted = ask(DONE)
    for file in wanted["files"]:
        yield file["path"], "files_right"
    for file in steps.hold_files(wanted["driver"], VERSION, "apt", True):
        yield file["path"], "hold_right"
    for source in wanted["sources"]:
        for path in sources.files(source):
            yield path, "sources_right"


@pytest.mark.parametrize(("path", "name"), sorted(our_files()))
@pytest.mark.parametrize("change", ["gone", "edited", "mode", "owner"])
def test_each_of_our_files_is_looked_at(path: str, name: str, change: str) -> None:
    facts = copy.deepcopy(DONE)
    if change == "gone":
        del facts["files"][path]
    else:
        facts["files"][path] |= {
            "edited": {"sha256": "f" * 64, "as_written": False},
            "mode": {"mode": "0600"},
            "owner": {"uid": 1000},
        }[change]
    found = ask(facts)
    assert not found[name]
    # what the image holds is compared with the file as it is
    also = {"initramfs_right"} if path == files.NOUVEAU and change in ("gone", "edited") else set()
    assert {right for right in RIGHT if not found[right]} == {name} | also


def test_an_upgrade_and_an_exact_version_change_what_is_kept() -> None:
    assert ask(DONE)["keep"] == VERSION
    upgrade = ask(DONE, upgrade=True, wishes={"driver_allow_change": True})
    assert (upgrade["keep"], upgrade["packages_right"]) == ("", False)
    exact = ask(DONE, wishes={"driver_version": "580.126.09", "driver_allow_change": True})
    assert (exact["keep"], exact["packages_right"]) == ("", False)


def test_another_loaded_version_is_reloaded_and_named() -> None:
    facts = copy.deepcopy(DONE)
    facts["driver"]["module"]["version"] = "580.126.09"
    assert ask(facts)["reload"] == [f"driver 580.126.09 is loaded, {VERSION} is installed"]


def test_a_job_stands_in_the_way_of_a_change_only() -> None:
    facts = copy.deepcopy(DONE)
    facts["processes"]["gpu"] = [{"pid": 42, "comm": "python", "user": "alice", "devices": ["/dev/nvidia0"]}]
    assert (ask(facts)["refusal"], ask(facts)["busy"]) == ("", [])
    assert len(ask(facts)["in_use"]) == 1
    asked = ask(facts, upgrade=True, wishes={"driver_allow_change": True})
    assert "python (pid 42, user alice)" in asked["refusal"] and asked["refusal"].endswith("Nothing was changed.")


def test_a_machine_without_boot_images_needs_none() -> None:
    facts = copy.deepcopy(DONE)
    facts["kernel"]["initramfs"] = None
    for kernels in ([], [{"release": KERNEL, "initramfs": False, "headers": True}]):
        facts["kernel"]["installed"] = kernels
        assert ask(facts)["initramfs_right"]
    facts["kernel"]["installed"] = None  # could not be measured: the module looks
    assert not ask(facts)["initramfs_right"]


def test_the_kernel_that_boots_next_must_have_the_module() -> None:
    assert ask(bare())["modules_missing"] == [KERNEL] and ask(DONE)["modules_missing"] == []
    facts = copy.deepcopy(DONE)
    newer = {**facts["kernel"]["installed"][0], "release": "6.8.0-90-generic", "nvidia": None}
    facts["kernel"]["installed"].append(newer)
    facts["kernel"]["newest"] = newer["release"]
    assert ask(facts)["modules_missing"] == [newer["release"]]


def test_dnf_holds_by_versionlock() -> None:
    facts = bare(id="rocky", version="9.6", id_like=["rhel"], family="rhel")
    facts["packages"]["manager"] = "dnf"
    done = converged(facts)
    found = ask(done)
    assert found["manager"] == "dnf" and found["locks"], found["refusal"]
    assert all(found[name] for name in RIGHT)
    assert f"-0:{VERSION}-1.el9.*" in found["locks"].splitlines()[0]
    done["packages"]["holds"] = []
    assert not ask(done)["hold_right"]
    assert ask(done, hold=False)["locks"] == ""


def paths(node: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a snapshot that can be missing or null."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        yield (*before, key)
        yield from paths(value, (*before, key))


PATHS = sorted(paths(DONE), key=str)


def hole(facts: Snapshot, path: tuple[Any, ...], null: bool) -> None:
    node: Any = facts
    for key in path[:-1]:
        try:
            node = node[key]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(node, dict) and null:
        node[path[-1]] = None
    elif isinstance(node, dict):
        node.pop(path[-1], None)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PATHS), st.booleans()), max_size=6))
def test_holes_in_the_facts_never_raise(holes: list[tuple[tuple[Any, ...], bool]]) -> None:
    facts = copy.deepcopy(DONE)
    for path, null in holes:
        hole(facts, path, null)
    found = ask(facts)
    assert set(found) == set(ask(DONE))


BARE = bare()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(paths(BARE), key=str)), st.booleans()), max_size=6))
def test_holes_never_make_a_bare_host_look_done(holes: list[tuple[tuple[Any, ...], bool]]) -> None:
    facts = copy.deepcopy(BARE)
    for path, null in holes:
        hole(facts, path, null)
    found = ask(facts)
    if found["managed"] and not found["refusal"]:
        assert not any(found[name] for name in RIGHT if name != "services_right"), found


def test_a_kernel_that_boots_next_without_the_module_is_named() -> None:
    facts = copy.deepcopy(DONE)
    assert ask(facts)["modules_missing"] == []
    facts["kernel"]["installed"][0]["nvidia"] = None
    assert ask(facts)["modules_missing"] == [], "what runs is there, wherever its file may be"
    facts["driver"]["module"]["version"] = "580.95.05"
    assert ask(facts)["modules_missing"] == [KERNEL], "the former version runs, the new one was not built"
    facts["driver"]["module"] = {"loaded": False, "version": None, "flavour": None}
    assert ask(facts)["modules_missing"] == [KERNEL]
    facts["kernel"]["installed"] = []
    assert ask(facts)["modules_missing"] == [], "a simulated host has no kernel of its own"


# the second record: an installation that was cut off after the module had been loaded
@pytest.mark.parametrize("record", ["nvidia-driver.json", "nvidia-driver-before.json"])
def test_what_the_role_has_brought_stays_its_own_whatever_was_taken_away(record: str) -> None:
    facts = copy.deepcopy(DONE)
    for name in [name for name in facts["packages"]["installed"] if not name.startswith("nvidia-dkms")]:
        del facts["packages"]["installed"][name]
    assert ask(facts)["adopted"], "a driver that works beside packages of nobody we know is left alone"
    facts["files"][f"/var/lib/gpuready/{record}"] = {"sha256": "0" * 64, "mode": "0644", "uid": 0}
    found = ask(facts)
    assert found["managed"] and not found["packages_right"] and found["todo"]
    facts["packages"]["installed"].clear()
    assert ask(facts)["managed"], "even when nothing of it is left"
