# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed reading of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Evidence = tuple[dict[str, Any], ...]


class UnmeasuredError(Exception):
    """A check asked for a value that the snapshot does not hold."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class UnreadableError(UnmeasuredError, ValueError):
    """A value is there, but it is not of the form that it should have."""


@dataclass(frozen=True)
class View:
    """Typed reading of one object of the snapshot. A missing, null or wrongly typed value raises UnmeasuredError."""

    data: Any
    path: str = ""
    # (path, value) of what was read, in order: the evidence of a failure that names none itself
    trace: list[tuple[str, Any]] = field(default_factory=list, compare=False, repr=False)

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
        self.trace.append((self._name(path), value))
        # bool is an int in Python; a flag is never a number here
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise UnmeasuredError(self._name(path))
        return value

    def is_null(self, path: str) -> bool:
        """The collector looked and found nothing to report; raises when it did not even look."""
        found, value = self._lookup(path)
        if not found:
            raise UnmeasuredError(self._name(path))
        self.trace.append((self._name(path), value))
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
        return [View(item, f"{self._name(path)}[{index}]", self.trace) for index, item in enumerate(items)]

    def view(self, path: str) -> View:
        return View(self.mapping(path), self._name(path), self.trace)

    def text_or_none(self, path: str) -> str | None:
        value = self._noted(path)
        return value if isinstance(value, str) else None

    def integer_or_none(self, path: str) -> int | None:
        value = self._noted(path)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def number_or_none(self, path: str) -> float | None:
        value = self._noted(path)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def is_true(self, path: str) -> bool:
        return self._noted(path) is True

    def _noted(self, path: str) -> Any:
        value = self._lookup(path)[1]
        self.trace.append((self._name(path), value))
        return value

    def show(self, *paths: str) -> Evidence:
        """Evidence for a finding: what the snapshot says at these paths."""
        return tuple({"path": self._name(path), "value": self._lookup(path)[1]} for path in paths)
