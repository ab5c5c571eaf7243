# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program on a pseudo-terminal, and every picture that a person in front of it would have seen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyte


@dataclass
class Terminal:
    """`steps`: when a picture holds the text, do what comes with it; each once, in their order."""

    argv: list[str]
    environment: dict[str, str]
    columns: int = 80
    rows: int = 24
    steps: list[tuple[str, Callable[[Terminal], None]]] = field(default_factory=list)
    limit: float = 120.0

    def __post_init__(self) -> None:
        self.screen = pyte.Screen(self.columns, self.rows)
        self.raw = b""
        self.pictures: list[list[str]] = []
        self.status: int | None = None

    def run(self, folder: Path) -> Terminal:
        self.pid, self.handle = pty.fork()
        if self.pid == 0:
            try:
                # the size must be there before the program looks
                self._set_size(0)
                os.chdir(folder)
                os.execvpe(self.argv[0], self.argv, self.environment)
            finally:
                os._exit(127)
        stream = pyte.ByteStream(self.screen)
        began = time.monotonic()
        try:
            while time.monotonic() - began < self.limit:
                if not select.select([self.handle], [], [], 1.0)[0]:
                    continue
                try:
                    data = os.read(self.handle, 65536)
                except OSError:
                    # Linux's way to say that nobody has the other end open
                    break
                if not data:
                    break
                self.raw += data
                stream.feed(data)
                self._look()
            else:
                os.killpg(self.pid, signal.SIGKILL)
        finally:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self.handle)
        return self

    def _look(self) -> None:
        picture = [line.rstrip() for line in self.screen.display]
        if not self.pictures or picture != self.pictures[-1]:
            self.pictures.append(picture)
        if self.steps and self.steps[0][0] in "\n".join(picture):
            self.steps.pop(0)[1](self)

    def _set_size(self, handle: int) -> None:
        fcntl.ioctl(handle, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.screen.resize(rows, columns)
        self._set_size(self.handle)

    def type(self, keys: bytes) -> None:
        os.write(self.handle, keys)

    def answer(self, keys: bytes) -> None:
        """Type when each key is read: the module pause shows its question first, and throws away what comes before."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and termios.tcgetattr(self.handle)[3] & termios.ICANON:
            time.sleep(0.02)
        # the throwing away comes right after the change of the terminal's mode
        time.sleep(0.3)
        self.type(keys)

    @property
    def last(self) -> list[str]:
        return [line for line in self.pictures[-1] if line]

    def seen(self, *words: str) -> bool:
        """Whether all words stood on one line of some picture."""
        return any(all(word in line for word in words) for picture in self.pictures for line in picture)
