# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pty
import select
import sys
import threading
import time
from collections.abc import Iterator
from io import TextIOWrapper
from typing import TextIO

import pyte
import pytest
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils import progress_screen
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.progress.cells import Line


class Desk:
    """Both ends of a pseudo-terminal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.far, near = pty.openpty()
        self.near: TextIO = TextIOWrapper(os.fdopen(near, "wb", buffering=0), encoding="utf-8", write_through=True)
        self.screen = pyte.Screen(80, 24)
        self.stream = pyte.ByteStream(self.screen)
        self.lines: list[Line] = [[("one", "bold")], [("two", "red")]]
        self.thing = progress_screen.Screen(self.frame, self.near)

    def frame(self, now: float, columns: int, rows: int, moving: bool) -> list[Line]:
        return self.lines

    def open(self) -> None:
        """Within the test: pytest has streams of its own between its phases."""
        self.monkeypatch.setattr(sys, "stdout", self.near)
        self.monkeypatch.setattr(sys, "stderr", self.near)
        self.thing.open()

    def shown(self) -> list[str]:
        # a pseudo-terminal may hand on in pieces what was written at once
        while select.select([self.far], [], [], 0.1)[0]:
            self.stream.feed(os.read(self.far, 65536))
        return [line.rstrip() for line in self.screen.display if line.strip()]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    found = Desk(monkeypatch)
    # the thread draws only when a test says so
    monkeypatch.setattr(progress_screen, "INTERVAL", 3600)
    yield found
    found.thing.close()
    os.close(found.far)


def test_text_scrolls_above_the_picture(desk: Desk) -> None:
    desk.open()
    desk.thing.scroll([[("first", "")]])
    assert desk.shown() == ["first", "one", "two"]
    print("second, by print", file=sys.stdout)
    print("third, as a warning", file=sys.stderr)
    assert desk.shown() == ["first", "second, by print", "third, as a warning", "one", "two"]
    desk.lines = [[("only one", "")]]
    desk.thing.scroll([[("fourth", "")]])
    assert desk.shown()[-2:] == ["fourth", "only one"]
    assert desk.screen.cursor.y == 4


def test_half_a_line_waits_for_its_end(desk: Desk) -> None:
    desk.open()
    desk.thing.scroll([[("first", "")]])
    sys.stdout.write("half")
    assert desk.shown() == ["first", "one", "two"]
    sys.stdout.write(" whole\nrest")
    assert desk.shown() == ["first", "half whole", "one", "two"]
    desk.thing.close()
    assert desk.shown() == ["first", "half whole", "rest"]


def test_closing_takes_the_picture_away_and_gives_the_streams_back(desk: Desk) -> None:
    desk.open()
    desk.thing.scroll([[("first", "")]])
    assert sys.stdout is not desk.near
    desk.thing.close()
    assert desk.shown() == ["first"]
    assert sys.stdout is sys.stderr is desk.near
    print("after")
    assert desk.shown() == ["first", "after"]
    desk.thing.open()
    desk.thing.scroll([[("again", "")]])
    assert desk.shown() == ["first", "after", "again", "one", "two"]


def test_an_interrupted_run_keeps_the_last_picture(desk: Desk) -> None:
    desk.open()
    desk.thing.scroll([[("first", "")]])
    desk.thing.close(keep=True)
    print("after")
    assert desk.shown() == ["first", "one", "two", "after"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_of_a_fork_does_not_draw_and_is_not_locked_out(desk: Desk) -> None:
    desk.open()
    desk.thing.scroll([[("first", "")]])
    desk.shown()
    stop = threading.Event()

    def draw() -> None:
        while not stop.is_set():
            desk.thing.above("x\n")
            os.read(desk.far, 65536)

    busy = threading.Thread(target=draw, daemon=True)
    busy.start()
    for _number in range(50):
        child = os.fork()
        if child == 0:
            # would wait for ever, had the other thread held the lock during the fork
            with progress_screen.LOCK:
                desk.thing.close()
                os._exit(7 if sys.stdout is not desk.near else 1)
        until = time.monotonic() + 20
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < until:
            time.sleep(0.001)
        assert os.waitstatus_to_exitcode(ended[1]) == 7
        assert ended[0] == child
    stop.set()
    busy.join()


def test_colours_can_be_left_out() -> None:
    assert (
        progress_screen.paint([("a", "bold red"), ("b", "dim"), ("c", "")], False) == "\x1b[1ma\x1b[0m\x1b[2mb\x1b[0mc"
    )
    assert "31" in progress_screen.paint([("a", "bold red")], True)
