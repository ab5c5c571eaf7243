# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB with a configuration that grub-mkconfig makes: Debian, Ubuntu.

/etc/default/grub and its folder are shell scripts; the last one that sets GRUB_CMDLINE_LINUX_DEFAULT wins, and cloud
images have one (50-cloudimg-settings.cfg). Ours sorts behind them. It adds to GRUB_CMDLINE_LINUX_DEFAULT, so that
recovery entries, which are made from GRUB_CMDLINE_LINUX alone, stay a way back.

What the user's files set and shall not be there is taken out by our file, with the line as it was seen, up to the last
word that goes, as a condition: when the user changes that part, it counts again until the next run. Taking single words
out by shell code, whatever the line, would break quoted values in two.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.gpuready.bootstrap.plugins.module_utils._boot_loaders import grub_menu
from ansible_collections.gpuready.bootstrap.plugins.module_utils._boot_loaders.base import (
    GARBAGE,
    GRUBENV,
    Job,
    Loader,
    LoaderError,
    Note,
    Notebook,
    said,
    spell,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._cmdline import (
    Wish,
    Word,
    edit,
    grub_render,
    grub_words,
    unmet,
    unwanted,
)
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGateError
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import boot as parse

SETTINGS = "/etc/default/grub"
FOLDER = "/etc/default/grub.d"
END = ".gpuready-new"
_ASSIGNS = re.compile(r"^[^#\n]*\bGRUB_CMDLINE_LINUX(?:_DEFAULT)?=", re.MULTILINE)
# what grub-mkconfig says besides errors; the file that it names as attached is deleted
_PROGRESS = re.compile(r"(Generating|Found|Adding|Warning: os-prober|done|Ensure that|and /etc/grub).*|.* attached[.]$")
_IN_DOUBLE_QUOTES = re.compile(r"[A-Za-z0-9_.,:/@%+=^~ -]*")


class Lines(NamedTuple):
    """GRUB_CMDLINE_LINUX and GRUB_CMDLINE_LINUX_DEFAULT."""

    linux: str
    linux_default: str

    @property
    def words(self) -> list[Word]:
        return grub_words(self.whole)

    @property
    def whole(self) -> str:
        return f"{self.linux} {self.linux_default}"


def drop_in(label: str, seen: Lines, wishes: Sequence[Wish]) -> str | None:
    """The text of our file, which comes behind files that set what was seen. None if there is nothing to say."""
    absent = [wish for wish in wishes if not wish.present]
    out = Lines(*(edit(line, absent, grub_words, grub_render) for line in seen))
    present = [wish for wish in wishes if wish.present]
    more = " ".join(grub_render(wish.name, wish.value) for wish in unmet(out.words, present))
    if out == seen and not more:
        return None
    parts = [
        f"# Written by gpuready.bootstrap.kernel_cmdline for {label!r}. Changes here are lost; {SETTINGS} is yours.\n"
    ]
    for name, line in zip(Lines._fields, seen):
        parts.append(_taking_out(f"GRUB_CMDLINE_{name.upper()}", line, absent))
    if more:
        text = f' {more}"' if _IN_DOUBLE_QUOTES.fullmatch(more) else f' "{shlex.quote(more)}'
        parts.append(f'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT{text}\n')
    return "".join(parts)


def _taking_out(variable: str, line: str, absent: Sequence[Wish]) -> str:
    """Shell code that takes words out of a variable, while it begins as it did when it was looked at."""
    rest = edit(line, absent, grub_words, grub_render)
    if rest == line:
        return ""
    last = max(word.end for word in unwanted(grub_words(line), absent))
    head = line[:last]
    kept = edit(head, absent, grub_words, grub_render)
    return (
        f"# Takes parameters out of what was set, unless that has changed since\n"
        f"case ${variable} in {shlex.quote(head)} | {shlex.quote(head + ' ')}*)\n"
        f"  {variable}={shlex.quote(kept)}${{{variable}#{shlex.quote(head)}}} ;;\n"
        "esac\n"
    )


def _to_disk(path: str) -> None:
    """Wait until a file or folder is on the disk: GRUB does not read the file system's journal."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Grub(Loader):
    """grub.cfg, the program that makes it, and our file."""

    name = "grub"

    def __init__(self, job: Job, cfg: str, generator: str) -> None:
        self.job, self.cfg, self.generator = job, cfg, generator
        self.path = f"{FOLDER}/zz-gpuready{'' if job.label == 'gpuready' else '-' + job.label}.cfg"
        self.notebook = Notebook(job)
        self.note = self.notebook.read()
        self.menu = job.text(cfg) or ""
        # beside the file itself, where the menu's name is a link
        full, root = job.gate.real(cfg), job.gate.root.rstrip("/")
        self.new = (full[len(root) :] if full.startswith(root + "/") else cfg) + END
        # in check mode: what the settings will say, and what they say now
        self.predicted: str | None = None
        self.tail = ""

    # -- what is asked ---------------------------------------------------------------------------------------
    def present(self, wishes: list[Wish]) -> None:
        seen, without = self._evaluate("")
        text = drop_in(self.job.label, seen, wishes)
        after = without if text is None else self._evaluate(text)[1]
        missing = unmet(after.words, wishes)
        if missing:
            raise LoaderError(self._why_not(missing, without))
        self._keep_peace(without.words, after.words)
        wrong = [entry for entry in self._made() if unmet(entry.words, wishes)]
        mark = Note(self.name, wishes)
        stale = bool(wrong) or (self.note is not None and self.note.pending) or not self._made()
        self._bring(text, after, wishes, mark, stale)

    def _keep_peace(self, before: Sequence[Word], after: Sequence[Word]) -> None:
        """What others have asked for must not be undone by us."""
        for label, note in self.notebook.others():
            undone = [wish for wish in unmet(after, note.wishes) if wish not in unmet(before, note.wishes)]
            if undone:
                raise LoaderError(
                    f"{spell(undone)} was asked for under the name {label}, and this would undo it; take one of the "
                    "two back"
                )

    def absent(self) -> None:
        if self.note is None and self.job.gate.read(self.path) is None:
            return
        _seen, without = self._evaluate("")
        self._bring(None, without, [], None, stale=self.note is not None and self.note.pending)

    def next_words(self) -> list[Word]:
        entry = grub_menu.chosen(self._menu_entries(), self.menu, self._environment())
        if entry is None:
            made = self._made()
            entry = made[0] if made else None
            self.job.warnings.append(
                "GRUB starts another entry than the first one, and which is not known; the first one was looked at"
            )
        if entry is None:
            return []
        if self.predicted is not None and entry.ours:
            return grub_words(self._expected(entry), {**parse.settings(self.menu), **self._environment()})
        return entry.words

    # -- reading ---------------------------------------------------------------------------------------------
    def _menu_entries(self) -> list[grub_menu.Entry]:
        return grub_menu.entries(self.menu, self._environment())

    def _made(self) -> list[grub_menu.Entry]:
        return [entry for entry in self._menu_entries() if entry.ours]

    def _environment(self) -> dict[str, str]:
        path = next((path for path in GRUBENV if self.job.host.exists(path)), None)
        return parse.grubenv(self.job.host.read(path)) if path else {}

    def _files(self) -> tuple[list[str], list[str]]:
        """The settings before and behind ours, in the order in which grub-mkconfig reads them."""
        names = [n for n in self.job.host.names(FOLDER) if n.endswith(".cfg") and not n.startswith(".")]
        paths = sorted(f"{FOLDER}/{name}" for name in names)
        first = [SETTINGS] if self.job.host.exists(SETTINGS) else []
        return [*first, *(p for p in paths if p < self.path)], [p for p in paths if p > self.path]

    def _evaluate(self, text: str) -> tuple[Lines, Lines]:
        """What the settings say where our file stands, and at the end, with this text in its place.

        They are shell scripts, and grub-mkconfig runs them with sh -e: so do we, and only what they set comes back.
        """
        before, behind = self._files()
        tell = 'printf "%s\\0" "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT" >&3\n'
        load = "".join(f". {shlex.quote(self.job.gate.real(path))}\n" for path in before)
        rest = "".join(f". {shlex.quote(self.job.gate.real(path))}\n" for path in behind)
        script = f"exec 3>&1 >&2\nset -e\n{load}{tell}{text}{rest}{tell}"
        result = self.job.runner.run(["sh", "-c", script], timeout=self.job.timeout)
        parts = result.stdout.split("\0")
        if result.status != "ok" or len(parts) != 5:
            raise LoaderError(
                f"the settings of GRUB ({SETTINGS} and {FOLDER}/*.cfg) cannot be run, so update-grub would fail, too: "
                f"{said(result)}; correct that file first"
            )
        return Lines(*parts[:2]), Lines(*parts[2:4])

    def _current(self, former: bytes | None, otherwise: Lines) -> Lines:
        """What the settings say with our file as it is; somebody may have broken it."""
        try:
            return self._evaluate((former or b"").decode("utf-8", "surrogateescape"))[1]
        except LoaderError:
            return otherwise

    def _why_not(self, missing: list[Wish], without: Lines) -> str:
        _before, behind = self._files()
        culprits = [path for path in behind if _ASSIGNS.search(self.job.text(path) or "")]
        ours = [path for path in culprits if path.startswith(f"{FOLDER}/zz-gpuready")]
        if ours:
            return f"{spell(missing)} cannot be had: another name has asked for something else in {', '.join(ours)}"
        if culprits:
            return (
                f"{spell(missing)} cannot be had: {', '.join(culprits)} is read behind {self.path} and sets the "
                "command line anew; rename it so that it sorts before ours, or take the parameter out of it"
            )
        return (
            f"{spell(missing)} cannot be had with the line that the settings of GRUB give, "
            f"{without.whole.strip()!r}: a quote is never closed, or it has a bare --, behind which all is for init; "
            f"correct {SETTINGS} first"
        )

    # -- changing --------------------------------------------------------------------------------------------
    def _bring(self, text: str | None, lines: Lines, wishes: list[Wish], note: Note | None, stale: bool) -> None:
        former = self.job.gate.read(self.path)
        wanted = None if text is None else text.encode("utf-8", "surrogateescape")
        if former == wanted and not stale:
            if not self.job.check and note != self.note:
                self.notebook.put_back(note)
            return
        self._predict(lines if former == wanted else self._current(former, lines), lines)
        if self.job.check:
            self._write(wanted)
            self._tell(grub_menu.shown(self._menu_entries()), self._shown_prediction())
            return
        before = grub_menu.shown(self._menu_entries())
        try:
            self.notebook.write(Note(self.name, wishes, pending=True))
            self._write(wanted)
            made = self._generate(wishes)
            self._replace(made)
        except (LoaderError, FileGateError) as error:
            raise LoaderError(str(error) + self._back(former)) from error
        self.predicted = None
        self.notebook.put_back(note)
        self._tell(before, grub_menu.shown(self._menu_entries()))

    def _write(self, wanted: bytes | None) -> None:
        if wanted is None:
            self.job.gate.restore(self.path, ours=True)
        else:
            self.job.gate.write(self.path, wanted, mode=0o644)

    def _generate(self, wishes: list[Wish]) -> str:
        """Make the menu beside the old one and look at it. Returns its path."""
        new = self.new
        self._drop(new)
        result = self.job.runner.run([self.generator, "-o", self.job.gate.real(new)], timeout=self.job.timeout)
        if result.status != "ok":
            raise LoaderError(f"{os.path.basename(self.generator)} failed: {said(result, _PROGRESS)}")
        text = self.job.text(new)
        if text is None:
            raise LoaderError(f"{os.path.basename(self.generator)} ended well, but wrote nothing to {new}")
        script_check = next((p for p in ("grub-script-check", "grub2-script-check") if self.job.runner.which(p)), None)
        if script_check is not None:
            result = self.job.runner.run([script_check, self.job.gate.real(new)], timeout=self.job.timeout)
            if result.status != "ok":
                raise LoaderError(f"the new menu is no script that GRUB can read: {said(result)}")
        complaint = grub_menu.complaint(text, self.menu, self._kernels(), wishes, self._environment())
        if complaint:
            raise LoaderError(f"the new menu cannot be used: {complaint}")
        return new

    def _kernels(self) -> list[str]:
        names = self.job.host.names("/boot")
        return [name for name in names if name.startswith("vmlinuz-") and not GARBAGE.fullmatch(name)]

    def _replace(self, new: str) -> None:
        """Put the new menu in the place of the old one, with its owner and mode: by one rename, on the disk."""
        source, target = self.job.gate.real(new), self.job.gate.real(self.cfg)
        try:
            if os.path.exists(target):
                info = os.stat(target)
                os.chmod(source, info.st_mode & 0o7777)
                if os.geteuid() == 0:
                    os.chown(source, info.st_uid, info.st_gid)
            _to_disk(source)
            os.replace(source, target)
        except OSError as error:
            raise LoaderError(f"{self.cfg} cannot be replaced: {error.strerror or error}") from error
        with contextlib.suppress(OSError):  # it is in its place all the same
            _to_disk(os.path.dirname(target))
        self.menu = self.job.text(self.cfg) or ""

    def _back(self, former: bytes | None) -> str:
        """Give back what was there before this run; what could not be given back is told."""
        gate = self.job.gate
        self._drop(self.new)
        try:
            if gate.read(self.path) != former:
                self._write(former)
            if former is None:
                gate.forget(self.path)
            self.notebook.put_back(self.note)
        except FileGateError as error:
            return f"; and {self.path} could not be given back as it was ({str(error).rstrip('.')})"
        gate.changed, gate.paths, gate.diffs = False, [], []
        return ""

    def _drop(self, new: str) -> None:
        for path in (new, new + ".new"):  # grub-mkconfig itself writes beside its output
            try:
                os.unlink(self.job.gate.real(path))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise LoaderError(f"{path} is left over and cannot be deleted: {error.strerror or error}") from error

    # -- what is told ----------------------------------------------------------------------------------------
    def _predict(self, current: Lines, lines: Lines) -> None:
        self.predicted, self.tail = lines.whole, current.whole

    def _expected(self, entry: grub_menu.Entry) -> str:
        """The arguments that an entry will have."""
        return grub_menu.exchange(entry.options, self.tail, self.predicted or "")

    def _shown_prediction(self) -> str:
        found = [e._replace(options=self._expected(e)) if e.ours else e for e in self._menu_entries()]
        return grub_menu.shown(found)

    def _tell(self, before: str, after: str) -> None:
        gate = self.job.gate
        gate.changed = True
        gate.paths.append(self.cfg)
        header = f"{self.cfg} (arguments)"
        gate.diffs.append({"before_header": header, "after_header": header, "before": before, "after": after})
