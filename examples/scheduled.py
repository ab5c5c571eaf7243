# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From cron, a systemd timer or a CI: one run at a time, a deadline, silence while all is well, results as files.

    .venv/bin/python examples/scheduled.py -i inventories/lab --state-dir /var/lib/gpuready-fleet [--deadline 2h]

The folder gets `last.json` and `results/TIME.json` of the last runs, each written as a whole (gpuready.outcome/1).
Prints nothing for verdicts ready and ready with warnings. Exit status: 0 to 3 as the verdict, 64 nothing was started,
75 another run holds the lock, 124 the deadline has passed, 143 and the like after a signal. docs/programs.md
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _drive import drive
from _outcome import LOCKED, READY, WARNINGS, Outcome
from _program import job, main, parser, write_json

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class LockedError(Exception):
    """Another run holds the lock."""


@contextmanager
def lock(path: Path, wait_s: float) -> Iterator[None]:
    """One run at a time. The kernel gives the lock back when its holder ends, however it ends. Raises LockedError."""
    until = time.monotonic() + wait_s
    with path.open("a+", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    file.seek(0)
                    raise LockedError(f"another run holds {path} ({file.read().strip() or 'unknown'})") from None
                time.sleep(min(1.0, max(0.05, until - time.monotonic())))
        file.truncate(0)
        file.write(f"process {os.getpid()}, since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n")
        file.flush()
        yield


def store(folder: Path, outcome: Outcome, keep: int, reports: bool) -> Path:
    """Write the result, then forget all but the last `keep`."""
    document = outcome.as_dict(reports)
    results = folder / "results"
    # the moment tells runs apart, as no two overlap; a run of less than a second gets its process, too
    name = re.sub(r"[-:]", "", document["started"])
    path = results / f"{name}.json"
    path = results / f"{name}-{os.getpid()}.json" if path.exists() else path
    write_json(path, document)
    write_json(folder / "last.json", document)
    for old in sorted(results.glob("[0-9]*.json"))[:-keep]:
        old.unlink(missing_ok=True)
    return path


def seconds(text: str) -> float:
    """90, 90s, 45m or 2h."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found or float(found[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 90, 90s, 45m or 2h")
    return float(found[1]) * UNITS[found[2]]


def complain(program: str, outcome: Outcome, path: Path) -> None:
    """What whoever gets cron's mail or reads the journal needs, and no more."""
    if outcome.error:
        print(f"{program}: {outcome.error}")
    for name, host in sorted(outcome.hosts.items()):
        if host.exit_code not in (READY, WARNINGS):
            why = f": {' '.join(host.error['msg'].split())[:300]}" if host.error else ""
            print(f"{name}: {host.verdict.replace('_', ' ')}{why}")
    print(f"{program}: run {outcome.status}, exit status {outcome.exit_code}, {path}", flush=True)


def program() -> int:
    made = parser("Run the road from a scheduler.")
    state = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd's StateDirectory=
    made.add_argument("--state-dir", type=Path, default=state or None, required=not state)
    made.add_argument("--deadline", type=seconds, metavar="TIME", help="stop the run after that, such as 90m")
    made.add_argument("--wait-for-lock", type=seconds, default=0.0, metavar="TIME", help="default: give up at once")
    made.add_argument("--retries", type=int, default=1, metavar="N", help="further attempts (default: 1)")
    made.add_argument("--wait", type=seconds, default=10.0, metavar="TIME", help="between attempts (default: 10s)")
    made.add_argument("--keep", type=int, default=30, metavar="K", help="results to keep (default: 30)")
    made.add_argument("--reports", action="store_true", help="results with the whole report of each host")
    made.add_argument("--verbose", action="store_true", help="say how it ended in any case")
    arguments = made.parse_args()
    if arguments.keep < 1 or arguments.retries < 0:
        made.error("--keep is at least 1, --retries at least 0")
    wanted = job(made, arguments, retries=arguments.retries, wait_s=arguments.wait, deadline_s=arguments.deadline)
    folder = Path(arguments.state_dir).resolve()
    try:
        (folder / "results").mkdir(parents=True, exist_ok=True)
        with lock(folder / "lock", arguments.wait_for_lock):
            outcome = drive(wanted)
            path = store(folder, outcome, arguments.keep, arguments.reports)
    except LockedError as error:
        print(f"{made.prog}: {error}", file=sys.stderr)
        return LOCKED
    except OSError as error:
        made.error(f"--state-dir {folder}: {error.strerror}")
    if arguments.verbose or outcome.exit_code not in (READY, WARNINGS):
        complain(made.prog, outcome, path)
    return outcome.exit_code


if __name__ == "__main__":
    main(program)
