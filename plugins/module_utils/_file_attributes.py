# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode and owner of files, and the move by which a new content takes its place with them."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

Attributes = tuple[int, int, int]  # mode, user, group
NEW_FILE_MODE = 0o644


def of(full: str) -> Attributes:
    info = os.stat(full)
    return stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid


def former(full: str, mode: str | None, uid: int | None, gid: int | None) -> Attributes:
    """What a record says of a file; the owner only where this process may set it."""
    _mode, now_uid, now_gid = of(full)
    known = os.geteuid() == 0 and uid is not None and gid is not None
    owner = (uid or 0, gid or 0) if known else (now_uid, now_gid)
    return (int(mode or f"{NEW_FILE_MODE:o}", 8), *owner)


def give(full: str, wanted: Attributes) -> None:
    mode, uid, gid = wanted
    if os.geteuid() == 0:
        os.chown(full, uid, gid)  # before the mode: it takes setuid bits away
    os.chmod(full, mode)


def told(attributes: Attributes) -> str:
    mode, uid, gid = attributes
    return f"mode: {mode:04o}\nowner: {uid}:{gid}\n"


def move(module: AnsibleModule, temporary: str, full: str, mode: int | None) -> None:
    """Put a temporary file in place of another one, which lends it its mode and owner unless a mode is given."""
    existed = os.path.exists(full)
    wanted = mode if mode is not None else NEW_FILE_MODE
    # atomic_move gives a new file 0666 less the umask; this way a secret is never readable in between
    umask = os.umask(0o777 & ~wanted)
    try:
        with _narrowed(full, mode if existed else None):
            module.atomic_move(temporary, full)
    finally:
        os.umask(umask)
    if mode is not None or not existed:
        os.chown(full, os.geteuid(), os.getegid())
        os.chmod(full, wanted)


@contextlib.contextmanager
def _narrowed(full: str, mode: int | None) -> Iterator[None]:
    """Take from a file what its successor shall not have: atomic_move lends it mode and owner for a moment."""
    before = None if mode is None else of(full)
    if before is None or mode is None or os.geteuid() not in (0, before[1]):
        yield
        return
    try:
        os.chmod(full, before[0] & mode)
        os.chown(full, os.geteuid(), os.getegid())
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # the first failure is the one to tell
            give(full, before)
        raise
