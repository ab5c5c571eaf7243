# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A live area at the end of a terminal, drawn by a thread of its own; everything else scrolls above it.

Ansible forks a worker for each task, and a child inherits locks as they are. So there is one lock, which the forking
thread holds during the fork, and nothing is drawn without it. Bytes go straight to the terminal: Python's own streams
have locks and buffers that a child would inherit, too.

The cursor is never hidden and no mode of the terminal is changed: a run that is killed leaves nothing to restore.
"""

from __future__ import annotations

import atexit
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.cells import Line, line_width

try:
    from rich.color import ColorSystem
    from rich.style import Style

    HAS_RICH = True
except ImportError:
    HAS_RICH = False

# Seconds between pictures
INTERVAL = 0.2
# One picture is shown at once where the terminal knows "synchronized output" (DEC mode 2026); others ignore it
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"
# Where a terminal does not tell its size
SIZE = os.terminal_size((80, 24))

LOCK = threading.RLock()
os.register_at_fork(before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=LOCK.release)

Frame = Callable[[float, int, int, bool], list[Line]]


def write_all(handle: int, data: bytes) -> None:
    """All of it, also to a terminal that a prompt has left in non-blocking mode."""
    while data:
        try:
            data = data[os.write(handle, data) :]
        except BlockingIOError:
            select.select([], [handle], [], 1.0)


def paint(line: Line, colours: bool) -> str:
    """The line with escape codes, as rich writes them."""
    parts = []
    for text, style in line:
        if style and not colours:
            # NO_COLOR is about colours: bold and dim stay
            style = " ".join(word for word in style.split() if word in ("bold", "dim"))
        parts.append(Style.parse(style).render(text, color_system=ColorSystem.STANDARD) if style else text)
    return "".join(parts)


def has_colours() -> bool:
    """no-color.org: a variable that is set and not empty."""
    return not os.environ.get("NO_COLOR")


class Above:
    """Stands in for sys.stdout or sys.stderr: whole lines go above the live area."""

    def __init__(self, screen: Screen, stream: TextIO) -> None:
        self._screen, self._stream, self._rest = screen, stream, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if os.getpid() != self._screen.pid:
            return self._stream.write(text)
        with LOCK:
            lines, newline, self._rest = (self._rest + text).rpartition("\n")
            if newline:
                self._screen.above(lines + newline)
        return len(text)

    def flush(self) -> None:
        """Nothing waits here, but for the beginning of a line."""

    def unfinished(self) -> str:
        rest, self._rest = self._rest, ""
        return rest


class Screen:
    """Shows what `frame(now, columns, rows, moving)` returns, until it is closed."""

    def __init__(self, frame: Frame, stream: TextIO | None = None, colours: bool = True) -> None:
        self._frame = frame
        self._stream = stream or sys.stdout
        self._handle = self._stream.fileno()
        self._colours = colours
        self._drawn: list[int] = []
        self._shown = ""
        self._streams: dict[str, Above] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.pid = os.getpid()

    # --- whole life -------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin to draw, or go on with it."""
        if self._thread is not None:
            return
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not None and stream.isatty():
                stream.flush()
                self._streams[name] = Above(self, stream)
                setattr(sys, name, self._streams[name])
        self._stop = threading.Event()
        # a daemon: a run that is interrupted must not wait for it
        self._thread = threading.Thread(target=self._tick, args=(self._stop,), daemon=True)
        self._thread.start()
        atexit.register(self.close, True)

    def close(self, keep: bool = False) -> None:
        """End it. With `keep` the last picture stays where it is, as a record."""
        if self._thread is None or os.getpid() != self.pid:
            return
        atexit.unregister(self.close)
        with LOCK:
            self._stop.set()
            self._thread = None
            rest = "".join(above.unfinished() for above in self._streams.values())
            for name, above in self._streams.items():
                # somebody may have put another stream in its place since
                if getattr(sys, name) is above:
                    setattr(sys, name, above._stream)
            self._streams = {}
            if keep:
                columns, rows = self._size()
                self._put("", self._frame(time.monotonic(), columns, rows, False))
                write_all(self._handle, (b"\r\n" if self._drawn else b"") + rest.encode("utf-8", "replace"))
            else:
                write_all(self._handle, (self._up() + ERASE_BELOW + rest).encode("utf-8", "replace"))
            self._drawn, self._shown = [], ""

    # --- drawing ----------------------------------------------------------------------------------------------------

    def above(self, text: str) -> None:
        """Whole lines that scroll, as they are."""
        with LOCK:
            if self._thread is None:
                write_all(self._handle, text.encode("utf-8", "replace"))
            else:
                self._draw(text)

    def scroll(self, lines: list[Line]) -> None:
        if lines:
            self.above("".join(paint(line, self._colours) + "\n" for line in lines))

    def _tick(self, stop: threading.Event) -> None:
        while not stop.wait(INTERVAL):
            with LOCK:
                if stop.is_set():
                    return
                self._draw("")

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._handle)
        except OSError:
            size = SIZE
        # the last column stays free: a terminal that has filled it is in doubt where the cursor is
        return (size.columns or SIZE.columns) - 1, size.lines or SIZE.lines

    def _draw(self, text: str) -> None:
        columns, rows = self._size()
        self._put(text, self._frame(time.monotonic(), columns, rows, True))

    def _put(self, text: str, lines: list[Line]) -> None:
        shown = f"{ERASE_LINE}\r\n".join(paint(line, self._colours) for line in lines)
        if not text and shown == self._shown:
            return
        # a terminal in raw mode makes no carriage return of its own
        text = (ERASE_BELOW + text.replace("\r\n", "\n").replace("\n", f"{ERASE_LINE}\r\n")) if text else ""
        picture = f"{BEGIN}{self._up()}{text}{shown}{ERASE_LINE}{ERASE_BELOW}{END}"
        self._drawn, self._shown = [line_width(line) for line in lines], shown
        write_all(self._handle, picture.encode("utf-8", "replace"))

    def _up(self) -> str:
        """To the first cell of the last picture; lines that a narrower terminal has wrapped count as several."""
        if not self._drawn:
            return ""
        columns = max(1, self._size()[0] + 1)
        lines = sum(max(1, -(-cells // columns)) for cells in self._drawn) - 1
        return f"\x1b[{lines}A\r" if lines else "\r"
