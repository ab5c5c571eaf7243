# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the Molecule scenarios, two at a time, and end with a table of what took how long.

A scenario spends most of its time waiting (package mirror, containers that start), so two share two cores well. Its
output goes to .cache/log/molecule-SCENARIO.log and is shown when it fails.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
LOGS = PROJECT / ".cache" / "log"
TAIL = 120


class Outcome(NamedTuple):
    scenario: str
    seconds: float
    returncode: int


def scenarios() -> list[str]:
    """All scenarios, the longest first, so that the last one to run is a short one."""
    found = {path.parent.name for path in (PROJECT / "molecule").glob("*/molecule.yml")}
    long = [name for name in ("site", "dev_container") if name in found]
    return long + sorted(found - set(long))


def run(scenario: str) -> Outcome:
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"molecule-{scenario}.log"
    environment = {
        **os.environ,
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections"),
        "ANSIBLE_NOCOLOR": "1",
        "NO_COLOR": "1",
    }
    # -c: without it Molecule finds the base configuration only in a git checkout
    argv = ["molecule", "-c", ".config/molecule/config.yml", "test", "-s", scenario]
    print(f"   {scenario}: started", flush=True)
    started = time.monotonic()
    with log.open("wb") as stream:
        done = subprocess.run(argv, cwd=PROJECT, env=environment, stdout=stream, stderr=subprocess.STDOUT, check=False)
    outcome = Outcome(scenario, time.monotonic() - started, done.returncode)
    print(f"   {scenario}: {'ok' if done.returncode == 0 else 'FAILED'} after {outcome.seconds:.0f} s", flush=True)
    if done.returncode != 0:
        print("\n".join(log.read_text(errors="replace").splitlines()[-TAIL:]), flush=True)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", help="default: all")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    unknown = set(arguments.scenario) - set(scenarios())
    if unknown:
        parser.error(f"no scenario named {', '.join(sorted(unknown))}; there are {', '.join(scenarios())}")
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        outcomes = list(pool.map(run, arguments.scenario or scenarios()))
    width = max(len(outcome.scenario) for outcome in outcomes)
    for outcome in outcomes:
        print(f"{outcome.scenario:<{width}}  {outcome.seconds:6.0f} s  {'ok' if outcome.returncode == 0 else 'FAILED'}")
    return int(any(outcome.returncode for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
