# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no type information
import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import ROLES
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import failure_message, judge

SCHEMA = Path(__file__).resolve().parents[5] / "docs" / "report.schema.json"
BASES = ["ready_host", "sandbox_ready", "bare_host", "rented_container", "version_mismatch", "many_faults"]
Maker = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("base", BASES)
def test_reports_follow_the_schema(base: str, snapshot: Maker, validator: Any) -> None:
    for data in (snapshot(base), {"schema": "gpuready.snapshot/1"}):
        report = json.loads(json.dumps(judge(data, host="gpu01")))
        assert [error.message for error in validator.iter_errors(report)] == []
        assert sum(report["counts"].values()) == len(report["results"])


def test_the_schema_refuses_what_is_not_a_report(snapshot: Maker, validator: Any) -> None:
    for key, value in (("verdict", "fine"), ("exit_code", 4), ("stages", []), ("extra", 1)):
        assert list(validator.iter_errors({**judge(snapshot(), host="h"), key: value}))
    naked = judge(snapshot("many_faults"), host="h")
    next(result for result in naked["results"] if result["status"] == "fail")["remedy"] = None
    assert list(validator.iter_errors(naked))


@pytest.mark.parametrize(
    ("base", "verdict", "code"),
    [
        ("ready_host", "ready", 0),
        ("sandbox_ready", "ready", 0),
        ("bare_host", "not_ready", 2),
        ("version_mismatch", "not_ready", 2),
        ("many_faults", "not_ready", 2),
    ],
)
def test_verdicts(base: str, verdict: str, code: int, snapshot: Maker) -> None:
    report = judge(snapshot(base), host="h")
    assert (report["verdict"], report["exit_code"]) == (verdict, code)


def test_unknown_weighs_by_severity(snapshot: Maker) -> None:
    assert judge(snapshot(changes={"os": None}), host="h")["exit_code"] == 3
    assert judge(snapshot(changes={"memory": None}), host="h")["exit_code"] == 1


def test_a_rented_container_is_ready_by_its_own_profile(snapshot: Maker) -> None:
    report = judge(snapshot("rented_container"), host="h", policy={"profile": "rented"})
    assert report["verdict"] == "ready"
    assert {r["status"] for r in report["results"] if r["id"].startswith("CTR-")} == {"skip"}


def test_only_the_wanted_stages_are_judged(snapshot: Maker) -> None:
    report = judge(snapshot("bare_host"), host="h", stages=["preflight"])
    assert {r["stage"] for r in report["results"]} == {"preflight"}
    assert report["verdict"] == "ready_with_warnings"


@pytest.mark.parametrize("base", BASES)
def test_every_remedy_is_a_line_that_a_shell_can_split(base: str, snapshot: Maker) -> None:
    report = judge(snapshot(base), host="gpu 01", inventory=["my hosts.ini"])
    for result in report["results"]:
        if (result["status"] in ("fail", "warn", "unknown")) != (result["remedy"] is not None):
            pytest.fail(f"{result['id']}: {result['status']} with remedy {result['remedy']}")
        if result["remedy"] is None:
            continue
        words = shlex.split(result["remedy"]["command"])
        assert words[0] in ("ansible", "ansible-playbook")
        assert words[words.index("-i") + 1] == "my hosts.ini"
        assert "gpu 01" in words
        assert result["remedy"]["role"] in (*ROLES, None)
        for name, value in result["remedy"]["vars"].items():
            extra = [words[n + 1] for n, word in enumerate(words) if word == "-e"]
            assert f"{name}={value}" in extra or json.dumps({name: value}) in extra


def test_next_joins_the_roles_of_the_first_stage_with_a_failure(snapshot: Maker) -> None:
    changes = {"toolkit.version": "1.17.0", "docker.cdi_spec_dirs": [], "docker.runtimes": {}}
    report = judge(snapshot(changes=changes), host="n1", inventory=["hosts"])
    assert report["next"]["command"] == (
        "ansible-playbook site.yml -i hosts -l n1 --tags nvidia_container_toolkit,nvml_stability,readiness"
        " -e nvidia_container_toolkit_version=1.19.1-1 -e nvml_stability_state=present"
    )


def test_next_does_not_mix_what_a_person_does_with_what_a_role_does(snapshot: Maker) -> None:
    changes = {"storage.fs.0.free_mib": 10, "network.repositories.0.status": "failed"}
    report = judge(snapshot(changes=changes), host="n1", inventory=["hosts"])
    assert report["next"]["command"] == "ansible-playbook site.yml -i hosts -l n1 --tags readiness"
    assert "Free space" in report["next"]["text"]
    assert "docker_engine_repo_url" not in report["next"]["text"]


def test_nothing_to_do(snapshot: Maker) -> None:
    assert judge(snapshot(), host="h")["next"] == {
        "command": None,
        "text": "Nothing to do.",
        "text_zh": "无需操作。",
        "needs_reboot": False,
        "blocked_by_human": [],
    }


def test_without_an_inventory_the_place_for_it_is_shown(snapshot: Maker) -> None:
    assert " -i <inventory> -l h " in str(judge(snapshot("bare_host"), host="h")["next"]["command"])


def test_the_message_of_a_failed_task_names_cause_and_cure(snapshot: Maker) -> None:
    message = failure_message(judge(snapshot(changes={"os.version": "20.04"}), host="n1", inventory=["hosts"]))
    assert message.startswith("n1: NOT READY: PRE-OS: ubuntu 20.04 is not in the supported list")
    assert "; do: ansible-playbook site.yml -i hosts -l n1" in message
    long = failure_message(judge(snapshot("many_faults"), host="n1"))
    # the causes, and for the rest the names only; a consequence is not repeated
    assert "DRV-GPU-LOST: GPU 0000:41:00.0 is in state lost" in long
    assert "; also CTR-RUNTIME, " in long
    assert "DRV-GPU-COUNT" not in long
    blind = failure_message(judge(snapshot(changes={"os": None}), host="n1"))
    assert blind.startswith("n1: NOT KNOWN TO BE READY: PRE-OS: not measured: os.id")


@pytest.mark.parametrize(
    ("options", "says"),
    [({"stages": ["driver", "moon"]}, "moon"), ({"stages": []}, "must name some"), ({"policy": {"x": 1}}, "not known")],
)
def test_bad_requests_are_refused(options: dict[str, Any], says: str, snapshot: Maker) -> None:
    with pytest.raises(ValueError, match=says):
        judge(snapshot(), host="h", **options)


@pytest.mark.parametrize("schema", [None, "other.snapshot/1", "gpuready.report/1", 1])
def test_a_foreign_snapshot_is_refused(schema: Any, snapshot: Maker) -> None:
    with pytest.raises(ValueError, match=r"reads 'gpuready\.snapshot/1'"):
        judge(snapshot(changes={"schema": schema}), host="h")


def test_a_newer_snapshot_is_refused_with_a_way_out(snapshot: Maker) -> None:
    with pytest.raises(ValueError, match=r"newer than 'gpuready\.snapshot/1' .*update gpuready\.bootstrap"):
        judge(snapshot(changes={"schema": "gpuready.snapshot/2"}), host="h")
