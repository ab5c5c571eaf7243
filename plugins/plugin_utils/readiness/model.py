# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a readiness check reads and what it answers.

Pure data: no Ansible, no files, no clock. "Now" is the moment the snapshot was taken.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SNAPSHOT_SCHEMA = "gpuready.snapshot/1"
REPORT_SCHEMA = "gpuready.report/1"

# In the order of the road: the remedy that comes first on it is the one to run first.
ROLES = (
    "preflight",
    "mirrors",
    "nvidia_driver",
    "docker_engine",
    "nvidia_container_toolkit",
    "nvml_stability",
    "dev_container",
    "readiness",
)


class Stage(StrEnum):
    PREFLIGHT = "preflight"
    DRIVER = "driver"
    CONTAINER = "container"
    DEV = "dev"


class Status(StrEnum):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    BLOCKER = "blocker"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


class UnmeasuredError(Exception):
    """A check asked for a value that the snapshot does not hold."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True)
class View:
    """Typed reading of one object of the snapshot. A missing, null or wrongly typed value raises UnmeasuredError."""

    data: Any
    path: str = ""

    def _name(self, path: str) -> str:
        return f"{self.path}.{path}" if self.path else path

    def _lookup(self, path: str) -> tuple[bool, Any]:
        value = self.data
        for key in path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return False, None
            value = value[key]
        return True, value

    def _read(self, path: str, *kinds: type) -> Any:
        value = self._lookup(path)[1]
        # bool is an int in Python; a flag is never a number here
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise UnmeasuredError(self._name(path))
        return value

    def is_null(self, path: str) -> bool:
        """The collector looked and found nothing to report; raises when it did not even look."""
        found, value = self._lookup(path)
        if not found:
            raise UnmeasuredError(self._name(path))
        return value is None

    def text(self, path: str) -> str:
        value: str = self._read(path, str)
        return value

    def integer(self, path: str) -> int:
        value: int = self._read(path, int)
        return value

    def number(self, path: str) -> float:
        return float(self._read(path, int, float))

    def flag(self, path: str) -> bool:
        value: bool = self._read(path, bool)
        return value

    def mapping(self, path: str) -> Mapping[str, Any]:
        value: Mapping[str, Any] = self._read(path, Mapping)
        return value

    def strings(self, path: str) -> list[str]:
        return [str(item) for item in self._read(path, list, tuple)]

    def views(self, path: str) -> list[View]:
        items = self._read(path, list, tuple)
        return [View(item, f"{self._name(path)}[{index}]") for index, item in enumerate(items)]

    def view(self, path: str) -> View:
        return View(self.mapping(path), self._name(path))

    def text_or_none(self, path: str) -> str | None:
        value = self._lookup(path)[1]
        return value if isinstance(value, str) else None

    def integer_or_none(self, path: str) -> int | None:
        value = self._lookup(path)[1]
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def is_true(self, path: str) -> bool:
        return self._lookup(path)[1] is True


@dataclass(frozen=True)
class Remedy:
    text: str
    command: str
    role: str | None = None
    vars: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """What a check function says; the engine turns it into a Result."""

    status: Status
    message: str
    entity: str | None = None
    observed: Any = None
    expected: Any = None
    evidence: tuple[str, ...] = ()
    remedy: Remedy | None = None
    skip_reason: str | None = None
    caused_by: str | None = None
    severity: Severity | None = None


@dataclass(frozen=True)
class Result:
    id: str
    stage: Stage
    status: Status
    severity: Severity
    title: str
    message: str
    entity: str | None = None
    observed: Any = None
    expected: Any = None
    evidence: tuple[str, ...] = ()
    remedy: Remedy | None = None
    caused_by: str | None = None
    skip_reason: str | None = None


@dataclass(frozen=True)
class Commands:
    """Writes the command lines of the remedies for one host."""

    host: str
    inventory: tuple[str, ...] = ()
    playbook: str = "site.yml"

    def _inventory(self) -> list[str]:
        return [word for source in self.inventory or ("<inventory>",) for word in ("-i", source)]

    def _join(self, words: Sequence[str]) -> str:
        # the placeholder stays readable; everything else is quoted for a POSIX shell
        return " ".join(word if word == "<inventory>" else shlex.quote(word) for word in words)

    def play_line(self, roles: Sequence[str], variables: Mapping[str, Any]) -> str:
        tags = [role for role in ROLES if role in roles]
        if "readiness" not in tags and tags != ["preflight"]:
            tags.append("readiness")
        words = ["ansible-playbook", self.playbook, *self._inventory(), "-l", self.host, "--tags", ",".join(tags)]
        for name, value in variables.items():
            plain = isinstance(value, str) and re.fullmatch(r"[^\s{}\[\]'\"=]+", value)
            words += ["-e", f"{name}={value}" if plain else json.dumps({name: value}, ensure_ascii=False)]
        return self._join(words)

    def play(self, role: str, text: str, **variables: Any) -> Remedy:
        return Remedy(text=text, command=self.play_line([role], variables), role=role, vars=variables)

    def adhoc(self, module: str, arguments: str, text: str) -> Remedy:
        words = ["ansible", *self._inventory(), self.host, "-b", "-m", f"ansible.builtin.{module}"]
        return Remedy(text=text, command=self._join([*words, "-a", arguments] if arguments else words))

    def shell_line(self, line: str, text: str) -> Remedy:
        return self.adhoc("command", line, text)


def ok(message: str, **details: Any) -> Finding:
    return Finding(Status.PASS, message, **details)


def fail(message: str, remedy: Remedy, **details: Any) -> Finding:
    return Finding(Status.FAIL, message, remedy=remedy, **details)


def warn(message: str, remedy: Remedy, **details: Any) -> Finding:
    return Finding(Status.WARN, message, remedy=remedy, **details)


def skip(reason: str, **details: Any) -> Finding:
    return Finding(Status.SKIP, reason, skip_reason=reason, **details)


def unknown(message: str, **details: Any) -> Finding:
    return Finding(Status.UNKNOWN, message, **details)


@dataclass(frozen=True)
class Policy:
    """Thresholds and exceptions; the defaults and their sources are in data/readiness_policy.yml."""

    profile: str
    expected_gpus: int | None
    os_supported: Mapping[str, Sequence[str]]
    architectures: Sequence[str]
    ram_min_mib: int
    ram_per_gpu_memory_percent: int
    disk_needs_mib: Mapping[str, int]
    disk_floor_mib: int
    inodes_min_percent: int
    headers_missing: str
    driver_security_floor: Mapping[str, str]
    driver_below_floor: str
    cuda_wanted: str | None
    cuda_min_driver: Mapping[str, str]
    docker_min: str
    compose_min: str
    toolkit_min: str
    cdi_required: bool
    restarts_max: int
    dev_shm_min_mib: int
    dev_gpu_wanted: bool
    torch_wanted: bool
    severity: Mapping[str, str]
    skip: Sequence[str]
    waive: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class DevWish:
    """A dev container that should be there, and on which ports it should answer."""

    name: str
    ssh: bool = True
    jupyter: bool = True


@dataclass(frozen=True)
class Context:
    """All that a check may look at."""

    facts: View
    policy: Policy
    run: Commands
    stages: tuple[Stage, ...] = tuple(Stage)
    # the dev containers that the caller asked the collector to probe; None: not said
    dev_requested: tuple[DevWish, ...] | None = None

    def policy_remedy(self, text: str, **settings: Any) -> Remedy:
        """Set a policy value for both roles that judge: the run before the change and the one after it."""
        return self.run.play("readiness", text, preflight_policy=settings, readiness_policy=settings)

    def by_hand(self, text: str) -> Remedy:
        """Nothing the collection can do: say what a person has to do, and give the line that judges again."""
        role = "preflight" if self.stages == (Stage.PREFLIGHT,) else "readiness"
        return self.run.play(role, text)

    @property
    def in_container(self) -> bool:
        return self.facts.text_or_none("scope") == "container"


CheckFunction = Callable[[Context], list[Finding]]


@dataclass(frozen=True)
class Check:
    id: str
    stage: Stage
    severity: Severity
    title: str
    function: CheckFunction
    after: tuple[str, ...] = ()
    gpu: bool = False  # its facts come from the GPU: skipped where no GPU is expected, marked where it is simulated
    host_only: bool = False  # means nothing inside a rented container


def version_key(version: str) -> tuple[int, ...]:
    """'5:28.0.1-1~debian' -> (28, 0, 1). Raises ValueError where there is no number."""
    match = re.search(r"\d+(?:\.\d+)*", version.split(":", 1)[-1])
    if match is None:
        raise ValueError(f"no version number in {version!r}")
    return tuple(int(part) for part in match.group().split("."))


def version_at_least(version: str, floor: str) -> bool:
    have, want = version_key(version), version_key(floor)
    width = max(len(have), len(want))
    return have + (0,) * (width - len(have)) >= want + (0,) * (width - len(want))


def names(values: Sequence[str], limit: int = 6) -> str:
    """A list for a message, cut where it gets long."""
    shown = ", ".join(values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit} more"
