# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs read through a stand-in of bpf(2), which keeps to linux/bpf.h."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes import programs
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes.programs import Program

KEPT = {7: Program("", b"a" * 24), 9: Program("sd_devices", b"b" * 8000)}


class Kernel:
    """Answers as the kernel does: into the memory that the caller names."""

    def __init__(self) -> None:
        self.opened: dict[int, int] = {}
        self.flags: list[int] = []

    def __call__(self, command: int, question: bytes) -> tuple[int, bytes]:
        if command == 16:
            return self.query(question)
        if command == 13:
            handle = os.open("/dev/null", os.O_RDONLY)
            self.opened[handle] = struct.unpack("=I", question)[0]
            return handle, question
        assert command == 15
        handle, length, where = struct.unpack("=IIQ", question)
        assert length >= 80
        program = KEPT[self.opened[handle]]
        info = (ctypes.c_char * length).from_address(where)
        room, target = struct.unpack_from("=I", info, 20)[0], struct.unpack_from("=Q", info, 32)[0]
        if target:
            ctypes.memmove(target, program.code, min(room, len(program.code)))
        struct.pack_into("=I", info, 20, len(program.code))
        struct.pack_into("16s", info, 64, program.name.encode())
        return 0, question

    def query(self, question: bytes) -> tuple[int, bytes]:
        _group, kind, flags, _attach, where, room = struct.unpack("=IIIIQI", question)
        assert kind == 6
        self.flags.append(flags)
        (ctypes.c_uint32 * room).from_address(where)[: len(KEPT)] = list(KEPT)
        return 0, question[:24] + struct.pack("=I", len(KEPT)) + bytes(64)


def test_programs_are_read_and_their_handles_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel = Kernel()
    monkeypatch.setattr(programs, "_call", kernel)
    before = len(os.listdir("/proc/self/fd"))
    assert programs.attached(str(tmp_path)) == list(KEPT.values())
    assert programs.attached(str(tmp_path), effective=True) == list(KEPT.values())
    assert kernel.flags == [0, 1]
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_refusal_leaves_no_handle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(command: int, question: bytes) -> tuple[int, bytes]:
        if command == 13:
            raise PermissionError(errno.EPERM, "bpf(2): Operation not permitted")
        return Kernel()(command, question)

    monkeypatch.setattr(programs, "_call", refuse)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(PermissionError):
        programs.attached(str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_is_no_control_group(tmp_path: Path) -> None:
    # the real kernel: whatever it says, it is an OSError
    with pytest.raises(OSError, match=r"bpf|Operation|Bad"):
        programs.attached(str(tmp_path))


def test_a_group_that_has_ended(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        programs.attached(str(tmp_path / "gone"))


def test_a_machine_whose_call_is_not_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.machine", lambda: "sparc64")
    with pytest.raises(OSError, match="sparc64"):
        programs.attached(str(tmp_path))
