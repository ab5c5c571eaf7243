# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all boot loaders share: the run, its error, and the note that a label leaves on the machine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._cmdline import Wish, Word
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

NOTES = "/var/lib/gpuready/kernel-cmdline"
SCHEMA = "gpuready.kernel_cmdline/1"
ERROR_LINES = 4
GRUBENV = ("/boot/grub/grubenv", "/boot/grub2/grubenv")
# what packages and editors leave beside kernels and settings; grub-mkconfig passes them over
GARBAGE = re.compile(r".*(\.dpkg-(dist|old|new|tmp|bak)|\.rpm(save|new|orig)|\.old|\.bak|~)|.*/#[^/]*#")


class LoaderError(Exception):
    """The command line cannot be brought to what is wanted; the text is one sentence for the user."""


@dataclass
class Job:
    """One run of the module: through what it reads, writes and runs."""

    module: AnsibleModule
    gate: FileGate
    runner: Runner
    host: Host
    label: str
    timeout: int = 120
    warnings: list[str] = field(default_factory=list)

    @property
    def check(self) -> bool:
        return bool(self.module.check_mode)

    def text(self, path: str) -> str | None:
        """A file as text that becomes the same bytes again."""
        raw = self.gate.read(path)
        return None if raw is None else raw.decode("utf-8", "surrogateescape")

    def write(self, path: str, text: str) -> bool:
        return self.gate.write(path, text.encode("utf-8", "surrogateescape"))


@dataclass
class Note:
    """What a label has asked for, and what that made of the files.

    pending: a change has begun and has not ended. files: per path the text before and after.
    """

    loader: str
    wishes: list[Wish] = field(default_factory=list)
    pending: bool = False
    files: dict[str, tuple[str, str]] = field(default_factory=dict)


class Notebook:
    """The notes, kept through a gate of their own: they are no change that a user is told of."""

    def __init__(self, job: Job) -> None:
        self.gate = FileGate(job.module, job.gate.root)
        self.path = f"{NOTES}/{job.label}.json"

    def others(self) -> list[tuple[str, Note]]:
        """What other labels have asked for."""
        folder = self.gate.real(NOTES)
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        paths = [f"{NOTES}/{name}" for name in names if name.endswith(".json")]
        found = [(path[len(NOTES) + 1 : -len(".json")], self.read(path)) for path in paths if path != self.path]
        return [(label, note) for label, note in found if note is not None]

    def read(self, path: str | None = None) -> Note | None:
        """None where there is none, or a damaged one: then nothing is known of former runs."""
        try:
            data = json.loads((self.gate.read(path or self.path) or b"").decode("utf-8"))
            if data["schema"] != SCHEMA:
                return None
            wishes = [Wish(str(name), value, bool(present)) for name, value, present in data["wishes"]]
            files = {str(path): (str(pair[0]), str(pair[1])) for path, pair in data["files"].items()}
            return Note(str(data["loader"]), wishes, bool(data["pending"]), files)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return None

    def write(self, note: Note) -> None:
        data: dict[str, Any] = {"schema": SCHEMA, "loader": note.loader, "pending": note.pending, "files": note.files}
        data["wishes"] = [list(wish) for wish in note.wishes]
        self.gate.write(self.path, json.dumps(data, indent=2, sort_keys=True) + "\n", mode=0o644)

    def put_back(self, note: Note | None) -> None:
        """As it was before this run."""
        if note is None:
            self.remove()
        else:
            self.write(note)

    def remove(self) -> None:
        self.gate.restore(self.path, ours=True)


def said(result: CommandResult, besides: re.Pattern[str] | None = None) -> str:
    """The last words of a program that failed, without lines that match."""
    lines = [line.strip() for line in (result.stderr or result.stdout).splitlines() if line.strip()]
    lines = [line for line in lines if besides is None or not besides.match(line)] or lines
    words = " | ".join(lines[-ERROR_LINES:])
    if result.status in ("timeout", "missing", "denied") or not words:
        return " | ".join(part for part in (str(result.error), words) if part)
    return words


def spell(wishes: Sequence[Wish]) -> str:
    """The wishes as a person would say them."""
    words = [wish.name if wish.value is None else f"{wish.name}={wish.value}" for wish in wishes]
    return ", ".join(word if wish.present else f"no {word}" for word, wish in zip(words, wishes))


def squeeze(text: str) -> str:
    """For showing and comparing lines that generators pad with blanks."""
    return " ".join(text.split())


class Loader:
    """What a boot loader can do for the module."""

    name = ""

    def present(self, wishes: list[Wish]) -> None:
        raise NotImplementedError

    def absent(self) -> None:
        raise NotImplementedError

    def next_words(self) -> list[Word]:
        """What the next boot gets: as it is now, in check mode as it would be."""
        raise NotImplementedError
