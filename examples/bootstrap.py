# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drive the whole road from Python with ansible-runner, and get the verdict as data.

    .venv/bin/python examples/bootstrap.py -i inventories/sandbox [--json FILE] [-e KEY=VALUE ...]

For one host: progress is shown as it happens, on a terminal with the task that runs. Exit status: 0 ready, 1 ready with
warnings, 2 not ready (or the run failed before a verdict), 3 unknown: the worst host decides. docs/programs.md
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

from _drive import drive
from _program import job, main, parser, write_json
from rich.console import Console
from rich.markup import escape


class Progress:
    """One line a task and host; on a terminal the task that runs is below, with a sign of life."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.status = self.console.status("reading the inventory") if self.console.is_terminal else None

    def __enter__(self) -> Progress:
        if self.status:
            self.status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        if self.status:
            self.status.stop()

    def __call__(self, kind: str, host: str, text: str) -> None:
        line = {"task": f"   {text}", "changed": f"      {host}: changed", "failed": f"      {host}: FAILED: {text}"}
        if self.status and kind == "task":
            self.status.update(escape(text))
        self.console.print(escape(line.get(kind, f"   {text}")), style="red" if kind == "failed" else "")


def program() -> int:
    made = parser("Bring the hosts of an inventory to a verified state.")
    made.add_argument("--json", metavar="FILE", type=Path, help="write the outcome there, reports included")
    arguments = made.parse_args()
    wanted = job(made, arguments)
    with Progress() as progress:
        outcome = drive(wanted, progress)
    if arguments.json:
        write_json(arguments.json, outcome.as_dict(reports=True))
    for name, host in sorted(outcome.hosts.items()):
        print(f"{name}: {host.verdict} {host.report['counts'] if host.report else ''}".rstrip())
    if outcome.error:
        print(f"{made.prog}: {outcome.error}", file=sys.stderr)
    print(f"run {outcome.status}, exit status {outcome.exit_code}")
    return outcome.exit_code


if __name__ == "__main__":
    main(program)
