# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which site is best for a service: usable, fresh, fast; the remembered one unless another is clearly better. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.asked import Candidate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.http import one_line

HOUR = 3600.0
# a date further ahead than this comes from a clock that is wrong, and must not make all others look old
_AHEAD = 24 * HOUR


@dataclass(frozen=True)
class Finding:
    """What is known about one candidate. seconds: of its probe; rate: bytes a second; dates: seconds of the epoch."""

    candidate: Candidate
    state: str
    reason: str = ""
    seconds: float = 0.0
    rate: float = 0.0
    date: float | None = None
    valid_until: float | None = None

    @property
    def usable(self) -> bool:
        return self.state == "ok"


def freshen(findings: Sequence[Finding], max_age_hours: float, now: float) -> list[Finding]:
    """Those of one service, with the ones that are behind the newest, or past their date, marked stale."""
    dates = [finding.date for finding in findings if finding.usable and finding.date is not None]
    believed = [date for date in dates if date <= now + _AHEAD] or dates
    newest = max(believed, default=0.0)
    return [_aged(finding, newest, max_age_hours, now) for finding in findings]


def _aged(finding: Finding, newest: float, max_age_hours: float, now: float) -> Finding:
    if not finding.usable or finding.date is None:
        return finding
    limit = finding.candidate.max_age_hours or max_age_hours
    behind = (newest - finding.date) / HOUR
    if behind > limit:
        return replace(finding, state="stale", reason=f"{behind:.0f} hours behind the newest, {limit:g} are allowed")
    # apt holds Valid-Until against the clock of the host, right or wrong
    if finding.valid_until is not None and finding.valid_until < max(now, newest):
        ago = (max(now, newest) - finding.valid_until) / HOUR
        return replace(finding, state="stale", reason=one_line(f"its Valid-Until passed {ago:.0f} hours ago"))
    return finding


def order(findings: Iterable[Finding], remembered: Sequence[str], min_gain: float) -> list[Finding]:
    """The usable ones, best first. The remembered order holds where nobody is faster by `min_gain` (0.3 = 30 %).

    That goes for each place of the list, so that noise does not rewrite the fallbacks either.
    """
    places = {site: place for place, site in enumerate(remembered)}
    usable = [finding for finding in findings if finding.usable]
    known = sorted((f for f in usable if f.candidate.site in places), key=lambda f: places[f.candidate.site])
    new = sorted((f for f in usable if f.candidate.site not in places), key=lambda f: -f.rate)
    left, ranked = known + new, []
    while left:
        head = left[0]
        best = max(left, key=lambda f: f.rate)
        if not remembered or (best.rate > head.rate and best.rate >= head.rate * (1 + min_gain)):
            head = best
        ranked.append(head)
        left.remove(head)
    return ranked


def service(
    findings: Sequence[Finding], former: Mapping[str, Any] | None, min_gain: float, max_age_hours: float, now: float
) -> dict[str, Any]:
    """One service of the memory. `former`: what was remembered for it."""
    judged = freshen(findings, max_age_hours, now)
    ranked = order(judged, former_order(former), min_gain)
    return {
        "site": ranked[0].candidate.site if ranked else None,
        "urls": [url for finding in ranked for url in finding.candidate.urls],
        "score": round(ranked[0].rate) if ranked else 0,
        "measured": [entry(finding) for finding in judged],
    }


def former_order(former: Mapping[str, Any] | None) -> list[str]:
    """The remembered sites, best first: those whose address is among the urls."""
    if not former:
        return []
    sites = {str(entry.get("url")): str(entry.get("site")) for entry in former.get("measured") or []}
    found = [str(former["site"])] if former.get("site") else []
    found += [sites[url] for url in former.get("urls") or [] if url in sites]
    return list(dict.fromkeys(found))


def entry(finding: Finding) -> dict[str, Any]:
    """One line of the memory's `measured`."""
    return {
        "site": finding.candidate.site,
        "url": finding.candidate.url,
        "state": finding.state,
        "reason": finding.reason,
        "seconds": round(finding.seconds, 3),
        "rate": round(finding.rate),
        "date": None if finding.date is None else round(finding.date),
    }
