# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forward proxy of a sandbox host (tasks/proxy.yml), seen by its log; and who shows its password."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine import Machine

PORT = 3128
# of no other test: command lines of all scenarios are looked at
PASSWORD = "sealed-lips"
# finds it, and is not it
PATTERN = PASSWORD[:-1] + f"[{PASSWORD[-1]}]"
UNIT = "sandbox-proxy"


def address(host: str) -> str:
    """The proxy as an inventory names it."""
    return f"http://ada:{PASSWORD}@{host}:{PORT}"


def log(machine: Machine) -> list[str]:
    """What the proxy was asked for: METHOD ADDRESS."""
    # sed, and not grep: a log without requests is no fault
    pick = "sed -n 's/.*Request (file descriptor [0-9]*): \\(.*\\) HTTP.*/\\1/p'"
    return machine.sh(f"journalctl -u {UNIT} -o cat --no-pager | {pick}").splitlines()


@contextmanager
def stopped(machine: Machine) -> Iterator[None]:
    machine.sh(f"systemctl stop {UNIT}")
    try:
        yield
    finally:
        machine.sh(f"systemctl start {UNIT}")
        machine.sh(
            f"for n in $(seq 100); do (: < /dev/tcp/127.0.0.1/{PORT}) 2>/dev/null && exit 0; sleep 0.1; done; exit 1"
        )


class Watch:
    """Looks at all command lines of this machine, those of its containers among them, again and again."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_why: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.03):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue  # it has ended
