# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tiers
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View
from hypothesis import given
from hypothesis import strategies as st


def host(device: str, count: int, memory: int | None = None, name: str = "?", **changes: Any) -> dict[str, Any]:
    """A host with GPUs on its bus; the driver shows them, too, where their memory is given."""
    pci = [{"bdf": f"0000:{number:02x}:00.0", "vendor": "10de", "device": device} for number in range(count)]
    gpus = [{"bdf": gpu["bdf"], "name": name, "memory_total_mib": memory} for gpu in pci] if memory else []
    return {"scope": "host", "virt": {"wsl": False}, "pci": {"gpus": pci}, "gpus": gpus, **changes}


def guest(name: str, count: int, memory: int | None, *, scope: str = "container", wsl: bool = False) -> dict[str, Any]:
    """What a container or WSL2 sees: the driver's GPUs and an empty bus."""
    gpus = [{"bdf": None, "name": name, "memory_total_mib": memory} for _number in range(count)]
    smi = {"present": True, "rc": 0}
    return {"scope": scope, "virt": {"wsl": wsl}, "pci": {"gpus": []}, "gpus": gpus, "driver": {"smi": smi}}


def tier(snapshot: dict[str, Any]) -> str | None:
    found = tiers.tier_of(View(snapshot))
    return None if found is None else str(found["id"])


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (host("2684", 0), "free"),
        (host("2204", 1), "t1"),
        (host("2684", 1, 24564), "t1"),
        (host("2684", 1, 49140), "t1"),  # twice the memory: more than the tier wants
        (host("2b85", 1, 32607), "t1"),
        (host("2685", 1), "t1"),
        (host("2684", 2), None),
        (host("2717", 1), None),  # a laptop's 4090 has 16 GB
        (host("2206", 1), None),
        (host("2230", 8), "t2"),
        (host("2230", 8, 46068), "t2"),  # ECC on
        (host("2230", 7), None),
        (host("20b2", 8, 81920), "t3"),
        (host("2330", 8), "t3"),
        (host("20b0", 8), None),  # A100 with 40 GB
        (host("20b2", 8, 40448), None),  # a slice of each
        (host("2335", 8), "t4"),
        (host("2335", 4), None),
        (host("2901", 8), None),
        (guest("NVIDIA GeForce RTX 4090", 1, 24564), "t1"),
        (guest("NVIDIA GeForce RTX 4090 Laptop GPU", 1, 16376), None),
        (guest("NVIDIA H100 80GB HBM3", 8, 81559), "t3"),
        (guest("NVIDIA H100 80GB HBM3", 8, 40448), None),
        (guest("", 0, None), "free"),
        (guest("NVIDIA GeForce RTX 5090", 1, 32607, scope="host", wsl=True), "wsl2_t1"),
        (guest("", 0, None, scope="host", wsl=True), "wsl2_free"),
        (guest("NVIDIA GeForce RTX 3060", 1, 12288, scope="host", wsl=True), None),
    ],
)
def test_tier_of_a_machine(snapshot: dict[str, Any], expected: str | None) -> None:
    assert tier(snapshot) == expected


def test_a_gpu_that_the_driver_lost_is_still_in_the_machine() -> None:
    snapshot = host("2330", 8, 81559)
    snapshot["gpus"].pop()
    assert tier(snapshot) == "t3"


def test_a_container_has_the_gpus_that_it_was_given() -> None:
    whole = host(
        "2330", 8, 81559, "NVIDIA H100 80GB HBM3", scope="container", driver={"smi": {"present": True, "rc": 0}}
    )
    assert tier(whole) == "t3"
    assert tier({**whole, "gpus": whole["gpus"][:1]}) is None
    # the host has GPUs, and none reached us: not a CPU machine, and not a broken T3
    assert tier({**whole, "gpus": []}) is None


def test_an_amd_gpu_makes_no_tier_of_ours() -> None:
    snapshot = host("2684", 0)
    snapshot["pci"]["gpus"] = [{"bdf": "0000:01:00.0", "vendor": "1002", "device": "744c"}]
    assert tier(snapshot) == "free"


@pytest.mark.parametrize("drop", ["scope", "virt", "pci"])
def test_without_the_facts_there_is_no_tier(drop: str) -> None:
    snapshot = host("2684", 1, 24564)
    del snapshot[drop]
    assert tier(snapshot) is None
    with pytest.raises(UnmeasuredError):
        tiers.matches("t1", View(snapshot))


def test_a_failing_nvidia_smi_does_not_make_a_cpu_machine() -> None:
    snapshot = guest("", 0, None, scope="host", wsl=True)
    snapshot["driver"]["smi"]["rc"] = 9
    assert tier(snapshot) is None


def test_what_the_report_says_of_a_tier() -> None:
    found = tiers.tier_of(View(host("2335", 8)))
    assert found is not None and set(found) == {"id", "title", "title_zh", "good_for", "good_for_zh"}
    assert found["title"] == "Linux Tier 4: 8 x H200"
    assert found["title_zh"].startswith("Linux Tier 4：8 × H200") and "推理" in found["good_for_zh"]


def test_match_names_what_was_wanted_and_what_is_there() -> None:
    seen = tiers.match("t3", View(host("2684", 2)))
    assert not seen
    assert str(seen.wanted) == "Linux Tier 3: 8 x A100 or H100, 80 GB each"
    assert str(seen.found) == "2 x NVIDIA GeForce RTX 4090"
    assert seen.found.into("zh") == "2 × NVIDIA GeForce RTX 4090"
    assert str(tiers.match("t3", View(host("2684", 0))).found) == "no NVIDIA GPU"
    mixed = host("2684", 2)
    mixed["pci"]["gpus"][1]["device"] = "f00d"
    assert str(tiers.match("t1", View(mixed)).found) == "1 x NVIDIA GeForce RTX 4090, 1 x f00d"
    linux_under_windows = guest("NVIDIA GeForce RTX 4090", 1, 24564, scope="host", wsl=True)
    assert not tiers.matches("t1", View(linux_under_windows))
    assert str(tiers.match("t1", View(linux_under_windows)).found) == "1 x NVIDIA GeForce RTX 4090, under WSL2"


def test_policy_of_a_tier() -> None:
    assert tiers.tier_ids() == ("free", "t1", "t2", "t3", "t4", "wsl2_free", "wsl2_t1")
    assert tiers.tier_policy("t3")["expected_gpus"] == 8
    assert tiers.tier_policy("free")["expected_gpus"] == 0
    for function in (tiers.tier_policy, tiers.tier_title):
        with pytest.raises(KeyError):
            function("t9")
    with pytest.raises(KeyError):
        tiers.matches("t9", View({}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["scope", "virt", "pci", "gpus", "driver"]), JSON)
def test_a_damaged_section_never_raises(section: str, damage: Any) -> None:
    tiers.tier_of(View({**host("2684", 1, 24564), section: damage}))
    tiers.tier_of(View({**guest("NVIDIA GeForce RTX 4090", 1, 24564), section: damage}))


@given(JSON)
def test_something_that_is_no_snapshot_never_raises(anything: Any) -> None:
    assert tiers.tier_of(View(anything)) is None
