# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans driver and software of a host from its facts, or of saved snapshots, on the controller. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import plan_files
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan import terminal
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes, make_wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import LANGUAGES, said
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.refused import nothing_changed

FACTS_MODULE = "gpuready.bootstrap.gpu_facts"
# what a plan is made from; the other sections cost time and say nothing to it
FACTS = {"subset": ["kernel", "firmware", "packages", "pci", "driver", "gpus"]}

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "snapshot": {"type": "dict"},
    "snapshots": {"type": "path"},
    "report_dir": {"type": "path"},
    "wishes": {"type": "dict", "default": {}},
    "refusals": {"type": "list", "elements": "str", "default": []},
    "enforce": {"type": "bool", "default": True},
    "language": {"type": "str", "choices": list(LANGUAGES), "default": "en"},
    "show": {"type": "bool", "default": False},
    "facts": {"type": "dict"},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _validation, args = self.validate_argument_spec(
            argument_spec=ARGUMENT_SPEC, mutually_exclusive=[["snapshot", "snapshots"]]
        )
        if refused := nothing_changed(args["refusals"], args["language"]):
            raise AnsibleActionFail(refused)
        host = str(variables.get("inventory_hostname", "localhost"))
        try:
            wishes = make_wishes(args["wishes"])
        except ValueError as error:
            raise AnsibleActionFail(f"{host} cannot be planned: {error}") from error
        if args["snapshots"]:
            return self._folder(args, wishes)
        snapshot = self._snapshot(args, variables)
        plan = make_plan(snapshot, wishes, host)
        refusal = plan["refusal"]
        if refusal and args["enforce"]:
            # alone: what else a result holds would stand behind the sentence
            raise AnsibleActionFail(said(refusal, "message", args["language"]))
        result: dict[str, Any] = {
            "changed": False,
            "plan": plan,
            "table": terminal.table(plan, args["language"]),
            "show_table": args["show"],
            "language": args["language"],
            "ansible_facts": {"gpu_plan": plan},
            "msg": said(refusal, "message", args["language"]) if refusal else f"{host}: planned",
        }
        if args["report_dir"] and not self._task.check_mode:
            result["report_files"] = _write(args["report_dir"], [plan])
        return result

    def _snapshot(self, args: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """The given snapshot, the facts that an earlier task left, or a fresh look at the host."""
        if args["snapshot"] is not None:
            given: dict[str, Any] = args["snapshot"]
            return given
        known = (variables.get("ansible_facts") or {}).get("gpu_host")
        if isinstance(known, Mapping) and args["facts"] is None:
            return dict(known)
        asked = FACTS if args["facts"] is None else args["facts"]
        found = self._execute_module(module_name=FACTS_MODULE, module_args=dict(asked), task_vars=variables)
        snapshot = (found.get("ansible_facts") or {}).get("gpu_host")
        if found.get("failed") or found.get("unreachable") or not isinstance(snapshot, dict):
            reason = found.get("msg") or "it returned no snapshot"
            raise AnsibleActionFail(f"the host could not be read by {FACTS_MODULE}: {reason}", result=found)
        return snapshot

    def _folder(self, args: Mapping[str, Any], wishes: Wishes) -> dict[str, Any]:
        """Plan for a folder of saved snapshots; the hosts are not contacted, and a refusal fails nothing."""
        folder = Path(args["snapshots"])
        try:
            if args["report_dir"]:
                plan_files.check_target(folder, Path(args["report_dir"]))
            snapshots = plan_files.load_folder(folder)
        except ValueError as error:
            raise AnsibleActionFail(f"the snapshots cannot be planned for: {error}") from error
        plans = [make_plan(snapshot, wishes, name) for name, snapshot in snapshots.items()]
        refused = sum(plan["refusal"] is not None for plan in plans)
        result: dict[str, Any] = {
            "changed": False,
            "table": terminal.folder(plans, args["language"]),
            "show_table": args["show"],
            "language": args["language"],
            "msg": f"{len(plans)} snapshots: {len(plans) - refused} planned, {refused} refused",
        }
        if not args["report_dir"]:
            # with a folder, the plans of a large fleet stay out of Ansible's own result
            result["plans"] = {plan["host"]: plan for plan in plans}
        elif not self._task.check_mode:
            result["report_files"] = _write(args["report_dir"], plans)
        return result


def _write(target: str, plans: list[dict[str, Any]]) -> dict[str, str]:
    try:
        return plan_files.write(Path(target), plans)
    except OSError as error:
        raise AnsibleActionFail(
            f"the plans cannot be written to report_dir {target}: {error}; choose another folder (plan_report_dir)"
        ) from error
