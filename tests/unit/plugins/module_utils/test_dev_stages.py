# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logic of the stamps, against a model of a machine that is killed at any time."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _dev_stages as logic
from hypothesis import given
from hypothesis import strategies as st

NAMES = ["apt", "uv", "python", "packages", "services"]


def stage(name: str, **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"env": {}, "inputs": {}, "downloads": [], "after": [], "creates": [], "run_as": ""}
    return {"name": name, "script": "true", **empty, **more}


@st.composite
def plans(draw: st.DrawFn) -> list[dict[str, Any]]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    made = []
    for number, name in enumerate(names):
        after = draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
        made.append(stage(name, script=f"v{draw(st.integers(0, 2))}", after=after))
    return made


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[list[dict[str, Any]], int, list[str]]]:
    """Wishes one after the other; after how many scripts each run is killed; which results somebody deletes then."""
    return draw(
        st.lists(st.tuples(plans(), st.integers(0, 6), st.lists(st.sampled_from(NAMES))), min_size=1, max_size=5)
    )


class Machine:
    """What stands on the disk: a result is good if it was made from what is wanted and from results that are there."""

    def __init__(self) -> None:
        self.results: dict[str, tuple[str, tuple[Any, ...]]] = {}
        self.stamps: dict[str, str] = {}

    def missing(self, plan: list[dict[str, Any]]) -> dict[str, list[str]]:
        return {part["name"]: ["/gone"] for part in plan if part["name"] not in self.results}

    def make(self, part: dict[str, Any]) -> None:
        self.results[part["name"]] = (part["script"], tuple(self.results[name] for name in part["after"]))

    def run(self, plan: list[dict[str, Any]], scripts: int = 100) -> None:
        """As the module does it; a run that is killed ends in the middle of a script."""
        reasons = logic.due(plan, self.stamps, self.missing(plan))
        old = logic.forgotten(plan, self.stamps)
        self.stamps = {k: v for k, v in self.stamps.items() if k not in reasons and k not in old}
        wanted = logic.digests(plan)
        for part in plan:
            if part["name"] not in reasons:
                continue
            if not scripts:
                self.results[part["name"]] = ("half", ())
                return
            scripts -= 1
            self.make(part)
            self.stamps[part["name"]] = wanted[part["name"]]

    def right(self, plan: list[dict[str, Any]]) -> bool:
        fresh = Machine()
        for part in plan:
            fresh.make(part)
        return all(self.results.get(name) == value for name, value in fresh.results.items())


@given(stories(), plans())
def test_whatever_was_killed_the_next_run_mends(
    story: list[tuple[list[dict[str, Any]], int, list[str]]], last: list[dict[str, Any]]
) -> None:
    machine = Machine()
    for plan, scripts, deleted in story:
        machine.run(plan, scripts)
        for name in deleted:
            machine.results.pop(name, None)
    machine.run(last)
    assert machine.right(last)
    assert logic.due(last, machine.stamps, machine.missing(last)) == {}


@given(plans())
def test_a_second_run_has_nothing_to_do_and_order_is_kept(plan: list[dict[str, Any]]) -> None:
    reasons = logic.due(plan, {})
    assert list(reasons) == [part["name"] for part in plan]
    assert logic.due(plan, logic.digests(plan)) == {}


@given(plans(), st.data())
def test_a_change_reaches_exactly_what_comes_after(plan: list[dict[str, Any]], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(plan) - 1))
    changed = [{**part, "env": {"X": "1"}} if index == number else part for index, part in enumerate(plan)]
    reach = {plan[number]["name"]}
    for part in plan:
        if reach & set(part["after"]):
            reach.add(part["name"])
    assert set(logic.due(changed, logic.digests(plan))) == reach


@given(st.dictionaries(st.text(), st.text()))
def test_stamps_survive_a_round_trip(stamps: dict[str, str]) -> None:
    assert logic.parse(logic.render(stamps).encode()) == stamps


@given(st.binary())
def test_any_file_of_stamps_can_be_looked_at(raw: bytes) -> None:
    found = logic.parse(raw)
    assert found is None or isinstance(found, dict)


def test_parts_cannot_be_mistaken_for_each_other() -> None:
    variants = [
        stage("a"),
        stage("b"),
        stage("a", script="false"),
        stage("a", env={"x": "y"}),
        stage("a", inputs={"x": "y"}),
        stage("a", downloads=[{"name": "x", "url": "u", "sha256": "y"}]),
        stage("a", run_as="x"),
    ]
    assert len({logic.digests([variant])[variant["name"]] for variant in variants}) == len(variants)


def test_where_a_file_comes_from_is_no_part_of_the_stamp() -> None:
    one, two = (stage("a", downloads=[{"name": "x", "url": url, "sha256": "y"}]) for url in ("u", "v"))
    assert logic.digests([one]) == logic.digests([two])


@pytest.mark.parametrize(
    ("text", "count", "lines"),
    [
        ("one\ntwo\n\n", 1, "two"),
        ("10 %\r20 %\r30 %\ndone\n", 5, "30 %\ndone"),
        ("windows\r\nlines\r\n", 5, "windows\nlines"),
        ("", 5, ""),
    ],
)
def test_last_lines(text: str, count: int, lines: str) -> None:
    assert logic.last_lines(text, count) == lines


@given(st.text(), st.text(alphabet="abcdefgh0123456789", min_size=6, max_size=30))
def test_no_secret_is_left(text: str, secret: str) -> None:
    assert secret not in logic.without_secrets(f"{text}{secret}{text}", [f"{secret}\n"])
