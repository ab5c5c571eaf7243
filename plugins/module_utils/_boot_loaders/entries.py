# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of the Boot Loader Specification: systemd-boot, and GRUB on Fedora and RHEL 8 and newer.

The files are edited as grubby does, but each by one rename, and all or none. grubby is not started: for all kernels it
also writes GRUB_CMDLINE_LINUX in /etc/default/grub, unless a flag that older versions lack forbids it (changelog of
grubby, 8.40-39), and it edits one file after another in place. It is asked afterwards what it reads. kernel-install(8)
is not started either: it makes the images anew for what is one line of a text file. It takes the line for later kernels
from /etc/kernel/cmdline, which therefore gets ours.
"""

from __future__ import annotations

import fnmatch
import re
from typing import Optional

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _cmdline as cmdline
from ansible_collections.gpuready.bootstrap.plugins.module_utils._boot_loaders.base import (
    GRUBENV,
    Job,
    Loader,
    LoaderError,
    Note,
    Notebook,
    said,
    spell,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._cmdline import Wish, Word
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import boot as parse

KERNEL_CMDLINE = "/etc/kernel/cmdline"
FOLDERS = ("/boot", "/boot/efi", "/efi")
_OPTIONS = re.compile(r"^(options[ \t]+)(.*)$", re.MULTILINE)
_LINUX = re.compile(r"^linux[ \t]+\S", re.MULTILINE)
_MACHINE = re.compile(r"^machine-id[ \t]+(\w+)", re.MULTILINE)
# RHEL's way back: a copy of some kernel that is never updated
_RESCUE = "rescue"
# the boot loader adds them by itself, they are not part of what /etc/kernel/cmdline says
_LOADERS_OWN = ("BOOT_IMAGE", "initrd")

Change = dict[str, tuple[Optional[str], Optional[str]]]


class Entries(Loader):
    """The entries of one folder, and /etc/kernel/cmdline."""

    def __init__(self, job: Job, name: str, base: str) -> None:
        self.job, self.name, self.base = job, name, base
        by_grub = name == "grubby"
        self.write = cmdline.grub_render if by_grub else cmdline.render
        self.variables = self._grubenv() if by_grub else {}
        self.notebook = Notebook(job)
        self.note = self.notebook.read()
        self.wanted: dict[str, str] = {}

    def lex(self, text: str) -> list[Word]:
        return cmdline.grub_words(text, self.variables) if self.name == "grubby" else cmdline.kernel_words(text)

    # -- what is asked ---------------------------------------------------------------------------------------
    def present(self, wishes: list[Wish]) -> None:
        changes: Change = {}
        files: dict[str, tuple[str, str]] = {}
        for path, current in self._files().items():
            rest = self._without_ours(path, current)
            base = self._default_line() + "\n" if rest is None else rest
            after = self._with_line(path, base, cmdline.edit(self._line(path, base), wishes, self.lex, self.write))
            missing = cmdline.unmet(self.lex(self._line(path, after)), wishes)
            if missing:
                raise LoaderError(
                    f"{spell(missing)} cannot be had in {path}; a quote is never closed, or a bare -- stands there"
                )
            if after != base:
                files[path] = (base, after)
            if after != (base if current is None else current):
                changes[path] = (current, after)
        self._warn_of_variables()
        self._bring(changes, Note(self.name, wishes, files=files))
        if not self.job.check:
            self._ask_grubby(wishes)

    def absent(self) -> None:
        if self.note is None:
            return
        found: Change = {}
        for path, current in self._files().items():
            rest = self._without_ours(path, current)
            if path == KERNEL_CMDLINE and rest is not None and self._made_by_us(rest):
                rest = None
            if rest != current:
                found[path] = (current, rest)
        self._bring(found, None)

    def _made_by_us(self, rest: str) -> bool:
        """Whether /etc/kernel/cmdline was not there before us, and holds nothing but what it was made from."""
        record = self.job.gate.record(KERNEL_CMDLINE)
        if record is None or record.existed:
            return False
        told, made = self.lex(rest), self.lex(self._default_line())
        return [word[2:] for word in told] == [word[2:] for word in made]

    def next_words(self) -> list[Word]:
        path = self._default()
        return [] if path is None else self.lex(self._line(path, self._text(path)))

    # -- reading ---------------------------------------------------------------------------------------------
    def _grubenv(self) -> dict[str, str]:
        path = next((path for path in GRUBENV if self.job.host.exists(path)), None)
        return parse.grubenv(self.job.host.read(path)) if path else {}

    def _text(self, path: str) -> str:
        return self.wanted[path] if path in self.wanted else self.job.text(path) or ""

    def _files(self) -> dict[str, str | None]:
        """What is to be edited, with its text: entries of this machine's kernels, then what later ones come from."""
        found: dict[str, str | None] = {path: self.job.text(path) for path in self._entries() if _RESCUE not in path}
        later = self.job.text(KERNEL_CMDLINE)
        # Without it kernel-install takes the running line. RHEL's holds variables of GRUB, so none is made there.
        if later is not None or self.name == "systemd-boot":
            found[KERNEL_CMDLINE] = later
        return found

    def _entries(self) -> list[str]:
        folder = f"{self.base}/loader/entries"
        machine = (self.job.host.text("/etc/machine-id") or "").strip()
        found = []
        for name in self.job.host.names(folder):
            text = (self.job.text(f"{folder}/{name}") or "") if name.endswith(".conf") else ""
            told = _MACHINE.search(text)
            # another system on the same disk
            if _LINUX.search(text) and (told is None or not machine or told.group(1) == machine):
                found.append(f"{folder}/{name}")
        return found

    def _default(self) -> str | None:
        """The entry that is started: the one that is named, else the newest."""
        names = {path.rpartition("/")[2][: -len(".conf")]: path for path in self._entries()}
        newest = parse.newest_first([parse.entry(name, self._text(path)) for name, path in names.items()])
        wanted = self._chosen()
        told = [one for one in newest if wanted and fnmatch.fnmatchcase(one.id, wanted)]
        told += [one for one in newest if wanted and one.title == wanted]
        return names[(told or newest)[0].id] if newest else None

    def _chosen(self) -> str:
        if self.name == "grubby":
            return self.variables.get("saved_entry", "")
        for line in (self.job.host.text(f"{self.base}/loader/loader.conf") or "").splitlines():
            words = line.split()
            if len(words) == 2 and words[0] == "default":
                return words[1][: -len(".conf")] if words[1].endswith(".conf") else words[1]
        return ""

    def _default_line(self) -> str:
        path = self._default()
        line = "" if path is None else self._line(path, self._without_ours(path, self.job.text(path)) or "")
        return cmdline.cut(line, [word for word in self.lex(line) if word.name in _LOADERS_OWN]).strip()

    def _line(self, path: str, text: str) -> str:
        """The command line in a file; several lines of options stay several lines."""
        if path == KERNEL_CMDLINE:
            return text
        return "\n".join(match.group(2) for match in _OPTIONS.finditer(text))

    def _with_line(self, path: str, text: str, line: str) -> str:
        """The file with another command line."""
        if path == KERNEL_CMDLINE:
            return line
        if not _OPTIONS.search(text):
            return text if not line else text + ("" if text.endswith("\n") or not text else "\n") + f"options {line}\n"
        parts = iter(line.split("\n"))
        return _OPTIONS.sub(lambda match: match.group(1) + next(parts, ""), text)

    def _without_ours(self, path: str, current: str | None) -> str | None:
        """A file as it would be without us. One that was made since our last run has got ours from elsewhere."""
        if self.note is None or current is None:
            return current
        known = self.note.files.get(path)
        if known is not None and current == known[1]:
            return known[0]
        line = self._line(path, current)
        if known is not None:
            rest = cmdline.undo(line, self._line(path, known[0]), self._line(path, known[1]), self.lex, self.write)
        else:
            ours = " ".join(self.write(name, value) for name, value in self._added())
            rest = cmdline.undo(line, "", ours, self.lex, self.write)
        return self._with_line(path, current, rest)

    def _added(self) -> list[cmdline.Parameter]:
        """What we have added to the files that we know."""
        found: list[cmdline.Parameter] = []
        for path, (before, after) in (self.note.files if self.note else {}).items():
            more = cmdline.added(self._line(path, before), self._line(path, after), self.lex)
            found += [one for one in more if one not in found]
        return found

    def _warn_of_variables(self) -> None:
        if self.name == "grubby" and any("$kernelopts" in self._text(path) for path in self._entries()):
            self.job.warnings.append(
                "the entries take $kernelopts from grubenv, as RHEL 8 makes them; a kernel installed later gets "
                "the parameters at the next run only"
            )

    # -- changing --------------------------------------------------------------------------------------------
    def _bring(self, changes: Change, note: Note | None) -> None:
        """Write all files, or none."""
        if self.job.check:
            for path, (_current, after) in changes.items():
                self._put(path, after)
                self.wanted[path] = after or ""
            return
        done: list[str] = []
        try:
            if changes and note is not None:
                self.notebook.write(note)
            for path, (_current, after) in changes.items():
                done.append(path)
                self._put(path, after)
        except FileGateError as error:
            raise LoaderError(str(error).rstrip(".") + self._back({path: changes[path] for path in done})) from error
        if note != self.note:
            self.notebook.put_back(note)
        if note is None:
            theirs = {path for _label, other in self.notebook.others() for path in other.files}
            for path in set(self.note.files if self.note else ()) - theirs:
                self.job.gate.forget(path)

    def _put(self, path: str, text: str | None) -> None:
        if text is None:
            self.job.gate.remove(path)
        else:
            self.job.write(path, text)

    def _back(self, changes: Change) -> str:
        """Give back what was there before this run; what could not be given back is told."""
        lost = []
        for path, (current, _after) in changes.items():
            try:
                self._put(path, current)
            except FileGateError as error:
                lost.append(f"{path} ({str(error).rstrip('.')})")
        try:
            self.notebook.put_back(self.note)
        except FileGateError as error:
            lost.append(str(error).rstrip("."))
        gate = self.job.gate
        gate.changed, gate.paths, gate.diffs = False, [], []
        return f"; and these could not be given back as they were: {', '.join(lost)}" if lost else ""

    def _ask_grubby(self, wishes: list[Wish]) -> None:
        """The distribution's own program must read what we wrote."""
        if self.name != "grubby" or not self.job.runner.which("grubby"):
            return
        result = self.job.runner.run(["grubby", "--info=DEFAULT"], timeout=self.job.timeout)
        args = next((line[5:].strip() for line in result.stdout.splitlines() if line.startswith("args=")), None)
        if result.status != "ok" or args is None:
            self.job.warnings.append(f"grubby does not tell the arguments of the default entry: {said(result)}")
            return
        # It prints them in double quotes without a backslash before those inside
        missing = cmdline.unmet(self.lex(args[1:-1] if args[:1] == args[-1:] == '"' else args), wishes)
        if missing:
            self.job.warnings.append(f"grubby does not see {spell(missing)} in the default entry")
