# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a container, from device rules before and after, and from nvidia-smi inside."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.filter.gpu_heal_report import FilterModule
from hypothesis import given
from hypothesis import strategies as st

report = FilterModule().filters()["gpu_heal_report"]
WORKS = {"rc": 0, "count": 1, "message": None}
CUT_OFF = {"rc": 255, "count": None, "message": "Failed to initialize NVML: Unknown Error"}
NO_DRIVER = {"rc": 9, "count": None, "message": "couldn't communicate with the NVIDIA driver"}
NO_PROGRAM = {"rc": 127, "count": None, "message": "executable file not found"}
HUNG = {"rc": None, "count": None, "message": "nvidia-smi did not end within 20 s"}
VERDICTS = ("keeps", "loses", "lost", "not_applicable")


def rules(verdict: str, **more: Any) -> dict[str, Any]:
    base = {
        "id": "aa",
        "scope": "docker-aa.scope",
        "engine": "docker",
        "name": "train",
        "recreate": "docker restart train",
    }
    return {**base, "verdict": verdict, "reason": f"because {verdict}", **more}


def docker(probe: Any, **more: Any) -> dict[str, Any]:
    gpu = {"requested": True}
    return {"id": "aa", "name": "train", "state": "running", "gpu": gpu, "labels": {}, "probe": probe, **more}


@pytest.mark.parametrize(
    ("before", "after", "probe", "outcome", "without"),
    [
        ("keeps", "keeps", WORKS, "keeps", False),
        ("loses", "keeps", WORKS, "protected", False),
        ("lost", "keeps", WORKS, "healed", False),
        # not asked: the kernel's own device programs are the witness
        ("lost", "keeps", None, "healed", False),
        ("lost", "keeps", NO_PROGRAM, "healed", False),
        ("lost", "keeps", HUNG, "healed", False),
        ("loses", "loses", WORKS, "loses", False),
        ("lost", "lost", None, "lost", True),
        ("keeps", "keeps", CUT_OFF, "lost", True),
        ("lost", "keeps", CUT_OFF, "lost", True),
        ("not_applicable", "not_applicable", CUT_OFF, "lost", True),
        ("not_applicable", "not_applicable", WORKS, "not_applicable", False),
        ("lost", "keeps", NO_DRIVER, "fails", True),
    ],
)
def test_outcomes(before: str, after: str, probe: Any, outcome: str, without: bool) -> None:
    found = report([rules(before)], [rules(after)], [docker(probe)])
    (one,) = found["containers"]
    assert (one["outcome"], found["without_gpu"]) == (outcome, ["train"] if without else [])
    assert len(found["trouble"]) == len(found["without_gpu"])
    assert (one["command"] == "docker restart train") is (without or outcome == "loses")


def test_a_lost_one_is_told_with_cause_and_command() -> None:
    found = report([rules("not_applicable")], [rules("not_applicable")], [docker(CUT_OFF)])
    assert found["trouble"] == [
        "train has no GPU: nvidia-smi says: Failed to initialize NVML: Unknown Error; because not_applicable"
        " (to start it anew: docker restart train)"
    ]


def test_containers_of_other_engines_are_named_by_what_is_known() -> None:
    podman = rules("lost", id="b" * 64, name=None, engine="podman", recreate=None)
    found = report([podman], [{**podman, "verdict": "keeps"}], [])
    assert found["lines"] == ["podman bbbbbbbbbbbb had lost its GPU and has it again, until it is started again"]


def test_one_that_has_ended_is_no_failure() -> None:
    found = report([rules("lost")], [], [])
    assert (found["containers"][0]["outcome"], found["without_gpu"]) == ("ended", [])


@pytest.mark.parametrize(
    ("container", "lines"),
    [
        (docker(None, state="exited"), []),
        (docker(WORKS, gpu={"requested": False}), []),
        (docker(CUT_OFF), ["has no GPU: nvidia-smi says"]),
        (docker(None), ["was left alone: it asks for a GPU, and has no NVIDIA device"]),
    ],
)
def test_one_that_started_without_devices(container: dict[str, Any], lines: list[str]) -> None:
    found = report([], [], [container])
    assert len(found["lines"]) == len(lines)
    assert all(part in line for part, line in zip(lines, found["lines"]))


def test_the_line_of_compose() -> None:
    labels = {"com.docker.compose.project.working_dir": "/srv/a b", "com.docker.compose.service": "dev"}
    (one,) = report([], [], [docker(CUT_OFF, labels=labels)])["containers"]
    assert one["command"] == "docker compose --project-directory '/srv/a b' up -d --force-recreate dev"


probes = st.none() | st.fixed_dictionaries({"rc": st.none() | st.integers(0, 255), "message": st.none() | st.text()})


@given(st.sampled_from(VERDICTS), st.sampled_from(VERDICTS), probes)
def test_nothing_that_says_it_has_no_gpu_is_called_good(before: str, after: str, probe: Any) -> None:
    found = report([rules(before)], [rules(after)], [docker(probe)])
    (one,) = found["containers"]
    failed = bool(probe) and probe["rc"] not in (None, 0, 126, 127)
    assert bool(found["without_gpu"]) is (failed or after == "lost")
    assert one["name"] in found["lines"][0]


@pytest.mark.parametrize(
    ("verdict", "outcome", "words"),
    [("lost", "would_heal", "gives it back"), ("loses", "would_protect", "keeps it")],
)
def test_a_run_in_check_mode_says_what_it_would_do(verdict: str, outcome: str, words: str) -> None:
    predicted = rules(verdict, healed=True)
    found = report([predicted], [predicted], [docker(CUT_OFF if verdict == "lost" else WORKS)])
    (one,) = found["containers"]
    assert (one["outcome"], one["command"], found["without_gpu"]) == (outcome, None, [])
    assert words in found["lines"][0] and "--check" in found["lines"][0]
