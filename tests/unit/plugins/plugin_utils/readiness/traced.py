# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot that notes which of its keys are looked at, and copies of a snapshot with a hole in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Path = tuple[Any, ...]


class Traced(dict[str, Any]):
    """A dict that notes every key that somebody asks for. Who goes through all keys has asked for each."""

    def __init__(self, data: dict[str, Any], path: Path, asked: set[Path]) -> None:
        super().__init__({key: traced(value, (*path, key), asked) for key, value in data.items()})
        self.path, self.asked = path, asked

    def __getitem__(self, key: str) -> Any:
        self.asked.add((*self.path, key))
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add((*self.path, key))
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.asked.add((*self.path, key))
        return super().__contains__(key)

    def _all(self) -> None:
        # also of a parent: to be empty or not is an answer, too
        self.asked.update((*self.path, key) for key in dict.__iter__(self))

    def __iter__(self) -> Iterator[str]:
        self._all()
        return super().__iter__()

    def __len__(self) -> int:
        self._all()
        return super().__len__()

    def __eq__(self, other: object) -> bool:
        self._all()
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # as dict's

    def keys(self) -> Any:
        self._all()
        return super().keys()

    def values(self) -> Any:
        self._all()
        return super().values()

    def items(self) -> Any:
        self._all()
        return super().items()


def traced(value: Any, path: Path, asked: set[Path]) -> Any:
    if isinstance(value, dict):
        return Traced(value, path, asked)
    if isinstance(value, list):
        return [traced(item, (*path, index), asked) for index, item in enumerate(value)]
    return value


def key_paths(node: Any, path: Path = ()) -> Iterator[Path]:
    """Every key of every object. The entries of lists stay: one entry less is another, valid host."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key)
            yield from key_paths(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from key_paths(value, (*path, index))


class Gone:
    """Stands for a key that is taken away."""


def with_hole(node: Any, path: Path, value: Any = Gone) -> Any:
    """A copy that shares all but the way to the hole. A path that is not there any more changes nothing."""
    key, *rest = path
    if not isinstance(node, (dict, list)):
        return node
    try:
        below = node[key]
    except (KeyError, IndexError, TypeError):
        return node
    copy = node.copy()
    if rest:
        copy[key] = with_hole(below, tuple(rest), value)
    elif value is Gone:
        del copy[key]
    else:
        copy[key] = value
    return copy


def at(node: Any, path: Path) -> Any:
    for key in path:
        node = node[key]
    return node
