# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tests start the programs of examples/, and what they look at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
LAB = HERE / "lab"


class Done(NamedTuple):
    """How a program ended, and the JSON that it wrote."""

    status: int
    out: str
    err: str
    outcome: dict[str, Any]


class Work(NamedTuple):
    """A folder for one run, and for its temporary files."""

    path: Path
    temporary: Path

    def argv(self, program: str, *options: str, playbook: str = "road.yml", inventory: str = "hosts.yml") -> list[str]:
        where = ["-i", str(LAB / inventory), "--playbook", str(LAB / playbook)]
        extra = {"work": str(self.path), "snapshots": str(PROJECT / "tests/fixtures/snapshots")}
        return [sys.executable, f"examples/{program}.py", *where, "-e", json.dumps(extra), *options]

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "GPUREADY_"))}
        return {**kept, "TMPDIR": str(self.temporary), "COLUMNS": "200"}

    def run(self, program: str, *options: str, json_at: Path | None = None, **where: str) -> Done:
        argv = self.argv(program, *options, **where)
        done = subprocess.run(
            argv, cwd=PROJECT, env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )
        path = json_at or self.path / "out.json"
        outcome = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return Done(done.returncode, done.stdout, done.stderr, outcome)

    def residue(self) -> list[str]:
        """What the program left of its temporary files."""
        return sorted(str(path) for path in self.temporary.iterdir())


@contextmanager
def make_work(path: Path) -> Iterator[Work]:
    """Temporary files lie elsewhere: the paths of pytest are too long for sockets."""
    with tempfile.TemporaryDirectory(prefix="gr-") as temporary:
        yield Work(path, Path(temporary))


def processes(mark: str) -> list[int]:
    """The processes that have a word in their command line."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and mark.encode() in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]
