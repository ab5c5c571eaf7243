# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the Molecule scenarios, three at a time, and end with a table of what took how long.

First the images of their hosts are built, as molecule/inventory names them; one that is there costs a second.
A scenario spends most of its time waiting (package mirror, containers that start), so three share two cores well. Its
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
from typing import Any, NamedTuple

import yaml

PROJECT = Path(__file__).resolve().parent.parent
LOGS = PROJECT / ".cache" / "log"
TAIL = 120


class Outcome(NamedTuple):
    scenario: str
    seconds: float
    returncode: int


def scenarios(on_demand: bool = False, project: Path = PROJECT) -> list[str]:
    """The scenarios, the longest first, so that the last one to run is a short one.

    on_demand: with those that only run when they are named: a file of that name says why.
    """
    folders = [path.parent for path in (project / "molecule").glob("*/molecule.yml")]
    found = {folder.name for folder in folders if on_demand or not (folder / "on-demand").exists()}
    # by what they took on two cores, three at a time
    first = (
        "nvidia_driver_faults",
        "mirrors",
        "ssh_access",
        "docker_engine",
        "dev_container",
        "container_rpm",
        "nvidia_driver",
        "nvidia_container_toolkit",
        "nvml_stability",
        "nvidia_driver_rpm",
        "dev_inplace",
        "nvml_reload",
        "site",
        "storage_mounts",
        "nvidia_driver_ubuntu",
        "ansible_pull",
    )
    long = [name for name in first if name in found]
    return long + sorted(found - set(long))


def load(path: Path) -> dict[str, Any]:
    """A YAML file of the inventory; one that is not there says nothing."""
    found: dict[str, Any] = (yaml.safe_load(path.read_text()) if path.exists() else None) or {}
    return found


def image(*variables: dict[str, Any]) -> str:
    """The image of a host, by what is said about it, from the general to the host's own."""
    said = {name: value for part in variables for name, value in part.items() if name.startswith("sandbox_")}
    return str(said["sandbox_image"] if "{{" not in said["sandbox_image"] else said["sandbox_suite"])


def images(chosen: list[str], inventory: Path = PROJECT / "molecule" / "inventory") -> list[str]:
    """The images that the hosts of these scenarios need, each once, as sandbox/build.sh names them."""
    groups = load(inventory / "hosts.yml")["all"]["children"]
    general = load(inventory / "group_vars" / "all.yml")
    return sorted(
        {
            image(general, load(inventory / "group_vars" / f"{scenario}.yml"), host or {})
            for scenario in chosen
            for host in groups.get(scenario, {}).get("hosts", {}).values()
        }
    )


def build(name: str) -> None:
    """Build one image, and say how long it took. Raises CalledProcessError where it cannot be built."""
    started = time.monotonic()
    subprocess.run([str(PROJECT / "sandbox" / "build.sh"), name], cwd=PROJECT, check=True)
    print(f"   image {name}: {time.monotonic() - started:.0f} s", flush=True)


def run(scenario: str) -> Outcome:
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"molecule-{scenario}.log"
    environment = {
        **os.environ,
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "SANDBOX_KEEP_COMPILED": "1",
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
    parser.add_argument("scenario", nargs="*", help="default: all but those on demand")
    parser.add_argument("--jobs", type=int, default=3)
    arguments = parser.parse_args()
    known = scenarios(on_demand=True)
    unknown = set(arguments.scenario) - set(known)
    if unknown:
        parser.error(f"no scenario named {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = arguments.scenario or scenarios()
    try:
        for name in images(chosen):
            build(name)
    except subprocess.CalledProcessError as error:
        print(f"ERROR: {error.cmd[0]} {error.cmd[1]} ended with {error.returncode}", file=sys.stderr)
        return 1
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        outcomes = list(pool.map(run, chosen))
    width = max(len(outcome.scenario) for outcome in outcomes)
    for outcome in outcomes:
        print(f"{outcome.scenario:<{width}}  {outcome.seconds:6.0f} s  {'ok' if outcome.returncode == 0 else 'FAILED'}")
    return int(any(outcome.returncode for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
