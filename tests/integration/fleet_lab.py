# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several sandbox hosts at once: an inventory of their own, started together, removed whatever happens.

Names begin with GPUREADY_FLEET_PREFIX (default gpuready-fleet), so that two checkouts can share one Docker engine.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from lab import PROJECT, Run, play

PREFIX = os.environ.get("GPUREADY_FLEET_PREFIX", "gpuready-fleet")


def names(count: int, start: int = 1) -> list[str]:
    """Names of hosts, in the order of the inventory."""
    return [f"{PREFIX}-{number:02d}" for number in range(start, start + count)]


def write_inventory(
    label: str, hosts: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any] | None = None
) -> Path:
    """An inventory of these hosts with the sandbox's variables, in .cache (as deep as those variables expect).

    variables: instead of the sandbox's own.
    """
    folder = PROJECT / ".cache" / f"{PREFIX}-{label}"
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "group_vars"
    own.unlink(missing_ok=True)
    if variables is None:
        own.symlink_to(PROJECT / "inventories" / "sandbox" / "group_vars")
    content = {"all": {"hosts": {name: dict(values) for name, values in hosts.items()}, "vars": dict(variables or {})}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder


def remove(hosts: Sequence[str]) -> None:
    """Remove hosts with their volumes; never one of another prefix."""
    mine = [name for name in hosts if name.startswith(f"{PREFIX}-")]
    if mine:
        subprocess.run(["docker", "rm", "-fv", *mine], capture_output=True, check=False)


@contextmanager
def running(
    label: str, hosts: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any] | None = None
) -> Iterator[Path]:
    """Start hosts; yields their inventory, and removes them in the end, whatever happens."""
    inventory = write_inventory(label, hosts, variables)
    remove(list(hosts))
    try:
        run = play("sandbox/fleet.yml", "-i", str(inventory))
        assert run.rc == 0, run.output
        yield inventory
    finally:
        remove(list(hosts))


def site(inventory: Path, *extra: str, timeout: int = 900) -> Run:
    """Walk the road on the hosts of an inventory."""
    return play("playbooks/site.yml", "-i", str(inventory), *extra, timeout=timeout)
