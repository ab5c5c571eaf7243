# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every file shall hold: all are computed first and written afterwards, so that an error leaves nothing half done.

A file is driven by an editor: an object or module with `update` and `undo` (see Editor). Where nobody else edited a
file since our last write, its new text starts from the kept original, so that a value that is no longer wished goes
back to what it was. Where somebody did, only values that are still ours are undone, and what is theirs stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.gpuready.bootstrap.plugins.module_utils._deb822 import Deb822Error
from ansible_collections.gpuready.bootstrap.plugins.module_utils._docker_pending import DaemonGate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGateError, Original

Wish = Mapping[str, Any]
# what editors raise for a text that the tool itself could not read either; the message names the line
UNREADABLE = (ValueError, Deb822Error)


class MirrorError(Exception):
    """The mirrors cannot be set; the text is one sentence for the user."""


class Editor(Protocol):
    """How the text of one kind of file changes. Pure; both raise one of UNREADABLE.

    update: sets what is wished and leaves all else byte for byte; a second time it changes nothing.
    undo: gives what was written, and still stands there, back as it is in the original.
    """

    def update(self, text: str, wish: Wish) -> str: ...

    def undo(self, text: str, written: Wish, original: str) -> str: ...


class MirrorGate(DaemonGate):
    """A gate that tells which files have a kept original."""

    def known(self) -> list[str]:
        return sorted(self._index())

    def mirrored(self, path: str) -> Original | None:
        """The record of a file in which addresses of ours stand; other modules keep records of their files, too."""
        record = self.record(path)
        return record if record is not None and record.meta.get("wish") else None

    def shared(self, path: str) -> bool:
        """Whether M(gpuready.bootstrap.other_sources) has switched entries of the same file off."""
        record = self.record(path)
        return record is not None and bool(record.meta.get("sources"))


@dataclass
class Wanted:
    """A file as it shall be. text: None when there shall be no file."""

    path: str
    text: str | None
    wish: Wish = field(default_factory=dict)
    secret: bool = False
    mode: int | None = None
    own: bool = False  # the whole file is ours
    owner: tuple[int, int] | None = None  # uid and gid of a file, and its folders, that is new


class Plan:
    """Collects what each file shall hold, and writes it."""

    def __init__(self, gate: MirrorGate) -> None:
        self.gate = gate
        self.wanted: dict[str, Wanted] = {}
        self.last: list[Callable[[], None]] = []  # writes of what has a gate of its own: Docker's daemon.json

    # -- what the files hold -----------------------------------------------------------------------------------
    def text(self, path: str) -> str:
        """The text of a file now; empty when there is none."""
        return decoded(self.gate.read(path) or b"", path)

    def planned(self, path: str) -> str:
        """The text of a file as it will be."""
        return (self.wanted[path].text or "") if path in self.wanted else self.text(path)

    def original(self, path: str) -> str:
        return decoded(self.gate.original(path) or b"", path)

    def base(self, path: str, editor: Editor, wish: Wish) -> str:
        """The text that a change starts from: without what we wrote, as far as that is no longer wished."""
        record = self.gate.mirrored(path)
        if record is None:
            return self.text(path)
        if self.gate.restorable(path) and not self.gate.shared(path):
            return self.original(path)
        stale = gone(written(record), wish)
        text = self.text(path)
        return editor.undo(text, stale, self.original(path)) if stale else text

    # -- planning ----------------------------------------------------------------------------------------------
    def edit(
        self,
        path: str,
        editor: Editor,
        wish: Wish,
        secret: bool = False,
        mode: int | None = None,
        owner: tuple[int, int] | None = None,
    ) -> None:
        """Plan one file of others in which we set values. Nothing wished: what we set before is taken back."""
        if self.gate.mirrored(path) is None and not wish:
            return
        try:
            text = self.base(path, editor, wish)
            text = editor.update(text, wish) if wish else text
        except UNREADABLE as error:
            what = str(error).rstrip(".")
            raise MirrorError(f"{path} cannot be changed, {what}; correct it by hand first") from error
        self.wanted[path] = Wanted(path, text, wish, secret, mode, owner=owner)

    def own(self, path: str, text: str | None, secret: bool = False, mode: int | None = None) -> None:
        """Plan a file that is ours as a whole; None: there shall be none."""
        if text is not None or self.gate.record(path) is not None or self.gate.read(path) is not None:
            self.wanted[path] = Wanted(path, text, secret=secret, mode=mode, own=True)

    def exists(self, path: str) -> bool:
        return os.path.exists(self.gate.real(path))

    # -- writing -----------------------------------------------------------------------------------------------
    def apply(self) -> None:
        """Write all. What others refer to comes first and goes last; a failure takes back what was written."""
        self._refuse_unwritable()
        order = sorted(self.wanted.values(), key=lambda one: (one.own and one.text is None, not one.own))
        done: list[tuple[str, bytes | None, Original | None]] = []
        seen = (self.gate.changed, list(self.gate.paths), list(self.gate.diffs))
        try:
            for one in order:
                before = (one.path, self.gate.read(one.path), self.gate.record(one.path))
                count = len(self.gate.diffs)
                self._write(one)
                if len(self.gate.diffs) > count:
                    done.append(before)
            for write in self.last:
                write()
        except FileGateError as error:
            if self.gate.module.check_mode:
                raise
            self._take_back(done)
            self.gate.changed, self.gate.paths, self.gate.diffs = seen
            raise MirrorError(f"{str(error).rstrip('.')}; the other files are as they were") from error

    def _write(self, one: Wanted) -> None:
        gate, record = self.gate, self.gate.record(one.path)
        if one.own:
            if one.text is None:
                gate.restore(one.path, ours=True, secret=one.secret)
            else:
                gate.write(one.path, one.text, one.mode, one.secret, meta={"mode": one.mode})
            return
        text = one.text or ""
        raw, shared = gate.original(one.path), gate.shared(one.path)
        if gate.restorable(one.path) and not shared and text.encode("utf-8") == (raw or b""):
            gate.restore(one.path, secret=one.secret)
            return
        if not text and record is None and gate.read(one.path) is None:
            return
        if not one.wish and record is not None and not record.existed and not text.strip():
            # somebody edited it since, but nothing of theirs is left in a file that was not there
            gate.remove(one.path, one.secret)
        else:
            mode = self._mode(one, record)
            meta = {"wish": dict(one.wish), "mode": one.mode}
            known = gate.mirrored(one.path) is not None or not shared
            if not gate.write(one.path, text, mode, one.secret, shared=True, meta=meta):
                gate.remember_meta(one.path, meta if known else {})
            elif one.owner is not None and not gate.module.check_mode:
                self._give_to(one.path, one.owner)
        if not one.wish and not shared:
            if text.encode("utf-8") != (raw or b"") and one.path not in gate.kept:
                gate.kept.append(one.path)
            gate.forget(one.path)

    @staticmethod
    def _mode(one: Wanted, record: Original | None) -> int | None:
        """What was for root alone while it held a password goes back to its own mode without one."""
        if one.mode is None and record is not None and record.meta.get("mode") is not None:
            return int(record.mode or "0644", 8)
        return one.mode

    def _give_to(self, path: str, owner: tuple[int, int]) -> None:
        """A file that is new in a home belongs to its account, with the folders that came with it."""
        record = self.gate.record(path)
        if record is not None and not record.existed:
            for new in (path, *record.created_dirs):
                os.chown(self.gate.real(new), *owner)

    def _refuse_unwritable(self) -> None:
        """Notice a read-only file system before the first file is written."""
        for one in self.wanted.values():
            current = self.gate.read(one.path)
            if (None if current is None else current.decode("utf-8", "replace")) == one.text:
                continue
            folder = os.path.dirname(self.gate.real(one.path))
            while not os.path.isdir(folder):
                folder = os.path.dirname(folder)
            if not os.access(folder, os.W_OK):
                raise MirrorError(
                    f"{one.path} cannot be written, because its folder is read-only; make it writable and run again"
                )

    def _take_back(self, done: list[tuple[str, bytes | None, Original | None]]) -> None:
        for path, content, record in reversed(done):
            try:
                if record is None:
                    self.gate.restore(path, ours=True)
                elif content is None:
                    self.gate.remove(path)
                else:
                    self.gate.write(path, content, shared=True, meta=record.meta)
            except FileGateError as error:
                self.gate.module.warn(f"{path} could not be given back: {error}")


def written(record: Original | None) -> dict[str, Any]:
    """What a record says that we wrote."""
    found = record.meta.get("wish", {}) if record is not None else {}
    return dict(found) if isinstance(found, dict) else {}


def gone(before: Wish, now: Wish) -> dict[str, Any]:
    """The part of a former wish that is wished no longer. A single value that only changed is not in it: an update
    replaces it in place; of a list every member that is not in the new one would stay, so a changed list is."""
    found: dict[str, Any] = {}
    for key, value in before.items():
        new = now.get(key)
        if not new:
            found[key] = value
        elif isinstance(value, dict) and isinstance(new, dict):
            rest = gone(value, new)
            if rest:
                found[key] = rest
        elif isinstance(value, (list, dict)) and value != new:
            found[key] = value
    return found


def decoded(raw: bytes, path: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise MirrorError(f"{path} is not UTF-8 (line {line}); correct it by hand first") from error
