# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which stages of a dev environment are due. Pure. A stage is a script with all that goes into it, a stamp its digest.

A stamp is written when a script has ended well, and taken away before the script runs again: whatever a killed run
leaves, the stages without a stamp are those that the next run repeats.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

SCHEMA = "gpuready.stages/1"
NAME = re.compile(r"[a-z][a-z0-9_-]*")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FILE = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._+-]*/)*[A-Za-z0-9_][A-Za-z0-9._+-]*")
SHA256 = re.compile(r"[0-9a-f]{64}")
TAIL_LINES = 12
TAIL_WIDTH = 300
HIDDEN = "***"

Stage = Mapping[str, Any]


class StageError(Exception):
    """Stages that cannot be run as they were given; the text is one sentence for the user."""


def check(stages: Sequence[Stage]) -> None:
    """Raises StageError for a list of stages that cannot be meant."""
    known: set[str] = set()
    for stage in stages:
        name = str(stage["name"])
        if not NAME.fullmatch(name):
            raise StageError(f"the name {name!r} of a stage may only hold lower case letters, digits, - and _")
        if name in known:
            raise StageError(f"the stage {name} stands twice in stages")
        later = [other for other in stage["after"] if other not in known]
        if later:
            raise StageError(f"the stage {name} is after {later[0]}, which does not stand before it in stages")
        known.add(name)
        _check_parts(name, stage)


def _check_parts(name: str, stage: Stage) -> None:
    for variable in stage["env"]:
        if not VARIABLE.fullmatch(variable):
            raise StageError(f"{variable!r} in env of the stage {name} is not a name of a variable")
    for path in [*stage["inputs"], *(download["name"] for download in stage["downloads"])]:
        if not FILE.fullmatch(path):
            raise StageError(f"{path!r} in inputs or downloads of the stage {name} is not a plain relative file name")
    for download in stage["downloads"]:
        if not SHA256.fullmatch(download["sha256"]):
            raise StageError(
                f"the download {download['name']} of the stage {name} has no sha256 of 64 digits "
                f"(given: {download['sha256']!r}); look it up where the file is published"
            )
    for path in stage["creates"]:
        if not path.startswith("/"):
            raise StageError(f"{path!r} in creates of the stage {name} is not an absolute path")


def digests(stages: Sequence[Stage]) -> dict[str, str]:
    """The stamp of each stage: a digest of what goes into it, and of the stamps of the stages that it is after.

    Where a file is downloaded from is no part of it, nor are secrets: a mirror or a new password repeats nothing.
    """
    found: dict[str, str] = {}
    for stage in stages:
        downloads = [[item["name"], item["sha256"]] for item in stage["downloads"]]
        parts = {
            "name": stage["name"],
            "script": stage["script"],
            "env": {key: str(value) for key, value in stage["env"].items()},
            "inputs": dict(stage["inputs"]),
            "downloads": sorted(downloads),
            "run_as": stage["run_as"],
            "after": sorted(found[name] for name in stage["after"]),
        }
        text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
        found[str(stage["name"])] = hashlib.sha256(text.encode("utf-8")).hexdigest()
    return found


def due(
    stages: Sequence[Stage], stamps: Mapping[str, str], missing: Mapping[str, Collection[str]] | None = None
) -> dict[str, str]:
    """The stages that have to run, in their order, each with the reason.

    missing: by stage the paths of `creates` that are not there. What is after a stage that runs, runs too: it may build
    on what is made anew.
    """
    wanted = digests(stages)
    reasons: dict[str, str] = {}
    for stage in stages:
        name = str(stage["name"])
        before = [other for other in stage["after"] if other in reasons]
        gone = sorted((missing or {}).get(name, ()))
        if name not in stamps:
            reasons[name] = "it has not ended well yet"
        elif stamps[name] != wanted[name] and not before:
            reasons[name] = "its script or what goes into it is another one now"
        elif gone:
            reasons[name] = f"{gone[0]} is not there"
        elif before:
            reasons[name] = f"it is after {before[0]}"
    return reasons


def forgotten(stages: Sequence[Stage], stamps: Mapping[str, str]) -> list[str]:
    """Stamps of stages that are not asked for any more."""
    names = {stage["name"] for stage in stages}
    return sorted(name for name in stamps if name not in names)


def parse(raw: bytes | None) -> dict[str, str] | None:
    """The stamps of a file; None for one that cannot be read, which is worth as much as none."""
    if raw is None:
        return {}
    try:
        data = json.loads(raw.decode("utf-8"))
        stamps = data["stages"]
        if data["schema"] != SCHEMA or not all(isinstance(value, str) for value in stamps.values()):
            return None
        return {str(name): str(value) for name, value in stamps.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def render(stamps: Mapping[str, str]) -> str:
    return json.dumps({"schema": SCHEMA, "stages": dict(stamps)}, indent=2, sort_keys=True) + "\n"


def without_secrets(text: str, secrets: Collection[str]) -> str:
    """The text without the secrets, as a whole and line by line. Very short ones would hide every letter."""
    parts = {part for secret in secrets for part in (secret.strip(), *secret.split()) if len(part) >= 6}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, HIDDEN)
    return text


def last_lines(text: str, count: int = TAIL_LINES) -> str:
    """The last lines of an output that are not blank; a line that was overwritten in place counts as its last state."""
    lines = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return "\n".join(line[:TAIL_WIDTH] for line in [line for line in lines if line.strip()][-count:])
