# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing: freshness, order, hysteresis."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure import rank
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.asked import Candidate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.rank import HOUR, Finding
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_800_000_000.0


def finding(site: str, rate: float = 0.0, state: str = "ok", hours: float | None = None, **more: Any) -> Finding:
    url = f"https://{site}.example.org/"
    limit = more.pop("limit", None)
    candidate = Candidate("s", site, (url,), url, max_age_hours=limit)
    date = None if hours is None else NOW - hours * HOUR
    return Finding(candidate, state, "", 0.1, rate, date, **more)


def states(findings: list[Finding], max_age: float = 48) -> str:
    return " ".join(found.state for found in rank.freshen(findings, max_age, NOW))


def test_age_counts_from_the_newest_candidate_and_not_from_the_clock() -> None:
    assert states([finding("a", hours=1000), finding("b", hours=1047)]) == "ok ok"
    assert states([finding("a", hours=1000), finding("b", hours=1049)]) == "ok stale"
    # an unusable one says nothing about the others
    assert states([finding("a", state="forbidden", hours=0), finding("b", hours=100)]) == "forbidden ok"
    assert states([finding("a", hours=0), finding("b")]) == "ok ok"
    assert states([]) == ""


def test_an_entry_may_have_its_own_limit() -> None:
    assert (
        states([finding("a", hours=0), finding("b", hours=60, limit=72.0), finding("c", hours=2, limit=1.0)])
        == "ok ok stale"
    )


def test_a_date_of_tomorrow_makes_nobody_old() -> None:
    assert states([finding("a", hours=-1000), finding("b", hours=2)]) == "ok ok"
    # but where all are ahead, it is our clock that is wrong
    assert states([finding("a", hours=-1000), finding("b", hours=-900)]) == "ok stale"


def test_valid_until() -> None:
    late = rank.freshen([finding("a", hours=10, valid_until=NOW - 2 * HOUR)], 48, NOW)[0]
    assert (late.state, late.reason) == ("stale", "its Valid-Until passed 2 hours ago")
    assert states([finding("a", hours=10, valid_until=NOW + 1)]) == "ok"


def sites(found: list[Finding]) -> str:
    return "".join(one.candidate.site for one in found)


@pytest.mark.parametrize(
    ("rates", "remembered", "expected"),
    [
        ({"a": 1, "b": 3, "c": 2}, "", "bca"),
        ({"a": 100, "b": 129}, "ab", "ab"),
        ({"a": 100, "b": 130}, "ab", "ba"),
        ({"a": 100, "b": 110, "c": 125}, "cba", "cba"),
        ({"a": 100, "b": 110, "c": 200}, "ba", "cba"),
        ({"a": 100, "b": 99, "c": 98}, "cba", "cba"),
        ({"a": 0, "b": 0}, "ba", "ba"),
        ({"a": 0, "b": 5}, "ab", "ba"),
        ({"b": 5, "c": 6}, "abc", "bc"),
    ],
)
def test_order(rates: dict[str, float], remembered: str, expected: str) -> None:
    assert sites(rank.order([finding(site, rate) for site, rate in rates.items()], list(remembered), 0.3)) == expected


def test_only_usable_ones_are_ranked() -> None:
    found = [finding("a", 9, "stale"), finding("b", 1), finding("c", 8, "timeout")]
    assert sites(rank.order(found, ["a"], 0.3)) == "b"
    assert rank.order(found[:1], ["a"], 0.3) == []


findings = st.lists(
    st.builds(finding, st.sampled_from("abcdef"), st.integers(0, 10**9), st.sampled_from(["ok", "ok", "timeout"])),
    unique_by=lambda f: f.candidate.site,
)


@given(findings, st.lists(st.sampled_from("abcdefgh"), unique=True), st.floats(0, 5))
def test_the_order_is_complete_stable_and_justified(found: list[Finding], remembered: list[str], gain: float) -> None:
    ranked = rank.order(found, remembered, gain)
    usable = [one for one in found if one.usable]
    assert sorted(sites(ranked)) == sorted(sites(usable))
    # the same measurement again changes nothing
    assert rank.order(found, [one.candidate.site for one in ranked], gain) == ranked
    if ranked:
        # nobody is clearly faster than the first, and the first is the remembered one or clearly faster than it
        best = max(one.rate for one in ranked)
        assert ranked[0].rate == best or best < ranked[0].rate * (1 + gain)
        known = [one for site in remembered for one in usable if one.candidate.site == site]
        if remembered and known and ranked[0] != known[0]:
            assert ranked[0].rate >= known[0].rate * (1 + gain) and ranked[0].rate > known[0].rate


def test_a_service_as_it_is_remembered() -> None:
    found = [finding("a", 1000.4, hours=1), finding("b", 5000.6, hours=100), finding("c", 1100, hours=2)]
    service = rank.service(found, None, 0.3, 48, NOW)
    assert (service["site"], service["score"]) == ("c", 1100)
    assert service["urls"] == ["https://c.example.org/", "https://a.example.org/"]
    assert service["measured"][1] == {
        "site": "b",
        "url": "https://b.example.org/",
        "state": "stale",
        "reason": "99 hours behind the newest, 48 are allowed",
        "seconds": 0.1,
        "rate": 5001,
        "date": round(NOW - 100 * HOUR),
    }
    assert rank.former_order(service) == ["c", "a"]
    again = rank.service([finding("a", 1300, hours=1), finding("c", 1100, hours=1)], service, 0.3, 48, NOW)
    assert again["site"] == "c"
    nothing = rank.service([finding("a", 1, "timeout")], service, 0.3, 48, NOW)
    assert (nothing["site"], nothing["urls"], nothing["score"]) == (None, [], 0)
    assert rank.former_order(nothing) == rank.former_order(None) == []
