# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes, make_wishes
from hypothesis import given
from hypothesis import strategies as st

NAMES = [field.name for field in fields(Wishes)]


def test_nothing_asked_for_leaves_all_to_the_plan() -> None:
    assert make_wishes({}) == Wishes()
    assert make_wishes(dict.fromkeys(NAMES)) == Wishes()
    assert make_wishes(dict.fromkeys(NAMES, "")) == Wishes()


def test_wishes_are_taken() -> None:
    given_wishes: dict[str, Any] = {
        "driver_source": "nvidia",
        "driver_branch": 580,
        "driver_modules": "open",
        "driver_packages": ["a", "b"],
        "driver_allow_change": True,
        "cuda_image": "cu128",
        "torch": "2.11",
        "torch_cuda": "cpu",
        "python": "3.12",
    }
    wishes = make_wishes(given_wishes)
    assert wishes.driver_branch == "580"
    assert wishes.driver_packages == ("a", "b")
    assert (wishes.driver_allow_change, wishes.torch) == (True, "2.11")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("driver_sourse", "auto", "unknown wish 'driver_sourse'; there are cuda_image, driver_allow_change"),
        ("driver_source", "debian", "the wish driver_source is 'debian'; it must be one of auto, nvidia"),
        ("driver_branch", "latest", "the wish driver_branch is 'latest'; it must be a branch such as 580"),
        ("driver_branch", "580\n", "it must be a branch such as 580"),
        ("driver_version", "580", "it must be a version such as 580.159.03"),
        ("driver_packages", "nvidia-open", "it must be a list of names"),
        ("driver_packages", [1], "it must be a list of names"),
        ("driver_packages", 5, "it must be a list of names"),
        ("driver_allow_change", "yes", "it must be true or false"),
        ("driver_allow_change", 1, "it must be true or false"),
        ("torch", "latest", "it must be a release such as 2.11"),
        # what YAML makes of an unquoted 2.10
        ("torch", 2.1, "write it in quotes (YAML takes 2.10 for 2.1)"),
        ("python", 3.1, "write it in quotes"),
        ("cuda_image", 12.8, "write it in quotes"),
        ("torch_cuda", True, "write it in quotes"),
        ("torch_cuda", "rocm6.4", "it must be cpu, cu130 or 13.0"),
        ("python", "2.7", "it must be a version such as 3.12"),
        ("fabric_manager", "on", "it must be one of auto, present, absent"),
        ("cuda_image", ["12.8"], "it must be text"),
    ],
)
def test_a_bad_wish_is_named_with_its_value_and_what_it_may_be(name: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        make_wishes({name: value})
    assert says in str(caught.value)
    assert name in str(caught.value)


def test_version_and_branch_must_agree() -> None:
    assert make_wishes({"driver_version": "580.159.03", "driver_branch": "580"}).driver_version == "580.159.03"
    with pytest.raises(ValueError, match=r"driver_version 580.159.03 is not of driver_branch 595; set one of the two"):
        make_wishes({"driver_version": "580.159.03", "driver_branch": "595"})


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text()), st.just({}))


@given(st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=5)), ANYTHING, max_size=4))
def test_any_wishes_are_taken_or_refused_with_one_line(given_wishes: dict[str, Any]) -> None:
    try:
        wishes = make_wishes(given_wishes)
    except ValueError as error:
        assert str(error)
    else:
        assert all(isinstance(getattr(wishes, name), (str, bool, tuple)) for name in NAMES)
