# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Docker daemon has not read yet of daemon.json, and the file with which it last started.

Both stand in the gate's record of daemon.json, which is written before the file: a run that is killed between the write
and the restart loses nothing. `restart_due` is what the facts read (docker.restart_pending); `pending` is for
the way back.
"""

from __future__ import annotations

import base64
import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._files import FileGate, FileGateError, Original

Data = dict[str, Any]


@dataclass(frozen=True)
class Pending:
    """Since when (seconds of the host's clock), what the daemon needs, and what was there before."""

    since: float
    action: str  # reload | restart
    former: bytes | None  # None: there was no file
    owned: Data
    owners: Data
    known: bool = True  # False: nobody noted what was there before

    def meta(self) -> Data:
        """What the record remembers."""
        if not self.known:
            return {"restart_due": self.since}
        former = None if self.former is None else base64.b64encode(self.former).decode("ascii")
        kept = {
            "since": self.since,
            "action": self.action,
            "former": former,
            "owned": self.owned,
            "owners": self.owners,
        }
        return {"restart_due": self.since, "pending": kept}


SETTLED: Data = {"restart_due": None, "pending": None}


def of(record: Original | None) -> Pending | None:
    """What a record says; None where nothing is due, or it cannot be read."""
    kept = record.meta.get("pending") if record is not None else None
    if not isinstance(kept, dict):
        return _of_old(record)
    try:
        former = None if kept["former"] is None else base64.b64decode(kept["former"])
        return Pending(float(kept["since"]), str(kept["action"]), former, dict(kept["owned"]), dict(kept["owners"]))
    except (KeyError, TypeError, ValueError):
        return None


def _of_old(record: Original | None) -> Pending | None:
    """A record of 0.1.0 says only since when a restart is due; the way back is not known then."""
    due = record.meta.get("restart_due") if record is not None else None
    return Pending(float(due), "restart", None, {}, {}, known=False) if isinstance(due, (int, float)) else None


def due(pending: Pending | None, running: bool, began: float | None) -> Pending | None:
    """What the daemon still needs: nothing, if it has been started since."""
    if pending is None or (running and began is not None and began >= pending.since):
        return None
    return pending


def begin(before: Pending | None, action: str, current: bytes | None, owned: Data, owners: Data) -> Pending:
    """What is pending after one more write. Of several writes before one restart, the first one's past counts."""
    if before is None:
        return Pending(time.time(), action, current, owned, owners)
    stronger = "restart" if "restart" in (before.action, action) else action
    return Pending(time.time(), stronger, before.former, before.owned, before.owners, before.known)


class DaemonGate(FileGate):
    """A gate that also takes back what was noted before a write that fails: nothing is due, nobody edited the file."""

    @contextlib.contextmanager
    def undone_on_failure(self, path: str) -> Iterator[None]:
        """Give the record of a path back if the body cannot write."""
        try:
            with self._forgotten_on_failure(path):
                yield
        except FileGateError as error:
            # Ansible's atomic_move says that it failed, and not why
            raise FileGateError(f"{str(error).rstrip('.')}{_why(self.real(path))}.") from error


def _why(path: str) -> str:
    """What the file system of a path has against a write."""
    try:
        found = os.statvfs(os.path.dirname(path))
    except OSError:
        return ""
    if found.f_flag & os.ST_RDONLY:
        return " (read-only file system)"
    # a block for the new file and one for its name
    return " (no space left on the device)" if found.f_bavail < 2 or (found.f_files and not found.f_favail) else ""
