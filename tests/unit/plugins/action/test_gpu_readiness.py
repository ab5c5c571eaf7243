# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.gpuready.bootstrap.plugins.action import gpu_readiness
from ansible_collections.gpuready.bootstrap.plugins.modules import gpu_readiness as documented

SNAPSHOTS = Path(__file__).resolve().parents[3] / "fixtures" / "snapshots"


def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8"))
    return data


def run(
    args: dict[str, Any], facts: dict[str, Any] | None = None, check_mode: bool = False, **task_vars: Any
) -> tuple[dict[str, Any], mock.Mock]:
    """The action with a stand-in for the module that would run on the target."""
    task = mock.MagicMock(async_val=0, check_mode=check_mode, args=args)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    action = gpu_readiness.ActionModule(
        task=task,
        connection=connection,
        play_context=mock.MagicMock(),
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    module = mock.Mock(return_value=facts)
    with mock.patch.object(action, "_execute_module", module), mock.patch.object(action, "_remove_tmp_path"):
        result: dict[str, Any] = action.run(task_vars={"inventory_hostname": "gpu01", **task_vars})
    return result, module


def gathered(name: str) -> dict[str, Any]:
    return {"changed": False, "ansible_facts": {"gpu_host": load(name)}}


def test_a_ready_host_gives_report_and_fresh_facts() -> None:
    facts = {"dev": [{"container": "dev", "ssh_port": 2222}]}
    result, module = run({"facts": facts}, gathered("ready_host"))
    assert result["report"]["verdict"] == "ready"
    assert result["ansible_facts"]["gpu_host"]["schema"] == "gpuready.snapshot/1"
    assert (result["changed"], result.get("failed", False)) == (False, False)
    module.assert_called_once()
    assert module.call_args.kwargs["module_name"] == "gpuready.bootstrap.gpu_facts"
    assert module.call_args.kwargs["module_args"] == facts


def test_a_host_that_is_not_ready_fails_with_one_message() -> None:
    result, _module = run(
        {}, gathered("bare_host"), ansible_inventory_sources=[str(Path.cwd() / "inventories" / "lab")]
    )
    assert result["failed"] is True
    assert result["msg"].startswith("gpu01: NOT READY: DRV-MODULE: ")
    assert "do: ansible-playbook site.yml -i inventories/lab -l gpu01 --tags nvidia_driver,readiness" in result["msg"]
    assert result["report"]["exit_code"] == 2


def test_what_blocks_and_could_not_be_measured_fails_too() -> None:
    snapshot = load("ready_host")
    snapshot["os"] = None
    result, _module = run({"snapshot": snapshot})
    assert result["failed"] is True
    assert "NOT KNOWN TO BE READY: PRE-OS" in result["msg"]


def test_without_enforcement_the_message_is_the_same_and_nothing_fails() -> None:
    strict, _module = run({}, gathered("bare_host"))
    lenient, _module = run({"enforce": False}, gathered("bare_host"))
    assert "failed" not in lenient
    # the clock's distance to a saved snapshot grows while the test runs
    told = [[(r["id"], r["status"]) for r in result["report"]["results"]] for result in (lenient, strict)]
    assert told[0] == told[1]
    assert lenient["msg"].split(":")[:3] == strict["msg"].split(":")[:3]


def test_a_saved_snapshot_is_judged_without_the_host() -> None:
    result, module = run({"snapshot": load("ready_host"), "stages": ["preflight"]})
    module.assert_not_called()
    assert "ansible_facts" not in result
    assert result["report"]["stages"] == ["preflight"]


def test_a_snapshot_of_a_foreign_host_names_no_inventory(tmp_path: Path) -> None:
    for name in ("gpu01", "foreign"):
        (tmp_path / f"{name}.json").write_text(json.dumps(load("bare_host")), encoding="utf-8")
    result, _module = run(
        {"snapshots": str(tmp_path)},
        ansible_inventory_sources=[str(Path.cwd() / "inventories" / "lab")],
        groups={"all": ["gpu01", "localhost"]},
    )
    commands = {host: report["next"]["command"] for host, report in result["reports"].items()}
    assert "-i inventories/lab -l gpu01 " in commands["gpu01"]
    assert "-i <inventory> -l foreign " in commands["foreign"]
    assert "inventories/lab" not in json.dumps(result["reports"]["foreign"])


def test_reports_of_a_few_snapshots_are_in_the_result_those_of_many_in_the_folder(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"n{number}.json").write_text(json.dumps(load("bare_host")), encoding="utf-8")
        result, _module = run({"snapshots": str(tmp_path), "report_dir": str(tmp_path / "out")})
        assert ("reports" in result) == (number < 3)
        assert len(list((tmp_path / "out").glob("*.json"))) == number + 1


def test_dev_containers_are_those_that_were_asked_for() -> None:
    none, _module = run({"facts": {"dev": []}, "enforce": False}, gathered("ready_host"))
    assert {r["status"] for r in none["report"]["results"] if r["stage"] == "dev"} == {"skip"}
    other, _module = run({"facts": {"dev": [{"container": "lab"}]}, "enforce": False}, gathered("ready_host"))
    assert "lab does not exist" in other["msg"]


def test_files_are_written_whole_and_for_all_to_read(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "reports"
    args = {"report_dir": str(folder), "enforce": False}
    result, _module = run(args, gathered("bare_host"))
    assert sorted(os.listdir(folder)) == ["gpu01.report.json", "gpu01.snapshot.json"]
    assert json.loads((folder / "gpu01.report.json").read_text(encoding="utf-8")) == result["report"]
    saved = json.loads((folder / "gpu01.snapshot.json").read_text(encoding="utf-8"))
    assert saved["time"].pop("controller_skew_s") < 0
    expected = load("bare_host")
    del expected["time"]["controller_skew_s"]
    assert saved == expected
    assert (folder / "gpu01.report.json").stat().st_mode & 0o777 == 0o644
    assert result["changed"] is False
    run(args, gathered("ready_host"))
    assert json.loads((folder / "gpu01.report.json").read_text(encoding="utf-8"))["verdict"] == "ready"


def test_a_host_that_was_ready_says_what_changed_since(tmp_path: Path) -> None:
    args = {"report_dir": str(tmp_path), "enforce": False}
    first, _module = run(args, gathered("ready_host"))
    assert "since_ready" not in first["report"]
    broken = gathered("ready_host")
    broken["ansible_facts"]["gpu_host"]["driver"]["libraries"]["cuda"] = "595.71.05"
    second, _module = run(args, broken)
    changes = {item["path"]: (item["was"], item["now"]) for item in second["report"]["since_ready"]["changes"]}
    assert changes == {"driver.libraries.cuda": ("580.159.03", "595.71.05")}


def test_a_clock_that_is_off_is_noted_and_one_that_is_right_is_not() -> None:
    for shift, low, high in ((0, -1, 1), (86400, 86000, 86800), (-86400, -86800, -86000)):
        facts = gathered("ready_host")
        moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=shift)
        facts["ansible_facts"]["gpu_host"]["collected_at"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        result, _module = run({"enforce": False}, facts)
        assert low <= result["ansible_facts"]["gpu_host"]["time"]["controller_skew_s"] <= high


def test_a_failing_host_leaves_its_report_too(tmp_path: Path) -> None:
    result, _module = run({"report_dir": str(tmp_path)}, gathered("bare_host"))
    assert result["failed"] is True
    assert (tmp_path / "gpu01.report.json").is_file()


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    result, _module = run({"report_dir": str(tmp_path / "reports")}, gathered("ready_host"), check_mode=True)
    assert result["report"]["verdict"] == "ready"
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    with pytest.raises(AnsibleActionFail, match=r"readiness_report_dir"):
        run({"report_dir": str(blocker / "reports")}, gathered("ready_host"))


@pytest.mark.parametrize(
    "facts", [{"failed": True, "msg": "no python"}, {"unreachable": True, "msg": "no route"}, {"ansible_facts": {}}]
)
def test_a_host_that_cannot_be_read_fails(facts: dict[str, Any]) -> None:
    result, _module = run({}, facts)
    assert result["failed"] is True
    assert facts.get("msg", "it returned no snapshot") in result["msg"]
    assert "report" not in result


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"policy": {"expected_gpu": 1}}, "did you mean expected_gpus"),
        ({"snapshot": {"schema": "other"}}, "gpuready.snapshot/1"),
        ({"stages": ["moon"]}, "moon"),
        ({"stage": ["driver"]}, "stage"),
        ({"base_policy": {"expected_gpu": 1}}, "in the inventory's policy"),
        ({"snapshots": "/nowhere/at/all"}, "is not a folder"),
        ({"snapshot": {}, "snapshots": "x"}, "mutually exclusive"),
        ({"language": "fr"}, "fr"),
    ],
)
def test_bad_input_is_refused(args: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleError, match=says):
        run(args, gathered("ready_host"))


def test_the_documentation_and_the_argument_spec_agree(documentation: Callable[[ModuleType], dict[str, Any]]) -> None:
    options = documentation(documented)["options"]
    assert set(options) == set(gpu_readiness.ARGUMENT_SPEC)
    for name, spec in gpu_readiness.ARGUMENT_SPEC.items():
        for key in ("type", "elements", "choices", "default"):
            assert options[name].get(key) == spec.get(key), (name, key)


def test_the_documented_return_values_are_those_returned(tmp_path: Path) -> None:
    result, _module = run({"report_dir": str(tmp_path)}, gathered("ready_host"))
    described = yaml.safe_load(documented.RETURN)
    folder, _module = run({"snapshots": str(tmp_path)})
    assert set(described) == {*result, *folder} - {"changed", "msg"}
    since = {"since_ready"}  # only where something broke
    assert set(described["report"]["contains"]) == {*result["report"], *since}


def test_a_smoke_test_without_an_image_is_refused_before_the_host_is_asked() -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        run({"facts": {"active": ["smoke"]}}, gathered("ready_host"))
    assert "readiness_smoke_image" in str(caught.value)
