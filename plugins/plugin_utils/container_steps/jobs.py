# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people run in a dev container, beside its own services: nobody's work is ended without a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say

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


def jobs(top: str, language: str = "en") -> list[str]:
    """Processes of people, one short text each; [] for a container that only serves.

    top: output of "docker top NAME -eo pid,ppid,user,args". Of a chain (login, shell, program) the last one is named.
    """
    table = _table(top)
    work = [one for one in table.values() if not _serves(one, table)]
    parents = {one.parent for one in work}
    last = sorted((one for one in work if one.pid not in parents), key=lambda one: one.pid)
    said = [say("{name} (pid {pid}, user {user})", name=one.program, pid=one.pid, user=one.user) for one in last]
    shown = said if len(said) <= SHOWN else [*said[:SHOWN], say("{count} more", count=len(said) - SHOWN)]
    return [one.into(language) for one in shown]


def work(looked: Iterable[Mapping[str, Any]], language: str = "en") -> list[str]:
    """Containers in which people run something, with what it is.

    looked: results of that "docker top", whose item is the container's name; a loop's skipped ones among them.
    """
    found = ((str(one.get("item")), jobs(str(one.get("stdout") or ""), language)) for one in looked)
    return [say("{name}: {programs}", name=name, programs=some).into(language) for name, some in found if some]


def unseen(answers: Iterable[Mapping[str, Any]], language: str = "en") -> list[str]:
    """Containers whose processes could not be listed, with the reason, unless Docker says that they ended.

    answers: results of "docker container inspect" for {{.State.Running}}; item of each is the failed result of
    "docker top", whose item is the name.
    """
    return [
        say("{name} ({reason})", name=one["item"]["item"], reason=_reason(one["item"])).into(language)
        for one in answers
        if not _ended(one)
    ]


# by what has been done for the container until then
SO_FAR = {
    "nothing": say("Nothing was changed."),
    "image": say("Its files are as they were, too."),
    "files": say("Its files and its image are made; the next run goes on from there."),
}


def refusal(found: Mapping[str, Any], done: str, language: str = "en") -> str:
    """Why containers are left as they are, of the first of these that found has something under.

    found: unread, why Docker gave no containers; unseen and work, as above. done: one of SO_FAR.
    """
    kept = {name: value for name, value in found.items() if value}
    text = _refusal(kept, SO_FAR[done], "；" if language == "zh" else "; ")
    return "" if text is None else text.into(language)


def _refusal(found: Mapping[str, Any], done: Text, comma: str) -> Text | None:
    if "unread" in found:
        return say(
            "Docker runs here but cannot be asked for its containers ({error}), so nobody knows who works in them. "
            "{done} Mend Docker first (systemctl status docker), or set dev_container_on_running_jobs to proceed.",
            error=found["unread"],
            done=done,
        )
    if "unseen" in found:
        return say(
            "Whether somebody works in these containers could not be seen: {containers}. They were left as they are. "
            "{done} Mend it until docker top answers, stop them yourself, or set dev_container_on_running_jobs to "
            "proceed.",
            containers=comma.join(found["unseen"]),
            done=done,
        )
    if "work" in found:
        return say(
            "Somebody works in containers that would be ended: {containers}. They were left as they are. {done} End "
            "that work, or set dev_container_on_running_jobs to proceed.",
            containers=comma.join(found["work"]),
            done=done,
        )
    return None


def held(name: str, state: Any) -> Text:
    """Why a container that is as wanted is not replaced, though it is paused or does not answer."""
    if state == "paused":
        return say(
            "The container {name} is paused and was left as it is, because jobs may live in it. Look at it ('docker "
            "inspect', 'docker logs {name}') and mend or unpause it, or set dev_container_replace_unhealthy to true to "
            "have it replaced.",
            name=name,
        )
    return say(
        "The container {name} is unhealthy and was left as it is, because jobs may live in it. Look at it ('docker "
        "inspect', 'docker logs {name}') and mend or restart it, or set dev_container_replace_unhealthy to true to "
        "have it replaced.",
        name=name,
    )


def _ended(answer: Mapping[str, Any]) -> bool:
    said, error = str(answer.get("stdout") or ""), str(answer.get("stderr") or "")
    return said.strip() == "false" if answer.get("rc") == 0 else bool(answer.get("rc") == 1 and _GONE.search(error))


def _reason(top: Mapping[str, Any]) -> str | Text:
    return str(top.get("stderr") or "").strip() or str(top.get("msg") or "") or say("no reason given")


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
