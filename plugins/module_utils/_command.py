# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command with a time limit, in the C locale, and say plainly how it ended. Never raises."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple

# 8 MiB: `nvidia-smi -q -x` of a 16 GPU host is below 1 MiB
OUTPUT_CAP = 8 * 1024 * 1024

# GNU timeout ends with 124 after its limit; when it had to send KILL it dies of it too, which run_command gives as -9
# and a shell in between as 128+9 (coreutils manual, "timeout")
_RC_LIMIT = 124
_RC_KILLED = (-9, 137)

RunCommand = Callable[..., "tuple[int, Any, Any]"]


class CommandResult(NamedTuple):
    """How a command ended. `rc` is None unless the command itself gave one."""

    status: str  # ok | missing | denied | timeout | failed: the words of a snapshot probe
    rc: int | None
    stdout: str
    stderr: str
    ms: int
    error: str | None


def text(value: Any) -> str:
    """Return output as text. Bytes that are not UTF-8 are replaced, so that it can always become JSON."""
    if isinstance(value, bytes):
        return value[:OUTPUT_CAP].decode("utf-8", "replace")
    return str(value)[:OUTPUT_CAP].encode("utf-8", "replace").decode("utf-8")


class Runner:
    """Runs argument lists through an injected `run_command` (that of AnsibleModule)."""

    def __init__(self, run_command: RunCommand, timeout: int = 20, search: Sequence[str] | None = None) -> None:
        self._run_command = run_command
        self.timeout = timeout
        # sbin is often missing from the PATH of a non-login ssh session
        default = [*os.environ.get("PATH", "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
        self._search = [folder for folder in (default if search is None else search) if folder]

    def which(self, name: str) -> str | None:
        """Return the path of an executable, or None."""
        candidates = [name] if "/" in name else [os.path.join(folder, name) for folder in self._search]
        for path in candidates:
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
        return None

    def run(
        self, argv: Sequence[str], timeout: int | None = None, env: Mapping[str, str] | None = None
    ) -> CommandResult:
        """Run `argv`; its program is looked up in PATH unless it is a path."""
        began = time.monotonic()
        limit = self.timeout if timeout is None else timeout
        program = self.which(argv[0])
        if program is None:
            return CommandResult("missing", None, "", "", 0, f"{argv[0]}: no such program")
        limiter = self.which("timeout")
        full = [program, *argv[1:]]
        if limiter is not None:
            # -k: a program that ignores TERM gets KILL one second later
            full = [limiter, "-k", "1", str(limit), *full]
        try:
            rc, out, err = self._run_command(
                full,
                environ_update={"LC_ALL": "C", "LANGUAGE": "C", **(env or {})},
                encoding=None,
                expand_user_and_vars=False,
                handle_exceptions=False,
            )
        except PermissionError as exc:
            return CommandResult("denied", None, "", "", _since(began), f"{program}: {exc.strerror or exc}")
        except Exception as exc:
            return CommandResult("failed", None, "", "", _since(began), f"{program}: {exc}")
        return _judge(program, int(rc), text(out), text(err), _since(began), limit, limiter is not None)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _judge(program: str, rc: int, out: str, err: str, ms: int, limit: int, limited: bool) -> CommandResult:
    if limited and (rc == _RC_LIMIT or (rc in _RC_KILLED and ms >= limit * 1000)):
        return CommandResult("timeout", None, out, err, ms, f"{program} did not end within {limit} s")
    if rc != 0:
        return CommandResult(
            "failed", rc, out, err, ms, first_line(err) or first_line(out) or f"{program} ended with {rc}"
        )
    return CommandResult("ok", rc, out, err, ms, None)


def first_line(output: str, limit: int = 300) -> str | None:
    """Return the first line that is not blank, shortened to `limit` characters."""
    for line in output.splitlines():
        if line.strip():
            return line.strip()[:limit]
    return None
