# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts at once, against a farm of good and bad mirrors: what is found, how long it takes, how gentle it is."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure import asked, crew, http, rank
from farm import BLOCKED, PORTAL, Farm, Member
from hypothesis import given, settings
from hypothesis import strategies as st

Limits = asked.Limits
PROBES = {
    "inrelease": "/u/dists/s/InRelease",
    "simple": "/simple/pip/",
    "registry": "/v2/",
    "file": "/f.sh",
    "repodata": "/c/noarch/repodata.json",
    "json": "/a.json",
    "html": "/whl/",
}
QUICK = Limits(budget=2.0, seconds=0.4, bytes=200_000, parallel=4)
# what is wrong with a member, and the state that an apt service then has
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "stale": ({"age_hours": 100}, "stale"),
    "expired": ({"age_hours": 20, "valid_hours": 10}, "stale"),
    "refusing": ({"status": 403, "page": BLOCKED}, "forbidden"),
    "empty": ({"status": 404}, "not_found"),
    "broken": ({"status": 503, "page": "Service Unavailable"}, "error"),
    "network_login": ({"status": 511, "page": PORTAL}, "html"),
    "portal": ({"page": PORTAL}, "html"),
    "elsewhere": ({"redirect": "good"}, "redirected_elsewhere"),
    "nowhere": ({"redirect": "http://127.0.1.1:9"}, "redirected_elsewhere"),
    "to_no_web": ({"redirect": "ftp://good.example.org"}, "redirected_elsewhere"),
    "truncated": ({"cut": 60_000}, "truncated"),
    "short_index": ({"cut": 300}, "truncated"),
    "no_large_files": ({"bad_paths": {"/big": 403}}, "forbidden"),
    "dead": ({"kind": "dead"}, "unreachable"),
    "wrong_architecture": ({"architectures": ["riscv64"]}, "wrong_architecture"),
    # as Ubuntu's ports: the InRelease names all architectures, the lists are not there
    "index_only": ({"bad_paths": {"/binary-amd64/": 404}}, "wrong_architecture"),
}
SILENT: dict[str, dict[str, Any]] = {
    "black_hole": {"kind": "black_hole"},
    "drip": {"drip": 0.1},
    "drip_head": {"drip_head": 0.1},
    "late": {"delay": 5},
}


def entry(farm: Farm, name: str, kind: str = "inrelease", **more: Any) -> dict[str, Any]:
    url = farm.url(name)
    return {
        "site": name,
        "url": f"{url}/u",
        "kind": kind,
        "probe_url": url + PROBES[kind],
        "sample_url": f"{url}/big",
        **more,
    }


def look(
    farm: Farm,
    names: Sequence[str],
    kinds: Sequence[str] = ("inrelease",),
    limits: Limits = QUICK,
    net: http.Net | None = None,
    **more: Any,
) -> dict[tuple[str, str], rank.Finding]:
    """(kind, name) -> finding, freshness judged; each kind is a service of its own."""
    candidates = asked.read({kind: [entry(farm, name, kind, **more) for name in names] for kind in kinds})
    now = time.time()
    until = time.monotonic() + limits.budget
    found = crew.measure(candidates, limits, net or http.Net(), until, machine="x86_64", now=now)
    assert time.monotonic() < until + 0.3
    judged = [
        finding
        for kind in kinds
        for finding in rank.freshen([f for f in found if f.candidate.service == kind], 48, now)
    ]
    return {(finding.candidate.service, finding.candidate.site): finding for finding in judged}


def gentle(farm: Farm, services: int) -> None:
    """One question a service, one for its architecture, at most two samples; and one after the other."""
    for name, tally in farm.tallies.items():
        assert tally.most <= 1, name
        assert len(tally.requests) <= 2 * services + 2, (name, farm.asked(name))
        assert all("gpuready" in request["agent"] for request in tally.requests)


@pytest.mark.parametrize("name", BAD)
def test_each_way_to_be_bad_has_its_state(name: str) -> None:
    settings_of, state = BAD[name]
    with Farm([Member("good"), Member(name, **settings_of)]) as farm:
        found = look(farm, ["good", name])
        bad = found[("inrelease", name)]
        assert (bad.state, bool(bad.reason)) == (state, True), bad
        assert found[("inrelease", "good")].usable
        assert len(bad.reason) <= 120
        gentle(farm, 1)


@pytest.mark.parametrize("name", SILENT)
def test_silence_ends_with_the_time_and_not_later(name: str) -> None:
    with Farm([Member("good"), Member(name, **SILENT[name])]) as farm:
        limits = replace(QUICK, budget=1.2)
        found = look(farm, [name, "good"], ("inrelease", "simple"), limits)
        for kind in ("inrelease", "simple"):
            assert found[(kind, name)].state == "timeout"
            assert found[(kind, "good")].usable and found[(kind, "good")].rate > 1e5
        # it was asked once for both
        assert len(farm.tallies[name].requests) <= 1


@pytest.mark.parametrize("name", [*SILENT, "dead"])
def test_a_silent_host_is_asked_once_for_all_services(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_PROBE_SECONDS", 0.1)
    with Farm([Member(name, **{**SILENT, "dead": {"kind": "dead"}}[name])]) as farm:
        net = http.Net()
        states = {finding.state for finding in look(farm, [name], tuple(PROBES), net=net).values()}
        assert states == {"unreachable" if name == "dead" else "timeout"}
        assert list(net.requests.values()) == [1]


def test_a_silent_host_leaves_time_for_the_next() -> None:
    with Farm([Member("hole", kind="black_hole"), Member("good")]) as farm:
        found = look(farm, ["hole", "good"], limits=replace(QUICK, budget=1.2, parallel=1))
        assert found[("inrelease", "hole")].state == "timeout" and found[("inrelease", "good")].usable


def test_a_sample_that_hardly_moves_is_no_mirror() -> None:
    with Farm([Member("good"), Member("crawling", large_rate=300)]) as farm:
        found = look(farm, ["good", "crawling"])[("inrelease", "crawling")]
        assert found.state == "timeout" and found.reason.startswith("a larger file gave ")


def test_a_slow_resolver_costs_only_its_own_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    known = socket.getaddrinfo

    def slow(host: str, *args: Any, **options: Any) -> Any:
        if host.endswith(".example.org"):
            time.sleep(3)
        return known(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with Farm([Member("good")]) as farm:
        candidates = asked.read(
            {
                "pypi": [
                    {"site": "far", "url": "http://x.example.org/", "probe_url": "http://x.example.org/simple/pip/"},
                    entry(farm, "good", "simple"),
                ]
            }
        )
        began = time.monotonic()
        far, good = crew.measure(candidates, QUICK, http.Net(), began + 1.0)
        assert time.monotonic() - began < 1.3
        assert (far.state, good.state) == ("timeout", "ok")


def test_the_rate_of_a_host_counts_for_all_its_services() -> None:
    with Farm([Member("fast"), Member("slow", rate=400_000)]) as farm:
        found = look(farm, ["slow", "fast"], tuple(PROBES))
        for kind in PROBES:
            assert found[(kind, "slow")].usable and found[(kind, "fast")].usable, found
            assert found[(kind, "slow")].rate == found[("inrelease", "slow")].rate
            assert 200_000 < found[(kind, "slow")].rate < 800_000 < found[(kind, "fast")].rate
        assert sum("/big" in line for line in farm.asked("slow")) == 1
        gentle(farm, len(PROBES))


def test_servers_that_close_after_each_answer() -> None:
    with Farm([Member("a", close=True)]) as farm:
        found = look(farm, ["a"], tuple(PROBES))
        assert {finding.state for finding in found.values()} == {"ok"}
        gentle(farm, len(PROBES))


def test_a_sample_reads_no_more_than_asked() -> None:
    with Farm([Member("fast", size=5_000_000)]) as farm:
        found = look(farm, ["fast"], limits=replace(QUICK, bytes=100_000))
        assert found[("inrelease", "fast")].usable
        assert farm.asked("fast")[-1] == "GET /big"


def test_a_second_file_is_tried_where_the_first_is_not_there() -> None:
    with Farm([Member("a", bad_paths={"/missing": 404})]) as farm:
        raw = {
            "one": [entry(farm, "a", "simple", sample_url=farm.url("a") + "/missing")],
            "two": [entry(farm, "a", "json")],
        }
        one, two = crew.measure(asked.read(raw), QUICK, http.Net(), time.monotonic() + 2)
        assert one.usable and one.rate == two.rate > 1e5


def test_a_host_that_refuses_is_asked_twice_at_most() -> None:
    with Farm([Member("no", status=403, page=BLOCKED)]) as farm:
        found = look(farm, ["no"], tuple(PROBES))
        assert {finding.state for finding in found.values()} == {"forbidden"}
        assert found[("inrelease", "no")].reason == "HTTP 403: Access from your network is blocked, id 4711"
        assert len(farm.asked("no")) == 2


def test_accepted_redirects_count_for_the_site() -> None:
    with Farm([Member("good", size=100_000), Member("front", redirect="good")]) as farm:
        host = farm.members["good"].host
        for accepted in ([host], ["*"], ["." + host.partition(".")[2]]):
            found = look(farm, ["front"], accept_redirect_to=accepted)[("inrelease", "front")]
            assert found.usable and found.reason == f"answered by {host}"
        assert look(farm, ["front"])[("inrelease", "front")].state == "redirected_elsewhere"


def test_a_circle_of_redirects_ends() -> None:
    with Farm([Member("a", redirect="b"), Member("b", redirect="a")]) as farm:
        found = look(farm, ["a"], accept_redirect_to=["*"])[("inrelease", "a")]
        assert found.state == "error" and "4 times" in found.reason
        assert len(farm.asked("a")) == len(farm.asked("b")) == 2


def test_redirects_to_a_common_host_wait_for_each_other() -> None:
    fronts = [Member(f"front{number}", redirect="good") for number in range(6)]
    with Farm([Member("good", delay=0.03), *fronts]) as farm:
        found = look(farm, [front.name for front in fronts], accept_redirect_to=["*"])
        assert all(finding.usable for finding in found.values())
        assert farm.tallies["good"].most == 1


def test_what_was_best_is_asked_first() -> None:
    with Farm([Member(f"m{number}", delay=0.1) for number in range(8)]) as farm:
        candidates = asked.read({"a": [entry(farm, name, "json") for name in farm.members]})
        limits = replace(QUICK, parallel=1)
        found = crew.measure(candidates, limits, http.Net(), time.monotonic() + 0.7, first=[("a", "m7")])
        states = {f.candidate.site: f.state for f in found}
        assert (states["m7"], states["m0"], states["m6"]) == ("ok", "ok", "timeout")
        assert found[6].reason.startswith("not asked")


@pytest.mark.parametrize(("wanted", "condemned"), [(3.0, False), (0.3, True)])
def test_a_sample_without_time_condemns_nobody(wanted: float, condemned: bool) -> None:
    with Farm([Member("a", delay=0.5)]) as farm:
        candidate = asked.read({"s": [entry(farm, "a", "json")]})[0]
        work = crew.HostSample([candidate], http.Net(), replace(QUICK, seconds=wanted))
        # its share is next to nothing, so it gets the least
        assert work.run(0.01, time.monotonic() + 5) is False
        assert work.judged(rank.Finding(candidate, "ok")).usable is not condemned


def test_a_bad_sample_counts_for_its_own_service_where_another_is_good() -> None:
    with Farm([Member("a", bad_paths={"/refused": 403})]) as farm:
        raw = {
            "one": [entry(farm, "a", "simple", sample_url=farm.url("a") + "/refused")],
            "two": [entry(farm, "a", "json")],
            "three": [entry(farm, "a", "html", sample_url=farm.url("a") + "/never-asked")],
        }
        one, two, three = crew.measure(asked.read(raw), QUICK, http.Net(), time.monotonic() + 2)
        assert (one.state, two.state, three.state) == ("forbidden", "ok", "ok") and two.rate == three.rate > 1e5
        assert "GET /never-asked" not in farm.asked("a")


def test_a_preset_fits_into_its_budget() -> None:
    """Eleven services at six sites, two of them silent, in a tenth of the real budget."""
    members = [Member(f"site{number}", rate=3_000_000) for number in range(4)]
    members += [Member("hole", kind="black_hole"), Member("drip", drip_head=0.05)]
    with Farm(members) as farm:
        names = [member.name for member in members]
        kinds = list(PROBES)
        raw = {
            f"service{number}": [entry(farm, name, kinds[number % len(kinds)]) for name in names]
            for number in range(11)
        }
        began = time.monotonic()
        limits = replace(QUICK, budget=1.5)
        found = crew.measure(asked.read(raw), limits, http.Net(), began + 1.5, machine="x86_64", now=time.time())
        assert time.monotonic() - began < 1.8
        states = {finding.candidate.site: set() for finding in found}
        for finding in found:
            states[finding.candidate.site].add(finding.state)
        assert states == {**{f"site{n}": {"ok"} for n in range(4)}, "hole": {"timeout"}, "drip": {"timeout"}}
        gentle(farm, 11)


MIXED = {**{name: pair[0] for name, pair in BAD.items()}, "black_hole": SILENT["black_hole"], "drip": SILENT["drip"]}
FAST = {"fast": {}, "slow": {"rate": 300_000}, "slower": {"rate": 60_000}}


@given(
    bad=st.lists(st.sampled_from(sorted(MIXED)), max_size=4, unique=True),
    good=st.lists(st.sampled_from(sorted(FAST)), max_size=3, unique=True),
    seed=st.randoms(use_true_random=False),
)
@settings(max_examples=12)
def test_the_choice_is_right_in_every_mix(bad: list[str], good: list[str], seed: Any) -> None:
    # the good one that others redirect to is there, but is no candidate
    members = [
        Member("good"),
        *(Member(name, **MIXED[name]) for name in bad),
        *(Member(name, **FAST[name]) for name in good),
    ]
    names = bad + good
    if "fast" not in good:
        # the newest date comes from a good member
        members.append(Member("fast", rate=2_000_000))
        names.append("fast")
    seed.shuffle(names)
    with Farm(members) as farm:
        found = look(farm, names, limits=replace(QUICK, budget=1.6))
        ranked = rank.order(found.values(), [], 0.3)
        assert [f.candidate.site for f in ranked] == [n for n in ("fast", "slow", "slower") if n in names]
        gentle(farm, 1)


def test_a_reader_that_fails_is_the_answers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(crew.probe, "judge", fail)
    with Farm([Member("a"), Member("b")]) as farm:
        found = look(farm, ["a", "b"])
        assert {f.state for f in found.values()} == {"error"}
        assert "RuntimeError: a bug" in found[("inrelease", "a")].reason
