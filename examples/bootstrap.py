# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drive the whole road from Python with ansible-runner, and get the verdict as data.

    .venv/bin/python examples/bootstrap.py -i inventories/sandbox [--json FILE] [-e KEY=VALUE ...]

Progress is streamed, one line a task and host. Exit status: 0 ready, 1 ready with warnings, 2 not ready (or the run
failed before a verdict), 3 unknown: the worst host decides.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner

PROJECT = Path(__file__).resolve().parents[1]
NO_VERDICT = 2


@dataclass
class Outcome:
    """What a run gave: ansible-runner's own status, and per host the report (schema gpuready.report/1) or the error."""

    status: str = "not started"
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """The worst host's exit code; a host that failed, or a run that never reached one, counts as not ready."""
        codes: list[int] = [report["exit_code"] for report in self.reports.values()]
        # 1 (warnings) < 3 (unknown) < 2 (not ready)
        codes += [NO_VERDICT] * (bool(self.errors) or self.status != "successful" or not codes)
        return max(codes, key=[0, 1, 3, 2].index)


class Stream:
    """Receives the events of ansible-runner: prints progress, keeps reports and errors."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def __call__(self, event: dict[str, Any]) -> bool:
        data, kind = event.get("event_data", {}), event["event"]
        if kind == "playbook_on_task_start":
            print(f"   {data['name']}", flush=True)
        elif kind in ("runner_on_ok", "runner_on_failed", "runner_on_unreachable"):
            self._result(kind, data)
        return True

    def _result(self, kind: str, data: dict[str, Any]) -> None:
        host, result = data["host"], data.get("res") or {}
        report = result.get("report")
        # The last report of a host covers all stages; an earlier one (preflight) stands if the run stops there
        if isinstance(report, dict) and report.get("schema") == "gpuready.report/1":
            self.outcome.reports[host] = report
        if kind == "runner_on_ok":
            if result.get("changed"):
                print(f"      {host}: changed", flush=True)
        elif not data.get("ignore_errors"):
            self.outcome.errors[host] = str(result.get("msg", kind))
            print(f"      {host}: FAILED: {self.outcome.errors[host]}", flush=True)


def bootstrap(inventory: str, extra_vars: dict[str, str]) -> Outcome:
    """Run site.yml on an inventory and return the outcome. Leaves no file with variables behind."""
    outcome = Outcome()
    private = tempfile.mkdtemp(prefix="gpuready-runner-")
    # ansible-runner looks ansible-playbook up in PATH; the one beside this Python is the pinned one
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ["PATH"] = path
    try:
        run = ansible_runner.run(
            private_data_dir=private,
            project_dir=str(PROJECT),
            playbook="site.yml",
            inventory=str(Path(inventory).resolve()),
            extravars=extra_vars,
            envvars={"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "PATH": path},
            event_handler=Stream(outcome),
            quiet=True,
            suppress_env_files=True,
        )
        outcome.status = run.status
    finally:
        shutil.rmtree(private, ignore_errors=True)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description="Bring the hosts of an inventory to a verified state.")
    parser.add_argument("-i", "--inventory", required=True)
    parser.add_argument("-e", "--extra-var", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", metavar="FILE", help="write the reports there, by host")
    arguments = parser.parse_args()
    if not Path(arguments.inventory).exists():
        parser.error(f"inventory {arguments.inventory} does not exist")
    outcome = bootstrap(arguments.inventory, dict(pair.split("=", 1) for pair in arguments.extra_var))
    if arguments.json:
        document = {"status": outcome.status, "reports": outcome.reports, "errors": outcome.errors}
        Path(arguments.json).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    for host, report in sorted(outcome.reports.items()):
        print(f"{host}: {report['verdict']} {report['counts']}")
    print(f"run {outcome.status}, exit status {outcome.exit_code}")
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
