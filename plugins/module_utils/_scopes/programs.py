# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The device programs of a control group, read from the kernel. Nothing is loaded, attached or detached.

bpf(2): BPF_PROG_QUERY, BPF_PROG_GET_FD_BY_ID and BPF_OBJ_GET_INFO_BY_FD; the structures are those of linux/bpf.h.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from typing import NamedTuple

_CALLS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
_FD_BY_ID, _INFO, _QUERY = 13, 15, 16
_DEVICES = 6  # BPF_CGROUP_DEVICE
_EFFECTIVE = 1
_PROGRAMS = 64
# systemd's own name for its program (src/core/bpf-devices.c)
SYSTEMD = "sd_devices"


class Program(NamedTuple):
    """A device program: its name, which may be empty, and its instructions."""

    name: str
    code: bytes


def attached(folder: str, effective: bool = False) -> list[Program]:
    """The programs of a group; with `effective` those of the groups above it too, since each may say no.

    OSError where the kernel does not tell, for example without CAP_SYS_ADMIN.
    """
    group = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        ids = (ctypes.c_uint32 * _PROGRAMS)()
        flags = _EFFECTIVE if effective else 0
        question = struct.pack("=IIIIQI", group, _DEVICES, flags, 0, ctypes.addressof(ids), _PROGRAMS)
        answer = _call(_QUERY, question)[1]
        (count,) = struct.unpack_from("=I", answer, 24)
        return [_program(number) for number in ids[:count]]
    finally:
        os.close(group)


def _program(number: int) -> Program:
    handle = _call(_FD_BY_ID, struct.pack("=I", number))[0]
    try:
        info = ctypes.create_string_buffer(256)
        _info(handle, info)
        (length,) = struct.unpack_from("=I", info, 20)
        name = info.raw[64:80].split(b"\0")[0].decode("ascii", "replace")
        code = ctypes.create_string_buffer(length or 1)
        info = ctypes.create_string_buffer(256)
        struct.pack_into("=I", info, 20, length)
        struct.pack_into("=Q", info, 32, ctypes.addressof(code))
        _info(handle, info)
        return Program(name, code.raw[:length])
    finally:
        os.close(handle)


def _info(handle: int, info: ctypes.Array[ctypes.c_char]) -> None:
    _call(_INFO, struct.pack("=IIQ", handle, len(info), ctypes.addressof(info)))


def _call(command: int, question: bytes) -> tuple[int, bytes]:
    number = _CALLS.get(platform.machine())
    if number is None:
        raise OSError(f"the number of bpf(2) is not known for {platform.machine()}")
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    buffer = ctypes.create_string_buffer(question, 128)
    result = int(library.syscall(ctypes.c_long(number), ctypes.c_long(command), buffer, ctypes.c_long(len(buffer))))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"bpf(2): {os.strerror(error)}")
    return result, buffer.raw
