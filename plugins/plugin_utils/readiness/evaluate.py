# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the checks over one snapshot: order, prerequisites, unmeasured values, waivers, severities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Check,
    Context,
    Finding,
    Result,
    Severity,
    Stage,
    Status,
    UnmeasuredError,
    names,
    skip,
    unknown,
)

SIMULATED = "[simulated GPU]"


def ordered(checks: Iterable[Check]) -> list[Check]:
    """By stage, and within it every check after its prerequisites. Raises ValueError for a circle."""
    waiting = sorted(checks, key=lambda check: list(Stage).index(check.stage))
    known = {check.id for check in waiting}
    done: list[Check] = []
    placed: set[str] = set()
    while waiting:
        ready = next((c for c in waiting if all(a in placed or a not in known for a in c.after)), None)
        if ready is None:
            raise ValueError(f"checks wait for each other: {names([check.id for check in waiting])}")
        waiting.remove(ready)
        done.append(ready)
        placed.add(ready.id)
    return done


def evaluate(context: Context, checks: Sequence[Check]) -> list[Result]:
    """Every check of the wanted stages, judged; never raises on any snapshot."""
    roots: dict[str, str] = {}  # check that failed or fell with another one -> the failure at the root
    results: list[Result] = []
    for check in ordered(check for check in checks if check.stage in context.stages):
        cause = next((roots[name] for name in check.after if name in roots), None)
        if check.id in context.policy.skip:
            findings = [skip("switched off by the policy")]
        elif cause is not None:
            findings = [skip(f"cannot be judged while {cause} fails", caused_by=cause)]
        else:
            findings = _findings(check, context)
        judged = [_judge(check, finding, context) for finding in findings]
        if cause is not None:
            roots[check.id] = cause
        elif any(f.status is Status.FAIL and not _waiver(check, context, f)[0] for f in findings):
            roots[check.id] = check.id
        results += judged
    return results


def _findings(check: Check, context: Context) -> list[Finding]:
    if check.gpu and context.policy.expected_gpus == 0:
        return [skip("the policy expects no GPU on this host")]
    if check.host_only and context.in_container:
        return [skip("this is a container; it belongs to the host")]
    try:
        return check.function(context) or [unknown("the check gave no answer")]
    except UnmeasuredError as gap:
        return [unknown(f"not measured: {gap.path}", evidence=_failed_probes(context.facts.data))]
    except Exception as error:
        # one faulty check must not cost the whole report; unknown never counts as ready
        return [unknown(f"internal error in check {check.id}: {type(error).__name__}: {error}")]


def _failed_probes(snapshot: Any) -> tuple[str, ...]:
    probes = snapshot.get("probes") if isinstance(snapshot, Mapping) else None
    if not isinstance(probes, Mapping):
        return ()
    lines = []
    for name, probe in probes.items():
        if isinstance(probe, Mapping) and probe.get("status") not in ("ok", "missing", None):
            lines.append(f"probe {name}: {probe['status']}: {probe.get('error') or 'no details'}")
    return tuple(lines[:5])


def _waiver(check: Check, context: Context, finding: Finding) -> tuple[str | None, str | None]:
    """(text of the waiver in force, text of one that has run out). Judged at the time of the snapshot."""
    if finding.status not in (Status.FAIL, Status.UNKNOWN):
        return None, None
    taken_at = context.facts.text_or_none("collected_at") or ""
    expired = None
    for waiver in context.policy.waive:
        if waiver["id"] != check.id or waiver.get("entity") not in (None, finding.entity):
            continue
        until = str(waiver["until"])
        if taken_at and taken_at[:10] <= until:
            return f"waived until {until}: {waiver['reason']}", None
        expired = f"the waiver ran out on {until}"
    return None, expired


def _judge(check: Check, finding: Finding, context: Context) -> Result:
    severity = Severity(context.policy.severity.get(check.id, finding.severity or check.severity))
    status, message = finding.status, finding.message
    waived, expired = _waiver(check, context, finding)
    if waived or (status is Status.FAIL and severity in (Severity.MINOR, Severity.INFO)):
        status = Status.WARN
    if waived or expired:
        message = f"{message} ({waived or expired})"
    if check.gpu and status is not Status.SKIP and context.facts.is_true("simulated.gpu"):
        message = f"{message} {SIMULATED}"
    remedy = finding.remedy
    if status is Status.UNKNOWN and remedy is None:
        remedy = _remeasure(context, finding)
    shared = {
        name: getattr(finding, name)
        for name in ("entity", "observed", "expected", "evidence", "caused_by", "skip_reason")
    }
    result = Result(check.id, check.stage, status, severity, check.title, message, remedy=remedy, **shared)
    return replace(result, remedy=None) if status in (Status.PASS, Status.SKIP) else result


def _remeasure(context: Context, finding: Finding) -> Any:
    hint = "; ".join(finding.evidence) or "no probe reported an error"
    return context.by_hand(f"Find out why the value could not be read ({hint}), then judge again.")
