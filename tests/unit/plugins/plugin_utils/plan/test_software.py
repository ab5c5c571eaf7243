# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Toolkit, image, torch and tier: what is chosen, what is said of it, and what is refused."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import base as bases
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import images, software, torch_choice
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.base import Base
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.cards import Card
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.model import RefusedError
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.plan import choice, make_plan
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.torch_choice import Wish
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import make_wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import tables
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from machines_made import machine

RTX3090 = Card("NVIDIA GeForce RTX 3090", "8.6")
RTX5090 = Card("NVIDIA GeForce RTX 5090", "12.0")
V100 = Card("Tesla V100-SXM2-16GB", "7.0")
P100 = Card("Tesla P100-PCIE-16GB", "6.0")
SNAPSHOTS = Path(__file__).resolve().parents[4] / "fixtures" / "snapshots"
STRANGE = Card("10de:2fff", None)


def base(*cards: Card, driver: str | None = "580.178.04", **more: Any) -> Base:
    return Base(cards, driver, tables.max_cuda_for_driver(driver), today="2026-11", **more)


def refused(call: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value


# --- torch


@pytest.mark.parametrize(
    ("cards", "driver", "torch", "index"),
    [
        ((RTX3090,), "580.178.04", "2.15", "cu130"),
        ((RTX3090,), "595.91.07", "2.15", "cu132"),
        ((RTX3090,), "590.48.01", "2.15", "cu130"),
        ((RTX3090,), "550.163.01", "2.14", "cu126"),
        ((RTX3090,), "525.147.05", "2.14", "cu126"),
        ((RTX3090,), "470.256.02", "2.7", "cu118"),
        ((RTX5090,), "580.178.04", "2.15", "cu130"),
        ((RTX5090,), "570.211.01", "2.11", "cu128"),
        ((V100,), "580.178.04", "2.14", "cu126"),
        ((P100, RTX3090), "580.178.04", "2.14", "cu126"),
        # only these releases hold code for both
        ((V100, RTX5090), "580.178.04", "2.10", "cu128"),
        ((), None, "2.15", "cpu"),
        # a driver that is not known may be an old one
        ((RTX3090,), None, "2.14", "cu126"),
        ((RTX5090,), None, "2.11", "cu129"),
    ],
)
def test_the_newest_torch_for_these_gpus_on_this_driver(
    cards: tuple[Card, ...], driver: str | None, torch: str, index: str
) -> None:
    chosen = torch_choice.choose(base(*cards, driver=driver), Wish())
    assert (chosen.release, chosen.index) == (torch, index)
    assert chosen.notes == ()


@given(
    cards=st.lists(st.sampled_from([RTX3090, RTX5090, V100, P100, STRANGE]), max_size=3),
    driver=st.sampled_from([None, "470.256.02", "535.309.01", "570.211.01", "580.178.04", "615.71.09"]),
    release=st.sampled_from([None, *tables.table("torch")["releases"], "2.16"]),
    cuda=st.sampled_from([None, "cpu", "11.8", "12.6", "12.8", "13.0", "13.2"]),
    python=st.sampled_from([None, "3.7", "3.9", "3.10", "3.12"]),
    arch=st.sampled_from([None, "x86_64", "aarch64"]),
)
def test_whatever_is_chosen_runs_and_whatever_is_nearest_is_chosen(
    cards: list[Card], driver: str | None, release: Any, cuda: Any, python: Any, arch: Any
) -> None:
    ground, wish = base(*cards, driver=driver, arch=arch), Wish(release, cuda, python)
    try:
        chosen = torch_choice.choose(ground, wish)
    except RefusedError as error:
        for nearest in error.nearest:
            given = dict(nearest.vars)
            if "nvidia_driver_branch" in given:
                ground = base(*cards, driver=f"{given['nvidia_driver_branch']}.999", arch=arch)
            python_now = given.get("plan_python", python)
            torch_choice.choose(
                ground,
                Wish(
                    given.get("plan_torch", release),
                    torch_choice.cuda_of(given.get("plan_torch_cuda", cuda or "")),
                    python_now,
                ),
            )
        return
    assert release in (None, chosen.release)
    assert cuda in (None, chosen.cuda or "cpu")
    if chosen.cuda and release != "2.16":
        assert ground.runs(chosen.cuda)
        archs = tables.torch_archs(chosen.release, chosen.cuda) or ()
        known = [card for card in cards if card.capability]
        served = [card for card in known if any(tables.arch_covers(arch, str(card.capability)) for arch in archs)]
        assert bool(served) == bool(known) or arch == "aarch64"
        # what it does not serve is said
        lacking = [card for card in known if card not in served]
        assert arch == "aarch64" or all(any(card.short in str(note) for note in chosen.notes) for card in lacking)


@pytest.mark.parametrize(
    ("ground", "wish", "rung", "says", "works"),
    [
        (base(V100), Wish(cuda="13.0"), "torch_archs", "no code for Tesla V100", [("2.14", "cu126")]),
        (base(RTX5090), Wish(cuda="12.1"), "torch_archs", "no code for RTX 5090", [("2.15", "cu130")]),
        (
            base(RTX3090),
            Wish("2.15", "12.6"),
            "torch_index",
            "torch 2.15 has no wheel for CUDA 12.6; it has 13.0, 13.2",
            [("2.15", "cu130"), ("2.14", "cu126")],
        ),
        (
            base(RTX3090, driver="550.163.01", fixed=True),
            Wish("2.15"),
            "torch",
            "torch 2.15 is built with CUDA 13.0, which needs driver 580 or newer; driver 550.163.01 is not this",
            [("2.14", "cu126")],
        ),
        (base(RTX3090, arch="aarch64"), Wish(cuda="12.6"), "torch_index", "aarch64", [("2.15", "cu130")]),
    ],
)
def test_a_contradiction_names_its_rung_and_what_works(
    ground: Base, wish: Wish, rung: str, says: str, works: list[tuple[str, str]]
) -> None:
    error = refused(lambda: torch_choice.choose(ground, wish))
    assert (error.rung, says in str(error.reason)) == (rung, True), str(error.reason)
    assert [(near.vars["plan_torch"], near.vars["plan_torch_cuda"]) for near in error.nearest] == works


def test_where_the_driver_may_change_a_newer_branch_is_named_too() -> None:
    running = base(RTX3090, driver="550.163.01", working=True)
    error = refused(lambda: torch_choice.choose(running, Wish("2.15")))
    assert error.nearest[-1].vars == {"nvidia_driver_branch": "580", "nvidia_driver_allow_change": True}
    # nothing that works is replaced where nothing runs yet
    error = refused(lambda: images.wished(base(RTX3090, driver="550.163.01"), "13.0"))
    assert error.nearest[-1].vars == {"nvidia_driver_branch": "580"}


def test_a_branch_that_the_machine_cannot_go_to_is_not_named() -> None:
    # loaded, and held by no package: the plan of the driver refuses to replace it
    stuck = make_plan(machine(["2204"], "550.163.01"), make_wishes({"torch": "2.15"}))["refusal"]
    assert [sorted(near["vars"]) for near in stuck["nearest"]] == [["plan_torch", "plan_torch_cuda"]]
    free = make_plan(machine(["2204"]), make_wishes({"torch": "2.15", "driver_branch": "550"}))["refusal"]
    assert free["nearest"][-1]["vars"] == {"nvidia_driver_branch": "580"}


def test_python_too_old_for_the_release() -> None:
    error = refused(lambda: torch_choice.choose(base(RTX3090), Wish("2.15", python="3.10")))
    assert error.rung == "python"
    assert str(error.reason) == "torch 2.15 needs Python 3.11 or newer, and Python 3.10 is asked for"
    assert [dict(near.vars) for near in error.nearest] == [
        {"plan_python": "3.11"},
        {"plan_torch": "2.14", "plan_torch_cuda": "cu130"},
    ]
    assert torch_choice.choose(base(RTX3090), Wish(python="3.10")).release == "2.14"
    assert refused(lambda: torch_choice.choose(base(), Wish(python="3.7"))).rung == "python"


def test_an_unknown_release_is_neither_refused_nor_promised() -> None:
    chosen = torch_choice.choose(base(RTX3090), Wish("2.99"))
    assert (chosen.release, chosen.index) == ("2.99", "cu130")
    assert "whether it runs here is not known" in str(chosen.why)
    assert chosen.notes == (chosen.why,)
    assert torch_choice.choose(base(RTX3090), Wish("2.99", "12.6")).index == "cu126"


def test_an_unknown_gpu_is_said_and_the_wheel_serves_the_oldest_it_may_be() -> None:
    new = torch_choice.choose(base(STRANGE), Wish())
    assert (new.release, new.index, len(new.notes)) == ("2.15", "cu130", 1)
    assert "10de:2fff" in str(new.notes[0])
    old = torch_choice.choose(base(Card("10de:1dff", None, maybe_old=True)), Wish())
    assert (old.release, old.index) == ("2.14", "cu126")


def test_a_wheel_that_does_not_serve_all_gpus_says_which() -> None:
    chosen = torch_choice.choose(base(P100, RTX3090), Wish("2.15"))
    assert "has no code for Tesla P100-PCIE-16GB (sm 6.0)" in str(chosen.notes[0])


def test_torch_of_the_cuda_that_the_wished_image_has() -> None:
    assert torch_choice.choose(base(RTX3090), Wish(major=12)).index == "cu126"
    # no choice of a newer GPU: the image is then another matter
    assert torch_choice.choose(base(RTX3090, driver="580.1"), Wish("2.15", major=12)).index == "cu130"


# --- images


@pytest.mark.parametrize(
    ("wish", "cuda"),
    [
        ("12.1", "12.1"),
        ("cu121", "12.1"),
        ("12.1.1", "12.1.1"),
        ("nvidia/cuda:12.1.1-cudnn8-devel-ubuntu22.04", "12.1.1"),
        ("nvcr.io/nvidia/cuda:13.0.3-base-ubuntu24.04@sha256:0", "13.0.3"),
        ("mirror.example:5000/nvidia/cuda:12.8.1-devel-ubuntu24.04", "12.8.1"),
        ("pytorch/pytorch:2.5.1-cuda12.4-cudnn9-devel", "12.4"),
        ("own/dev:torch2.8-cu128", "12.8"),
        ("nvidia/cuda:latest", None),
        ("ubuntu:24.04", None),
        ("own/dev:12.4", None),
    ],
)
def test_the_cuda_of_an_image_by_its_name(wish: str, cuda: str | None) -> None:
    assert images.cuda_of(wish) == cuda


@given(st.text(max_size=60))
def test_any_text_may_be_an_image(text: str) -> None:
    cuda = images.cuda_of(text)
    assert cuda is None or bases.version_key(cuda)
    try:
        images.wished(base(RTX3090), text)
    except RefusedError as error:
        assert error.rung == "image"


@pytest.mark.parametrize(
    ("cards", "driver", "torch", "tag"),
    [
        ((RTX3090,), "580.178.04", "13.0", "nvidia/cuda:13.0.3-cudnn-devel-ubuntu24.04"),
        ((RTX3090,), "595.91.07", "13.2", "nvidia/cuda:13.2.1-cudnn-devel-ubuntu24.04"),
        # 13.1 shipped with a branch that has ended
        ((RTX3090,), "590.48.01", "13.0", "nvidia/cuda:13.0.3-cudnn-devel-ubuntu24.04"),
        ((V100,), "580.178.04", "12.6", "nvidia/cuda:12.9.2-cudnn-devel-ubuntu24.04"),
        # not newer than the driver's own CUDA, with cuDNN as its tags name it
        ((RTX3090,), "535.309.01", "12.6", "nvidia/cuda:12.2.2-cudnn8-devel-ubuntu22.04"),
        ((RTX5090,), "570.211.01", "12.8", "nvidia/cuda:12.8.2-cudnn-devel-ubuntu24.04"),
    ],
)
def test_the_image_fits_torch_driver_and_gpus(cards: tuple[Card, ...], driver: str, torch: str, tag: str) -> None:
    chosen = images.choose(base(*cards, driver=driver), torch)
    assert chosen is not None
    assert chosen.reference == tag


def test_an_image_newer_than_the_driver_only_by_compatibility() -> None:
    chosen = images.choose(base(Card("B300", "10.3"), driver="570.211.01"), "12.9")
    assert chosen is not None
    assert (chosen.cuda, "by compatibility" in str(chosen.why)) == ("12.8", False)
    asked = images.wished(base(RTX3090, driver="550.163.01"), "12.8")
    assert asked is not None
    assert any("code made at run time (PTX) fails" in str(note) for note in asked.notes)


@pytest.mark.parametrize(
    ("ground", "wish", "says", "works"),
    [
        (base(RTX5090), "cu121", "CUDA 12.1 of the image makes no code for RTX 5090 (sm 12.0)", "13.0.3"),
        (base(V100), "nvidia/cuda:13.0.3-devel-ubuntu24.04", "has dropped Tesla V100-SXM2-16GB", "12.9.2"),
        (base(RTX3090, driver="550.163.01"), "13.0", "needs driver 580 or newer; the driver is 550.163.01", "12.4.1"),
        (base(RTX3090), "12.7", "there is no image of CUDA 12.7 in our table", "13.0.3"),
        (base(RTX3090), "14.0", "there is no image of CUDA 14.0", "13.0.3"),
        (base(RTX3090), "own/cuda:14.0", "no driver is known for CUDA 14.0", "13.0.3"),
    ],
)
def test_an_image_that_cannot_work_is_refused(ground: Base, wish: str, says: str, works: str) -> None:
    error = refused(lambda: images.wished(ground, wish))
    assert error.rung == "image"
    assert says in str(error.reason)
    assert error.nearest[0].vars["plan_cuda_image"].startswith(f"nvidia/cuda:{works}-")
    # and that one is not refused
    images.wished(ground, error.nearest[0].vars["plan_cuda_image"])


def test_an_image_older_than_a_gpu_serves_it_by_its_family() -> None:
    assert images.makes_code("11.2", "8.9") is True
    assert images.makes_code("11.0", "8.6") is True
    assert images.makes_code("11.8", "12.0") is False
    assert images.makes_code("12.8", "10.3") is True
    assert images.makes_code("13.0", "7.0") is False
    assert images.makes_code("13.0", "99.0") is None


@pytest.mark.parametrize(
    ("cuda", "month"), [("12.8", "2026-08"), ("13.0", "2028-12"), ("12.4", "2026-06"), ("12.9", None), ("9.9", None)]
)
def test_tags_vanish_six_months_after_their_branch(cuda: str, month: str | None) -> None:
    assert images.gone_from(cuda) == month


def test_what_is_said_of_tags_that_vanish() -> None:
    def notes(today: str | None, wish: str) -> str:
        ground = Base((RTX3090,), "580.178.04", "13.0", today=today)
        found = images.wished(ground, wish)
        assert found is not None
        return " ".join(map(str, found.notes))

    assert "may have deleted nvidia/cuda:12.8.2-cudnn-devel-ubuntu24.04 since 2026-08" in notes("2026-11", "12.8")
    assert "driver branch 570 has ended" in notes("2026-07", "12.8")
    assert "driver branch 570 has ended" in notes(None, "12.8")
    assert notes("2026-11", "13.0") == ""
    # another registry keeps what it wants
    assert notes("2026-11", "own.example/nvidia/cuda:12.8.1-devel") == ""


# --- all together


def test_the_choices_of_a_machine_and_their_order() -> None:
    plan = make_plan(machine(["2204"]), make_wishes({"driver_branch": "580"}), "gpu01")
    assert plan["refusal"] is None
    ids = [item["id"] for item in plan["choices"]]
    assert ids[-5:] == ["toolkit", "cuda_image", "torch", "torch_index", "tier"]
    assert [choice(plan, name) for name in ids[-5:]] == [
        "1.20.0", "nvidia/cuda:13.0.3-cudnn-devel-ubuntu24.04", "2.15", "cu130", "t1",
    ]  # fmt: skip
    assert all(item["reason"] and item["reason_zh"] and item["title"] for item in plan["choices"])


@pytest.mark.parametrize(
    ("wish", "version", "says"),
    [
        ("", "1.20.0", "what the role"),
        ("1.20.0-1", "1.20.0", "what the role"),
        ("1.19.1-1", "1.19.1", "asked for; "),
        ("1.21.0~rc.1", "1.21.0~rc.1", "asked for; "),
        # the role refuses it, unless it is told otherwise
        ("1.17.8-1", "1.17.8", "CVE-2026-24260 is open before 1.19.1"),
    ],
)
def test_the_toolkit_is_the_one_that_was_asked_for(wish: str, version: str, says: str) -> None:
    plan = make_plan(machine(["2204"]), make_wishes({"toolkit_version": wish}))
    (found,) = [item for item in plan["choices"] if item["id"] == "toolkit"]
    assert found["value"] == version and says in found["reason"]


def test_software_is_chosen_for_the_driver_that_runs_where_it_is_kept() -> None:
    """A branch stands for its newest release only where it is installed; here another one runs."""
    snapshot = json.loads((SNAPSHOTS / "sandbox_ready.json").read_text(encoding="utf-8"))
    plan = make_plan(snapshot, make_wishes({}))
    named = {found for item in plan["choices"] for found in re.findall(r"\b5\d\d\.\d+\.\d+", item["reason"])}
    assert choice(plan, "driver_source") == "nvidia" and named == {plan["machine"]["loaded"]}
    wishes = make_wishes({"driver_branch": "595", "driver_allow_change": True})
    reasons = {item["id"]: item["reason"] for item in make_plan(snapshot, wishes)["choices"]}
    assert "driver 595." in reasons["torch"]


def test_no_gpu_needs_no_toolkit_and_no_cuda() -> None:
    plan = make_plan(machine([]), make_wishes({}))
    assert [choice(plan, name) for name in ("toolkit", "cuda_image", "torch_index", "tier")] == [
        None, None, "cpu", "free",
    ]  # fmt: skip
    asked = make_plan(machine([]), make_wishes({"torch_cuda": "cu130"}))
    assert choice(asked, "torch_index") == "cu130"


def test_a_rented_container_takes_the_driver_as_it_is() -> None:
    snapshot = machine(["2684"], "550.163.01", scope="container", gpus=["NVIDIA GeForce RTX 4090"])
    plan = make_plan(snapshot, make_wishes({}))
    assert [choice(plan, name) for name in ("toolkit", "torch", "torch_index")] == [None, "2.14", "cu126"]
    plan = make_plan(snapshot, make_wishes({"torch": "2.15"}))
    assert plan["refusal"]["rung"] == "torch"
    assert [near["vars"] for near in plan["refusal"]["nearest"]] == [{"plan_torch": "2.14", "plan_torch_cuda": "cu126"}]


def test_wsl2_has_gpus_without_a_bus() -> None:
    snapshot = machine([], "580.95.05", wsl=True, gpus=["NVIDIA GeForce RTX 4090"])
    plan = make_plan(snapshot, make_wishes({}))
    assert plan["refusal"] is None
    assert [choice(plan, name) for name in ("toolkit", "torch_index", "tier")] == ["1.20.0", "cu130", "wsl2_t1"]
    assert plan["machine"]["cards"] == [{"name": "NVIDIA GeForce RTX 4090", "compute_capability": "8.9"}]


def test_the_wished_branch_counts_for_image_and_torch() -> None:
    wishes = {"driver_branch": "550", "driver_source": "none", "torch": "2.15"}
    plan = make_plan(machine(["2204"], "550.163.01"), make_wishes(wishes))
    assert plan["refusal"]["rung"] == "torch"


def test_torch_that_cannot_be_compiled_in_the_image_is_a_note() -> None:
    plan = make_plan(machine(["2204"]), make_wishes({"cuda_image": "12.8", "torch": "2.15"}))
    assert any("cannot be compiled in it" in note["text"] for note in plan["notes"])


def test_choose_is_all_choices_or_the_refusal() -> None:
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import driver
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import machine as machines
    from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View

    found = machines.read(View(machine(["2204"])))
    chosen = driver.choose(found, make_wishes({}))
    assert [item.id for item in software.choose(found, chosen, make_wishes({}))] == [
        "toolkit", "cuda_image", "torch", "torch_index",
    ]  # fmt: skip
    assert refused(lambda: software.choose(found, chosen, make_wishes({"cuda_image": "14.0"}))).rung == "image"
    assert software.index_url("cu130").endswith("/whl/cu130")
