# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._gpu_holders import (
    Holder,
    Kernel,
    KernelModule,
    blockers,
    is_ours,
    part,
    proc_modules,
    removal_order,
    version,
)
from hypothesis import given
from hypothesis import strategies as st

NAME = st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True)
MODULES = st.dictionaries(NAME, st.tuples(st.integers(0, 99), st.lists(NAME, max_size=3)), max_size=5)
TEXT = """\
nvidia_uvm 1540096 4 - Live 0x0000000000000000
nvidia_drm 77824 0 - Live 0x0000000000000000
nvidia_modeset 1306624 1 nvidia_drm, Live 0x0000000000000000
nvidia 56717312 7 nvidia_uvm,nvidia_modeset, Live 0x0000000000000000 (POE)
nouveau 2433024 1 - Live 0x0000000000000000
"""


def test_proc_modules() -> None:
    found = proc_modules(TEXT)
    assert found["nvidia"] == KernelModule("nvidia", 7, ("nvidia_uvm", "nvidia_modeset"))
    assert found["nvidia_drm"] == KernelModule("nvidia_drm", 0, ()) and "nouveau" in found


@given(MODULES)
def test_proc_modules_reads_what_the_kernel_writes(modules: dict[str, tuple[int, list[str]]]) -> None:
    text = "".join(
        f"{name} 4096 {users} {''.join(h + ',' for h in holders) or '-'} Live 0x0\n"
        for name, (users, holders) in modules.items()
    )
    assert proc_modules(text) == {name: KernelModule(name, u, tuple(h)) for name, (u, h) in modules.items()}


@given(st.text())
def test_proc_modules_takes_any_text(text: str) -> None:
    proc_modules(text)
    version(text)


@pytest.mark.parametrize(
    "name", ["nouveau", "nvidia_fs", "gdrdrv", "nv_peer_mem", "nvidia_wmi_ec_backlight", "nvidia_vgpu_vfio", "nvidiafb"]
)
def test_what_is_not_ours(name: str) -> None:
    assert not is_ours(name)
    with pytest.raises(ValueError, match=name):
        part(name)


@given(st.permutations(["nvidia_uvm", "nvidia_drm", "nvidia_modeset", "nvidia_peermem", "nvidia"]))
def test_removal_order(names: list[str]) -> None:
    assert removal_order(names) == ["nvidia_uvm", "nvidia_drm", "nvidia_modeset", "nvidia_peermem", "nvidia"]


def test_names_of_debian() -> None:
    names = ["nvidia_current", "nvidia_current_uvm", "nvidia_tesla_535", "nvidia_legacy_390xx_drm"]
    assert removal_order(names) == [
        "nvidia_current_uvm",
        "nvidia_legacy_390xx_drm",
        "nvidia_current",
        "nvidia_tesla_535",
    ]


def module(name: str, users: int | None, *holders: str) -> KernelModule:
    return KernelModule(name, users, holders)


def test_blockers() -> None:
    free = {"nvidia": module("nvidia", 1, "nvidia_uvm"), "nvidia_uvm": module("nvidia_uvm", 0)}
    assert blockers(free, []) == []
    assert blockers({"nvidia": module("nvidia", None)}, []) == []
    foreign = {"nvidia": module("nvidia", 3, "nvidia_uvm", "gdrdrv", "nvidia_fs")}
    assert blockers(foreign, []) == ["the kernel module gdrdrv", "the kernel module nvidia_fs"]
    (counted,) = blockers({"nvidia_drm": module("nvidia_drm", 2)}, [])
    assert "nvidia_drm" in counted and "2 times" in counted
    many = [Holder(pid, "python3", "alice", ("/dev/nvidia0",)) for pid in range(20, 0, -1)]
    found = blockers({"nvidia": module("nvidia", 20)}, many)
    assert (
        found[0] == "pid 1 python3 (user alice, /dev/nvidia0)" and found[-1] == "12 more processes" and len(found) == 9
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("580.95.05\n", "580.95.05"),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (x)\nGCC 12.2.0\n",
            "580.95.05",
        ),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.309.01  Mon\n", "535.309.01"),
        ("", None),
        ("\nGCC version: 580.1\n", None),
    ],
)
def test_version(text: str, wanted: str | None) -> None:
    assert version(text) == wanted


def test_a_machine(tmp_path: Path) -> None:
    kernel = Kernel(str(tmp_path))
    assert not kernel.loaded() and kernel.version() is None and kernel.modules() == {} and kernel.holders() == []
    for folder in (
        "proc/driver/nvidia",
        "proc/4242/fd",
        "proc/4243/fd",
        "proc/self",
        "sys/module/nvidia/holders",
        "etc",
    ):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/modules").write_text(TEXT)
    (tmp_path / "sys/module/nvidia/refcnt").write_text("2\n")
    (tmp_path / "sys/module/nvidia/holders/nvidia_uvm").touch()
    assert list(kernel.modules()) == ["nvidia_uvm", "nvidia_drm", "nvidia_modeset", "nvidia"]
    assert kernel.modules()["nvidia"] == KernelModule("nvidia", 2, ("nvidia_uvm",))
    (tmp_path / "proc/driver/nvidia/version").write_text("NVRM version: x  580.95.05  y\n")
    assert kernel.loaded() and kernel.version() == "580.95.05"
    (tmp_path / "sys/module/nvidia/version").write_text("580.178.04\n")
    assert kernel.version() == "580.178.04"
    for number, target in enumerate(("/dev/nvidia0", "/dev/nvidiactl", "/dev/null", "socket:[1]")):
        (tmp_path / f"proc/4242/fd/{number}").symlink_to(target)
    (tmp_path / "proc/4242/comm").write_text("python3\n")
    (tmp_path / "proc/4242/cgroup").write_text("0::/system.slice/job.service\n")
    (tmp_path / "etc/passwd").write_text(f"me:x:{os.getuid()}:0::/:/bin/sh\n")
    (holder,) = kernel.holders()
    assert (holder.pid, holder.comm, holder.user) == (4242, "python3", "me")
    assert holder.devices == ("/dev/nvidia0", "/dev/nvidiactl") and "job.service" in holder.units
