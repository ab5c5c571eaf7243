# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers lose their GPUs, what is said of them, and which may be recreated."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.nvml_steps import containers
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import View
from nvml_machines import SCOPE, composed, container, with_containers

Named = dict[str, Any]


def at_risk(*found: Named, **parts: Any) -> list[str]:
    return [one.name for one in containers.at_risk(View(with_containers(*found, **parts)))]


@pytest.mark.parametrize(
    ("gpu", "more", "loses"),
    [
        ({}, {}, True),
        ({"via": "cdi"}, {}, True),
        ({"via": "devices", "rules_ok": True, "missing": []}, {}, False),
        # protected in place: the hook has served it, and its unit has the rules now
        ({"rules_ok": True, "missing": []}, {}, False),
        ({"rules_ok": None, "missing": []}, {}, True),
        ({"rules_ok": None, "missing": [], "via": "runtime"}, {}, False),
        ({"requested": False}, {}, False),
        ({}, {"state": "exited"}, False),
        ({}, {"privileged": True}, False),
    ],
)
def test_who_loses_its_gpu(gpu: Named, more: Named, loses: bool) -> None:
    assert at_risk({**container("job", **gpu), **more}) == (["job"] if loses else [])


def test_with_the_cgroupfs_driver_none_loses_it() -> None:
    for ok in (True, None):
        assert at_risk(container(rules_ok=ok), docker__cgroup_driver="cgroupfs") == []


def test_a_container_from_before_the_cgroupfs_driver_is_still_in_a_unit() -> None:
    assert at_risk(container(), docker__cgroup_driver="cgroupfs") == ["train"]


def test_what_was_not_read_is_no_risk() -> None:
    assert containers.at_risk(View({})) == []
    assert not containers.unjudged(View({}))


def test_containers_of_other_engines_are_noticed_by_their_processes() -> None:
    ours = {"container": "a" * 64, "container_name": "train"}
    host = {"container": None, "container_name": None}
    theirs = {"container": "b" * 64, "container_name": None}
    assert not containers.unjudged(View({"processes": {"gpu": [ours, host]}}))
    assert containers.unjudged(View({"processes": {"gpu": [ours, theirs]}}))


@pytest.mark.parametrize(
    ("gpu", "more", "asked"),
    [
        ({"requested": None}, {}, True),
        ({"requested": None}, {"state": "exited"}, False),
        ({"requested": False}, {}, False),
        ({}, {}, False),
    ],
)
def test_a_container_that_docker_did_not_describe_is_looked_at(gpu: Named, more: Named, asked: bool) -> None:
    """Whether it has a GPU is not known, and not known is not safe: device_rules looks into it."""
    unread = {**container("unread", **{"via": None, "rules_ok": None, "missing": [], **gpu}), **more}
    assert containers.unjudged(View(with_containers(unread))) == asked


def test_containers_of_an_engine_that_gives_no_answer_are_looked_at() -> None:
    silent = with_containers(docker__reachable=False, docker__error="timed out")
    silent["services"] |= {"docker.service": {"load": "loaded", "active": "active", "enabled": "enabled"}}
    assert containers.unjudged(View(silent))
    silent["services"] |= {"docker.service": {"load": "loaded", "active": "inactive", "enabled": "enabled"}}
    assert not containers.unjudged(View(silent))


def sentence(*found: Named) -> str:
    listed = containers.at_risk(View(with_containers(*found)))
    return str(containers.sentence(listed, say("containers belong to the host of this container, not to it")))


def test_the_sentence_names_reason_and_command() -> None:
    said = sentence(container("a b"), container("rules", via="cdi", missing=["/dev/nvidiactl"]), composed("web"))
    assert "a b (it got the GPU by the legacy hook; docker stop 'a b')" in said
    assert "rules (its device rules lack /dev/nvidiactl; docker stop rules)" in said
    assert "docker compose --project-directory '/srv/my lab' up -d --force-recreate job" in said
    assert "Failed to initialize NVML: Unknown Error" in said


def test_many_containers_make_no_page() -> None:
    said = sentence(*(container(f"job{number}") for number in range(40)))
    assert "job7 " in said and "job8 " not in said and "32 more" in said


def verdict(found: Named, answer: str, **more: Any) -> Named:
    scope = SCOPE.format(found["id"])
    return {"scope": scope, "engine": "docker", "id": found["id"], "verdict": answer, "healed": False, **more}


JOB = container("job")


@pytest.mark.parametrize(
    ("answer", "healed", "protected", "left"),
    [
        ("loses", False, True, []),
        ("lost", True, True, []),
        ("lost", True, False, []),
        # the module sees what is in the container, the facts what should be there
        ("keeps", False, False, []),
        ("not_applicable", False, False, []),
        ("loses", False, False, ["job"]),
        ("lost", False, False, ["job"]),
    ],
)
def test_the_module_has_the_last_word(answer: str, healed: bool, protected: bool, left: list[str]) -> None:
    looked = {"containers": [verdict(JOB, answer, healed=healed)]}
    looked["protected"] = [SCOPE.format(JOB["id"])] if protected else []
    found = containers.left(containers.at_risk(View(with_containers(JOB))), looked)
    assert [one.name for one in found] == left


def test_without_a_look_all_are_left() -> None:
    assert [one.name for one in containers.left(containers.at_risk(View(with_containers(JOB))), {})] == ["job"]


def test_containers_of_other_engines_are_left_with_their_own_command() -> None:
    podman = {"scope": "libpod-1.scope", "engine": "podman", "id": "1", "name": "p", "verdict": "lost", "healed": False}
    looked = {"containers": [{**podman, "reason": "denied", "recreate": "podman restart p"}], "protected": []}
    (found,) = containers.left([], looked)
    assert (found.name, str(found.reason), found.line, found.compose) == ("p", "denied", "podman restart p", None)
    bare = {"scope": "cri-containerd-2.scope", "engine": "containerd", "id": "2", "name": None, "verdict": "loses"}
    (found,) = containers.left([], {"containers": [bare]})
    assert found.name == "cri-containerd-2.scope" and found.line == ""
    said = str(containers.sentence([found], say("{name} ({reason})", name="x", reason="y")))
    assert "cri-containerd-2.scope (its device rules lack ?)" in said


def test_only_containers_of_compose_are_recreated() -> None:
    web, job, other = composed("web"), container("job"), composed("other")
    found = containers.at_risk(View(with_containers(web, job, other)))
    assert containers.refuse_recreate(found, ["web"]) is None
    assert "job: not made by Docker Compose" in str(containers.refuse_recreate(found, ["web", "job"]))
    # of another host, or ended since
    assert containers.refuse_recreate(found, ["elsewhere"]) is None
    (only,) = containers.to_recreate(found, ["web", "elsewhere"])
    assert only == {
        "name": "web",
        "project": "lab",
        "service": "job",
        "folder": "/srv/my lab",
        "files": [],
        "env_files": [],
    }


def test_compose_gets_the_files_that_it_was_started_with() -> None:
    labels = {"project.config_files": "/srv/a.yml,/srv/b.yml", "project.environment_file": "/srv/.env"}
    found = containers.at_risk(View(with_containers(composed("web", **labels))))
    (only,) = containers.to_recreate(found, ["web"])
    assert (only["files"], only["env_files"]) == (["/srv/a.yml", "/srv/b.yml"], ["/srv/.env"])


@pytest.mark.parametrize("missing", ["project", "service", "project.working_dir"])
def test_half_a_set_of_labels_is_none(missing: str) -> None:
    web = composed("web")
    del web["labels"][f"com.docker.compose.{missing}"]
    found = containers.at_risk(View(with_containers(web)))
    assert containers.to_recreate(found, ["web"]) == []
    assert containers.refuse_recreate(found, ["web"]) is not None


def test_one_that_was_protected_in_this_run_may_still_be_recreated() -> None:
    safe = {**composed("web"), "gpu": {**container()["gpu"], "rules_ok": True, "missing": []}}
    facts = View(with_containers(safe, container("job")))
    assert [one.name for one in containers.were_at_risk(facts, {})] == ["job"]
    looked = {"protected": [SCOPE.format(safe["id"])], "containers": []}
    assert [one.name for one in containers.were_at_risk(facts, looked)] == ["job", "web"]
