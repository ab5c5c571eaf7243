# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a second run of the whole road costs, beside one full `setup` of the same host (docs/architecture.md, "Cost").

Prints `bench NAME NUMBER UNIT` lines. Wall times are medians; executions are counted where Ansible itself says that it
sends a module to the target ("Using module file", -vvv), so a `copy` counts as often as it goes there.
"""

from __future__ import annotations

import argparse
import collections
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
RATIO_GOAL, EXECUTIONS_GOAL = 4.0, 25
ROLES = sorted(path.name for path in (PROJECT / "roles").iterdir())


class BenchError(Exception):
    """A command that is measured failed; the text says which, and what it printed."""


def run(argv: list[str], **variables: str) -> tuple[float, str]:
    """Run a command in the project; return its wall time in seconds and its output."""
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", **variables}
    started = time.monotonic()
    done = subprocess.run(argv, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode != 0:
        raise BenchError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    return seconds, done.stdout


def count(site: list[str]) -> str:
    """Run the playbook for counting. Where skipped hosts are not displayed, Ansible prints a task's name only after the
    modules of the task, so that they would be counted for the task before."""
    return run([*site, "-vvv"], ANSIBLE_DISPLAY_SKIPPED_HOSTS="1")[1]


def executions(output: str) -> collections.Counter[str]:
    """Count the modules sent to the target in a -vvv output, by role ("play" for tasks outside of roles)."""
    counts: collections.Counter[str] = collections.Counter()
    role = "play"
    for line in output.splitlines():
        task = re.match(r"(?:TASK|RUNNING HANDLER) \[(?:gpuready\.bootstrap\.)?(?:(\w+) : )?", line)
        if task:
            role = task.group(1) or "play"
        elif line.startswith("Using module file"):
            counts[role] += 1
    return counts


def changed(output: str) -> int:
    """Sum of changed= in the recap."""
    return sum(int(number) for number in re.findall(r"changed=(\d+)", output))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-i", "--inventory", default="inventories/sandbox")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--enforce", action="store_true", help="exit status 1 when a goal is missed")
    arguments = parser.parse_args()
    site = ["ansible-playbook", "site.yml", "-i", arguments.inventory]
    setup = ["ansible", "all", "-i", arguments.inventory, "-m", "ansible.builtin.setup"]

    counted = count(site)
    if changed(counted):
        print(f"note: not converged yet, this run changed {changed(counted)} things; counting again", flush=True)
        counted = count(site)
    counts = executions(counted)
    # By turns, so that a busy moment of the machine hits both
    pairs = [(run(site)[0], run(setup)[0]) for _turn in range(arguments.repeat)]
    site_wall = statistics.median(pair[0] for pair in pairs)
    setup_wall = statistics.median(pair[1] for pair in pairs)
    ratio = site_wall / setup_wall

    print(f"bench site_rerun_wall {site_wall:.2f} s")
    print(f"bench setup_wall {setup_wall:.2f} s")
    print(f"bench site_rerun_ratio {ratio:.2f} ratio")
    print(f"bench site_rerun_executions {sum(counts.values())} calls")
    for role in ["play", *ROLES]:
        print(f"bench site_rerun_executions_{role} {counts[role]} calls")
    missed = ratio > RATIO_GOAL or sum(counts.values()) > EXECUTIONS_GOAL
    if missed:
        print(f"goal missed: ratio <= {RATIO_GOAL}, executions <= {EXECUTIONS_GOAL}")
    return int(missed and arguments.enforce)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"ERROR: {error}")
