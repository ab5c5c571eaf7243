# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the host once, judges on the controller, and writes the report there."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import DevWish, Stage
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.report import (
    NOT_READY,
    UNKNOWN,
    failure_message,
    judge,
)

FACTS_MODULE = "gpuready.bootstrap.gpu_facts"

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "stages": {"type": "list", "elements": "str", "choices": list(Stage), "default": list(Stage)},
    "policy": {"type": "dict", "default": {}},
    "snapshot": {"type": "dict"},
    "facts": {"type": "dict", "default": {}},
    "enforce": {"type": "bool", "default": True},
    "report_dir": {"type": "path"},
}


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Whole or not at all: a reader never meets half a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(data, stream, indent=1, ensure_ascii=False, default=str)
            stream.write("\n")
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def file_stem(host: str) -> str:
    """An inventory name may hold a slash or dots; a file name of ours may not leave its folder."""
    return "".join(char if char.isalnum() or char in "._-" else "_" for char in host).lstrip(".") or "host"


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _validation, args = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        host = str(variables.get("inventory_hostname", "localhost"))
        snapshot, failure = self._snapshot(args, variables)
        if failure is not None:
            return failure
        report = self._judge(args, snapshot, host, variables)
        result: dict[str, Any] = {"changed": False, "report": report}
        if args["report_dir"] and not self._task.check_mode:
            result["report_files"] = self._write(Path(args["report_dir"]), host, report, snapshot)
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
        found = self._execute_module(module_name=FACTS_MODULE, module_args=dict(args["facts"]), task_vars=variables)
        snapshot = (found.get("ansible_facts") or {}).get("gpu_host")
        if found.get("failed") or found.get("unreachable") or not isinstance(snapshot, dict):
            reason = found.get("msg") or "it returned no snapshot"
            return {}, {**found, "failed": True, "msg": f"the host could not be read by {FACTS_MODULE}: {reason}"}
        return snapshot, None

    def _judge(
        self, args: Mapping[str, Any], snapshot: Mapping[str, Any], host: str, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        requested = _dev_wishes(args["facts"].get("dev"))
        if not requested and args["snapshot"] is not None:
            requested = None  # the one who took the snapshot knew
        try:
            return judge(
                snapshot,
                host=host,
                stages=args["stages"],
                policy=args["policy"],
                inventory=_inventory(variables.get("ansible_inventory_sources")),
                dev_requested=requested,
            )
        except ValueError as error:
            raise AnsibleActionFail(f"{host} cannot be judged: {error}") from error

    def _write(self, folder: Path, host: str, report: Mapping[str, Any], snapshot: Mapping[str, Any]) -> dict[str, str]:
        files: dict[str, str] = {}
        try:
            for kind, data in (("report", report), ("snapshot", snapshot)):
                path = folder / f"{file_stem(host)}.{kind}.json"
                write_json(path, data)
                files[kind] = str(path)
        except OSError as error:
            raise AnsibleActionFail(
                f"the report on {host} cannot be written to report_dir {folder}: {error};"
                " choose another folder (readiness_report_dir)"
            ) from error
        return files


def _dev_wishes(asked: Any) -> list[DevWish] | None:
    wishes = [item for item in asked or [] if isinstance(item, Mapping)]
    return [DevWish(str(w.get("container")), bool(w.get("ssh_port")), bool(w.get("jupyter_port"))) for w in wishes]


def _inventory(sources: Any) -> list[str]:
    """As the user would type it: relative where it lies below the current folder."""
    here = Path.cwd()
    shown: list[str] = []
    for source in sources or []:
        path = Path(str(source))
        inside = path.is_absolute() and path.is_relative_to(here)
        shown.append(str(path.relative_to(here)) if inside else str(source))
    return shown
