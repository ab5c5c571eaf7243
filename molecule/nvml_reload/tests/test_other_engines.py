# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman with crun, and containerd without Docker: predicted, seen, and healed while they run."""

from __future__ import annotations

import json

import pytest
import reload_rows as rows
from reload_story import Story, predict

STEP = "/usr/local/lib/sandbox/others.sh"
NODES = rows.DEVICES.replace("--device ", "")
ASKED = "--env NVIDIA_VISIBLE_DEVICES=all"
HITS = 3
# On systemd 257 crun's unit starts with its device rules: what only the hook has opened never works
SCENES = {
    "podman-devices": (f"podman podman-devices {rows.DEVICES}", "keeps"),
    "podman-cdi": ("podman podman-cdi --device nvidia.com/gpu=all", "keeps"),
    "podman-hook": (f"podman podman-hook {ASKED}", "lost"),
    "containerd-devices": (f"containerd containerd-devices {NODES}", "keeps"),
    "containerd-hook": ("containerd containerd-hook", "loses"),
}


class Engines:
    """What the jobs of these containers said in each round, and what device_rules said of their units."""

    def __init__(self) -> None:
        self.story = Story(rows.TRIXIE)
        self.host = self.story.host
        self.unit: dict[str, str] = {}
        self.alive: dict[str, dict[str, tuple[str, ...]]] = {}
        self.said: dict[str, dict[str, set[str]]] = {}

    def do(self, *steps: str) -> str:
        return str(self.host.check_output(" && ".join(steps)))

    def list(self, moment: str) -> None:
        lines = [line.split() for line in self.do(f"{STEP} list").splitlines()]
        self.alive[moment] = {name: tuple(rest) for name, *rest in lines}
        self.unit = {name: unit for name, _pid, _start, unit in lines}

    def look(self, moment: str, *before: str) -> None:
        for line in self.do(*before, f"{STEP} look {moment}").splitlines():
            _turn, name, _node, answer = line.split(" ", 3)
            self.said.setdefault(moment, {}).setdefault(name, set()).add(answer)

    def hits(self, moment: str) -> None:
        self.look(moment, *["/usr/local/lib/sandbox/rows.sh hit"] * HITS)

    def verdict(self, moment: str, part: str, name: str) -> str:
        found = [item for item in self.story.predicted[moment][part]["containers"] if item["scope"] == self.unit[name]]
        assert len(found) == 1, json.dumps(found)
        return str(found[0]["verdict"])


@pytest.fixture(scope="module")
def engines() -> Engines:
    told = Engines()
    told.do(f"{STEP} prepare", *[f"{STEP} {step}" for step, _verdict in SCENES.values()])
    told.list("start")
    told.look("start")
    predict([told.story], "others")
    told.hits("hit")
    predict([told.story], "others-broken", {rows.TRIXIE: [told.unit[name] for name in SCENES]})
    told.look("healed")
    told.hits("later")
    told.list("later")
    return told


@pytest.mark.parametrize("name", SCENES)
def test_it_was_predicted(engines: Engines, name: str) -> None:
    verdict = SCENES[name][1]
    assert engines.verdict("others", "reported", name) == verdict
    assert engines.said["start"][name] == ({"denied"} if verdict == "lost" else {"passes"})
    assert engines.said["hit"][name] == ({"passes"} if verdict == "keeps" else {"denied"})


@pytest.mark.parametrize("name", SCENES)
def test_it_is_healed_where_it_runs(engines: Engines, name: str) -> None:
    assert engines.said["healed"][name] == engines.said["later"][name] == {"passes"}
    assert engines.alive["later"][name] == engines.alive["start"][name]
    answer = engines.story.predicted["others-broken"]
    assert (engines.unit[name] in answer["protected"]["protected"]) == (SCENES[name][1] != "keeps")
    assert not answer["again"]["changed"]
