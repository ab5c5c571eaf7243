# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people run in a dev container, beside its own services: nobody's work is ended without a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SHOWN = 8
# Of docker top: a number, its parent's, an account, and the command line
_ROW = re.compile(r"\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S.*)")
_INIT = ("devenv-entrypoint", "devenv-init")
# Nobody's: code-server's second process, a login that is not one yet, a dead process
_QUIET = re.compile(r"/code-server/out/node/entry|^sshd\S* .*\[(?:accepted|preauth|net)\]|<defunct>")
# The container's own, with all that they start: the health check, the keeper of the list of packages
_OWN = re.compile(r"/devenv-(?:health|packages)(?:\s|$)")

# The client's words for a container that is not there
_GONE = re.compile(r"no such (?:object|container)", re.IGNORECASE)


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    user: str
    line: str

    @property
    def program(self) -> str:
        """The name alone: a command line may hold a password."""
        return self.line.split()[0].rpartition("/")[2].strip("-:") or "?"


def jobs(top: str) -> list[str]:
    """Processes of people, one short text each; [] for a container that only serves.

    top: output of "docker top NAME -eo pid,ppid,user,args". Of a chain (login, shell, program) the last one is named.
    """
    table = _table(top)
    work = [one for one in table.values() if not _serves(one, table)]
    parents = {one.parent for one in work}
    last = sorted((one for one in work if one.pid not in parents), key=lambda one: one.pid)
    said = [f"{one.program} (pid {one.pid}, user {one.user})" for one in last]
    return said if len(said) <= SHOWN else [*said[:SHOWN], f"{len(said) - SHOWN} more"]


def work(looked: Iterable[Mapping[str, Any]]) -> list[str]:
    """Containers in which people run something, with what it is.

    looked: results of that "docker top", whose item is the container's name; a loop's skipped ones among them.
    """
    found = ((str(one.get("item")), jobs(str(one.get("stdout") or ""))) for one in looked)
    return [f"{name}: {', '.join(some)}" for name, some in found if some]


def unseen(answers: Iterable[Mapping[str, Any]]) -> list[str]:
    """Containers whose processes could not be listed, with the reason, unless Docker says that they ended.

    answers: results of "docker container inspect" for {{.State.Running}}; item of each is the failed result of
    "docker top", whose item is the name.
    """
    return [f"{one['item']['item']} ({_reason(one['item'])})" for one in answers if not _ended(one)]


def _ended(answer: Mapping[str, Any]) -> bool:
    said, error = str(answer.get("stdout") or ""), str(answer.get("stderr") or "")
    return said.strip() == "false" if answer.get("rc") == 0 else bool(answer.get("rc") == 1 and _GONE.search(error))


def _reason(top: Mapping[str, Any]) -> str:
    return str(top.get("stderr") or "").strip() or str(top.get("msg") or "") or "no reason given"


def _table(top: str) -> dict[int, _Process]:
    rows = filter(None, map(_ROW.fullmatch, top.splitlines()))
    found = (_Process(int(row[1]), int(row[2]), row[3], row[4].strip()) for row in rows)
    return {one.pid: one for one in found}


def _chain(process: _Process, table: Mapping[int, _Process]) -> list[_Process]:
    """The process and its parents inside the container, itself first."""
    chain = [process]
    while (parent := table.get(chain[-1].parent)) is not None and parent not in chain:
        chain.append(parent)
    return chain


def _serves(process: _Process, table: Mapping[int, _Process]) -> bool:
    chain = _chain(process, table)
    if _QUIET.search(process.line) or any(_OWN.search(one.line) for one in chain):
        return True
    if not any(name in chain[-1].line for name in _INIT):
        return False  # of docker exec
    # the first process, its supervisor, and what the supervisor starts
    return len(chain) == 1 or ("supervisord" in chain[-2].line and len(chain) <= 3)
