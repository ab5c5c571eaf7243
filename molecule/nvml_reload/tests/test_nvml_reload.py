# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who loses the GPU when systemd reloads, who keeps it, and that both are predicted; a remedy without a restart.

A hit is a reload of systemd and the start of a unit in the same slice. Devices have NVIDIA's number and no driver.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import reload_rows as rows
from reload_story import HITS, Story, broken, refused, tell

WALKS = [(host, row) for host in rows.HOSTS for row in rows.all_of(host)]
CASES = [pytest.param(host, row, id=f"{host}-{row.name}") for host, row in WALKS]
UPDATES = [pytest.param(host, row, id=f"{host}-{row.name}") for host, row in WALKS if row.updated]
# either form of the entry
NVIDIACTL = re.compile("/dev/char/195:255|/dev/nvidiactl")
PROTECTED = ("protected", "update-protected")


@pytest.fixture(scope="session")
def stories() -> dict[str, Story]:
    for host in rows.HOSTS:
        said = refused(Story(host))
        if said:
            pytest.skip(f"{host}: opening the nodes must say ENXIO and says {said}: a real driver stands behind them")
    return tell()


@pytest.fixture(params=rows.V2)
def story(stories: dict[str, Story], request: pytest.FixtureRequest) -> Story:
    return stories[request.param]


@pytest.mark.parametrize(("host", "row"), CASES)
def test_what_happens(stories: dict[str, Story], host: str, row: rows.Row) -> None:
    assert stories[host].lost("start", row.name) == ()
    after = [stories[host].lost(f"hit{turn}", row.name) for turn in range(1, HITS + 1)]
    assert after == [row.lost[host]] * HITS


# Both were asked before the first hit, and before anything was protected
@pytest.mark.parametrize(("host", "row"), CASES)
def test_gpu_facts_predicted_it(stories: dict[str, Story], host: str, row: rows.Row) -> None:
    assert_rules(stories[host].rules("start", row.name), unprotected(row, host))


@pytest.mark.parametrize(("host", "row"), CASES)
def test_device_rules_predicted_it(stories: dict[str, Story], host: str, row: rows.Row) -> None:
    assert_verdict(stories[host].verdict("start", row.name), unprotected(row, host))


def unprotected(row: rows.Row, host: str) -> tuple[str, ...]:
    """What a container loses that nothing is done about."""
    return rows.NODES if row.name in PROTECTED else row.lost[host]


def assert_rules(gpu: dict[str, Any], lost: tuple[str, ...]) -> None:
    """What gpu_facts says must be what happens, node by node; it may leave out what CUDA does not need."""
    missing = sorted(node for node in gpu["missing"] if node != f"/dev/{rows.OPTIONAL}")
    assert (gpu["rules_ok"], missing) == (not lost, [f"/dev/{node}" for node in lost if node != rows.OPTIONAL])


def assert_verdict(verdict: dict[str, Any] | None, lost: tuple[str, ...]) -> None:
    """What device_rules says must be what happens; about a group that systemd does not manage it may say nothing."""
    if verdict is None:
        assert not lost
        return
    assert verdict["verdict"] in (["loses"] if lost else ["keeps", "not_applicable"])
    assert sorted(verdict["missing"]) == [f"/dev/{node}" for node in lost]


@pytest.mark.parametrize("row", [rows.SURVIVOR, rows.CGROUPFS], ids=lambda row: row.name)
def test_the_group_decides_and_not_the_engines_driver(story: Story, row: rows.Row) -> None:
    """Asked while it is cgroupfs: a container that lives on over such a change stays where it was."""
    assert_verdict(story.verdict("cgroupfs", row.name), row.lost[story.name])
    assert_rules(story.rules("cgroupfs", row.name), row.lost[story.name])


@pytest.mark.parametrize(("host", "row"), UPDATES)
def test_an_update_needs_no_reload(stories: dict[str, Story], host: str, row: rows.Row) -> None:
    assert stories[host].lost("update", row.name) == row.lost[host]


def test_a_reload_alone_shows_it_only_before_systemd_257(stories: dict[str, Story]) -> None:
    """Hence the second half of a hit: who only reloads sees nothing on Debian 13."""
    assert stories[rows.BOOKWORM].lost("reload", "gpus") == rows.NODES
    assert stories[rows.TRIXIE].lost("reload", "gpus") == ()
    assert stories[rows.TRIXIE].lost("hit1", "gpus") == rows.NODES


def test_protection_is_told_and_seen(story: Story) -> None:
    answer = story.predicted["start"]["protected"]
    assert answer["changed"]
    assert set(answer["protected"]) == {story.scope(name) for name in PROTECTED}
    for name in PROTECTED:
        assert_rules(story.rules("broken", name), ())
        assert_verdict(story.verdict("broken", name), ())


def test_what_was_broken_is_found_broken(story: Story) -> None:
    for name in broken(story):
        verdict = story.verdict("broken", name)
        assert verdict is not None and verdict["verdict"] == "lost", verdict


def test_it_is_healed_where_it_runs(story: Story) -> None:
    names = broken(story)
    assert "gpus" in names
    for name in names:
        assert story.lost("healed", name) == ()
        assert [story.lost(f"healed{turn}", name) for turn in range(1, HITS + 1)] == [()] * HITS
        # the same process, since the same moment
        assert story.alive["healed"][name] == story.alive["start"][name]
        verdict = story.verdict("broken", name, "protected")
        assert verdict is not None and verdict["healed"]


@pytest.mark.parametrize("moment", ["start", "broken"])
def test_a_second_run_changes_nothing(story: Story, moment: str) -> None:
    assert story.predicted[moment]["protected"]["changed"]
    assert not story.predicted[moment]["again"]["changed"]
    assert story.predicted[moment]["again"]["protected"] == []


def test_it_lasts_until_the_container_is_restarted(story: Story) -> None:
    """docker restart makes a new scope: the hook grants again, and the next hit takes it again."""
    assert NVIDIACTL.search(story.allowed["healed"]) and not NVIDIACTL.search(story.allowed["restarted"])
    assert story.lost("restarted", "gpus") == ()
    assert story.lost("again", "gpus") == rows.NODES
