# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.data import read
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy import (
    PolicyError,
    default_values,
    make_policy,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tiers import tier_ids, tier_policy
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def test_the_default_policy_is_valid_and_every_key_is_explained() -> None:
    assert make_policy(None, CHECK_IDS) == make_policy({}, CHECK_IDS)
    lines = read("readiness_policy.yml").splitlines()
    start = lines.index("---")
    for key in default_values():
        number = next(n for n, line in enumerate(lines) if line.startswith(f"{key}:"))
        near = [line for line in lines[max(start, number - 6) : number + 1] if line.startswith("#")]
        assert near or key in ("compose_min", "inodes_min_percent"), key


def test_mappings_are_merged_and_the_rest_replaced() -> None:
    policy = make_policy({"os_supported": {"rocky": ["9"]}, "skip": ["PRE-RAM"], "expected_gpus": 8}, CHECK_IDS)
    assert set(policy.os_supported) == {"ubuntu", "debian", "rocky"}
    assert (policy.skip, policy.expected_gpus) == (["PRE-RAM"], 8)


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"expected_gpu": 8}, "did you mean expected_gpus"),
        ({"expected_gpus": -1}, "0 or more"),
        ({"expected_gpus": True}, "whole number"),
        ({"expected_gpus": "8"}, "whole number"),
        ({"profile": "guest"}, "host, rented"),
        ({"severity": {"PRE-OSS": "minor"}}, "did you mean PRE-OS"),
        ({"severity": {"PRE-OS": "harmless"}}, "blocker, major, minor, info"),
        ({"skip": ["NOPE"]}, "does not exist"),
        ({"waive": [{"id": "PRE-OS", "until": "2027-01-01"}]}, "needs id, until and reason"),
        ({"waive": [{"id": "PRE-OS", "until": "soon", "reason": "x"}]}, "write the day as"),
        ({"waive": [{"id": "NOPE", "until": "2027-01-01", "reason": "x"}]}, "does not exist"),
        ({"waive": ["PRE-OS"]}, "needs id"),
        ({"docker_min": "new"}, "must be a version"),
        ({"docker_min": 26.1}, "must be a text"),
        ({"cuda_min_driver": {"13": 580}}, "in quotes"),
        ({"disk_needs_mib": {"/": "5 GiB"}}, "size in MiB"),
        ({"os_supported": {"debian": [13]}}, "quoted versions"),
    ],
)
def test_a_bad_policy_says_which_value_and_what_is_wanted(wishes: dict[str, Any], says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        make_policy(wishes, CHECK_IDS)


@given(key=st.sampled_from(sorted(default_values())), value=JSON)
def test_any_value_is_taken_or_refused_but_never_breaks(key: str, value: Any) -> None:
    try:
        make_policy({key: value}, CHECK_IDS)
    except PolicyError as error:
        assert key in str(error) or "waiver" in str(error)


def test_layers_lie_over_each_other_tier_first() -> None:
    tier = next(name for name in tier_ids() if "expected_gpus" in tier_policy(name))
    assert make_policy([("inventory", {"tier": tier})], CHECK_IDS).expected_gpus == tier_policy(tier)["expected_gpus"]
    layers = [("inventory", {"tier": tier, "expected_gpus": 3, "severity": {"PRE-RAM": "minor"}}), ("-e", {"skip": []})]
    policy = make_policy(layers, CHECK_IDS)
    assert (policy.expected_gpus, policy.severity["PRE-RAM"]) == (3, "minor")
    assert make_policy([*layers, ("-e", {"expected_gpus": 2})], CHECK_IDS).expected_gpus == 2


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([("inventory", {"tier": "t99"})], "'t99', which is no tier; there are "),
        (
            [("the inventory's policy", {"expected_gpu": 1})],
            r"did you mean expected_gpus\? \(in the inventory's policy\)",
        ),
        ([("-e", ["x"])], "-e is .* it must be a mapping"),
        ([("-e", {"waive": [{"id": "PRE-RAM", "reason": "x"}]})], "each waiver needs id, until and reason"),
        ([("-e", {"waive": [{"id": "PRE-RAM", "reason": "x", "until": "soon"}]})], "write the day as '2027-01-31'"),
        ([("-e", {"severity": {"PRE-RAMM": "minor"}})], "PRE-RAMM.* did you mean PRE-RAM"),
    ],
)
def test_a_layer_that_cannot_be_used_says_where_it_comes_from(layers: Any, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        make_policy(layers, CHECK_IDS)
