# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a readiness check reads and what it answers.

Pure data: no Ansible, no files, no clock. "Now" is the moment the snapshot was taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.commands import Commands, Remedy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.policy_model import Policy
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.view import Evidence, UnreadableError, View

SNAPSHOT_SCHEMA = "gpuready.snapshot/1"
REPORT_SCHEMA = "gpuready.report/1"


class _Word(str, Enum):
    def __str__(self) -> str:
        return str(self.value)


class Stage(_Word):
    PREFLIGHT = "preflight"
    DRIVER = "driver"
    CONTAINER = "container"
    DEV = "dev"


class Status(_Word):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    UNKNOWN = "unknown"


class Severity(_Word):
    BLOCKER = "blocker"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """What a check function says; the engine turns it into a Result."""

    status: Status
    message: Text
    entity: str | None = None
    observed: Any = None
    expected: Any = None
    evidence: Evidence = ()
    remedy: Remedy | None = None
    skip_reason: Text | None = None
    caused_by: str | None = None
    severity: Severity | None = None


@dataclass(frozen=True)
class Result:
    id: str
    stage: Stage
    status: Status
    severity: Severity
    title: Text
    message: Text
    entity: str | None = None
    observed: Any = None
    expected: Any = None
    evidence: Evidence = ()
    remedy: Remedy | None = None
    caused_by: str | None = None
    skip_reason: Text | None = None
    waived: bool = False


def ok(message: Text, **details: Any) -> Finding:
    return Finding(Status.PASS, message, **details)


def fail(message: Text, remedy: Remedy, **details: Any) -> Finding:
    return Finding(Status.FAIL, message, remedy=remedy, **details)


def warn(message: Text, remedy: Remedy, **details: Any) -> Finding:
    return Finding(Status.WARN, message, remedy=remedy, **details)


def skip(reason: Text, **details: Any) -> Finding:
    return Finding(Status.SKIP, reason, skip_reason=reason, **details)


def unknown(message: Text, **details: Any) -> Finding:
    return Finding(Status.UNKNOWN, message, **details)


@dataclass(frozen=True)
class DevWish:
    """A dev container that should be there, its ports that should answer, and whether its torch may be for the CPU."""

    name: str
    ssh: bool = True
    jupyter: bool = True
    torch_cpu_accepted: bool = False


@dataclass(frozen=True)
class Context:
    """All that a check may look at."""

    facts: View
    policy: Policy
    run: Commands
    stages: tuple[Stage, ...] = tuple(Stage)
    # the dev containers that the caller asked the collector to probe; None: not said
    dev_requested: tuple[DevWish, ...] | None = None

    def policy_remedy(self, text: Text, **settings: Any) -> Remedy:
        """Set a policy value for both roles that judge: the run before the change and the one after it."""
        return self.run.play("readiness", text, "set_var", preflight_policy=settings, readiness_policy=settings)

    def by_hand(self, text: Text, action: str = "none") -> Remedy:
        """Nothing the collection can do: say what a person has to do, and give the line that judges again."""
        role = "preflight" if self.stages == (Stage.PREFLIGHT,) else "readiness"
        if self.run.again is not None:
            return Remedy(text, self.run.again, role, {}, action)
        return self.run.play(role, text, action)

    def probe_error(self, name: str) -> str | None:
        """Why a part of the look gave nothing; None where it was not looked at."""
        probes = self.facts.data.get("probes")
        probe = probes.get(name) if isinstance(probes, Mapping) else None
        return str(probe.get("error") or probe.get("status")) if isinstance(probe, Mapping) else None

    @property
    def in_container(self) -> bool:
        """Raises UnmeasuredError where the snapshot does not say: a container is judged by other rules than a host."""
        return self.facts.text("scope") == "container"


CheckFunction = Callable[[Context], list[Finding]]


@dataclass(frozen=True)
class Check:
    id: str
    stage: Stage
    severity: Severity
    title: Text
    function: CheckFunction
    after: tuple[str, ...] = ()
    gpu: bool = False  # its facts come from the GPU: skipped where no GPU is expected, marked where it is simulated
    host_only: bool = False  # means nothing inside a rented container


def version_key(version: str) -> tuple[int, ...]:
    """'5:28.0.1-1~debian' -> (28, 0, 1). Raises UnreadableError where there is no number."""
    match = re.search(r"\d+(?:\.\d+)*", version.split(":", 1)[-1])
    if match is None:
        raise UnreadableError(f"a version number in {version[:40]!r}")
    return tuple(int(part) for part in match.group().split("."))


def version_at_least(version: str, floor: str) -> bool:
    have, want = version_key(version), version_key(floor)
    width = max(len(have), len(want))
    return have + (0,) * (width - len(have)) >= want + (0,) * (width - len(want))
