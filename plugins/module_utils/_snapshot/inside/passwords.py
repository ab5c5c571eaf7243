# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a user of the container have a password that stands in a tutorial? Part of the probe (bundle.py): Python 3.6.

Each candidate is hashed with the setting of the user's own hash and compared; no password and no hash is returned.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import threading
import time
from typing import Any

from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.inside.tools import read_text

# From Dockerfiles in tutorials: the first two of a blog on Docker for deep learning, the third of a guide to LLM
# deployment, "screencast" of Docker's former example of an ssh service; the rest is what images and people use first.
# The user's own name is tried, too.
TUTORIAL_PASSWORDS = (
    "P@ssw0rd",
    "P@ssw0rd!",
    "yourpassword",
    "screencast",
    "root",
    "password",
    "123456",
    "12345678",
    "admin",
    "docker",
    "jupyter",
    "changeme",
)
# libxcrypt's struct crypt_data has 32 KiB, that of older glibc 128 KiB
_CRYPT_DATA = 1 << 18
_CRYPT_SECONDS = 1.5


def known_passwords(path: str = "/etc/shadow") -> list[str]:
    """Return the users whose password is one of the candidates."""
    hashes = []
    for line in read_text(path).splitlines():
        fields = line.split(":")
        # "", "*" and "!..." let nobody in: sshd refuses empty passwords unless told otherwise
        if len(fields) > 1 and fields[1].startswith("$"):
            hashes.append((fields[0], fields[1]))
    if not hashes:
        return []
    work = [(user, known, word) for user, known in hashes for word in (*TUTORIAL_PASSWORDS, user)]
    return sorted(_crypt_all(_crypt_function(), work))


def _crypt_function() -> Any:
    for name in ("libcrypt.so.1", "libcrypt.so.2", ctypes.util.find_library("crypt"), None):
        try:
            function = ctypes.CDLL(name).crypt_r
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_char_p
        function.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
        return function
    raise FileNotFoundError("no library with crypt_r")


def _crypt_all(function: Any, work: list[tuple[str, str, str]]) -> set[str]:
    """Try all, in two threads: one hash costs 2 to 30 ms, and ctypes lets the other thread work meanwhile."""
    todo = list(reversed(work))
    hits: set[str] = set()
    failed: list[str] = []
    end = time.time() + _CRYPT_SECONDS

    def body() -> None:
        data = ctypes.create_string_buffer(_CRYPT_DATA)
        while todo:
            try:
                user, known, word = todo.pop()
            except IndexError:
                return
            if user in hits:
                continue
            if time.time() > end:
                failed.append("late")
                return
            ctypes.memset(data, 0, _CRYPT_DATA)
            answer = function(word.encode(), known.encode(), data)
            # "*0": the library does not know this kind of hash
            if answer is None or answer.startswith(b"*"):
                failed.append("kind")
            elif answer == known.encode():
                hits.add(user)

    threads = [threading.Thread(target=body) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed and not hits:
        raise OSError(
            "not every password could be tried in time" if "late" in failed else "a kind of hash is not known"
        )
    return hits
