# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HTML page holds, packed small: what many hosts share once, the rest as one compressed blob a host."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import judges_only
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import Stage

Report = Mapping[str, Any]
Snapshot = Mapping[str, Any]
Host = tuple[Report, Optional[Snapshot]]

LETTERS = {"pass": "p", "warn": "w", "fail": "f", "skip": "s", "unknown": "u"}
_WORST_FIRST = "fuwps"
# what the page shows in tables of its own; the rest of a snapshot only as text
SHOWN = ("gpus", "topology", "kernel_log", "probes", "collector")
# kernel messages of one host on the page; the newest are kept
HITS_MAX = 200
_VERDICT_ORDER = {"not_ready": 0, "unknown": 1, "ready_with_warnings": 2, "ready": 3}
_IN_TABLE = ("id", "stage", "title", "title_zh")
# embeddings, overrides and isolates of bidirectional text, and its marks
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BILINGUAL = ("message", "skip_reason")


@dataclass(frozen=True)
class Silence:
    """Why a host has no report: `kind` is unreachable, failed or not_begun; `reason` is what the run said on it."""

    kind: str
    reason: str = ""
    command: str | None = None


@dataclass(frozen=True)
class Packed:
    """`fleet` and `shared` are for all hosts; `hosts[n]` and `snapshots[n]` (None: left out) for the n-th one."""

    fleet: dict[str, Any]
    shared: str
    hosts: list[str]
    snapshots: list[str | None]


def compact(value: Any) -> str:
    """As JSON, for what the page shows, with its strings made `visible`: a backslash needs another one there."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return _TURNS.sub(lambda found: "\\" + _written(found), text)


def visible(text: str) -> str:
    """`text` with the signs that change the direction of writing written out: `\\u202E`.

    By them a command could look other than what is copied.
    """
    return _TURNS.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04X}"


def blob(value: Any) -> str:
    """gzip in base64. The header has no time, so the same value gives the same blob."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    # a lone surrogate cannot be UTF-8; a broken string on some machine must not cost the page
    data = compact(value).encode("utf-8", "replace")
    return base64.b64encode(packer.compress(data) + packer.flush()).decode("ascii")


def pack(hosts: Sequence[Host], *, budget: int, meanings: Mapping[str, Any]) -> Packed:
    """`budget`: characters that all blobs may take together; snapshots are left out where it ends."""
    checks = _checks([report for report, _snapshot in hosts])
    numbers = {check["id"]: number for number, check in enumerate(checks)}
    rows = [[_row(result, numbers, checks) for result in report.get("results") or []] for report, _snapshot in hosts]
    keys = [[compact(row) for row in host_rows] for host_rows in rows]
    seen = Counter(key for host_keys in keys for key in set(host_keys))
    shared_rows = {key: number for number, key in enumerate(key for key, count in seen.items() if count > 1)}
    shared = blob({"rows": [json.loads(key) for key in shared_rows], "meanings": dict(meanings)})
    packed = []
    for (report, snapshot), host_rows, host_keys in zip(hosts, rows, keys):
        refs = [shared_rows.get(key, row) for key, row in zip(host_keys, host_rows)]
        packed.append(blob(_details(report, snapshot, refs)))
    fleet = {"checks": checks, "hosts": [_summary(report, numbers) for report, _snapshot in hosts]}
    left = budget - len(shared) - sum(map(len, packed))
    return Packed(fleet, shared, packed, _snapshots(hosts, left))


def _checks(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """All checks of all reports, by stage, within a stage as the reports have them."""
    found: dict[str, dict[str, Any]] = {}
    for report in reports:
        for result in report.get("results") or []:
            if result["id"] not in found:
                names = ("id", "stage", "severity", "title", "title_zh")
                found[result["id"]] = {name: result.get(name) for name in names}
    stages = [str(stage) for stage in Stage]

    def place(check: Mapping[str, Any]) -> int:
        return stages.index(check["stage"]) if check["stage"] in stages else len(stages)

    return sorted(found.values(), key=place)


def _row(result: Mapping[str, Any], numbers: Mapping[str, int], checks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A result without what the table of checks says and without what is empty."""
    number = numbers[result["id"]]
    # an observed 0 or False is a value; nothing is what is null
    row = {name: value for name, value in result.items() if value is not None and name not in _IN_TABLE}
    for name in ("evidence", "waived"):
        if not row.get(name):
            row.pop(name, None)
    if row.get("severity") == checks[number]["severity"]:
        del row["severity"]
    for name in _BILINGUAL:
        if row.get(f"{name}_zh") == row.get(name):
            row.pop(f"{name}_zh", None)
    if row.get("skip_reason") == row.get("message"):
        row.pop("skip_reason", None)
        row.pop("skip_reason_zh", None)
    remedy = row.get("remedy")
    if isinstance(remedy, Mapping):
        row["remedy"] = {name: remedy[name] for name in ("action", "command", "text", "text_zh") if remedy.get(name)}
        if judges_only(remedy):
            row["remedy"]["judges"] = True
    return {"check": number, **row}


def _judges(report: Report) -> bool:
    """Whether the next command of a host, which is that of one of its remedies, only judges again."""
    command = (report.get("next") or {}).get("command")
    remedies = [result.get("remedy") or {} for result in report.get("results") or []]
    return any(judges_only(remedy) and remedy.get("command") == command for remedy in remedies)


def _letters(report: Report, numbers: Mapping[str, int]) -> str:
    """One letter a check: its worst status; a blank where the run did not ask."""
    worst = [" "] * len(numbers)
    for result in report.get("results") or []:
        letter, number = LETTERS.get(result["status"], "u"), numbers[result["id"]]
        if worst[number] == " " or _WORST_FIRST.index(letter) < _WORST_FIRST.index(worst[number]):
            worst[number] = letter
    return "".join(worst)


def _summary(report: Report, numbers: Mapping[str, int]) -> dict[str, Any]:
    step = report.get("next") or {}
    return {
        "name": str(report.get("host")),
        "verdict": report.get("verdict"),
        "cells": _letters(report, numbers),
        "counts": report.get("counts") or {},
        "gpus": report.get("gpus") or [],
        "simulated": bool(report.get("simulated")),
        "collected_at": report.get("collected_at"),
        "next": {**{name: step.get(name) for name in ("command", "text", "text_zh")}, "judges": _judges(report)},
        "needs_reboot": bool(step.get("needs_reboot")),
        "people": len(step.get("blocked_by_human") or []),
    }


def _details(report: Report, snapshot: Snapshot | None, rows: list[Any]) -> dict[str, Any]:
    names = ("simulated_text", "tier", "ladder", "snapshot_sha256", "policy_sha256")
    details: dict[str, Any] = {name: report.get(name) for name in names}
    details["people"] = (report.get("next") or {}).get("blocked_by_human") or []
    details["results"] = rows
    details["snapshot"] = None if snapshot is None else shown_sections(snapshot)
    return details


def shown_sections(snapshot: Snapshot) -> dict[str, Any]:
    sections = {name: snapshot[name] for name in SHOWN if name in snapshot}
    log = sections.get("kernel_log")
    if isinstance(log, Mapping) and isinstance(log.get("hits"), list) and len(log["hits"]) > HITS_MAX:
        newest = sorted(log["hits"], key=lambda hit: str((hit or {}).get("time") or ""))[-HITS_MAX:]
        sections["kernel_log"] = {**log, "hits": newest, "left_out": len(log["hits"]) - HITS_MAX}
    return sections


def _snapshots(hosts: Sequence[Host], budget: int) -> list[str | None]:
    """The rest of each snapshot while there is room, the hosts that need attention first."""
    kept: list[str | None] = [None] * len(hosts)
    order = sorted(range(len(hosts)), key=lambda n: _VERDICT_ORDER.get(str(hosts[n][0].get("verdict")), 0))
    for number in order:
        snapshot = hosts[number][1]
        if snapshot is None:
            continue
        # the parts that the page has anyway are put back by its script, in their old place
        cut = [name for name, value in shown_sections(snapshot).items() if value is snapshot[name]]
        rest = {name: None if name in cut else value for name, value in snapshot.items()}
        text = blob({"rest": rest, "shown": cut})
        if len(text) > budget:
            break
        kept[number] = text
        budget -= len(text)
    return kept
