# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.gpuready.bootstrap.plugins.action import gpu_plan
from ansible_collections.gpuready.bootstrap.plugins.modules import gpu_plan as documented

SNAPSHOTS = Path(__file__).resolve().parents[3] / "fixtures" / "snapshots"


def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8"))
    return data


def run(
    args: dict[str, Any], facts: dict[str, Any] | None = None, check_mode: bool = False, **task_vars: Any
) -> tuple[dict[str, Any], mock.Mock]:
    """The action with a stand-in for the module that would run on the target."""
    task = mock.MagicMock(async_val=0, check_mode=check_mode, args=args)
    action = gpu_plan.ActionModule(
        task=task,
        connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir=None)),
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


def test_a_host_is_read_and_planned() -> None:
    result, module = run({}, gathered("bare_host"))
    assert (result["changed"], result.get("failed", False)) == (False, False)
    assert result["plan"]["host"] == "gpu01"
    assert result["ansible_facts"] == {"gpu_plan": result["plan"]}
    assert result["table"][0].startswith("── gpu01: plan")
    assert (result["msg"], result["show_table"]) == ("gpu01: planned", False)
    module.assert_called_once()
    assert module.call_args.kwargs["module_name"] == "gpuready.bootstrap.gpu_facts"
    assert set(module.call_args.kwargs["module_args"]["subset"]) >= {"pci", "driver", "gpus", "packages", "firmware"}


def test_facts_of_an_earlier_task_are_enough() -> None:
    known = {"gpu_host": load("bare_host")}
    result, module = run({}, ansible_facts=known)
    module.assert_not_called()
    assert result["plan"]["refusal"] is None
    # unless the caller says how to read
    _result, module = run({"facts": {"subset": ["pci"]}}, gathered("bare_host"), ansible_facts=known)
    assert module.call_args.kwargs["module_args"] == {"subset": ["pci"]}


def test_a_saved_snapshot_is_planned_without_the_host() -> None:
    result, module = run({"snapshot": load("ready_host"), "show": True, "language": "zh"})
    module.assert_not_called()
    assert result["show_table"] is True
    assert "规划" in result["table"][0]


def test_a_refusal_fails_with_one_sentence() -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        run({"snapshot": load("bare_host"), "wishes": {"torch": "2.15", "python": "3.9"}})
    said = str(caught.value)
    assert said.startswith("gpu01 is not planned: torch 2.15 needs Python 3.11 or newer, and Python 3.9 is asked for")
    assert said.endswith("Nothing was changed.")
    assert "\n" not in said
    with pytest.raises(AnsibleActionFail, match="gpu01 未能规划"):
        run({"snapshot": load("bare_host"), "wishes": {"torch": "2.15", "python": "3.9"}, "language": "zh"})


def test_what_roles_refuse_is_said_before_the_host_is_read() -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        run({"refusals": ["", "There is no key.", "Two versions are asked for."]}, gathered("bare_host"))
    assert caught.value.message == "There is no key. Two versions are asked for. Nothing was changed."
    with pytest.raises(AnsibleActionFail, match=r"^没有密钥。版本不对。未作任何更改。$"):
        run({"refusals": ["没有密钥。", "", "版本不对。"], "language": "zh"}, gathered("bare_host"))
    assert run({"refusals": ["", ""]}, gathered("bare_host"))[0]["msg"] == "gpu01: planned"


def test_without_enforcement_the_refusal_is_in_the_plan() -> None:
    result, _module = run(
        {"snapshot": load("bare_host"), "wishes": {"torch": "2.15", "python": "3.9"}, "enforce": False}
    )
    assert "failed" not in result
    assert result["plan"]["refusal"]["rung"] == "python"
    assert result["msg"] == result["plan"]["refusal"]["message"]


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"torch": "latest"}, "gpu01 cannot be planned: the wish torch is 'latest'"),
        ({"driver": "580"}, "gpu01 cannot be planned: unknown wish 'driver'"),
    ],
)
def test_bad_wishes_are_an_error_before_the_host_is_read(wishes: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleActionFail, match=says):
        run({"wishes": wishes}, {"failed": True})


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"failed": True, "msg": "no Python"}, "the host could not be read by gpuready.bootstrap.gpu_facts: no Python"),
        ({"unreachable": True}, "it returned no snapshot"),
        ({"ansible_facts": {}}, "it returned no snapshot"),
    ],
)
def test_a_host_that_cannot_be_read_fails(found: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleActionFail, match=says):
        run({}, found)


def test_one_plan_is_written_but_not_in_check_mode(tmp_path: Path) -> None:
    args = {"snapshot": load("ready_host"), "report_dir": str(tmp_path / "plans")}
    checked, _module = run(args, check_mode=True)
    assert "report_files" not in checked
    assert list(tmp_path.iterdir()) == []
    result, _module = run(args)
    assert result["report_files"] == {"gpu01": str(tmp_path / "plans" / "gpu01.json")}
    assert json.loads((tmp_path / "plans" / "gpu01.json").read_text(encoding="utf-8")) == result["plan"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(AnsibleActionFail, match=r"cannot be written to report_dir .*choose another folder"):
        run({"snapshot": load("ready_host"), "report_dir": str(tmp_path / "file")})


# --- a folder


def saved(folder: Path) -> Path:
    folder.mkdir()
    for name in ("ready_host", "bare_host"):
        (folder / f"{name}.json").write_text(json.dumps(load(name)), encoding="utf-8")
    return folder


def test_a_folder_is_planned_for_and_no_host_is_contacted(tmp_path: Path) -> None:
    args = {"snapshots": str(saved(tmp_path / "in")), "report_dir": str(tmp_path / "out")}
    # a driver that runs and is too old is refused; that fails nothing
    result, module = run({**args, "wishes": {"torch": "2.15", "python": "3.9"}})
    module.assert_not_called()
    assert result["msg"] == "2 snapshots: 0 planned, 2 refused"
    assert sorted(os.listdir(tmp_path / "out")) == ["bare_host.json", "ready_host.json"]
    assert json.loads((tmp_path / "out" / "bare_host.json").read_text(encoding="utf-8"))["refusal"]["rung"] == "python"
    assert "plans" not in result and "plan" not in result and "ansible_facts" not in result
    assert result["table"][-1] == "0 planned, 2 refused"


def test_without_a_target_the_plans_are_in_the_result(tmp_path: Path) -> None:
    result, _module = run({"snapshots": str(saved(tmp_path / "in"))})
    assert sorted(result["plans"]) == ["bare_host", "ready_host"]


def test_a_bad_file_fails_and_nothing_is_written(tmp_path: Path) -> None:
    folder = saved(tmp_path / "in")
    (folder / "z.json").write_text("{,}", encoding="utf-8")
    with pytest.raises(AnsibleActionFail, match=r"the snapshots cannot be planned for: .*z.json is not valid JSON"):
        run({"snapshots": str(folder), "report_dir": str(tmp_path / "out")})
    assert not (tmp_path / "out").exists()


def test_the_snapshots_are_not_overwritten(tmp_path: Path) -> None:
    folder = saved(tmp_path / "in")
    with pytest.raises(AnsibleActionFail, match="would overwrite them"):
        run({"snapshots": str(folder), "report_dir": f"{folder}/../in"})
    assert json.loads((folder / "ready_host.json").read_text(encoding="utf-8")) == load("ready_host")


def test_snapshot_and_snapshots_exclude_each_other() -> None:
    with pytest.raises(AnsibleError, match="mutually exclusive"):
        run({"snapshot": {}, "snapshots": "x"})


def test_the_documentation_has_the_options_of_the_action(documentation: Callable[[ModuleType], dict[str, Any]]) -> None:
    options = documentation(documented)["options"]
    assert set(options) == set(gpu_plan.ARGUMENT_SPEC)
    for name, spec in gpu_plan.ARGUMENT_SPEC.items():
        for key in ("type", "default", "choices"):
            assert options[name].get(key) == spec.get(key), (name, key)
