# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run make targets one after the other and end with a table of what took how long.

A failing target does not stop the later ones: one run shows everything that is wrong. Exit status 1 when any failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from typing import NamedTuple


class Outcome(NamedTuple):
    step: str
    seconds: float
    result: str


def run(step: str, make: str) -> Outcome:
    print(f"\n==> {step}", flush=True)
    started = time.monotonic()
    returncode = subprocess.run([make, "--no-print-directory", "--keep-going", step], check=False).returncode
    result = "ok" if returncode == 0 else f"FAILED ({returncode})"
    return Outcome(step, time.monotonic() - started, result)


def table(outcomes: list[Outcome]) -> str:
    total = Outcome("total", sum(one.seconds for one in outcomes), "")
    width = max(len("step"), *(len(one.step) for one in [*outcomes, total]))
    rows = [f"{'step':<{width}}  seconds  result"]
    rows += [f"{one.step:<{width}}  {one.seconds:7.1f}  {one.result}".rstrip() for one in [*outcomes, total]]
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="+", metavar="TARGET", help="make targets, in this order")
    arguments = parser.parse_args()
    make = os.environ.get("MAKE", "make")
    outcomes: list[Outcome] = []
    try:
        for step in arguments.steps:
            outcomes.append(run(step, make))
    finally:  # an interrupted run still says what it got through
        if outcomes:
            print("\n" + table(outcomes), flush=True)
    return int(any(one.result != "ok" for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
