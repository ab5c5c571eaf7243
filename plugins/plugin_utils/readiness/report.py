# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From judged results to the report: verdict, counts, and the next thing to do."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import (
    BY_PERSON,
    JUDGES,
    Commands,
    Remedy,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.evaluate import evaluate
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.ladder import ladder
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    REPORT_SCHEMA,
    SNAPSHOT_SCHEMA,
    Context,
    DevWish,
    Result,
    Severity,
    Stage,
    Status,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy import Layer, make_policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy_model import Policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.registry import CHECK_IDS, CHECKS
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import LANGUAGES, Text, render, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.tiers import tier_of
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import UnmeasuredError, View

READY = "ready"
READY_WITH_WARNINGS = "ready_with_warnings"
NOT_READY = "not_ready"
UNKNOWN = "unknown"
EXIT_CODES = {READY: 0, READY_WITH_WARNINGS: 1, NOT_READY: 2, UNKNOWN: 3}

MESSAGES_MAX = 5

_WORST_FIRST = (Severity.BLOCKER, Severity.MAJOR, Severity.MINOR, Severity.INFO)


def judge(
    snapshot: Mapping[str, Any],
    *,
    host: str,
    stages: Sequence[str] = tuple(Stage),
    policy: Policy | Mapping[str, Any] | Sequence[Layer] | None = None,
    inventory: Sequence[str] = (),
    dev_requested: Sequence[DevWish] | None = None,
    language: str = "en",
    again: str | None = None,
) -> dict[str, Any]:
    """The report on one host. `again`: the command that judges again where there is no Ansible.

    Raises ValueError for a bad policy, an unknown stage or language, and a foreign snapshot.
    """
    check_schema(snapshot, host)
    unknown = [name for name in stages if name not in list(Stage)]
    if unknown or not stages:
        raise ValueError(f"stages is {list(stages)}; it must name some of {', '.join(Stage)}")
    if language not in LANGUAGES:
        raise ValueError(f"language is {language!r}; it must be one of {', '.join(LANGUAGES)}")
    wanted = tuple(stage for stage in Stage if stage in stages)
    ready_made = policy if isinstance(policy, Policy) else make_policy(policy, CHECK_IDS)
    rented = snapshot.get("scope") == "container" or ready_made.profile == "rented"
    run = Commands(host, tuple(inventory), again=again, rented=rented)
    requested = None if dev_requested is None else tuple(dev_requested)
    context = Context(View(snapshot), ready_made, run, wanted, requested)
    return {**build_report(evaluate(context, CHECKS), context), "language": language}


def check_schema(snapshot: Mapping[str, Any], origin: str) -> None:
    """Raises ValueError for anything that is not a snapshot that this version can read. `origin`: a host or a file."""
    schema = snapshot.get("schema")
    if schema == SNAPSHOT_SCHEMA:
        return
    family, _slash, number = SNAPSHOT_SCHEMA.partition("/")
    newer = re.fullmatch(rf"{re.escape(family)}/(\d+)", str(schema))
    if newer and int(newer.group(1)) > int(number):
        raise ValueError(
            f"the snapshot of {origin} has the schema {schema!r}, which is newer than {SNAPSHOT_SCHEMA!r}"
            " of this version; update gpuready.bootstrap on this machine"
        )
    raise ValueError(
        f"the snapshot of {origin} has the schema {schema!r}, this version reads {SNAPSHOT_SCHEMA!r};"
        " take a new one with gpuready.bootstrap.gpu_facts"
    )


def verdict_of(results: Sequence[Result]) -> str:
    serious = [r for r in results if r.severity in (Severity.BLOCKER, Severity.MAJOR)]
    if any(r.status is Status.FAIL for r in serious):
        return NOT_READY
    if any(r.status is Status.UNKNOWN and r.severity is Severity.BLOCKER for r in results):
        return UNKNOWN
    if any(r.status in (Status.WARN, Status.UNKNOWN) and r.severity is not Severity.INFO for r in results):
        return READY_WITH_WARNINGS
    return READY


def open_points(results: Sequence[Result]) -> list[Result]:
    """What needs an action, in the order to take it: failures, what blocks unmeasured, then warnings; by stage."""

    def urgency(result: Result) -> int:
        if result.status is Status.FAIL:
            return 0
        return 1 if result.status is Status.UNKNOWN and result.severity is Severity.BLOCKER else 2

    points = [r for r in results if r.status in (Status.FAIL, Status.WARN, Status.UNKNOWN)]
    order = [*Stage]
    return sorted(points, key=lambda r: (urgency(r), order.index(r.stage), _WORST_FIRST.index(r.severity)))


def next_step(results: Sequence[Result], run: Commands) -> dict[str, Any]:
    """One command for the first stage that has something open; remedies by roles are joined into one run."""
    points = open_points(results)
    people = [r for r in points if r.remedy is not None and r.remedy.action in BY_PERSON]
    step: dict[str, Any] = {
        "needs_reboot": any(r.remedy is not None and r.remedy.action == "reboot" for r in points),
        "blocked_by_human": [
            {"id": r.id, "action": r.remedy.action, **_both("text", r.remedy.text)} for r in people if r.remedy
        ],
    }
    if not points:
        return {"command": None, **_both("text", say("Nothing to do.")), **step}
    first = points[0]
    if first.remedy is None or first.remedy.role in (None, *JUDGES):
        # a person's work, or a change of policy: a decision of its own, never joined with others
        text = first.remedy.text if first.remedy else first.message
        return {"command": first.remedy.command if first.remedy else None, **_both("text", text), **step}
    together = [
        r.remedy
        for r in points
        if r.stage is first.stage
        and r.status is first.status
        and r.remedy is not None
        and r.remedy.role not in (None, *JUDGES)
    ]
    variables: dict[str, Any] = {}
    for remedy in together:
        for name, value in remedy.vars.items():
            variables.setdefault(name, value)
    command = run.play_line([str(remedy.role) for remedy in together], variables)
    return {"command": command, **_both("text", *(remedy.text for remedy in together)), **step}


def _both(name: str, *texts: Text) -> dict[str, str]:
    """The texts, one after the other, in each language: {name: English, name_zh: Chinese}."""
    said: dict[str, str] = {}
    for key, language, gap in ((name, "en", " "), (f"{name}_zh", "zh", "")):
        said[key] = gap.join(dict.fromkeys(str(render(text, language)) for text in texts))
    return said


def build_report(results: Sequence[Result], context: Context) -> dict[str, Any]:
    verdict = verdict_of(results)
    simulated = context.facts.is_true("simulated.gpu") or context.facts.is_true("simulated.host")
    return {
        "schema": REPORT_SCHEMA,
        "host": context.run.host,
        "collected_at": context.facts.text_or_none("collected_at"),
        "simulated": simulated,
        "simulated_text": context.facts.text_or_none("simulated.text") if simulated else None,
        "gpus": gpu_names(context),
        "stages": [str(stage) for stage in context.stages],
        "verdict": verdict,
        "exit_code": EXIT_CODES[verdict],
        "counts": {str(status): sum(r.status is status for r in results) for status in Status},
        "tier": tier_of(context.facts),
        "ladder": ladder(context.facts),
        "results": [as_dict(result) for result in results],
        "next": next_step(results, context.run),
        "snapshot_sha256": _digest(context.facts.data),
        "policy_sha256": _digest(asdict(context.policy)),
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def gpu_names(context: Context) -> list[str]:
    """What the driver calls the GPUs, counted: ["8 x NVIDIA H100 80GB HBM3"]. Empty where no driver answers."""
    try:
        found = Counter(gpu.text("name") for gpu in context.facts.views("gpus"))
    except UnmeasuredError:
        return []
    return [f"{number} x {name}" for name, number in found.items()]


def as_dict(result: Result) -> dict[str, Any]:
    return {
        "id": result.id,
        "stage": str(result.stage),
        "status": str(result.status),
        "severity": str(result.severity),
        **_both("title", result.title),
        **_both("message", result.message),
        "entity": result.entity,
        "observed": result.observed,
        "expected": result.expected,
        "evidence": list(result.evidence),
        "remedy": None if result.remedy is None else _remedy(result.remedy),
        "caused_by": result.caused_by,
        **(
            _both("skip_reason", result.skip_reason)
            if result.skip_reason
            else {"skip_reason": None, "skip_reason_zh": None}
        ),
        "waived": result.waived,
    }


def _remedy(remedy: Remedy) -> dict[str, Any]:
    return {
        "action": remedy.action,
        "role": remedy.role,
        "vars": dict(remedy.vars),
        "command": remedy.command,
        **_both("text", remedy.text),
    }


def brief(report: Mapping[str, Any]) -> dict[str, Any]:
    """A line of a fleet's table: the verdict, what stands in the way, and what to do first."""
    kept = ("host", "verdict", "exit_code", "counts", "gpus", "simulated", "language", "next")
    told = [r for r in report["results"] if r["status"] in ("fail", "unknown", "warn")]
    return {
        **{key: report[key] for key in kept},
        "failed": list(dict.fromkeys(r["id"] for r in told if r["status"] == "fail")),
        "open": list(dict.fromkeys(r["id"] for r in told)),
    }


def blocking(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The results that stand in the way of work: what makes a verdict "not ready" or "unknown"."""
    return [
        r
        for r in report["results"]
        if (r["status"] == "fail" and r["severity"] in ("blocker", "major"))
        or (r["status"] == "unknown" and r["severity"] == "blocker")
    ]


def failure_message(report: Mapping[str, Any]) -> str:
    """One line for a failed task: what stands in the way, and what to do first."""
    results = blocking(report)
    said = []
    for result in results:
        entity = "" if (result["entity"] or "") in result["message"] else f" {result['entity']}"
        measured = "" if result["status"] == "fail" else " (could not be measured)"
        said.append(f"{result['id']}{entity}: {result['message']}{measured}")
    # the whole list is in the report; a task's message stays readable
    if len(said) > MESSAGES_MAX:
        rest = dict.fromkeys(result["id"] for result in results[MESSAGES_MAX:])
        said = [*said[:MESSAGES_MAX], f"also {', '.join(rest)}"]
    headline = "NOT READY" if report["verdict"] == NOT_READY else "NOT KNOWN TO BE READY"
    step = report["next"]
    todo = f"; do: {step['command']}" if step["command"] else ""
    return f"{report['host']}: {headline}: {'; '.join(said)}{todo} ({step['text']})"
