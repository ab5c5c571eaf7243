# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door through which the snapshot reads a machine, or a folder that looks like one."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Callable

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import CommandResult, Runner

READ_CAP = 32 * 1024 * 1024
_CHUNK = 65536
_LINK_DEPTH = 20


class Probes:
    """What was tried, how it ended and how long it took. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._probes: dict[str, dict[str, Any]] = {}

    def record(
        self,
        name: str,
        status: str,
        source: str,
        ms: float = 0,
        rc: int | None = None,
        error: str | None = None,
    ) -> None:
        """Note the outcome of one probe."""
        with self._lock:
            self._probes[name] = {
                "status": status,
                "ms": round(ms),
                "rc": rc,
                "source": source,
                "error": None if error is None else str(error)[:500],
            }

    def command(self, name: str, source: str, result: CommandResult) -> None:
        """Note the outcome of a command."""
        self.record(name, result.status, source, result.ms, result.rc, result.error)

    @contextmanager
    def watch(self, name: str, source: str) -> Iterator[None]:
        """Note how the body ended. Whatever it raises stops here: a probe can fail, the snapshot cannot."""
        began = time.monotonic()
        status, error = "ok", None
        try:
            yield
        except Exception as exc:
            status, error = classify(exc), str(exc) or type(exc).__name__
        self.record(name, status, source, (time.monotonic() - began) * 1000, None, error)

    def status(self, name: str) -> str | None:
        """Return the status of a probe that ended, else None."""
        with self._lock:
            probe = self._probes.get(name)
        return None if probe is None else str(probe["status"])

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return all probes, sorted by name."""
        with self._lock:
            return {name: dict(self._probes[name]) for name in sorted(self._probes)}


def classify(exc: BaseException) -> str:
    """Return the probe status that an exception stands for."""
    # socket.timeout is TimeoutError only since Python 3.10
    if isinstance(exc, TimeoutError) or type(exc).__name__ == "timeout":
        return "timeout"
    if isinstance(exc, PermissionError):
        return "denied"
    if isinstance(exc, (FileNotFoundError, NotADirectoryError)):
        return "missing"
    # UnicodeDecodeError and json.JSONDecodeError are ValueErrors too
    if isinstance(exc, ValueError):
        return "unparsable"
    return "failed"


class Host:
    """Reads files below `root` and runs commands, the latter only on the live machine (root "/")."""

    def __init__(self, root: str, runner: Runner, probes: Probes | None = None) -> None:
        self.root = os.path.abspath(root or "/")
        self.live = self.root == "/"
        self.runner = runner
        self.probes = Probes() if probes is None else probes
        # outputs that were read once, by name, for whoever asks for the raw documents (sources/kept.py)
        self.outputs: dict[str, str] = {}

    def path(self, path: str) -> str:
        """Return where `path` of the host lies on this machine, following links inside `root`."""
        if self.live:
            return path
        return os.path.join(self.root, self._resolve(path).lstrip("/"))

    def _resolve(self, path: str, depth: int = 0) -> str:
        """Follow links as the host would: an absolute link starts again at `root`, not at "/" of this machine."""
        done = "/"
        parts = [part for part in path.split("/") if part not in ("", ".")]
        for position, part in enumerate(parts):
            if part == "..":
                done = os.path.dirname(done)
                continue
            here = os.path.join(done, part)
            try:
                target = os.readlink(os.path.join(self.root, here.lstrip("/")))
            except OSError:
                done = here
                continue
            if depth >= _LINK_DEPTH:
                raise FileNotFoundError(f"{path}: too many levels of symbolic links")
            rest = "/".join(parts[position + 1 :])
            return self._resolve(os.path.join(done, target, rest), depth + 1)
        return done

    def read_bytes(self, path: str, limit: int = READ_CAP) -> bytes:
        """Return the content of a file, at most `limit` bytes."""
        with open(self.path(path), "rb", buffering=0) as handle:
            # procfs refuses large reads (ENOMEM), and a file there has the size 0
            chunk = min(max(os.fstat(handle.fileno()).st_size + 1, _CHUNK), limit)
            parts = []
            while limit > 0:
                part = handle.read(min(chunk, limit))
                if not part:
                    break
                parts.append(part)
                limit -= len(part)
        return b"".join(parts)

    def read(self, path: str, limit: int = READ_CAP) -> str:
        """Return the content of a text file; bytes that are not UTF-8 are replaced."""
        return self.read_bytes(path, limit).decode("utf-8", "replace")

    def read_end(self, path: str, limit: int) -> tuple[bytes, bool]:
        """Return the last `limit` bytes of a regular file, and whether they are all of it."""
        status = self.stat(path)
        if not stat.S_ISREG(status.st_mode):
            # opening a fifo would block
            raise OSError(f"{path} is no regular file")
        with open(self.path(path), "rb") as handle:
            if status.st_size > limit:
                handle.seek(status.st_size - limit, os.SEEK_SET)
            return handle.read(limit), status.st_size <= limit

    def text(self, path: str) -> str | None:
        """Return the stripped content of a file, or None if it cannot be read."""
        try:
            return self.read(path).strip()
        except OSError:
            return None

    def names(self, path: str) -> list[str]:
        """Return the sorted names in a folder; none if it cannot be read."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError:
            return []

    def exists(self, path: str) -> bool:
        """Say whether a path exists."""
        try:
            return os.path.exists(self.path(path))
        except OSError:
            return False

    def is_dir(self, path: str) -> bool:
        """Say whether a path is a folder."""
        try:
            return os.path.isdir(self.path(path))
        except OSError:
            return False

    def stat(self, path: str) -> os.stat_result:
        """Return the status of the file that `path` leads to."""
        return os.stat(self.path(path))

    def link_target(self, path: str) -> str | None:
        """Return what a link says, wherever that leads; None for what is no link."""
        parent, name = os.path.split(path)
        try:
            return os.readlink(os.path.join(self.path(parent), name))
        except OSError:
            return None

    def link_name(self, path: str) -> str | None:
        """Return the last part of a link's target, or None."""
        target = self.link_target(path)
        return None if target is None else os.path.basename(target)

    def real_name(self, path: str) -> str:
        """Return the base name of the file behind a chain of links."""
        return os.path.basename(os.path.realpath(self.path(path)))

    def which(self, name: str, folders: tuple[str, ...] = ("/usr/local/bin", "/usr/bin", "/bin")) -> str | None:
        """Return the path of a program of the host, or None."""
        for folder in folders:
            path = f"{folder}/{name}"
            if self.exists(path):
                return path
        return None


class Jobs:
    """Slow, independent work in daemon threads.

    A thread that hangs (a process in uninterruptible sleep cannot be killed) is left behind: it does not
    keep the module from ending, which a concurrent.futures pool would.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, tuple[threading.Thread, list[Any]]] = {}

    def start(self, name: str, work: Callable[[], Any]) -> None:
        """Start `work`. It must not raise; if it does, its result is missing."""
        box: list[Any] = []

        def body() -> None:
            box.append(work())

        thread = threading.Thread(target=body, name=name, daemon=True)
        self._jobs[name] = (thread, box)
        thread.start()

    def running(self, name: str) -> bool:
        """Say whether a job still works."""
        return name in self._jobs and self._jobs[name][0].is_alive()

    def result(self, name: str, default: Any, wait: float) -> Any:
        """Return what a job gave, or `default` if it was not started, died or is not done after `wait` seconds."""
        if name not in self._jobs:
            return default
        thread, box = self._jobs[name]
        thread.join(max(wait, 0.0))
        return box[0] if box else default


def parallel(work: Sequence[Callable[[], Any]], wait: float, width: int = 8) -> list[Any]:
    """Run the calls, at most `width` at a time, and return their results in order; None for what is not done."""
    results: list[Any] = [None] * len(work)
    todo = list(enumerate(work))
    lock = threading.Lock()

    def body() -> None:
        while True:
            with lock:
                if not todo:
                    return
                position, call = todo.pop(0)
            results[position] = call()

    threads = [threading.Thread(target=body, daemon=True) for _number in range(min(width, len(work)))]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + wait
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    return list(results)
