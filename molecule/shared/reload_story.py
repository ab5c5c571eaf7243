# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to the containers of this scenario, told once, on all hosts at the same time. The tests read it.

In molecule/nvml_reload: a job inside each container says which nodes it can open (files/job), files/rows.sh is what is
done to the hosts, and what is predicted comes from predict.yml.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import reload_rows as rows
import testinfra
from machine import PROJECT, environment

HITS = 10
TIMEOUT = 120
STEP = "/usr/local/lib/sandbox/rows.sh"
INVENTORY = "molecule/inventory"
# what is healed afterwards, where it is broken by then
BROKEN = ("gpus", "wildcard", "devices")
Answers = dict[str, dict[str, str]]


class Story:
    """One host: what its jobs could open in each round, what was predicted, who lived on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.host = testinfra.get_host(f"ssh://{name}", ssh_config=str(PROJECT / ".sandbox" / "ssh_config"))
        self.rounds: dict[str, Answers] = {}
        self.predicted: dict[str, dict[str, Any]] = {}
        self.alive: dict[str, dict[str, list[str]]] = {}
        self.allowed: dict[str, str] = {}
        self.started: list[str] = []

    @property
    def v2(self) -> bool:
        return self.name in rows.V2

    def do(self, *steps: str) -> str:
        """Steps of files/rows.sh, which must succeed."""
        return str(self.host.check_output(" && ".join(f"{STEP} {step}" for step in steps)))

    def look(self, turn: str, *before: str, names: list[str] | None = None) -> None:
        """Ask all jobs, after some steps of rows.sh."""
        self.tell(self.do(*before, f"look {turn} {' '.join(names or self.started)}"))

    def tell(self, output: str) -> None:
        for line in output.splitlines():
            turn, name, node, answer = line.split(" ", 3)
            self.rounds.setdefault(turn, {}).setdefault(name, {})[node] = answer

    def hits(self, prefix: str, names: list[str]) -> None:
        wanted = shlex.quote(" ".join(names))
        loop = f"names={wanted}; for n in $(seq {HITS}); do {STEP} hit && {STEP} look {prefix}$n $names || exit 1; done"
        self.tell(str(self.host.check_output(loop)))

    def note_alive(self, moment: str) -> None:
        lines = self.do(f"alive {' '.join(self.started)}").splitlines()
        self.alive[moment] = {line.split()[0]: line.split()[1:] for line in lines}

    def note_predicted(self, moment: str) -> None:
        self.predicted[moment] = json.loads(self.host.check_output("cat /run/predicted.json"))

    def scope(self, name: str) -> str:
        return f"docker-{self.alive['start'][name][0]}.scope"

    def lost(self, turn: str, name: str) -> tuple[str, ...]:
        """The nodes that a job can no longer open; nothing else than "passes" and "denied" may have been said."""
        said = self.rounds[turn][name]
        assert set(said) == set(rows.NODES) and set(said.values()) <= {"passes", "denied"}, said
        return tuple(sorted(node for node, answer in said.items() if answer == "denied"))

    # -- predictions -----------------------------------------------------------------------------------------------
    def rules(self, moment: str, name: str) -> dict[str, Any]:
        """gpu of a container, as gpu_facts has it."""
        found = [item["gpu"] for item in self.predicted[moment]["containers"] if item["name"] == name]
        assert len(found) == 1
        return dict(found[0])

    def verdict(self, moment: str, name: str, part: str = "reported") -> dict[str, Any] | None:
        """What device_rules says of a container; None: nothing."""
        identity = self.alive["start"][name][0]
        found = [item for item in self.predicted[moment][part]["containers"] if item["id"] == identity]
        assert len(found) <= 1
        return found[0] if found else None


def predict(stories: list[Story], moment: str, protect: dict[str, list[str]] | None = None) -> None:
    """Run the collection's predictors on all hosts; protect or heal the scopes that are named."""
    extra = json.dumps({"reload_protect": protect or {}})
    argv = ["ansible-playbook", "-i", INVENTORY, "molecule/nvml_reload/predict.yml", "-e", extra]
    done = subprocess.run(
        argv, cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False, timeout=TIMEOUT
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    everywhere(stories, lambda story: story.note_predicted(moment))


def everywhere(stories: list[Story], act: Callable[[Story], None]) -> None:
    with ThreadPoolExecutor(len(stories)) as pool:
        list(pool.map(act, stories))


def refused(story: Story) -> list[str]:
    """What opening the nodes on the host itself says, where it is not ENXIO: a driver stands behind them."""
    lines = story.do("guard").splitlines()
    return [line for line in lines if "No such device" not in line] or ["opened"] * (len(rows.NODES) - len(lines))


def tell() -> dict[str, Story]:
    """The whole story. It ends early, with what was heard, where a host is no fit place for it."""
    stories = [Story(name) for name in rows.HOSTS]
    on_v2 = [story for story in stories if story.v2]
    everywhere(on_v2, under_the_other_driver)
    predict(stories, "cgroupfs")
    everywhere(stories, start)
    protect = {story.name: [story.scope("protected"), story.scope("update-protected")] for story in on_v2}
    predict(stories, "start", protect)
    everywhere(stories, strike)
    heal = {story.name: [story.scope(name) for name in broken(story)] for story in on_v2}
    predict(stories, "broken", heal)
    everywhere(on_v2, after_the_heal)
    return {story.name: story for story in stories}


def under_the_other_driver(story: Story) -> None:
    """One container from before the engine was switched to cgroupfs, and one from then."""
    story.do(*rows.SURVIVOR.steps, "driver cgroupfs", *rows.CGROUPFS.steps)
    story.started += [rows.SURVIVOR.name, rows.CGROUPFS.name]


def start(story: Story) -> None:
    steps = ["driver systemd"] if story.v2 else []
    for row in rows.of(story.name):
        if row.linked and "links" not in steps:
            steps.append("links")
        steps += row.steps
        story.started.append(row.name)
    # many steps, one ssh login
    story.look("start", *steps)
    story.note_alive("start")


def strike(story: Story) -> None:
    updated = [row.name for row in rows.of(story.name) if row.updated]
    story.look("update", f"update {' '.join(updated)}")
    story.look("reload", "reload")
    story.hits("hit", story.started)


def broken(story: Story) -> list[str]:
    return [name for name in BROKEN if story.lost(f"hit{HITS}", name)]


def after_the_heal(story: Story) -> None:
    names = broken(story)
    story.look("healed", names=names)
    story.hits("healed", names)
    story.note_alive("healed")
    story.allowed["healed"] = story.do("allowed gpus")
    story.host.check_output("docker restart --time 0 gpus")
    story.allowed["restarted"] = story.do("allowed gpus")
    story.look("restarted", names=["gpus"])
    story.look("again", "hit", names=["gpus"])
