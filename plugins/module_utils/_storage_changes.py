# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts, unmounts and writes what was described: all of it or, where one mount fails, nothing if that can be."""

from __future__ import annotations

import json
import os
import tempfile
from typing import TYPE_CHECKING

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _files, _fstab, _storage_entry, _storage_host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner, first_line
from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_entry import Built
from ansible_collections.gpuready.bootstrap.plugins.module_utils._storage_look import Look, MountError

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

AGAIN_S = 120


class NotBackError(MountError):
    """A mount failed, and something that was mounted before is not any more; the text names it."""


class Changes:
    """The mounts as they are, and as they shall be."""

    def __init__(self, module: AnsibleModule, gate: FileGate, runner: Runner) -> None:
        self.module, self.gate, self.runner, self.params = module, gate, runner, module.params
        self.text = (gate.read(_fstab.PATH) or b"").decode("utf-8", "surrogateescape")
        self.there = _storage_host.mounted()
        record = gate.record(_fstab.PATH)
        self.made: list[str] = list(record.meta.get("made", [])) if record else []
        self.notes: list[str] = []
        self.mounted: list[str] = []
        self.unmounted: list[str] = []
        self.units: dict[str, str] = {}  # systemd's automounts that were stopped

    def present(self, wanted: list[Built]) -> None:
        look = Look(self.params, self.runner, self.there, self.notes)
        looks = {built.name: look.at(built) for built in wanted}
        entries = {built.name: built.entry for built in wanted}
        old = _fstab.ours(self.text)
        text = _fstab.with_entries(self.text, entries)
        secrets = {built.secret[0]: built.secret[1] for built in wanted if built.secret}
        again = [b for b in wanted if looks[b.name] == "right" and old.get(b.name) not in (None, b.entry.line)]
        new = [built for built in wanted if looks[built.name] == "new"]
        gone = {name: _fstab.parse(line) for name, line in old.items() if name not in entries}
        made = list(self.made)
        written: dict[str, bytes | None] = {}
        try:
            for path, content in secrets.items():
                former = self.gate.read(path)
                if self.gate.write(path, content, mode=0o600, secret=True):
                    written[path] = former
            for entry in gone.values():
                self._unmount(entry.path if entry else "")
            self._renew(again, text)
            for built in wanted:
                self._point(built.entry.path)
                if built in new:
                    self._mount(built, text)
        except MountError as error:
            left = self._undo(written, made)
            if left:
                raise NotBackError(f"{error}; {'; '.join(left)}") from error
            raise
        if text != self.text:
            self.gate.write(_fstab.PATH, text.encode("utf-8", "surrogateescape"), shared=True, meta={"made": self.made})
        self.gate.remember_meta(_fstab.PATH, {"made": self.made})
        self._forget_secrets(secrets)

    def _undo(self, written: dict[str, bytes | None], made: list[str]) -> list[str]:
        """After a failed mount: what this call has mounted and made goes, what it took off comes back.

        What could not be brought back, one sentence each.
        """
        if self.module.check_mode:
            return []
        for path in reversed(self.mounted):
            self.runner.run(["umount", path])
        for path, former in written.items():
            if former is None:
                self.gate.restore(path, ours=True)
            else:
                self.gate.write(path, former, mode=0o600, secret=True)
        left = [said for path in reversed(self.unmounted) for said in self._mount_again(path)]
        for path in reversed([path for path in self.made if path not in made]):
            _rmdir(path)
        return left

    def _mount_again(self, path: str) -> list[str]:
        """With the entry that it had: fstab is still the old one. What went wrong, if something did."""
        if path in self.units:
            done = self.runner.run(["systemctl", "start", self.units[path]], timeout=60)
        else:
            done = self._mount_by(self.text, path, AGAIN_S)
        if done.status == "ok":
            return []
        said = "it did not end in time" if done.status == "timeout" else first_line(done.stderr) or done.error
        return [f"{path}, which was mounted before, could not be mounted again ({said}): run mount {path}"]

    def _mount_by(self, text: str, path: str, timeout: int | None) -> CommandResult:
        """Mount a path as a text of fstab says, which need not be the file's."""
        handle, table = tempfile.mkstemp(dir=self.module.tmpdir)
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)
        try:
            return self.runner.run(["mount", "-T", table, path], timeout=timeout)
        finally:
            os.unlink(table)

    def _forget_secrets(self, secrets: dict[str, str]) -> None:
        index = json.loads(self.gate.read(f"{_files.STORE}/index.json") or b'{"files": {}}')["files"]
        for path in [path for path in index if path.startswith(f"{_storage_entry.SECRETS}/") and path not in secrets]:
            self.gate.restore(path, ours=True, secret=True)

    def _point(self, path: str) -> None:
        """The folder to mount on, and those above it; remembered, so that they go when they are empty."""
        missing = []
        while path != "/" and not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for folder in reversed(missing):
            self.gate.changed = True
            if not self.module.check_mode:
                os.mkdir(folder, 0o755)
                self.made.append(folder)

    def _mount(self, built: Built, text: str) -> None:
        self.mounted.append(built.entry.path)
        self.gate.changed = True
        if self.module.check_mode:
            return
        self._format(built)
        done = self._mount_by(text, built.entry.path, built.timeout)
        if done.status == "ok" and built.entry.path in _storage_host.mounted():
            return
        self.mounted.remove(built.entry.path)
        said = f"it did not end within {built.timeout} s" if done.status == "timeout" else ""
        said = said or first_line(done.stderr) or done.error or "it was gone at once; run `systemctl daemon-reload`"
        raise MountError(f"mount {built.name}: {built.entry.spec} cannot be mounted on {built.entry.path}: {said}")

    def _format(self, built: Built) -> None:
        mount = next(mount for mount in self.params["mounts"] if mount["name"] == built.name)
        if built.kind != "disk" or not mount["format"] or _storage_host.device_of(built.entry.spec, self.runner):
            return
        key, _equals, value = built.entry.spec.partition("=")
        flags = {"UUID": ["-U", value], "LABEL": ["-L", value]}
        if built.entry.type != "ext4" or key not in flags:
            raise MountError(f"mount {built.name}: only ext4 with UUID= or LABEL= is made here")
        done = self.runner.run(["mkfs.ext4", "-q", *flags[key], mount["device"]], timeout=600)
        if done.status != "ok":
            raise MountError(f"mount {built.name}: mkfs.ext4 failed: {first_line(done.stderr) or done.error}")

    def _renew(self, again: list[Built], text: str) -> None:
        """Mounted, but with former options: anew where nobody uses it."""
        for built in again:
            if self._unmount(built.entry.path):
                self._mount(built, text)

    def _unmount(self, path: str) -> bool:
        """Unmount what is idle; True where that was done."""
        if not path or path not in self.there:
            return False
        if not self.module.check_mode:
            done = self._take_off(path)
            if done.status != "ok":
                said = first_line(done.stderr) or done.error
                self.notes.append(f"{path} stays mounted as it is, because it is in use ({said}).")
                return False
        self.gate.changed = True
        self.unmounted.append(path)
        return True

    def _take_off(self, path: str) -> CommandResult:
        """What is mounted first, then systemd's automount below it."""
        waiting = path in _storage_host.automounts()
        if not waiting or self.there[path].type != "autofs":
            done = self.runner.run(["umount", path], timeout=60)
            if done.status != "ok" or not waiting:
                return done
        unit = self.runner.run(["systemd-escape", "--path", "--suffix=automount", path]).stdout.strip()
        done = self.runner.run(["systemctl", "stop", unit], timeout=60)
        if done.status == "ok":
            self.units[path] = unit
        return done

    def absent(self) -> None:
        entries = [_fstab.parse(line) for line in _fstab.ours(self.text).values()]
        paths = sorted((entry.path for entry in entries if entry), key=lambda path: -path.count("/"))
        for path in paths:
            self._unmount(path)
        if not self.gate.restorable(_fstab.PATH):
            text = _fstab.without(self.text)
            if text != self.text:
                self.gate.write(_fstab.PATH, text.encode("utf-8", "surrogateescape"))
            self.gate.forget(_fstab.PATH)
        else:
            self.gate.restore(_fstab.PATH)
        self._forget_secrets({})
        if not self.module.check_mode:
            for path in sorted(self.made, key=len, reverse=True):
                _rmdir(path)


def _rmdir(path: str) -> None:
    """Remove a folder that we made, if it is empty and nothing is mounted there."""
    try:
        os.rmdir(path)
    except OSError:
        return
