# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the host once, or at saved snapshots, judges on the controller, and writes the reports there."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import readiness_files, role_inputs
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness import diff
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import DevWish, Stage
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy import make_policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy_model import Policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import (
    NOT_READY,
    UNKNOWN,
    brief,
    failure_message,
    judge,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.terminal import FEW
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import LANGUAGES

FACTS_MODULE = "gpuready.bootstrap.gpu_facts"

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "stages": {"type": "list", "elements": "str", "choices": list(map(str, Stage)), "default": list(map(str, Stage))},
    "base_policy": {"type": "dict", "default": {}},
    "policy": {"type": "dict", "default": {}},
    "snapshot": {"type": "dict"},
    "snapshots": {"type": "path"},
    "facts": {"type": "dict", "default": {}},
    "enforce": {"type": "bool", "default": True},
    "report_dir": {"type": "path"},
    "formats": {
        "type": "list",
        "elements": "str",
        "choices": list(readiness_files.FORMATS),
        "default": ["json", "html"],
    },
    "language": {"type": "str", "choices": list(LANGUAGES), "default": "en"},
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
        host = str(variables.get("inventory_hostname", "localhost"))
        policy = _policy(host, args)
        _refuse_without_image(args["facts"])
        if args["snapshots"]:
            return self._folder(args, policy, variables)
        snapshot, failure = self._snapshot(args, variables)
        if failure is not None:
            return failure
        report = self._judge(args, policy, snapshot, host, variables)
        result: dict[str, Any] = {"changed": False, "report": report}
        if args["report_dir"] and not self._task.check_mode:
            result.update(_write(Path(args["report_dir"]), report, snapshot, args["formats"]))
        refused = report["verdict"] in (NOT_READY, UNKNOWN)
        result["msg"] = failure_message(report) if refused else f"{host}: {report['verdict'].replace('_', ' ')}"
        if refused and args["enforce"]:
            result["failed"] = True
        elif args["snapshot"] is None:
            result["ansible_facts"] = {"gpu_host": snapshot}
        return result

    def _snapshot(
        self, args: Mapping[str, Any], variables: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        if args["snapshot"] is not None:
            return args["snapshot"], None
        began = datetime.datetime.now(datetime.timezone.utc)
        found = self._execute_module(module_name=FACTS_MODULE, module_args=dict(args["facts"]), task_vars=variables)
        snapshot = (found.get("ansible_facts") or {}).get("gpu_host")
        if found.get("failed") or found.get("unreachable") or not isinstance(snapshot, dict):
            reason = found.get("msg") or "it returned no snapshot"
            return {}, {**found, "failed": True, "msg": f"the host could not be read by {FACTS_MODULE}: {reason}"}
        _note_skew(snapshot, began, datetime.datetime.now(datetime.timezone.utc))
        return snapshot, None

    def _judge(
        self,
        args: Mapping[str, Any],
        policy: Policy,
        snapshot: Mapping[str, Any],
        host: str,
        variables: Mapping[str, Any],
    ) -> dict[str, Any]:
        requested = _dev_wishes(args["facts"].get("dev"))
        if not requested and args["snapshot"] is not None:
            requested = None  # the one who took the snapshot knew
        try:
            report = judge(
                snapshot,
                host=host,
                stages=args["stages"],
                policy=policy,
                inventory=_inventory(variables.get("ansible_inventory_sources")),
                dev_requested=requested,
                language=args["language"],
            )
        except ValueError as error:
            raise AnsibleActionFail(f"{host} cannot be judged: {error}") from error
        before = readiness_files.last_ready(Path(args["report_dir"]), host) if args["report_dir"] else None
        if before is not None and report["verdict"] in (NOT_READY, UNKNOWN):
            report["since_ready"] = {
                "collected_at": before.get("collected_at"),
                "changes": diff.changes(before, snapshot),
            }
        return report

    def _folder(self, args: Mapping[str, Any], policy: Policy, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Judge a folder of saved snapshots; the hosts are not contacted."""
        folder = Path(args["snapshots"])
        target = Path(args["report_dir"]) if args["report_dir"] else None
        if target is not None and target.resolve() == folder.resolve():
            raise AnsibleActionFail(
                f"report_dir {target} is the folder of the snapshots: the reports would overwrite them;"
                " choose another folder (readiness_report_dir)"
            )
        inventory = _inventory(variables.get("ansible_inventory_sources"))
        # of a host that this inventory does not hold, the commands have a placeholder: `-l` would find nothing
        known = set((variables.get("groups") or {}).get("all") or ())
        try:
            snapshots = readiness_files.load_folder(folder)
            judged = [
                (
                    judge(
                        snapshot,
                        host=name,
                        stages=args["stages"],
                        policy=policy,
                        inventory=inventory if name in known else (),
                        language=args["language"],
                    ),
                    snapshot,
                )
                for name, snapshot in snapshots.items()
            ]
        except ValueError as error:
            raise AnsibleActionFail(f"the snapshots cannot be judged: {error}") from error
        result: dict[str, Any] = {"changed": False, "hosts": [brief(report) for report, _snapshot in judged]}
        if target is None or len(judged) <= FEW:
            # with a folder, the reports of a large fleet stay out of Ansible's own result; those of a few are shown
            result["reports"] = {report["host"]: report for report, _snapshot in judged}
        if target is not None and not self._task.check_mode:
            result["report_files"] = _write_folder(target, judged, args)
        counts = Counter(report["verdict"] for report, _snapshot in judged)
        said = ", ".join(f"{number} {verdict.replace('_', ' ')}" for verdict, number in sorted(counts.items()))
        return {**result, "msg": f"{len(judged)} snapshots judged: {said}", "verdicts": dict(counts)}


def _policy(host: str, args: Mapping[str, Any]) -> Policy:
    try:
        layers = [("the inventory's policy", args["base_policy"]), ("the policy", args["policy"])]
        return make_policy(layers, CHECK_IDS)
    except ValueError as error:
        raise AnsibleActionFail(f"{host} cannot be judged: {error}") from error


def _refuse_without_image(facts: Mapping[str, Any]) -> None:
    wrong = role_inputs.without_image(facts.get("active"), facts.get("smoke_image"))
    if wrong:
        raise AnsibleActionFail(f"{wrong} (readiness_smoke_image)")


def _note_skew(snapshot: Mapping[str, Any], began: datetime.datetime, ended: datetime.datetime) -> None:
    """How far the host's clock is off this one, in seconds; what lies within the duration of the look counts as 0."""
    section = snapshot.get("time")
    try:
        there = datetime.datetime.fromisoformat(str(snapshot.get("collected_at")).replace("Z", "+00:00"))
    except ValueError:
        return
    if isinstance(section, dict):
        # collected_at is in whole seconds
        early, late = (there - began).total_seconds() + 1, (there - ended).total_seconds()
        section["controller_skew_s"] = round(early, 1) if early < 0 else round(late, 1) if late > 0 else 0.0


def _write(folder: Path, report: Mapping[str, Any], snapshot: Mapping[str, Any], formats: list[str]) -> dict[str, Any]:
    try:
        files = readiness_files.write_host(folder, report, snapshot, formats)
    except OSError as error:
        raise AnsibleActionFail(
            f"the report on {report['host']} cannot be written to report_dir {folder}: {error};"
            " choose another folder (readiness_report_dir)"
        ) from error
    # the page shows all hosts of a run: the callback `summary` writes it when the run ends
    page = {"report_page": str(folder / readiness_files.PAGE)} if "html" in formats else {}
    return {"report_files": files, **page}


def _write_folder(
    target: Path, judged: list[tuple[dict[str, Any], dict[str, Any]]], args: Mapping[str, Any]
) -> dict[str, Any]:
    files: dict[str, Any] = {}
    try:
        for report, snapshot in judged:
            files[report["host"]] = readiness_files.write_host(
                target, report, snapshot, args["formats"], report_name="{host}.json", keep_snapshot=False
            )
        if "html" in args["formats"]:
            readiness_files.write_page(target / readiness_files.PAGE, judged, language=args["language"])
            files["page"] = str(target / readiness_files.PAGE)
    except OSError as error:
        raise AnsibleActionFail(
            f"the reports cannot be written to report_dir {target}: {error};"
            " choose another folder (readiness_report_dir)"
        ) from error
    return files


def _dev_wishes(asked: Any) -> list[DevWish] | None:
    wishes = [item for item in asked or [] if isinstance(item, Mapping)]
    return [
        DevWish(
            str(w.get("container")),
            bool(w.get("ssh_port")),
            bool(w.get("jupyter_port")),
            boolean(w.get("torch_cpu_accepted") or False),
        )
        for w in wishes
    ]


def _inventory(sources: Any) -> list[str]:
    """As the user would type it: relative where it lies below the current folder."""
    here = Path.cwd()
    shown: list[str] = []
    for source in sources or []:
        path = Path(str(source))
        inside = path.is_absolute() and path.is_relative_to(here)
        shown.append(str(path.relative_to(here)) if inside else str(source))
    return shown
