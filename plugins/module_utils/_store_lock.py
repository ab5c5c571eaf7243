# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time changes the index of originals: from reading it to the rename of the new one.

The folder of the originals carries the lock: it belongs to root, so no other account can hold it. A run that cannot
lock (no permission, a file system without locks, somebody who holds it too long) goes on as it would without one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator

PATIENCE_S = 10.0
_PAUSE_S = 0.02


@contextlib.contextmanager
def held(folder: str, make: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock of a folder, if there is one. make: makes the folder, which another run may take away again."""
    handle = _locked(folder, make or (lambda: None), time.monotonic() + PATIENCE_S)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)  # which gives the lock back


def _locked(folder: str, make: Callable[[], None], until: float) -> int | None:
    """A handle with the lock; None where it is not to be had."""
    while True:
        try:
            make()
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), os.stat(folder)):
                return handle
        except FileNotFoundError:  # the holder took the empty folder away
            pass
        except BlockingIOError:
            time.sleep(_PAUSE_S)
        except OSError:
            until = 0
        os.close(handle)
        if time.monotonic() > until:
            return None
