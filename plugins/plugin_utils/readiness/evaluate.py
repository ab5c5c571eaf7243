# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the checks over one snapshot: order, prerequisites, unmeasured values, waivers, severities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.model import (
    Check,
    Context,
    Finding,
    Result,
    Severity,
    Stage,
    Status,
    skip,
    unknown,
)
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, names, say
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import Evidence, UnmeasuredError

# evidence that the engine adds by itself stays readable
EVIDENCE_MAX = 8
EVIDENCE_VALUE_MAX = 200
# roles and actions that only the owner of the machine around a container can carry out
HOST_ROLES = ("nvidia_driver", "docker_engine", "nvidia_container_toolkit", "nvml_stability")
HOST_ACTIONS = ("reboot", "reset_gpu", "restart_service", "firmware_setup", "replace_hardware")


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
            findings = [skip(say("switched off by the policy"))]
        elif cause is not None:
            findings = [skip(say("cannot be judged while {cause} fails", cause=cause), caused_by=cause)]
        else:
            findings = _findings(check, context)
        judged = [_judge(check, finding, context) for finding in findings]
        if cause is not None:
            roots[check.id] = cause
        elif any(f.status is Status.FAIL and not _waiver(check, context, f)[0] for f in findings):
            roots[check.id] = check.id
        elif all(f.status is Status.SKIP and f.caused_by in roots for f in findings):
            # it found the cause by itself; what waits for it falls with it
            roots[check.id] = roots[str(findings[0].caused_by)]
        results += judged
    return results


def _findings(check: Check, context: Context) -> list[Finding]:
    if check.gpu and context.policy.expected_gpus == 0:
        return [skip(say("the policy expects no GPU on this host"))]
    if check.host_only and _in_container(context):
        return [skip(say("this is a container; it belongs to the host"))]
    context.facts.trace.clear()
    try:
        findings = check.function(context) or [unknown(say("the check gave no answer"))]
    except UnmeasuredError as gap:
        return [unknown(say("not measured: {path}", path=gap.path), evidence=_failed_probes(context.facts.data))]
    except Exception as error:
        # one faulty check must not cost the whole report; unknown never counts as ready
        text = say("internal error in check {id}: {error}", id=check.id, error=f"{type(error).__name__}: {error}")
        return [unknown(text)]
    return [finding if finding.evidence else replace(finding, evidence=_read(context)) for finding in findings]


def _in_container(context: Context) -> bool:
    """Where the scope is not told this does not raise: PRE-SCOPE says so, and what does not depend on it is judged."""
    return context.facts.text_or_none("scope") == "container"


def _read(context: Context) -> Evidence:
    """The single values that the check looked at last."""
    seen = {path: value for path, value in context.facts.trace if not isinstance(value, (Mapping, list, tuple))}
    shown = list(seen.items())[-EVIDENCE_MAX:]
    return tuple({"path": path, "value": _short(value)} for path, value in shown)


def _short(value: Any) -> Any:
    return value[:EVIDENCE_VALUE_MAX] if isinstance(value, str) else value


def _failed_probes(snapshot: Any) -> Evidence:
    probes = snapshot.get("probes") if isinstance(snapshot, Mapping) else None
    if not isinstance(probes, Mapping):
        return ()
    found = []
    for name, probe in probes.items():
        if isinstance(probe, Mapping) and probe.get("status") not in ("ok", "missing", None):
            said = f"{probe['status']}: {probe.get('error') or 'no details'}"
            found.append({"path": f"probes.{name}", "value": said})
    return tuple(found[:5])


def _waiver(check: Check, context: Context, finding: Finding) -> tuple[Text | None, Text | None]:
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
            return say("waived until {until}: {reason}", until=until, reason=waiver["reason"]), None
        expired = say("the waiver ran out on {until}", until=until)
    return None, expired


def _judge(check: Check, finding: Finding, context: Context) -> Result:
    severity = Severity(context.policy.severity.get(check.id, finding.severity or check.severity))
    status, message = finding.status, finding.message
    waived, expired = _waiver(check, context, finding)
    if waived or (status is Status.FAIL and severity in (Severity.MINOR, Severity.INFO)):
        status = Status.WARN
    if waived or expired:
        message = say("{message} ({remark})", message=message, remark=waived or expired)
    if check.gpu and status is not Status.SKIP and context.facts.is_true("simulated.gpu"):
        message = say("{message} [simulated GPU]", message=message)
    remedy = finding.remedy
    if status is Status.UNKNOWN and remedy is None:
        remedy = _remeasure(context, finding)
    if remedy is not None and _in_container(context):
        remedy = _for_tenant(context, remedy)
    shared = {
        name: getattr(finding, name)
        for name in ("entity", "observed", "expected", "evidence", "caused_by", "skip_reason")
    }
    result = Result(check.id, check.stage, status, severity, check.title, message, remedy=remedy, **shared)
    if status in (Status.PASS, Status.SKIP):
        return replace(result, remedy=None, evidence=())
    return replace(result, waived=waived is not None)


def _remeasure(context: Context, finding: Finding) -> Remedy:
    # what the check itself read is no reason why something else could not be read
    probes = [item for item in finding.evidence if item["path"].startswith("probes.")]
    hint: Any = "; ".join(f"{item['path']}: {item['value']}" for item in probes)
    text = say(
        "Find out why the value could not be read ({hint}), then judge again.",
        hint=hint or say("no probe reported an error"),
    )
    return context.by_hand(text)


def _for_tenant(context: Context, remedy: Remedy) -> Remedy:
    """In a rented container the machine belongs to somebody else: what is to be done there can only be asked for."""
    if remedy.role not in HOST_ROLES and remedy.action not in HOST_ACTIONS:
        return remedy
    return context.by_hand(say("Ask the owner of the machine: {text}", text=remedy.text), "contact_provider")
