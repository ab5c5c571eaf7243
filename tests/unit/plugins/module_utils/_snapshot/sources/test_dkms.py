# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of dkms."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import dkms

MakeHost = Callable[[dict[str, Any]], Host]
BASE = "/var/lib/dkms/nvidia/580.95.05"
KERNEL = "6.8.0-87-generic"
TITLE = f"DKMS make.log for nvidia-580.95.05 for kernel {KERNEL} (x86_64)\n"
ERROR = f"{BASE}/build/nv.c:1:1: error: no\n"
SOURCE = {f"{BASE}/source/dkms.conf": ""}
MODULE = {f"{BASE}/{KERNEL}/x86_64/module/nvidia.ko.zst": ""}


def states(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(entry["name"], entry["version"], entry["kernel"], entry["arch"], entry["status"]) for entry in found]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, []),
        # not registered: what a removal left
        (MODULE, []),
        (SOURCE, [(None, None, "added")]),
        ({**SOURCE, **MODULE}, [(KERNEL, "x86_64", "built")]),
        # a folder without a module, a temporary one, and what is no kernel
        ({**SOURCE, f"{BASE}/{KERNEL}/x86_64/module/README": ""}, [(None, None, "added")]),
        ({**SOURCE, f"{BASE}/{KERNEL}/.tmp_x86_64_abc/module/nvidia.ko": ""}, [(None, None, "added")]),
        ({**SOURCE, f"{BASE}/tarball/x86_64/module/nvidia.ko": ""}, [(None, None, "added")]),
        ({**SOURCE, f"{BASE}/build/make.log": TITLE + ERROR}, [(KERNEL, "x86_64", "broken")]),
        ({**SOURCE, f"{BASE}/{KERNEL}/x86_64/log/make.log": ERROR}, [(KERNEL, "x86_64", "broken")]),
        # a power cut in the middle of a build: no title yet
        ({**SOURCE, f"{BASE}/build/make.log": ""}, [(None, None, "broken")]),
        # there is a module for that kernel, whatever the log says
        ({**SOURCE, **MODULE, f"{BASE}/build/make.log": TITLE + ERROR}, [(KERNEL, "x86_64", "built")]),
        (
            {**SOURCE, **MODULE, f"{BASE}/build/make.log": TITLE.replace(KERNEL, "6.11.0-9")},
            [(KERNEL, "x86_64", "built"), ("6.11.0-9", "x86_64", "broken")],
        ),
    ],
)
def test_states(host_of: MakeHost, files: dict[str, str], expected: list[tuple[Any, ...]]) -> None:
    host = host_of({"/x": "", **files})
    assert states(dkms.modules(host)) == [("nvidia", "580.95.05", *entry) for entry in expected]
    assert host.probes.status("dkms") == "ok"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (f"580.95.05/{KERNEL}/x86_64", "installed"),
        (f"{BASE}/{KERNEL}/x86_64", "installed"),
        # another version is the one that is installed
        (f"595.71.05/{KERNEL}/x86_64", "built"),
        (f"1580.95.05/{KERNEL}/x86_64", "built"),
    ],
)
def test_a_link_tells_what_is_installed(host_of: MakeHost, target: str, status: str) -> None:
    host = host_of({**SOURCE, **MODULE})
    os.symlink(target, host.path("/var/lib/dkms/nvidia") + f"/kernel-{KERNEL}-x86_64")
    assert [entry["status"] for entry in dkms.modules(host)] == [status]


def test_only_the_driver_of_nvidia(host_of: MakeHost) -> None:
    names = ("nvidia", "nvidia-current-open", "nvidia-tesla-535", "nvidia-fs", "virtualbox", "nvidia\nx")
    host = host_of({f"/var/lib/dkms/{name}/535.1/source/dkms.conf": "" for name in names})
    assert [entry["name"] for entry in dkms.modules(host)] == ["nvidia", "nvidia-current-open", "nvidia-tesla-535"]


def test_sources_that_lead_nowhere_are_registered_too(host_of: MakeHost) -> None:
    # the usual case below another root: the link says /usr/src/nvidia-580.95.05
    host = host_of({f"{BASE}/README": ""})
    os.symlink("/usr/src/nvidia-580.95.05", host.path(BASE) + "/source")
    assert [entry["status"] for entry in dkms.modules(host)] == ["added"]


def test_a_long_log_is_read_from_its_end(host_of: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    early = "early.c:1:1: error: early\n"
    filler = "  CC [M]  x.o\n" * 200000
    host = host_of({**SOURCE, f"{BASE}/build/make.log": TITLE + early + filler + ERROR})
    sizes: list[int] = []
    read_end = host.read_end

    def count(path: str, limit: int) -> tuple[bytes, bool]:
        sizes.append(limit)
        return read_end(path, limit)

    monkeypatch.setattr(host, "read_end", count)
    (entry,) = dkms.modules(host)
    assert entry["log"] == {"path": f"{BASE}/build/make.log", "errors": ["nv.c:1:1: error: no"], "kernel": KERNEL}
    assert sizes == [1024 * 1024]


def test_a_log_that_cannot_be_read_still_says_that_the_build_failed(
    host_of: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = host_of({**SOURCE, f"{BASE}/build/make.log": TITLE})

    def refuse(path: str, limit: int) -> tuple[bytes, bool]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(host, "read_end", refuse)
    (entry,) = dkms.modules(host)
    assert (entry["status"], entry["log"]["errors"], entry["kernel"]) == ("broken", [], None)


def test_a_fifo_in_place_of_a_log_does_not_block(host_of: MakeHost) -> None:
    host = host_of({**SOURCE, f"{BASE}/build/Makefile": ""})
    os.mkfifo(host.path(f"{BASE}/build") + "/make.log")
    assert [entry["status"] for entry in dkms.modules(host)] == ["broken"]


def test_the_number_of_entries_has_a_limit(host_of: MakeHost) -> None:
    host = host_of({f"/var/lib/dkms/nvidia/{number}.1/source/dkms.conf": "" for number in range(100)})
    assert len(dkms.modules(host)) == 60


def test_a_machine_whose_newest_kernel_got_no_module(root_of: Callable[[str], Path], runner: Runner) -> None:
    found = dkms.modules(Host(str(root_of("debian12_dkms_broken")), runner))
    assert [(entry["kernel"], entry["status"]) for entry in found] == [
        ("6.1.0-50-amd64", "installed"),
        ("6.12.107+deb12-amd64", "broken"),
    ]
    assert found[1]["log"]["errors"] == [
        "nvidia/nv-pci.c:186:9: error: too few arguments to function \u2018pci_resize_resource\u2019"
    ]
