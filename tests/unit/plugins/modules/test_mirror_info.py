# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mirror_info against the farm: the choice, the memory, the second run, hysteresis, check mode, and no secrets."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure import memory
from ansible_collections.gpuready.bootstrap.plugins.modules.mirror_info import main

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "module_utils" / "_mirrors"))

from farm import BLOCKED, Farm, Member

RunModule = Callable[..., dict[str, Any]]
PATH = "/var/lib/gpuready/mirrors.json"
QUICK = {"budget": 2, "seconds": 0.3, "bytes": 100_000}


def entry(farm: Farm, name: str, kind: str = "inrelease", **more: Any) -> dict[str, Any]:
    url = farm.url(name)
    probe = {"inrelease": "/u/dists/s/InRelease", "simple": "/simple/pip/"}[kind]
    return {"site": name, "url": url + "/u", "kind": kind, "probe_url": url + probe, "sample_url": url + "/big", **more}


def candidates(farm: Farm, *names: str) -> dict[str, Any]:
    return {"debian": [entry(farm, name) for name in names], "pypi": [entry(farm, name, "simple") for name in names]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the clock of the module on, by hours."""
    real = time.time

    def move(hours: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)

    return move


def remembered(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / PATH[1:]).read_text())
    return found


def test_measures_once_remembers_and_forgets(root: Path, run_module: RunModule) -> None:
    before = sorted(root.rglob("*"))
    with Farm([Member("slow", rate=300_000), Member("fast"), Member("no", status=403, page=BLOCKED)]) as farm:
        args = {"root": str(root), "candidates": candidates(farm, "slow", "no", "fast"), **QUICK}
        predicted = run_module(main, check=True, **args)
        assert predicted["changed"] and predicted["measured"] and sorted(root.rglob("*")) == before
        header = {"before_header": PATH + " (absent)", "after_header": PATH, "before": ""}
        assert predicted["diff"] == [{**header, "after": memory.render(predicted["mirrors"])}]
        result = run_module(main, **args)
        assert result["changed"] and result["files"] == [PATH] and result["why"] == "nothing is remembered"
        asked = {name: len(tally.requests) for name, tally in farm.tallies.items()}
        assert result["requests"] == {farm.members[name].host: number // 2 for name, number in asked.items()}
        found = result["mirrors"]["services"]["debian"]
        assert (found["site"], found["urls"]) == ("fast", [farm.url("fast") + "/u", farm.url("slow") + "/u"])
        assert [line["state"] for line in found["measured"]] == ["ok", "forbidden", "ok"]
        assert found["measured"][1]["reason"] == "HTTP 403: Access from your network is blocked, id 4711"
        assert remembered(root) == result["mirrors"] and (root / PATH[1:]).stat().st_mode & 0o777 == 0o644
        for check in (False, True):
            again = run_module(main, check=check, **args)
            assert (again["changed"], again["measured"], again["diff"], again["requests"]) == (False, False, [], {})
            assert again["mirrors"] == result["mirrors"] and again["seconds"] < 0.5
        assert {name: len(tally.requests) for name, tally in farm.tallies.items()} == asked
    assert run_module(main, check=True, root=str(root), state="absent")["changed"]
    gone = run_module(main, root=str(root), state="absent")
    assert gone["changed"] and gone["mirrors"] is None and sorted(root.rglob("*")) == before
    assert not run_module(main, root=str(root), state="absent")["changed"]


def test_an_expired_memory_is_refreshed_without_alarm(
    root: Path, run_module: RunModule, later: Callable[[float], None]
) -> None:
    with Farm([Member("a"), Member("b", rate=300_000)]) as farm:
        args = {"root": str(root), "candidates": candidates(farm, "a", "b"), **QUICK}
        first = run_module(main, **args)["mirrors"]
        later(100)
        assert not run_module(main, **args)["measured"]
        later(169)
        again = run_module(main, **args)
        assert (again["changed"], again["refreshed"], again["measured"]) == (False, True, True)
        assert again["why"] == "the memory has expired" and again["files"] == [PATH]
        assert remembered(root)["expires_at"] > first["expires_at"]
        assert not run_module(main, **args)["measured"]
        forced = run_module(main, force=True, **args)
        assert (forced["changed"], forced["refreshed"], forced["why"]) == (False, True, "force is set")
        shorter = run_module(main, ttl_hours=0.01, **args)
        assert not shorter["measured"]


def test_the_remembered_site_stays_unless_another_is_clearly_better(
    root: Path, run_module: RunModule, later: Callable[[float], None]
) -> None:
    with Farm([Member("a", rate=300_000), Member("b", rate=200_000)]) as farm:
        args = {"root": str(root), "candidates": candidates(farm, "a", "b"), **QUICK}
        assert run_module(main, **args)["mirrors"]["services"]["pypi"]["site"] == "a"
        # 17 % faster is not enough, 60 % is
        for rate, site, changed in ((350_000, "a", False), (480_000, "b", True), (480_000, "b", False)):
            farm.members["b"].rate = rate
            result = run_module(main, force=True, **args)
            assert (result["mirrors"]["services"]["pypi"]["site"], result["changed"]) == (site, changed)
        # a gain of nothing: the faster one at once
        farm.members["a"].rate = 900_000
        assert run_module(main, force=True, min_gain=0, **args)["mirrors"]["services"]["pypi"]["site"] == "a"
        farm.members["a"].status = 403
        result = run_module(main, force=True, **args)
        assert result["mirrors"]["services"]["pypi"]["urls"] == [farm.url("b") + "/u"] and result["changed"]


def test_another_wish_measures_anew(root: Path, run_module: RunModule) -> None:
    with Farm([Member("a"), Member("b")]) as farm:
        args = {"root": str(root), **QUICK}
        run_module(main, candidates=candidates(farm, "a"), **args)
        result = run_module(main, candidates=candidates(farm, "a", "b"), **args)
        assert result["measured"] and result["why"] == "something else was asked for before"
        run_module(main, candidates=candidates(farm, "a"), key="mine", **args)
        # the key decides, not what the candidates look like
        assert not run_module(main, candidates=candidates(farm, "b"), key="mine", **args)["measured"]
        assert run_module(main, candidates=candidates(farm, "b"), key="other", **args)["measured"]


@pytest.mark.parametrize("damage", ["", "{", "[]", "\x00\xff", '{"schema": "gpuready.mirrors/1"}', "urls"])
def test_a_memory_damaged_by_hand_is_measured_anew(damage: str, root: Path, run_module: RunModule) -> None:
    with Farm([Member("a")]) as farm:
        args = {"root": str(root), "candidates": candidates(farm, "a"), **QUICK}
        good = run_module(main, **args)["mirrors"]
        path = root / PATH[1:]
        text = memory.render(good).replace(farm.url("a") + "/u", "rm -rf") if damage == "urls" else damage
        path.write_bytes(text.encode("latin-1"))
        result = run_module(main, **args)
        assert result["measured"] and result["changed"] and "is unreadable" in result["why"]
        assert remembered(root)["services"].keys() == good["services"].keys()
        # also one that was there before ours is not an original that comes back
        path.write_bytes(text.encode("latin-1"))
        assert run_module(main, root=str(root), state="absent")["changed"] and not path.exists()


def test_a_memory_of_former_times_does_not_come_back(root: Path, run_module: RunModule) -> None:
    path = root / PATH[1:]
    path.parent.mkdir(parents=True)
    path.write_text("old\n")
    with Farm([Member("a")]) as farm:
        assert run_module(main, root=str(root), candidates=candidates(farm, "a"), **QUICK)["changed"]
    assert run_module(main, root=str(root), state="absent")["changed"]
    assert [p for p in (root / "var").rglob("*") if p.is_file()] == []


def test_an_outage_is_not_remembered_for_long(
    root: Path, run_module: RunModule, later: Callable[[float], None]
) -> None:
    with Farm([Member("a", kind="dead"), Member("b", status=503)]) as farm:
        args = {"root": str(root), "candidates": candidates(farm, "a", "b"), **QUICK}
        result = run_module(main, **args)
        assert result["changed"] and result["mirrors"]["services"]["pypi"]["urls"] == []
        assert not run_module(main, **args)["measured"]
        later(1.1)
        assert run_module(main, **args)["measured"]


@pytest.mark.parametrize("settings", [{"kind": "black_hole"}, {"drip": 0.2}, {"drip_head": 0.2}, {"delay": 9}], ids=str)
def test_the_budget_is_hard(settings: dict[str, Any], root: Path, run_module: RunModule) -> None:
    members = [Member(f"m{number}", **settings) for number in range(12)]
    with Farm(members) as farm:
        began = time.monotonic()
        result = run_module(main, root=str(root), candidates=candidates(farm, *farm.members), budget=1, parallel=2)
        assert time.monotonic() - began < 1.2 and result["seconds"] <= 1.05
        assert result["mirrors"]["services"]["pypi"]["urls"] == []
        assert all(tally.most <= 1 for tally in farm.tallies.values())


def test_through_a_proxy_whose_password_nobody_sees(
    root: Path, run_module: RunModule, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy = Member("proxy", kind="proxy", user="alice", password="hunter2")
    with Farm([Member("a"), Member("b", status=403, page="you are alice:hunter2\n"), proxy]) as farm:
        address = farm.url("proxy").replace("//", "//alice:hunter2@")
        args = {"root": str(root), "candidates": candidates(farm, "a", "b"), **QUICK}
        result = run_module(main, proxy={"http": address}, **args)
        assert result["mirrors"]["services"]["pypi"]["site"] == "a"
        assert len(farm.asked("proxy")) == len(farm.asked("a")) + len(farm.asked("b"))
        monkeypatch.setenv("http_proxy", address)
        monkeypatch.setenv("no_proxy", farm.members["a"].host)
        by_environment = run_module(main, force=True, **args)
        wrong = run_module(main, force=True, proxy={"http": address.replace("hunter2", "hunter3")}, **args)
        assert wrong["mirrors"]["services"]["pypi"]["measured"][0]["reason"] == "HTTP 407: who are you?"
        text = json.dumps([result, by_environment, wrong, remembered(root)])
        assert "hunter" not in text and "YWxpY2U6" not in text
        without = len(farm.asked("proxy"))
        assert run_module(main, force=True, proxy={}, **args)["mirrors"]["services"]["pypi"]["site"] == "a"
        assert len(farm.asked("proxy")) == without


def refused(result: dict[str, Any]) -> str:
    assert result["failed"] and result["msg"].startswith("Mirrors: ") and result["msg"].endswith(".")
    return str(result["msg"])


def test_refusals_are_one_sentence_and_change_nothing(root: Path, run_module: RunModule) -> None:
    good = {"pypi": [{"site": "a", "url": "http://127.0.0.1:9/", "probe_url": "http://127.0.0.1:9/x"}]}

    def said(**args: Any) -> str:
        return refused(run_module(main, **{"root": str(root), "candidates": good, **args}))

    assert "entry 1 of pypi must be a mapping" in said(candidates={"pypi": ["x"]})
    secret = said(candidates={"pypi": [{**good["pypi"][0], "url": "http://u:hunter2@x.example.org/"}]})
    assert "hunter2" not in secret and "leave it out" in secret
    assert "budget is 0.0, and must be between" in said(budget=0)
    assert "parallel is 0" in said(parallel=0)
    assert "only http proxies are known" in said(proxy={"http": "socks5://x.example.org:1"})
    (root / "bundle.pem").write_text("nothing\n")
    assert "holds no certificate" in said(ca_bundle=str(root / "bundle.pem"))
    assert "No such file" in said(ca_bundle=str(root / "missing.pem"))
    (root / PATH[1:]).mkdir(parents=True)
    assert "is not a regular file" in said()


def test_without_candidates_nothing_is_asked_or_written(root: Path, run_module: RunModule) -> None:
    result = run_module(main, root=str(root))
    assert (result["changed"], result["measured"], result["mirrors"]) == (False, False, None)
    assert result["why"] == "nothing was asked for" and not (root / "var").exists()
