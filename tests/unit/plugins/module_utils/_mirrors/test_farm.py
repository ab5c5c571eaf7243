# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The farm as a program, as a scenario starts it on a host."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import farm


def test_it_runs_as_a_program_and_serves_a_folder(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a.txt").write_text("hello\n")
    members = [{"name": "a", "host": "127.0.0.2", "folder": str(tmp_path / "tree")}, {"name": "b", "kind": "dead"}]
    (tmp_path / "farm.json").write_text(json.dumps({"members": members}))
    words = ["--config", tmp_path / "farm.json", "--ready", tmp_path / "ready.json", "--log", tmp_path / "log"]
    # -I: only the standard library, whatever the environment offers
    with subprocess.Popen([sys.executable, "-I", farm.__file__, *words], stderr=subprocess.PIPE) as program:
        for _attempt in range(200):
            if (tmp_path / "ready.json").exists():
                break
            time.sleep(0.02)
        urls = json.loads((tmp_path / "ready.json").read_text())
        with urllib.request.urlopen(urls["a"] + "/a.txt", timeout=2) as answer:
            assert answer.read() == b"hello\n"
        for path in ("/missing", "/../farm.json", "/%2e%2e/farm.json"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(urls["a"] + path, timeout=2)
        program.send_signal(signal.SIGTERM)
        assert program.wait(5) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert lines[0]["path"] == "/a.txt" and len(lines) == 4


def test_a_misspelt_field_is_named() -> None:
    with pytest.raises(SystemExit, match="unknown field rat"):
        farm.load({"members": [{"name": "a", "rat": 1}]})


def test_it_sees_two_questions_at_once() -> None:
    """Else nothing that is gentle would be shown by it."""
    import threading

    with farm.Farm([farm.Member("a", delay=0.2)]) as mirrors:
        threads = [
            threading.Thread(target=lambda: urllib.request.urlopen(mirrors.url("a") + "/a.json", timeout=2).read())
            for _number in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert mirrors.tallies["a"].most == 3
