# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device program of a control group answers, found by walking through its instructions.

Such a program gets {access << 16 | type, major, minor} (linux/bpf.h, struct bpf_cgroup_dev_ctx) and returns 0 for "no".
runc, crun, systemd and libnvidia-container write straight comparisons. What else a program may do (maps, calls, its
stack) is not followed: the answer is then None, "not known".
"""

from __future__ import annotations

import struct

READ_WRITE = 2 | 4
_TYPES = {"block": 1, "char": 2}
_ALL = 2**64 - 1
_CONTEXT = 2**48
_STEPS = 20_000

# linux/bpf_common.h and linux/bpf.h: the low three bits are the class
_LDX, _ALU, _JMP, _JMP32, _ALU64 = 1, 4, 5, 6, 7
_SIZES = {0x00: 4, 0x08: 2, 0x10: 1}
# the barrier that the verifier puts in against speculation (linux/filter.h, BPF_NOSPEC)
_BARRIER = 0xC2


class _UnknownError(Exception):
    """An instruction that is not followed."""


def allows(code: bytes, kind: str, major: int, minor: int, access: int = READ_WRITE) -> bool | None:
    """Whether the program lets a device be opened; None if that cannot be told. `kind` is char or block."""
    context = struct.pack("=III", access << 16 | _TYPES[kind], major, minor)
    try:
        return bool(_run(code, context) & 0xFFFFFFFF)
    except (_UnknownError, struct.error):
        return None


def _run(code: bytes, context: bytes) -> int:
    registers: list[int | None] = [None] * 16
    registers[1] = _CONTEXT
    at = 0
    for _step in range(_STEPS):
        if not 0 <= at * 8 < len(code):
            break
        opcode, pair, offset, number = struct.unpack_from("=BBhi", code, at * 8)
        to, kind = pair & 15, opcode & 7
        at += 1
        if opcode == 0x95:
            return _value(registers, 0)
        if opcode == 0x18:
            (high,) = struct.unpack_from("=4xi", code, at * 8)
            if pair >> 4:
                raise _UnknownError("an address of a map")
            registers[to] = (number & 0xFFFFFFFF) | (high & 0xFFFFFFFF) << 32
            at += 1
        elif kind == _LDX:
            registers[to] = _load(context, _value(registers, pair >> 4) + offset, opcode)
        elif kind in (_ALU, _ALU64):
            other = _value(registers, pair >> 4) if opcode & 8 else number & _ALL
            registers[to] = _compute(registers, opcode, to, other)
        elif kind in (_JMP, _JMP32):
            other = _value(registers, pair >> 4) if opcode & 8 else number & _ALL
            at += _jump(registers, opcode, to, other, offset, number)
        elif opcode != _BARRIER:
            raise _UnknownError(f"{opcode:#x}")
    raise _UnknownError("no end")


def _value(registers: list[int | None], index: int) -> int:
    value = registers[index]
    if value is None:
        raise _UnknownError(f"register {index}")
    return value


def _load(context: bytes, address: int, opcode: int) -> int:
    size = _SIZES.get(opcode & 0x18)
    start = address - _CONTEXT
    if opcode & 0xE0 != 0x60 or size is None or not 0 <= start <= len(context) - size:
        raise _UnknownError("a load from elsewhere")
    return int(struct.unpack_from({4: "=I", 2: "=H", 1: "=B"}[size], context, start)[0])


def _compute(registers: list[int | None], opcode: int, to: int, other: int) -> int:
    wide = opcode & 7 == _ALU64
    limit, bits = (_ALL, 63) if wide else (0xFFFFFFFF, 31)
    operation = opcode & 0xF0
    if operation == 0xB0:
        return other & limit
    value = _value(registers, to) & limit
    other &= limit
    results = {
        0x00: value + other,
        0x10: value - other,
        0x20: value * other,
        0x40: value | other,
        0x50: value & other,
        0x60: value << (other & bits),
        0x70: value >> (other & bits),
        0x80: -value,
        0xA0: value ^ other,
    }
    if operation not in results:
        raise _UnknownError(f"{opcode:#x}")
    return results[operation] & limit


def _jump(registers: list[int | None], opcode: int, to: int, other: int, offset: int, number: int) -> int:
    operation, wide = opcode & 0xF0, opcode & 7 == _JMP
    if operation == 0x00:
        # the 32-bit form (gotol) has its distance in the other field
        return offset if wide else number
    limit = _ALL if wide else 0xFFFFFFFF
    value, other = _value(registers, to) & limit, other & limit
    sign = (limit + 1) // 2
    signed, other_signed = (value ^ sign) - sign, (other ^ sign) - sign
    answers = {
        0x10: value == other,
        0x20: value > other,
        0x30: value >= other,
        0x40: bool(value & other),
        0x50: value != other,
        0x60: signed > other_signed,
        0x70: signed >= other_signed,
        0xA0: value < other,
        0xB0: value <= other,
        0xC0: signed < other_signed,
        0xD0: signed <= other_signed,
    }
    if operation not in answers:
        raise _UnknownError(f"{opcode:#x}")
    return offset if answers[operation] else 0
