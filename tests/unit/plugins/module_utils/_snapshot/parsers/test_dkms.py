# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The make.log of dkms."""

from __future__ import annotations

import time

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.parsers import dkms
from hypothesis import given
from hypothesis import strategies as st

BUILD = "/var/lib/dkms/nvidia-current/550.163.01/build"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "DKMS make.log for nvidia-current-550.163.01 for kernel 6.12.107-amd64 (x86_64)",
            ("6.12.107-amd64", "x86_64"),
        ),
        (
            "DKMS (dkms-3.2.2) make.log for nvidia/580.95.05 for kernel 5.14.0-503.el9.aarch64+64k (aarch64)",
            ("5.14.0-503.el9.aarch64+64k", "aarch64"),
        ),
        ("make -j2 KERNELRELEASE=6.1", None),
        ("", None),
    ],
)
def test_the_kernel_is_in_the_title(line: str, expected: tuple[str, str] | None) -> None:
    assert dkms.title(f"{line}\nSat Nov 21 23:41:07 UTC 2026\n") == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # what the compiler says comes before what make says of it
        (
            [
                "make[1]: *** [Makefile:1: x.o] Error 1",
                f"{BUILD}/nvidia/nv-pci.c:186:9: error: too few arguments to function \u2018pci_resize_resource\u2019",
                f"{BUILD}/nvidia/nv.c:1:1: warning: this is an error: no",
            ],
            ["nvidia/nv-pci.c:186:9: error: too few arguments to function \u2018pci_resize_resource\u2019"],
        ),
        (["nv.c:3:10: fatal error: linux/x.h: No such file or directory"] * 3, None),
        (
            ["ERROR: modpost: GPL-incompatible module nvidia.ko uses GPL-only symbol '__rcu_read_lock'"],
            None,
        ),
        (["cc1: error: x"] + [f"a.c:{number}:1: error: {number}" for number in range(9)], 5),
        (["  CC [M] a.o", "make: *** [Makefile:82: modules] Error 2"], 1),
        (["*** Failed CC version check. Bailing out! ***"], None),
        (["Error! Your kernel headers for kernel 6.1 cannot be found."], None),
        (["  CC [M] a.o", "all is well"], []),
        # a command line is no error
        (["gcc -Werror=date-time -c error.c"], []),
    ],
)
def test_what_stopped_a_build(lines: list[str], expected: list[str] | int | None) -> None:
    found = dkms.errors("\n".join(lines) + "\n")
    if expected is None:
        assert found == list(dict.fromkeys(lines))
    elif isinstance(expected, int):
        assert len(found) == expected
    else:
        assert found == expected


def test_a_line_is_cut_made_plain_and_without_secrets() -> None:
    (long,) = dkms.errors(f"a.c:1:1: error: \x1b[1m{'x' * 5000}\n")
    assert (len(long), long.isprintable()) == (200, True)
    (masked,) = dkms.errors("a.c:1:1: error: cannot get https://me:hunter2@mirror.example.org/x\n")
    assert "hunter2" not in masked


def test_half_a_line_at_the_start_is_no_line() -> None:
    text = "half.c:1:1: error: half\nwhole.c:1:1: error: whole\n"
    assert dkms.errors(text, whole=False) == ["whole.c:1:1: error: whole"]
    assert len(dkms.errors(text)) == 2


@given(st.lists(st.one_of(st.text(), st.sampled_from(["a: error: b", "make: *** x", "Error! y"]))).map("\n".join))
def test_anything_is_a_log(text: str) -> None:
    found = dkms.errors(text)
    assert len(found) <= dkms.MOST
    assert all(len(line) <= 200 and line.isprintable() for line in found)
    assert len(set(found)) == len(found)
    dkms.title(text)


def test_a_log_of_the_greatest_length_costs_little() -> None:
    text = "  CC [M]  /var/lib/dkms/nvidia/580.95.05/build/nvidia/nv-pci.o\n" * 16000
    began = time.process_time()
    assert dkms.errors(text + "a.c:1:1: error: no\n" * 9) == ["a.c:1:1: error: no"]
    # 2 ms where nobody else works
    assert time.process_time() - began < 0.2


def test_a_log_that_says_one_thing_a_thousand_times() -> None:
    text = "x: error: warned\n" * 5000 + "make: *** [all] Error 2\n"
    assert dkms.errors(text) == ["x: error: warned"]
