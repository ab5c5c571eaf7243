# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Share the questions and the time between the hosts: several hosts at once, one question at a host, an end for all.

First every candidate is probed, then each host that still has a usable candidate gives one timed sample, which counts
for all its services. A host that does not answer is asked once, one that refuses is asked twice.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Callable, Protocol
from urllib.parse import urljoin

from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure import probe, rank
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.asked import (
    Candidate,
    Limits,
    host_of,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.http import (
    Answer,
    FetchError,
    Net,
    Question,
    Session,
    one_line,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.probe import Verdict
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.rank import Finding
from ansible_collections.gpuready.bootstrap.plugins.module_utils._mirrors.measure.wire import Clock

# of the time for everything; samples get the rest
_PROBE_SHARE = 0.55
_PROBE_SECONDS = 2.5
_LEAST_SECONDS = 0.3
# a sample that is silent for less than this, for want of time, says nothing
_PATIENCE = 1.0
_REFUSALS = 2
_SAMPLES = 2
# slower than this is no mirror: a sample of 4 MiB would take an hour
_LEAST_RATE = 1024
_LATE = "not asked: the time for all hosts was up before"


@dataclass
class _Unit:
    """One question for all candidates that would ask the same."""

    candidates: list[Candidate]

    @property
    def first(self) -> Candidate:
        return self.candidates[0]


class _Work(Protocol):
    def run(self, share: float, until: float) -> bool:
        """Work about `share` seconds; True if something is left to do."""


def crew(work: Iterable[_Work], parallel: int, until: float) -> None:
    """Run the work in daemon threads until it is done or the time is up. Late threads are left behind."""
    queue = deque(work)
    guard = threading.Lock()

    def body() -> None:
        while True:
            with guard:
                left = until - time.monotonic()
                if not queue or left <= 0:
                    return
                item = queue.popleft()
                rounds = math.ceil((len(queue) + 1) / parallel)
            if item.run(left / rounds, until):
                with guard:
                    queue.append(item)

    threads = [threading.Thread(target=body, daemon=True) for _number in range(min(parallel, len(queue)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0.0) + 0.05)


@dataclass
class Results:
    """What the threads found; reading it takes a copy, so that a late thread changes nothing any more."""

    _found: dict[tuple[str, str], Finding] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def set(self, finding: Finding) -> None:
        with self._guard:
            self._found[(finding.candidate.service, finding.candidate.site)] = finding

    def of(self, candidates: Sequence[Candidate]) -> list[Finding]:
        with self._guard:
            found = dict(self._found)
        return [found.get((c.service, c.site)) or Finding(c, "timeout", _LATE) for c in candidates]


class HostProbes:
    """All questions for one host, one after the other on one connection."""

    def __init__(self, units: Sequence[_Unit], net: Net, machine: str, results: Results) -> None:
        self.units = deque(units)
        self.net, self.machine, self.results = net, machine, results
        self.down: dict[str, Verdict] = {}
        self.refusals: list[Verdict] = []

    def run(self, share: float, until: float) -> bool:
        end = min(until, time.monotonic() + max(share, _LEAST_SECONDS))
        session = Session(self.net)
        try:
            least = 0.0
            while self.units:
                left = end - time.monotonic()
                if self._known(self.units[0].first) is None and left <= least:
                    # too little for an answer; this host's next turn has more
                    return time.monotonic() < until
                self._settle(self.units.popleft(), session, min(left, _PROBE_SECONDS))
                least = 0.0 if end == until else _LEAST_SECONDS
        finally:
            session.close()
        return False

    def _settle(self, unit: _Unit, session: Session, seconds: float) -> None:
        began = time.monotonic()
        verdict, answer = _safely(partial(self._ask, unit.first, session, seconds))
        if verdict.state == "forbidden":
            self.refusals.append(verdict)
        took = answer.seconds if answer else time.monotonic() - began
        speed = answer.rate if answer else 0.0
        for candidate in unit.candidates:
            self.results.set(
                Finding(candidate, verdict.state, verdict.reason, took, speed, verdict.date, verdict.valid_until)
            )

    def _ask(self, candidate: Candidate, session: Session, seconds: float) -> tuple[Verdict, Answer | None]:
        known = self._known(candidate)
        if known is not None:
            return known, None
        clock = Clock(seconds)
        question = probe.question(candidate)
        try:
            answer = session.fetch(candidate.probe_url, question, clock)
            if question.method == "HEAD" and probe.needs_get(answer):
                question = replace(question, method="GET", ranged=True)
                answer = session.fetch(candidate.probe_url, question, clock)
            verdict = probe.judge(candidate, answer, self.machine)
            if verdict.state == "ok" and (candidate.arch_url or verdict.arch_path):
                verdict = self._architecture(candidate, answer, verdict, session, clock)
        except FetchError as error:
            if error.down:
                self.down[_scheme(candidate)] = Verdict(error.state, error.reason)
            raise
        if verdict.state == "timeout":
            self.down[_scheme(candidate)] = verdict
        return verdict, answer

    def _known(self, candidate: Candidate) -> Verdict | None:
        """What need not be asked: the host is silent, or has refused often enough."""
        refusal = self.refusals[-1] if len(self.refusals) >= _REFUSALS else None
        return self.down.get(_scheme(candidate), refusal)

    def _architecture(
        self, candidate: Candidate, answer: Answer, verdict: Verdict, session: Session, clock: Clock
    ) -> Verdict:
        """An index of this machine's architecture must be there; only "not found" counts against the site."""
        url = candidate.arch_url or urljoin(candidate.probe_url, verdict.arch_path)
        try:
            found = session.fetch(url, Question("HEAD", 1024, accepted=candidate.accept_redirect_to), clock)
        except FetchError:
            return verdict
        if found.status not in (404, 410):
            return verdict
        return replace(verdict, state="wrong_architecture", reason=one_line(f"HTTP {found.status} for {url}"))


class HostSample:
    """One timed sample of a host; a second file is tried where the first one is not there or bad."""

    def __init__(self, candidates: Sequence[Candidate], net: Net, limits: Limits) -> None:
        self.candidates = candidates
        self.net, self.limits = net, limits
        self.rate: float | None = None
        self.bad: dict[str, Verdict] = {}

    def run(self, share: float, until: float) -> bool:
        end = min(until, time.monotonic() + min(max(share, _LEAST_SECONDS), self.limits.seconds))
        left = self.limits.bytes
        urls = {candidate.sample_url: candidate for candidate in self.candidates}
        session = Session(self.net)
        try:
            for candidate in list(urls.values())[:_SAMPLES]:
                seconds = end - time.monotonic()
                if seconds <= 0 or left <= 0 or self.rate is not None:
                    break
                verdict, answer = _safely(partial(_sample, candidate, session, seconds, left))
                left -= len(answer.body) if answer else 0
                if verdict.state == "ok" and answer is not None:
                    self.rate = answer.rate
                elif verdict.state == "timeout" and seconds < min(_PATIENCE, 0.9 * self.limits.seconds):
                    break
                elif verdict.state != "not_found":
                    self.bad[candidate.sample_url] = verdict
        finally:
            session.close()
        return False

    def judged(self, finding: Finding) -> Finding:
        """A finding with what the sample of its host says: its own file, or the file of another service."""
        own = self.bad.get(finding.candidate.sample_url)
        if own is None and self.rate is None and self.bad:
            own = next(iter(self.bad.values()))
        if own is not None:
            return replace(finding, state=own.state, reason=own.reason, rate=0.0)
        return finding if self.rate is None else replace(finding, rate=self.rate)


def _sample(candidate: Candidate, session: Session, seconds: float, size: int) -> tuple[Verdict, Answer | None]:
    question = Question("GET", size, ranged=True, accepted=candidate.accept_redirect_to)
    answer = session.fetch(candidate.sample_url, question, Clock(seconds))
    verdict = probe.sampled(answer, expect_page=candidate.sample_url.endswith(("/", ".html")))
    if verdict.state == "ok" and answer.ended == "time" and answer.rate < _LEAST_RATE:
        verdict = Verdict("timeout", f"a larger file gave {len(answer.body)} bytes in {answer.seconds:.1f} s")
    return verdict, answer


def _safely(call: Callable[[], tuple[Verdict, Answer | None]]) -> tuple[Verdict, Answer | None]:
    """Whatever an answer does to its reader is the answer's fault, and must not end the thread."""
    try:
        return call()
    except FetchError as error:
        return Verdict(error.state, error.reason), None
    except Exception as error:
        return Verdict("error", one_line(f"unreadable answer: {type(error).__name__}: {error}")), None


def _scheme(candidate: Candidate) -> str:
    return candidate.probe_url.partition(":")[0]


def _by_host(candidates: Iterable[Candidate], url: Callable[[Candidate], str]) -> dict[str, list[Candidate]]:
    found: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        if url(candidate):
            found.setdefault(host_of(url(candidate)), []).append(candidate)
    return found


def _units(candidates: Iterable[Candidate]) -> list[_Unit]:
    found: dict[Candidate, _Unit] = {}
    for candidate in candidates:
        # service, site and addresses of the result do not change the question
        same = replace(candidate, service="", site="", urls=("",), sample_url="", max_age_hours=None)
        found.setdefault(same, _Unit([])).candidates.append(candidate)
    return list(found.values())


def measure(
    candidates: Sequence[Candidate],
    limits: Limits,
    net: Net,
    until: float,
    machine: str = "",
    max_age_hours: float = 48.0,
    now: float = 0.0,
    first: Iterable[tuple[str, str]] = (),
) -> list[Finding]:
    """What is known about each candidate when the time is up. until: monotonic; first: (service, site) to ask first."""
    results, eager = Results(), set(first)
    hosts = _by_host(candidates, lambda c: c.probe_url)
    names = sorted(hosts, key=lambda name: not any((c.service, c.site) in eager for c in hosts[name]))
    samples = any(candidate.sample_url for candidate in candidates)
    started = time.monotonic()
    probing = until if not samples else started + (until - started) * _PROBE_SHARE
    for candidate in candidates:
        # names are asked for at once; a slow resolver then costs no host its turn
        net.resolver.start(*net.way_to(candidate.probe_url))
    probes = [HostProbes(_units(hosts[name]), net, machine, results) for name in names]
    crew(probes, limits.parallel, probing)
    findings = results.of(candidates)
    if not samples:
        return findings
    services = dict.fromkeys(candidate.service for candidate in candidates)
    fresh = {
        name: rank.freshen([f for f in findings if f.candidate.service == name], max_age_hours, now)
        for name in services
    }
    wanted = [finding.candidate for group in fresh.values() for finding in group if finding.usable]
    works = {name: HostSample(group, net, limits) for name, group in _by_host(wanted, lambda c: c.sample_url).items()}
    crew(works.values(), limits.parallel, until)
    return [_with_sample(finding, works) for finding in findings]


def _with_sample(finding: Finding, works: dict[str, HostSample]) -> Finding:
    work = works.get(host_of(finding.candidate.sample_url)) if finding.usable else None
    return finding if work is None else work.judged(finding)
