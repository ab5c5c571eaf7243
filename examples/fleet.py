# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet: all hosts of an inventory, those without an answer once more, one verdict for each.

    .venv/bin/python examples/fleet.py -i inventories/lab [--retries N] [--json FILE] [-l GROUP] [-e KEY=VALUE ...]

Hosts that could not be reached, that failed, or that a run left out are tried again; a host that was judged is not: a
verdict is an answer. Nor is one whose inputs were refused. The exit status is the worst host's: 0 ready, 1 ready with
warnings, 2 not ready, 3 unknown. docs/programs.md
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from _drive import drive
from _outcome import BADNESS, Outcome
from _program import job, main, parser, write_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS = {"ready": "green", "ready_with_warnings": "yellow", "unknown": "magenta", "unjudged": "magenta"}
PLAIN_WIDTH = 140  # where there is no terminal to ask


def say(kind: str, host: str, text: str) -> None:
    if kind == "failed":
        print(f"{host}: {text}", flush=True)
    elif kind == "attempt":
        print(text, flush=True)


def table(outcome: Outcome) -> Table:
    """The worst first; words of machines are shown as they are, never as markup."""
    made = Table(box=None, pad_edge=False)
    for title in ("host", "verdict", "pass", "warn", "fail", "unknown", "changed", "tries", "time"):
        made.add_column(title, no_wrap=True, justify="left" if title in ("host", "verdict") else "right")
    made.add_column("why", overflow="fold")
    for name, host in sorted(outcome.hosts.items(), key=lambda item: (-BADNESS.index(item[1].exit_code), item[0])):
        counts = host.report["counts"] if host.report else {}
        why = f"{host.error['task']}: {host.error['msg']}" if host.error else ""
        made.add_row(
            Text(name),
            Text(host.verdict.replace("_", " "), style=COLOURS.get(host.verdict, "red")),
            *(str(counts.get(key, "")) for key in ("pass", "warn", "fail", "unknown")),
            str(host.changed),
            str(host.attempts),
            f"{host.duration_s:.0f} s",
            Text(" ".join(why.split())[:300]),
        )
    return made


def program() -> int:
    made = parser("Bring a fleet to a verified state, with one verdict for each host.")
    made.add_argument("--retries", type=int, default=1, metavar="N", help="further attempts (default: 1)")
    made.add_argument("--wait", type=float, default=10.0, metavar="SECONDS", help="between attempts (default: 10)")
    made.add_argument("--json", metavar="FILE", type=Path, help="write the outcome there")
    made.add_argument("--reports", action="store_true", help="with the whole report of each host")
    arguments = made.parse_args()
    if arguments.retries < 0 or arguments.wait < 0:
        made.error("--retries and --wait cannot be below 0")
    outcome = drive(job(made, arguments, retries=arguments.retries, wait_s=arguments.wait), say)
    if arguments.json:
        write_json(arguments.json, outcome.as_dict(reports=arguments.reports))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    if outcome.attempts:
        console.print(table(outcome))
    counted = Counter(host.verdict.replace("_", " ") for host in outcome.hosts.values())
    if outcome.error:
        print(f"{made.prog}: {outcome.error}", file=sys.stderr)
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counted.items()))
    print(f"{len(outcome.hosts)} host(s): {verdicts or 'none'}; run {outcome.status}, exit status {outcome.exit_code}")
    return outcome.exit_code


if __name__ == "__main__":
    main(program)
