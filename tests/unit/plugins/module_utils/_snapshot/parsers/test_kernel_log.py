# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel messages about GPUs, in every form in which logs come."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import kernel_log as parse
from hypothesis import given
from hypothesis import strategies as st

XID = "NVRM: Xid (PCI:0000:53:00): 79, pid=1234, name=python3, GPU has fallen off the bus."


def one(text: str) -> dict[str, Any]:
    (hit,) = parse.parse(text)["hits"]
    return hit


@pytest.mark.parametrize(
    ("line", "when"),
    [
        (f"1795305300.123456 kernel: {XID}", "2026-11-21T23:55:00Z"),
        (f"2026-11-21T23:55:00,123456+00:00 {XID}", "2026-11-21T23:55:00Z"),
        (f"2026-11-22T07:55:00.123456+08:00 gpu1 kernel: {XID}", "2026-11-21T23:55:00Z"),
        (f"2026-11-21T18:25:00.1-05:30 gpu1 kernel: [  12.5] {XID}", "2026-11-21T23:55:00Z"),
        (f"[ 300.000000] {XID}", "2026-11-21T23:55:00Z"),
        (f"[ 300.000000][ T1234] {XID}", "2026-11-21T23:55:00Z"),
        # neither year nor zone
        (f"Nov 21 23:55:00 gpu1 kernel: [  300.123456] {XID}", "2026-11-21T23:55:00Z"),
        (f"Nov  1 23:55:00 gpu1 kernel: {XID}", None),
        (XID, None),
    ],
)
def test_forms(line: str, when: str | None) -> None:
    (hit,) = parse.parse(f"noise\n{line}\nnoise\n", boot=1795305000)["hits"]
    assert hit == {
        "signature": "xid",
        "time": when,
        "bdf": "0000:53:00.0",
        "code": 79,
        "text": XID,
        "pid": 1234,
        "process": "python3",
        "count": 1,
    }


@pytest.mark.parametrize(
    ("message", "signature", "bdf", "code", "process"),
    [
        ("NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has", "xid", "0000:3b:00.0", 79, None),
        ("NVRM: Xid (PCI:0000:3b:00): 31, pid=7, Ch 00000008, intr", "xid", "0000:3b:00.0", 31, None),
        ("NVRM: Xid (0000:04:00): 13, Graphics Exception", "xid", "0000:04:00.0", 13, None),
        ("NVRM: Xid (PCI:00010000:04:00.0): 154, GPU recovery action changed", "xid", "10000:04:00.0", 154, None),
        ("nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 12028, Non-fatal, Link 32", "sxid", "0000:c1:00.0", 12028, None),
        ("NVRM: The NVIDIA probe routine was not called for 1 device(s).", "probe", None, None, None),
        ("NVRM: None of the NVIDIA devices were initialized.", "none", None, None, None),
        ("NVRM: No NVIDIA GPU found.", "none", None, None, None),
        ("NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x24:0x65:1423)", "rminit", "0000:01:00.0", None, None),
        ("NVRM: GPU 0000:01:00.0: Cannot initialize GSP firmware RM", "gsp", "0000:01:00.0", None, None),
        ("NVRM: GPU at PCI:0000:02:00: GPU has fallen off the bus.", "bus", "0000:02:00.0", None, None),
        ("Loading of module with unavailable key is rejected", "key", None, None, None),
        ("modprobe: ERROR: could not insert 'nvidia': Key was rejected by service", "key", None, None, None),
        (
            "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7",
            "key",
            None,
            None,
            None,
        ),
        (
            "pci 0000:01:00.0: 63.008 Gb/s available PCIe bandwidth, limited by 8.0 GT/s PCIe x8 link at 0000:00:01.0 "
            "(capable of 252.048 Gb/s with 16.0 GT/s PCIe x16 link)",
            "limit",
            "0000:01:00.0",
            None,
            None,
        ),
        (
            "nvidia 0000:01:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)",
            "aer",
            "0000:01:00.0",
            None,
            None,
        ),
        (
            "pcieport 0000:00:01.0: AER: PCIe Bus Error: severity=Uncorrectable (Fatal), type=Transaction Layer",
            "aer",
            "0000:00:01.0",
            None,
            None,
        ),
        ("Out of memory: Killed process 4242 (python3.12) total-vm:9kB", "oom", None, None, "python3.12"),
    ],
)
def test_signatures(message: str, signature: str, bdf: str | None, code: int | None, process: str | None) -> None:
    hit = one(f"1795305300.1 kernel: {message}\n")
    assert (hit["signature"], hit["bdf"], hit["code"], hit["process"]) == (signature, bdf, code, process)


@pytest.mark.parametrize(
    "message",
    [
        "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.159.03",
        "module verification failed: signature and/or required key missing - tainting kernel",
        "nvidia: module license 'NVIDIA' taints kernel.",
        "pci 0000:01:00.0: 252.048 Gb/s available PCIe bandwidth (16.0 GT/s PCIe x16 link)",
        "Out of memory: Killed process 4242 (bash) total-vm:9kB",
        "Memory cgroup out of memory: Killed process 4242 (python3)",
        "pcieport 0000:00:01.0: AER: enabled with IRQ 29",
    ],
)
def test_ordinary_lines_are_no_hits(message: str) -> None:
    assert parse.parse(f"1795305300.1 kernel: {message}\n")["hits"] == []


def test_messages_of_several_lines() -> None:
    lines = [
        "NVRM: The NVIDIA GPU 0000:b3:00.0",
        "NVRM: (PCI ID: 10de:26b5) installed in this system has",
        "NVRM: fallen off the bus and is not responding to commands.",
        "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:",
        "NVRM: BAR1 is 0M @ 0x0 (PCI:0000:17:00.0)",
        "NVRM: API mismatch: the client 'nvidia-smi' (pid 77)",
        "NVRM: has the version 580.95.05, but this kernel module has",
        "NVRM: the version 580.82.07.  Please make sure that this",
    ]
    bus, region, api = parse.parse("\n".join(f"1795305300.1 kernel: {line}" for line in lines))["hits"]
    assert (bus["signature"], bus["bdf"]) == ("bus", "0000:b3:00.0")
    assert (region["signature"], region["bdf"]) == ("bar", "0000:17:00.0")
    assert "BAR1 is 0M" in region["text"]
    assert (api["signature"], api["pid"], api["process"]) == ("api", 77, "nvidia-smi")
    assert "580.95.05" in api["text"] and "580.82.07" in api["text"]


def test_identical_hits_are_one_with_the_last_time() -> None:
    lines = [f"{1795305300 + number}.0 kernel: {XID}, Ch {number:08x}" for number in range(5)]
    lines.append(f"1795305400.0 kernel: {XID.replace('1234', '99')}")
    first, second = parse.parse("\n".join(lines))["hits"]
    assert (first["count"], first["time"], first["pid"]) == (5, "2026-11-21T23:55:04Z", 1234)
    assert (second["count"], second["pid"]) == (1, 99)


def test_lines_that_are_the_same_word_for_word() -> None:
    line = "nvidia 0000:01:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)"
    for form, first in (("{} kernel: {}", 1795305300), ("[  {}.5] {}", 300)):
        text = "\n".join(form.format(first + number, line) for number in range(4))
        (hit,) = parse.parse(text, boot=1795305000)["hits"]
        assert (hit["count"], hit["time"], hit["text"]) == (4, "2026-11-21T23:55:03Z", line)


def test_the_same_words_about_two_gpus_are_two_hits() -> None:
    text = "\n".join(
        line
        for bdf in ("0000:01:00.0", "0000:02:00.0")
        for line in (f"NVRM: The NVIDIA GPU {bdf}", "NVRM: fallen off the bus and is not responding to commands.")
    )
    assert [hit["bdf"] for hit in parse.parse(text)["hits"]] == ["0000:01:00.0", "0000:02:00.0"]


def test_at_most_200_of_a_kind() -> None:
    lines = [f"NVRM: Xid (PCI:0000:01:00): 13, pid={number}, name=x" for number in range(300)]
    lines.append("NVRM: Xid (PCI:0000:01:00): 13, pid=5, name=x")
    lines.append("NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x1:0x2:3)")
    found = parse.parse("\n".join(lines))
    assert found["truncated"] is True
    assert len(found["hits"]) == 201
    assert found["hits"][5]["count"] == 2
    assert parse.parse("\n".join(lines[:200]))["truncated"] is False


def test_a_log_of_several_boots_is_cut() -> None:
    old = "Nov 20 08:00:00 h kernel: [    0.000000] Linux version 6.1 (x)\nNov 20 08:00:01 h kernel: " + XID
    new = "Nov 21 08:00:00 h kernel: [    0.000000] Linux version 6.1 (x)\nNov 21 08:00:01 h kernel: fine"
    assert parse.parse(parse.this_boot(f"{old}\n{new}\n"))["hits"] == []
    assert len(parse.parse(parse.this_boot(f"{new}\n{old}\n"))["hits"]) == 1
    assert parse.this_boot("no boot here\n") == "no boot here\n"


def test_start_is_the_first_line_with_a_time() -> None:
    assert parse.start("-- Boot --\n1795305300.1 kernel: a\n1795305400.1 kernel: b\n") == "2026-11-21T23:55:00Z"
    assert parse.start("nothing") is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("0000:53:00", "0000:53:00.0"), ("53:00.1", "0000:53:00.1"), ("00000000:C1:00.0", "0000:c1:00.0"), ("x", None)],
)
def test_bdf(text: str, wanted: str | None) -> None:
    assert parse.bdf(text) == wanted


def test_no_password_leaves_with_a_line() -> None:
    assert "hunter2" not in one("NVRM: GPU 0000:01:00.0: RmInitAdapter failed! http://me:hunter2@host/")["text"]


def test_a_bus_full_of_errors_is_read_quickly() -> None:
    line = "1795305300.123456 kernel: pcieport 0000:00:01.0: AER: Corrected error message received from 0000:01:00.0\n"
    error = "1795305300.2 kernel: nvidia 0000:01:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (x)\n"
    text = (line + error) * 15000 + f"1795305300.1 kernel: {XID}\n"
    began = time.process_time()
    assert [hit["count"] for hit in parse.parse(text)["hits"]] == [15000, 1]
    # 20 ms where nobody else works
    assert time.process_time() - began < 0.3


WORDS = st.sampled_from(
    ["NVRM: Xid (PCI:", "0000:01:00", "): ", "79", ", pid=", "1", "NVRM:", "PCIe Bus Error", "\n", "[ 1.2] "]
)


@given(st.one_of(st.text(), st.lists(st.one_of(WORDS, st.text(max_size=4))).map("".join)))
def test_no_text_makes_it_raise(text: str) -> None:
    for hit in parse.parse(text, boot=1.5)["hits"]:
        assert hit["count"] >= 1
    parse.start(text, 1)
    parse.this_boot(text)
    parse.bdf(text)
    parse.boot_time(text)
