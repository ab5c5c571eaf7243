# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small tools of the probe that runs inside containers (bundle.py): nothing newer than Python 3.6."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from typing import Any, Callable

TEXT_CAP = 262144

# Up to the last "@": a password that was not percent-encoded may hold "@" and "/". A whole host name before
# the first "/" makes an "@" behind it one of the path (https://HOST/@scope), with a port only right behind a "/": for
# HOST:8080/x@y may be USER:PASSWORD@HOST. Bounded: a long text without "@" would take quadratic time.
USERINFO = re.compile(
    r"(?<=://)(?!(?:\[[^\s\"'\]]{0,99}\](?::\d+)?|[^\s\"'/@:]*)/)(?![^\s\"'/@:]*:\d+/(?:[^\s\"'@]{0,999}/)?@)"
    r"[^\s\"']{0,999}(?=@)"
)


def attempt(errors: dict[str, list[str]], name: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what `call` gives; None, and why, if it raises. Only system errors are quoted: others may hold values."""
    try:
        return call(*arguments)
    except PermissionError as exc:
        errors[name] = ["denied", str(exc)]
    except FileNotFoundError as exc:
        errors[name] = ["missing", str(exc)]
    except subprocess.TimeoutExpired as exc:
        errors[name] = ["timeout", f"no end within {exc.timeout} s"]
    except OSError as exc:
        errors[name] = ["failed", str(exc)]
    except ValueError as exc:
        errors[name] = ["unparsable", type(exc).__name__]
    except Exception as exc:
        errors[name] = ["failed", type(exc).__name__]
    return None


def read_text(path: str) -> str:
    """Return the content of a file, at most 256 KiB."""
    with open(path, "rb") as handle:
        return handle.read(TEXT_CAP).decode("utf-8", "replace")


def text_or_none(path: str) -> str | None:
    """Return the stripped content of a file, or None."""
    try:
        return read_text(path).strip()
    except OSError:
        return None


def folder_names(path: str) -> list[str]:
    """Return the sorted names in a folder; none if it cannot be read."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def program(name: str, path: str) -> str | None:
    """Return where a program lies in a PATH."""
    for folder in path.split(":"):
        full = os.path.join(folder, name)
        if folder and os.path.isfile(full) and os.access(full, os.X_OK):
            return full
    return None


def run_program(argv: Sequence[str], limit: float, env: Any = None) -> tuple[int, str, str]:
    """Run a command without input and return (rc, stdout, stderr)."""
    with open(os.devnull, "rb") as nothing:
        # pylint: disable-next=ansible-bad-function  # runs in the container, where there is no AnsibleModule
        child = subprocess.Popen(
            list(argv), stdin=nothing, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, start_new_session=True
        )
    try:
        out, err = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        # not waited for: in uninterruptible sleep it would not die
        child.kill()
        raise
    return child.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def mask_url(value: str) -> str:
    """Return a URL without user, password, query and fragment: any of them may hold a token."""
    value = USERINFO.sub("***", value.strip())
    # conda's channels take a token as "/t/TOKEN/" in the path
    value = re.sub(r"/t/[^/]+", "/t/***", value)
    return re.split(r"[?#]", value)[0][:300]


def environ_of(pid: int) -> dict[str, str]:
    """Return the environment of a process."""
    with open(f"/proc/{pid}/environ", "rb") as handle:
        text = handle.read(TEXT_CAP).decode("utf-8", "surrogateescape")
    return pairs_of(text)


def pairs_of(text: str) -> dict[str, str]:
    """Parse NAME=value pairs that end in zero bytes."""
    parts = [entry.partition("=") for entry in text.split("\0") if "=" in entry]
    return {name: value for name, _equals, value in parts}
