# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run make targets one after the other and end with a table of what took how long.

Targets joined by commas share the cores, two at a time; the output of such a target is shown when it has ended. A
failing target does not stop the later ones: one run shows everything that is wrong. Exit status 1 when any failed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import subprocess
import sys
import time
from typing import NamedTuple


class Outcome(NamedTuple):
    step: str
    seconds: float
    result: str


JOBS = 2
SIGN_OF_LIFE_S = 60.0


def run(step: str, make: str, quiet: bool = False) -> Outcome:
    """Run one target. `quiet`: others run beside it, so its output is kept together until its end."""
    print(f"\n==> {step}{' (its output follows when it has ended)' if quiet else ''}", flush=True)
    started = time.monotonic()
    done = subprocess.run(
        [make, "--no-print-directory", step],
        check=False,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )
    result = "ok" if done.returncode == 0 else f"FAILED ({done.returncode})"
    outcome = Outcome(step, time.monotonic() - started, result)
    if quiet:
        print(
            f"\n==> {step}: {result} after {outcome.seconds:.0f} s\n{done.stdout.decode(errors='replace')}", flush=True
        )
    return outcome


def run_group(steps: list[str], make: str) -> list[Outcome]:
    if len(steps) == 1:
        return [run(steps[0], make)]
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        futures = [pool.submit(run, step, make, quiet=True) for step in steps]
        # a sign of life: who watches may take a silent job for a dead one
        while concurrent.futures.wait(futures, timeout=SIGN_OF_LIFE_S).not_done:
            running = ", ".join(step for step, future in zip(steps, futures) if future.running())
            print(f"    still running after {time.monotonic() - started:.0f} s: {running}", flush=True)
        return [future.result() for future in futures]


def table(outcomes: list[Outcome], seconds: float) -> str:
    total = Outcome("total", seconds, "")
    width = max(len("step"), *(len(one.step) for one in [*outcomes, total]))
    rows = [f"{'step':<{width}}  seconds  result"]
    rows += [f"{one.step:<{width}}  {one.seconds:7.1f}  {one.result}".rstrip() for one in [*outcomes, total]]
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "steps", nargs="+", metavar="TARGET", help="make targets, in this order; joined by commas: side by side"
    )
    arguments = parser.parse_args()
    make = os.environ.get("MAKE", "make")
    outcomes: list[Outcome] = []
    started = time.monotonic()
    try:
        for group in arguments.steps:
            outcomes += run_group(group.split(","), make)
    finally:  # an interrupted run still says what it got through
        if outcomes:
            print("\n" + table(outcomes, time.monotonic() - started), flush=True)
    return int(any(one.result != "ok" for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
