# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, restart and stop docker.service, see that the daemon answers, and say in its own words why it does not."""

from __future__ import annotations

import os
import re
import socket
import time

from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner, first_line

UNIT = "docker.service"
SOCKET = "/run/docker.sock"
_LEVEL = re.compile(r"\blevel=(?:error|fatal)\b.*?\bmsg=(\"(?:[^\"\\]|\\.)*\"|\S+)")
# 20.10 ends with a plain line, newer engines with a structured one or with "failed to ..."
_PLAIN = re.compile(r"^(?:failed to |unable to |Error |error |Status: |invalid |unknown flag|panic: )", re.IGNORECASE)
_WORDS = 3


class Service:
    """docker.service. No method raises; a failure is a text."""

    def __init__(self, runner: Runner, timeout: int) -> None:
        self._runner = runner
        self._timeout = timeout

    def go(self, verb: str, read_units: bool = False) -> str:
        """`start` or `restart`; what went wrong in the daemon's own words, or an empty string when it answers."""
        began = time.time()
        if read_units:
            self._systemctl("daemon-reload")
        # What was tried before, perhaps by somebody else, must not count against us: systemd's start limit
        self._systemctl("reset-failed", UNIT, "docker.socket")
        result = self._runner.run(["systemctl", verb, UNIT], timeout=self._timeout)
        if result.status == "ok":
            return "" if self._answers(began + self._timeout) else self._late(began)
        if result.status == "timeout":
            return self._late(began)
        return self.words(began) or first_line(result.stderr) or f"systemctl {verb} {UNIT} ended with {result.rc}"

    def stop(self) -> None:
        """Stop the daemon and the restarts that systemd tries by itself; the socket would start it again."""
        self._systemctl("stop", "docker.socket", UNIT)

    def words(self, since: float) -> str:
        """The last errors that the daemon itself logged since then (seconds of the host's clock)."""
        # by the field and not by -u, which adds what systemd says of the unit
        argv = [
            "journalctl",
            f"_SYSTEMD_UNIT={UNIT}",
            "--since",
            f"@{int(since)}",
            "-o",
            "cat",
            "--no-pager",
            "-n",
            "300",
        ]
        return "; ".join(errors(self._runner.run(argv).stdout))

    def _late(self, began: float) -> str:
        said = self.words(began)
        return f"it did not answer within {self._timeout} s" + (f"; it says: {said}" if said else "")

    def _systemctl(self, *words: str) -> None:
        self._runner.run(["systemctl", *words], timeout=self._timeout)

    def _answers(self, deadline: float) -> bool:
        """Wait until the daemon answers at its socket. Where the service has no such socket, being started must do."""
        while True:
            if not os.path.exists(SOCKET) or _ping(SOCKET):
                return True
            if time.time() > deadline:
                return False
            time.sleep(0.2)


def errors(log: str) -> list[str]:
    """The last different errors of a daemon's log, the final one last."""
    found: list[str] = []
    for line in log.splitlines():
        match = _LEVEL.search(line)
        text = line.strip()
        if match is not None:
            rest = line[match.end() :].strip()  # such as driver=overlay3
            text = match.group(1).strip('"').replace('\\"', '"') + (f" ({rest})" if rest else "")
        elif not _PLAIN.match(text):
            continue
        text = text[:500].rstrip(".")
        if text in found:  # systemd has tried more than once
            found.remove(text)
        found.append(text)
    return found[-_WORDS:]


def _ping(path: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(5)
            link.connect(path)
            link.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in link.recv(64)
    except OSError:
        return False
