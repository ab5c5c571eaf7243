# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one gate through which modules write files.

It writes atomically, keeps the first original for a later restore, honours check mode and collects the diff.
Paths are given as the target sees them ("/etc/..."); `root` puts the whole tree below another folder.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils import _file_attributes, _secrets, _store_lock
from ansible_collections.gpuready.bootstrap.plugins.module_utils._file_attributes import Attributes

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

STORE = "/var/lib/gpuready/originals"
SCHEMA = "gpuready.originals/1"
HIDDEN = "[hidden: this file holds a secret]\n"


class FileGateError(Exception):
    """A file could not be read, written or restored; the text is one sentence for the user."""


@dataclass
class Original:
    """What a path was before the collection first wrote it, and what the collection wrote last."""

    existed: bool
    sha256_before: str | None
    sha256_written: str | None
    mode: str | None
    uid: int | None
    gid: int | None
    created_dirs: list[str] = field(default_factory=list)
    edited: bool = False  # someone else changed the file between two of our writes
    meta: dict[str, Any] = field(default_factory=dict)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class FileGate:
    """Collects what one module run writes: `changed`, `paths` (written), `kept` (left alone), `diffs`."""

    def __init__(self, module: AnsibleModule, root: str = "/") -> None:
        self.module = module
        self.root = root.rstrip("/") or "/"
        self.changed = False
        self.paths: list[str] = []
        self.kept: list[str] = []
        self.diffs: list[dict[str, str]] = []

    # -- reading ---------------------------------------------------------------------------------------------
    def real(self, path: str) -> str:
        """The file behind `path`: below `root`, symbolic links followed, so that a link stays a link."""
        full = path if self.root == "/" else self.root + path
        if not os.path.islink(full):
            return full
        target = os.path.realpath(full)
        if self.root != "/" and not target.startswith(os.path.realpath(self.root) + "/"):
            raise FileGateError(f"{path} is a symbolic link to {target}, outside of {self.root}; replace the link.")
        return target

    def read(self, path: str) -> bytes | None:
        """The bytes of a regular file, None when there is none."""
        full = self.real(path)
        try:
            if os.path.exists(full) and not os.path.isfile(full):
                raise FileGateError(f"{path} is not a regular file; move it away and run again.")
            with open(full, "rb") as handle:
                return handle.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileGateError(f"Cannot read {path}: {error.strerror or error}.") from error

    def original(self, path: str) -> bytes | None:
        """The kept original bytes of a path, None when it did not exist or was never written by us."""
        record = self.record(path)
        if record is None or record.sha256_before is None:
            return None
        content = self.read(f"{STORE}/objects/{record.sha256_before}")
        if content is None or sha256(content) != record.sha256_before:
            raise FileGateError(
                f"The kept original of {path} ({STORE}/objects/{record.sha256_before}) is missing or damaged; "
                f"restore {path} by hand, then remove its entry from {STORE}/index.json."
            )
        return content

    def record(self, path: str) -> Original | None:
        entry = self._index().get(path)
        return None if entry is None else Original(**entry)

    # -- changing --------------------------------------------------------------------------------------------
    def write(
        self,
        path: str,
        content: bytes | str,
        mode: int | None = None,
        secret: bool = False,
        shared: bool = False,
        meta: dict[str, Any] | None = None,
    ) -> bool:
        """Make `path` hold `content`; True when that is (or in check mode would be) a change.

        mode: None keeps the mode and owner of an existing file; a number is enforced, with the owner of the process.
        shared: others own keys in this file too, so an edit by someone else forbids a byte for byte restore later.
        meta: what the module wants to remember with the original (merged into the record).
        """
        wanted = content.encode("utf-8") if isinstance(content, str) else content
        current = self.read(path)
        if current == wanted and not self._attributes_differ(path, mode):
            return False
        if current != wanted:
            self._diff(path, current, wanted, secret)
        else:
            self._attribute_diff(path, (mode or 0, os.geteuid(), os.getegid()))
        if not self.module.check_mode:
            with self._forgotten_on_failure(path):
                self._remember(path, current, wanted, shared, meta)
                self._put(path, wanted, mode)
        self._note(path)
        return True

    def remove(self, path: str, secret: bool = False) -> bool:
        """Delete a file; its original is kept, so that `restore` can bring it back."""
        current = self.read(path)
        if current is None:
            return False
        self._diff(path, current, None, secret)
        if not self.module.check_mode:
            with self._forgotten_on_failure(path):
                self._remember(path, current, None, False, None)
                self._unlink(path)
        self._note(path)
        return True

    def restore(self, path: str, ours: bool = False, secret: bool = False) -> bool:
        """Give back what `path` was before our first write; True when that changes the file.

        A file that someone else edited after us is left as it is and noted in `kept`.
        ours: the path bears our name, so without a record, or edited, it is deleted all the same.
        """
        record, current = self.record(path), self.read(path)
        if record is None:
            if not ours or current is None:
                return False
            record = Original(False, None, None, None, None, None)
        digest = None if current is None else sha256(current)
        if digest == record.sha256_before:
            changed = self._give_attributes_back(path, record)
            self.forget(path)
            return changed
        if not ours and (record.edited or digest != record.sha256_written):
            self.kept.append(path)
            return False
        before = self.original(path)
        self._diff(path, current, before, secret)
        if not self.module.check_mode:
            self._give_back(path, before, record)
            self.forget(path)
        self._note(path)
        return True

    def remember_meta(self, path: str, meta: dict[str, Any]) -> None:
        """Change what is remembered with a path's original; nothing happens for an unknown path or in check mode."""
        with _store_lock.held(self.real(STORE)):
            index = self._index()
            if path in index and not self.module.check_mode and index[path]["meta"] != {**index[path]["meta"], **meta}:
                index[path]["meta"].update(meta)
                self._save_index(index)

    def restorable(self, path: str) -> bool:
        """True when `restore` would give back the original: nobody else edited the file after us."""
        record, current = self.record(path), self.read(path)
        digest = None if current is None else sha256(current)
        return record is not None and not record.edited and digest in (record.sha256_written, record.sha256_before)

    def forget(self, path: str) -> None:
        """Drop the record of a path, its kept original, and the folders that only we needed."""
        with _store_lock.held(self.real(STORE)):
            index = self._index()
            if self.module.check_mode or path not in index:
                return
            record = Original(**index.pop(path))
            digest = record.sha256_before
            if digest is not None and all(entry["sha256_before"] != digest for entry in index.values()):
                self._unlink(f"{STORE}/objects/{digest}")
            self._save_index(index)
        for folder in sorted(record.created_dirs, key=len, reverse=True):
            self._rmdir(folder)

    def result(self) -> dict[str, Any]:
        """The part of a module result that the gate knows; the diff only where --diff asks, as results are kept."""
        diff = {"diff": self.diffs} if self.module._diff else {}
        return {"changed": self.changed, **diff, "files": self.paths, "kept": self.kept}

    # -- records ---------------------------------------------------------------------------------------------
    def _index(self) -> dict[str, dict[str, Any]]:
        raw = self.read(f"{STORE}/index.json")
        if raw is None:
            return {}
        try:
            data = json.loads(raw.decode("utf-8"))
            files: dict[str, dict[str, Any]] = data["files"]
            if data["schema"] != SCHEMA:
                raise ValueError(f"schema is {data['schema']!r}, not {SCHEMA!r}")
            for entry in files.values():
                Original(**entry)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileGateError(
                f"{STORE}/index.json, which remembers the original files, is unreadable ({error}); "
                "mend it or move it away, but then originals can no longer be restored."
            ) from error
        return files

    def _save_index(self, index: dict[str, dict[str, Any]]) -> None:
        path = f"{STORE}/index.json"
        if index:
            text = json.dumps({"schema": SCHEMA, "files": index}, indent=2, sort_keys=True) + "\n"
            self._put(path, text.encode("utf-8"), 0o600)
            return
        self._unlink(path)
        for folder in (f"{STORE}/objects", STORE, os.path.dirname(STORE)):
            self._rmdir(folder)

    def _remember(
        self, path: str, current: bytes | None, wanted: bytes | None, shared: bool, meta: dict[str, Any] | None
    ) -> None:
        """Write the record before the file: a run killed in between leaves a record that still tells the truth."""
        missing = self._missing_dirs(os.path.dirname(path))  # the store may be the first thing in some of them
        digest = None if current is None else sha256(current)
        with _store_lock.held(self.real(STORE), make=lambda: self._make_dirs(STORE)):
            index = self._index()
            if path in index:
                record = Original(**index[path])
                known = (record.sha256_written, record.sha256_before)
                record.edited = record.edited or (shared and digest not in known)
            else:
                record = self._first_record(path, current, missing)
                ours = [folder for entry in index.values() for folder in entry["created_dirs"]]
                record.created_dirs += [d for d in dict.fromkeys(ours) if path.startswith(d + "/")]
            record.sha256_written = None if wanted is None else sha256(wanted)
            record.meta.update(meta or {})
            index[path] = asdict(record)
            self._save_index(index)

    @contextlib.contextmanager
    def _forgotten_on_failure(self, path: str) -> Iterator[None]:
        """Give the record of a path back if the body cannot write: it would tell of a text that was never there."""
        before = self._index().get(path)
        try:
            yield
        except (FileGateError, SystemExit):  # atomic_move of older ansible-core ends the module itself
            with contextlib.suppress(FileGateError, OSError):  # the first failure is the one to tell
                self._give_record_back(path, before)
            raise

    def _give_record_back(self, path: str, before: dict[str, Any] | None) -> None:
        if before is None:
            self.forget(path)
        with _store_lock.held(self.real(STORE)):
            index = self._index()
            if before is not None and index.get(path) != before:
                self._save_index({**index, path: before})
            elif not index:
                self._save_index(index)  # takes the empty folders away

    def _first_record(self, path: str, current: bytes | None, missing: list[str]) -> Original:
        if current is None:
            return Original(False, None, None, None, None, None, missing)
        digest = sha256(current)
        self._put(f"{STORE}/objects/{digest}", current, 0o600)
        mode, uid, gid = _file_attributes.of(self.real(path))
        return Original(True, digest, None, f"{mode:04o}", uid, gid)

    # -- the file system -------------------------------------------------------------------------------------
    def _put(self, path: str, content: bytes, mode: int | None) -> None:
        full = self.real(path)
        temporary = ""
        try:
            self._make_dirs(os.path.dirname(path))
            handle, temporary = tempfile.mkstemp(prefix="gpuready-", dir=self.module.tmpdir)
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            _file_attributes.move(self.module, temporary, full, mode)
        except FileGateError:
            raise
        except Exception as error:  # atomic_move raises plain Exception
            if temporary and os.path.exists(temporary):
                os.unlink(temporary)
            raise FileGateError(f"Cannot write {path}: {_reason(error)}; the old file is unchanged.") from error

    def _give_back(self, path: str, before: bytes | None, record: Original) -> None:
        if before is None:
            self._unlink(path)
            return
        self._put(path, before, int(record.mode or "0644", 8))
        former = _file_attributes.former(self.real(path), record.mode, record.uid, record.gid)
        self._set_attributes(path, former)

    def _give_attributes_back(self, path: str, record: Original) -> bool:
        """Mode and owner of a file that holds its original: True when they (would) change."""
        if not record.existed:
            return False
        full = self.real(path)
        wanted = _file_attributes.former(full, record.mode, record.uid, record.gid)
        if wanted == _file_attributes.of(full):
            return False
        self._attribute_diff(path, wanted)
        if not self.module.check_mode:
            self._set_attributes(path, wanted)
        self._note(path)
        return True

    def _set_attributes(self, path: str, wanted: Attributes) -> None:
        try:
            _file_attributes.give(self.real(path), wanted)
        except OSError as error:
            raise FileGateError(f"Cannot set mode and owner of {path}: {error.strerror or error}.") from error

    def _unlink(self, path: str) -> None:
        try:
            os.unlink(self.real(path))
        except FileNotFoundError:
            return
        except OSError as error:
            raise FileGateError(f"Cannot delete {path}: {error.strerror or error}.") from error

    def _missing_dirs(self, folder: str) -> list[str]:
        missing: list[str] = []
        while folder not in ("", "/") and not os.path.isdir(self.real(folder)):
            missing.append(folder)
            folder = os.path.dirname(folder)
        return missing

    def _make_dirs(self, folder: str) -> None:
        for path in reversed(self._missing_dirs(folder)):
            full = self.real(path)
            try:
                os.mkdir(full)
            except FileExistsError:  # another run was quicker
                continue
            os.chmod(full, 0o700 if path.startswith(STORE) else 0o755)  # originals may hold secrets

    def _rmdir(self, folder: str) -> None:
        """Remove a folder that we made, if nothing else lives in it now."""
        try:
            os.rmdir(self.real(folder))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise FileGateError(f"Cannot remove the folder {folder}: {error.strerror or error}.") from error

    # -- what is told ----------------------------------------------------------------------------------------
    def _attributes_differ(self, path: str, mode: int | None) -> bool:
        return mode is not None and _file_attributes.of(self.real(path)) != (mode, os.geteuid(), os.getegid())

    def _attribute_diff(self, path: str, wanted: Attributes) -> None:
        now = _file_attributes.of(self.real(path))
        texts = {"before": _file_attributes.told(now), "after": _file_attributes.told(wanted)}
        self.diffs.append({"before_header": path, "after_header": path, **texts})

    def _diff(self, path: str, before: bytes | None, after: bytes | None, secret: bool) -> None:
        texts = [_secrets.redact((part or b"").decode("utf-8", "backslashreplace")) for part in (before, after)]
        if secret:
            texts = [HIDDEN if part is not None else "" for part in (before, after)]
        headers = [path + (" (absent)" if part is None else "") for part in (before, after)]
        self.diffs.append(
            {"before_header": headers[0], "after_header": headers[1], "before": texts[0], "after": texts[1]}
        )

    def _note(self, path: str) -> None:
        self.changed = True
        if path not in self.paths:
            self.paths.append(path)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error).rstrip(".")
