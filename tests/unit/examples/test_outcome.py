# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts as exit statuses, and what is made of ansible-runner's events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from _outcome import REFUSING, Collector, Host, Outcome, worst
from hypothesis import example, given
from hypothesis import strategies as st

READY, WARNINGS, NOT_READY, UNKNOWN = 0, 1, 2, 3
SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs" / "outcome.schema.json").read_text(encoding="utf-8"))
ERROR = {"task": "Install", "msg": "no"}


def report(exit_code: int) -> dict[str, Any]:
    verdict = {READY: "ready", WARNINGS: "ready_with_warnings", NOT_READY: "not_ready", UNKNOWN: "unknown"}[exit_code]
    return {"schema": "gpuready.report/1", "verdict": verdict, "exit_code": exit_code, "counts": {"pass": 1}}


def event(kind: str, host: str = "gpu01", **data: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": {"host": host, **data}}


PLAY = {"event": "playbook_on_play_start", "event_data": {}}
NOBODY_LEFT = {"event": "playbook_on_no_hosts_remaining", "event_data": {}}


def stats(failures: dict[str, int] | None = None, dark: dict[str, int] | None = None) -> dict[str, Any]:
    return {"event": "playbook_on_stats", "event_data": {"failures": failures or {}, "dark": dark or {}}}


def collect(*events: dict[str, Any], outcome: Outcome | None = None) -> Outcome:
    outcome = outcome or Outcome()
    collector = Collector(outcome)
    assert all(collector(one) for one in events)
    return outcome


@pytest.mark.parametrize(
    ("host", "verdict", "exit_code"),
    [
        (Host(report(READY), done=True), "ready", READY),
        (Host(report(WARNINGS), done=True), "ready_with_warnings", WARNINGS),
        (Host(report(UNKNOWN), ERROR, done=True), "unknown", UNKNOWN),
        (Host(report(NOT_READY), ERROR, done=True), "not_ready", NOT_READY),
        # judged well by preflight, then something failed
        (Host(report(READY), ERROR, done=True), "failed", NOT_READY),
        (Host(None, ERROR, done=True), "failed", NOT_READY),
        (Host(report(READY), ERROR, unreachable=True), "unreachable", NOT_READY),
        (Host(report(READY), attempts=1), "stopped", NOT_READY),
        (Host(), "not_run", NOT_READY),
        (Host(attempts=1, done=True), "unjudged", UNKNOWN),
    ],
)
def test_verdicts(host: Host, verdict: str, exit_code: int) -> None:
    assert (host.verdict, host.exit_code) == (verdict, exit_code)


@pytest.mark.parametrize(
    ("status", "codes", "expected"),
    [
        ("successful", [READY], READY),
        ("successful", [READY, WARNINGS], WARNINGS),
        ("successful", [WARNINGS, UNKNOWN], UNKNOWN),
        ("successful", [UNKNOWN, NOT_READY], NOT_READY),
        ("successful", [], NOT_READY),
        ("failed", [READY], NOT_READY),
        ("failed", [UNKNOWN], UNKNOWN),
        ("error", [WARNINGS], NOT_READY),
        ("canceled", [READY], 143),
        ("timeout", [READY], 124),
        ("not started", [], 64),
    ],
)
def test_the_worst_host_decides(status: str, codes: list[int], expected: int) -> None:
    hosts = {f"gpu{number}": Host(report(code), done=True) for number, code in enumerate(codes)}
    outcome = Outcome(status=status, hosts=hosts)
    assert outcome.exit_code == expected
    jsonschema.validate(outcome.as_dict(), SCHEMA)


@given(st.lists(st.sampled_from([READY, WARNINGS, NOT_READY, UNKNOWN]), min_size=1))
def test_the_order_of_the_hosts_does_not_matter(codes: list[int]) -> None:
    assert worst(codes) == worst(codes[::-1])
    assert (worst(codes) == READY) == (set(codes) == {READY})
    assert (worst(codes) == NOT_READY) == (NOT_READY in codes)


def test_the_last_report_of_a_host_stands() -> None:
    outcome = collect(
        PLAY,
        event("runner_on_ok", res={"report": report(NOT_READY)}),
        event("runner_on_ok", host="gpu02", res={"report": report(READY)}),
        event("runner_on_ok", res={"report": report(WARNINGS)}),
        stats(),
    )
    assert {name: host.verdict for name, host in outcome.hosts.items()} == {
        "gpu01": "ready_with_warnings",
        "gpu02": "ready",
    }


def test_without_an_end_nobody_is_ready() -> None:
    outcome = collect(PLAY, event("runner_on_ok", res={"report": report(READY)}))
    assert outcome.hosts["gpu01"].verdict == "stopped"


def test_a_batch_that_is_through_keeps_its_verdict() -> None:
    outcome = collect(
        PLAY,
        event("runner_on_ok", res={"report": report(READY)}),
        PLAY,
        event("runner_on_ok", host="gpu02", res={"report": report(READY)}),
    )
    assert [outcome.hosts[name].verdict for name in ("gpu01", "gpu02")] == ["ready", "stopped"]


def test_a_play_that_gives_up_makes_nobody_ready() -> None:
    """max_fail_percentage: preflight had judged both, one failed, and the other one was left where it was."""
    outcome = collect(
        PLAY,
        event("runner_on_ok", res={"report": report(READY)}),
        event("runner_on_ok", host="gpu02", res={"report": report(READY)}),
        event("runner_on_failed", host="gpu02", task="Install", res={"msg": "no"}),
        NOBODY_LEFT,
        stats(failures={"gpu02": 1}),
    )
    assert [outcome.hosts[name].verdict for name in ("gpu01", "gpu02")] == ["stopped", "failed"]


def test_a_failure_that_was_rescued_is_none() -> None:
    failed = event("runner_on_failed", task="Install", res={"msg": "no"})
    last = event("runner_on_ok", res={"report": report(READY)})
    assert collect(PLAY, failed, last, stats()).hosts["gpu01"].verdict == "ready"
    assert collect(PLAY, failed, last, stats(failures={"gpu01": 1})).hosts["gpu01"].error == ERROR
    assert (
        collect(PLAY, {**failed, "event_data": {**failed["event_data"], "ignore_errors": True}}, stats())
        .hosts["gpu01"]
        .error
        is None
    )


def test_another_attempt_starts_anew_but_keeps_what_was_changed() -> None:
    changed = event("runner_on_ok", res={"changed": True})
    outcome = collect(PLAY, changed, event("runner_on_unreachable", res={"msg": "lost"}), stats(dark={"gpu01": 1}))
    assert outcome.hosts["gpu01"].verdict == "unreachable" and outcome.unanswered() == ["gpu01"]
    collect(PLAY, changed, event("runner_on_ok", res={"report": report(READY)}), stats(), outcome=outcome)
    host = outcome.hosts["gpu01"]
    assert (host.verdict, host.attempts, host.changed, host.error) == ("ready", 2, 2, None)
    assert outcome.unanswered() == []


@pytest.mark.parametrize("action", REFUSING)
def test_what_was_refused_is_not_tried_again(action: str) -> None:
    looked = [event("runner_on_ok", host=name) for name in ("gpu01", "gpu02", "gpu03")]
    lost = event("runner_on_failed", host="gpu02", task_action="ansible.builtin.apt", res={"msg": "no"})
    refused = event("runner_on_failed", task_action=action, res={"msg": "no"})
    end = [NOBODY_LEFT, stats(failures={"gpu01": 1, "gpu02": 1})]
    assert collect(PLAY, *looked, lost, refused, *end).again() == ["gpu02", "gpu03"]
    assert collect(PLAY, *looked, lost, *end).again() == ["gpu01", "gpu02", "gpu03"]
    mended = collect(PLAY, refused, stats(failures={"gpu01": 1}))
    assert collect(PLAY, event("runner_on_unreachable"), stats(dark={"gpu01": 1}), outcome=mended).again() == ["gpu01"]


def fleet(canary: bool = False) -> Outcome:
    return Outcome(hosts={f"gpu0{number}": Host() for number in range(1, 5)}, canary=canary)


REFUSED = event("runner_on_failed", task_action=REFUSING[0], res={"msg": "no"})


def test_a_refused_host_holds_up_no_other_one() -> None:
    """The next attempt is without it: what another failure has held up gets its turn."""
    through = event("runner_on_ok", host="gpu02", res={"report": report(READY)})
    lost = event("runner_on_unreachable", host="gpu03", res={"msg": "lost"})
    end = [NOBODY_LEFT, stats(failures={"gpu01": 1}, dark={"gpu03": 1})]
    outcome = collect(PLAY, REFUSED, through, PLAY, lost, *end, outcome=fleet())
    assert {name: host.verdict for name, host in outcome.hosts.items()} == {
        "gpu01": "failed",
        "gpu02": "ready",
        "gpu03": "unreachable",
        "gpu04": "not_run",
    }
    assert outcome.again() == ["gpu03", "gpu04"]


def test_after_a_refused_canary_nobody_is_tried() -> None:
    """In an attempt without it the next host would be the canary."""
    lost = event("runner_on_unreachable", host="gpu02", res={"msg": "lost"})
    end = [NOBODY_LEFT, stats(failures={"gpu01": 1}, dark={"gpu02": 1})]
    assert collect(PLAY, REFUSED, lost, *end, outcome=fleet(canary=True)).again() == []
    # the canary got through: what comes after it is as in any other run
    second = event("runner_on_failed", host="gpu02", task_action=REFUSING[0], res={"msg": "no"})
    through = event("runner_on_ok", res={"report": report(READY)})
    outcome = collect(
        PLAY, through, PLAY, second, NOBODY_LEFT, stats(failures={"gpu02": 1}), outcome=fleet(canary=True)
    )
    assert outcome.again() == ["gpu03", "gpu04"]


def test_items_of_a_loop_are_no_tasks() -> None:
    outcome = collect(PLAY, event("runner_item_on_failed", res={"msg": "no", "changed": True}), stats())
    assert (outcome.hosts["gpu01"].error, outcome.hosts["gpu01"].changed) == (None, 0)


@pytest.mark.parametrize("res", [None, {}, {"report": None}, {"report": "text"}, {"report": {"schema": "other"}}])
def test_what_is_no_report_is_passed_over(res: Any) -> None:
    assert collect(PLAY, event("runner_on_ok", res=res), stats()).hosts["gpu01"].verdict == "unjudged"


def test_what_may_be_shown_while_it_happens() -> None:
    said: list[tuple[str, str, str]] = []
    collector = Collector(Outcome(), lambda *words: said.append(words))
    collector({"event": "playbook_on_task_start", "event_data": {"name": "docker_engine : Install"}})
    collector(event("runner_on_ok", task="Install", res={"changed": True}))
    collector(event("runner_on_ok", res={"changed": False}))
    collector(event("runner_on_failed", task="Start", res={"msg": "no"}))
    assert said == [("task", "", "docker_engine : Install"), ("changed", "gpu01", "Install"), ("failed", "gpu01", "no")]


@pytest.mark.parametrize("kind", ["playbook_on_start", "verbose", "error", "runner_on_start"])
def test_other_events_say_nothing(kind: str) -> None:
    outcome = collect({"event": kind})
    assert outcome.hosts == {}


def test_the_last_error_of_ansible_is_kept() -> None:
    collector = Collector(Outcome())
    collector({"event": "verbose", "stdout": "\x1b[0;31m[ERROR]: the playbook is no YAML\x1b[0m\r\nOrigin: x"})
    collector({"event": "verbose", "stdout": "more"})
    assert collector.heard == "the playbook is no YAML"


EVENTS = st.lists(
    st.one_of(
        st.just(PLAY),
        st.just(NOBODY_LEFT),
        st.builds(
            lambda kind, host, code, changed: event(
                kind,
                host,
                task="T",
                res={"msg": "m", "changed": changed, **({"report": report(code)} if code < 4 else {})},
            ),
            st.sampled_from(["runner_on_ok", "runner_on_failed", "runner_on_unreachable", "runner_on_skipped"]),
            st.sampled_from(["a", "b", "c"]),
            st.integers(0, 4),
            st.booleans(),
        ),
    ),
    max_size=12,
)


@example([event("runner_on_ok", "a", res={"report": report(READY)}), PLAY], False, "successful")
@given(EVENTS, st.booleans(), st.sampled_from(["successful", "failed", "canceled", "timeout"]))
def test_any_run_keeps_the_contract(events: list[dict[str, Any]], ended: bool, status: str) -> None:
    outcome = collect(*events, *([stats()] if ended else []))
    outcome.finish(status)
    document = outcome.as_dict(reports=True)
    jsonschema.validate(document, SCHEMA)
    if document["exit_code"] == READY:
        assert ended and {host["verdict"] for host in document["hosts"].values()} == {"ready"}
