# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the kernel's log is read from, and what it is called when nobody lets us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import kernel_log

MakeHost = Callable[[dict[str, Any]], Host]
Answers = dict[str, tuple[int, bytes, bytes]]
XID = b"NVRM: Xid (PCI:0000:53:00): 13, pid=7, name=python3, x\n"
QUIET = b"1795305300.1 kernel: a\n1795305301.1 kernel: b\n1795305302.1 kernel: c\n"
HINT = b"Hint: You are currently not seeing messages from other users and the system.\n"
REFUSED = (1, b"", b"dmesg: read kernel buffer failed: Operation not permitted\n")


def host(tmp_path: Path, answers: Answers) -> tuple[Host, list[str]]:
    calls: list[str] = []

    def run(argv: list[str], **options: Any) -> tuple[int, bytes, bytes]:
        words = [Path(argv[0]).name, *argv[1:]]
        calls.append(" ".join(words))
        return next((answers[key] for key in (calls[-1], words[0]) if key in answers), (127, b"", b"no"))

    for name in {key.split()[0] for key in answers}:
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    return Host("/", Runner(run, 5, search=[str(tmp_path)])), calls


def test_the_journal_comes_first(tmp_path: Path) -> None:
    machine, calls = host(tmp_path, {"journalctl": (0, QUIET + b"1795305303.5 kernel: " + XID, b""), "dmesg": REFUSED})
    found = kernel_log.section(machine)
    assert (found["source"], found["since"], found["truncated"]) == ("journalctl", "2026-11-21T23:55:00Z", False)
    assert [(hit["signature"], hit["code"], hit["time"]) for hit in found["hits"]] == [
        ("xid", 13, "2026-11-21T23:55:03Z")
    ]
    assert len(calls) == 1
    assert " -b " in calls[0] and " -k " in calls[0]
    assert machine.probes.status("kernel_log") == "ok"


def test_a_full_answer_is_called_truncated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_log, "_LINES", 3)
    machine, _calls = host(tmp_path, {"journalctl": (0, QUIET, b"")})
    assert kernel_log.section(machine)["truncated"] is True


@pytest.mark.parametrize("journal", [(0, b"-- No entries --\n", HINT), (1, b"", b"No journal files were found.\n")])
def test_dmesg_comes_next(tmp_path: Path, journal: tuple[int, bytes, bytes]) -> None:
    text = b"2026-11-21T23:55:00,1+00:00 Linux version 6.8.0\n2026-11-21T23:55:09,1+00:00 " + XID
    machine, _calls = host(tmp_path, {"journalctl": journal, "dmesg --time-format iso": (0, text, b"")})
    found = kernel_log.section(machine)
    assert (found["source"], found["since"], found["truncated"]) == ("dmesg", "2026-11-21T23:55:00Z", False)
    assert found["hits"][0]["time"] == "2026-11-21T23:55:09Z"


def test_a_dmesg_without_the_option(tmp_path: Path) -> None:
    answers = {"dmesg --time-format iso": (1, b"", b"unrecognized option\n"), "dmesg": (0, b"[ 5.0] " + XID, b"")}
    machine, calls = host(tmp_path, answers)
    found = kernel_log.section(machine)
    assert calls == ["dmesg --time-format iso", "dmesg"]
    assert found["hits"][0]["code"] == 13
    # the first line of this boot is gone
    assert found["truncated"] is True


def test_refused_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_log, "_FILES", ())
    machine, _calls = host(tmp_path, {"journalctl": (0, b"-- No entries --\n", HINT), "dmesg": REFUSED})
    assert kernel_log.section(machine) == kernel_log.EMPTY
    probe = machine.probes.as_dict()["kernel_log"]
    assert probe["status"] == "denied"
    assert probe["error"]


def test_no_log_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host_of: MakeHost) -> None:
    monkeypatch.setattr(kernel_log, "_FILES", ())
    machine, _calls = host(tmp_path, {})
    assert kernel_log.section(machine)["source"] is None
    assert machine.probes.status("kernel_log") == "missing"
    other = host_of({"/x": ""})
    assert kernel_log.section(other)["source"] is None
    assert other.probes.status("kernel_log") == "missing"


def test_a_log_below_another_root(host_of: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    line = b"2026-11-21T23:55:00.1+00:00 gpu1 kernel: "
    found = kernel_log.section(host_of({"/var/log/kern.log": line + XID, "/dmesg": "older\n"}))
    assert (found["source"], len(found["hits"])) == ("/var/log/kern.log", 1)
    # the end of a long log counts
    monkeypatch.setattr(kernel_log, "_TAIL", 200)
    found = kernel_log.section(host_of({"/var/log/kern.log": line + b"x\n" + (line + b"old\n") * 50 + line + XID}))
    assert (len(found["hits"]), found["truncated"]) == (1, True)
