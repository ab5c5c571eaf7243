# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Device programs as kernels keep them, and as one would assemble them."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._scopes import instructions
from hypothesis import given
from hypothesis import strategies as st

RECORDED = json.loads((Path(__file__).resolve().parents[4] / "fixtures/device_programs.json").read_text())["programs"]
PROGRAMS = {(row["container"], row["name"]): zlib.decompress(base64.b64decode(row["code"])) for row in RECORDED}
NULL, TTY, FUSE, SDA = ("char", 1, 3), ("char", 5, 0), ("char", 10, 229), ("block", 8, 0)
CTL, CARD, OTHER = ("char", 195, 255), ("char", 195, 0), ("char", 195, 1)
MKNOD = 1


@pytest.mark.parametrize(
    ("container", "name", "allowed", "denied"),
    [
        # runc's own, widened by the stand-in of NVIDIA's hook, which allows the whole major
        ("hook", "", [NULL, TTY, CTL, CARD, OTHER], [FUSE, SDA]),
        # systemd's, after set-property for two nodes
        ("hook", "sd_devices", [NULL, TTY, CTL, CARD], [OTHER, FUSE, SDA]),
        ("devices", "", [NULL, CTL, CARD], [FUSE, SDA]),
        ("devices", "sd_devices", [NULL, CTL, CARD], [OTHER, FUSE, SDA]),
        ("none", "", [NULL, TTY], [CTL, CARD, OTHER, FUSE, SDA]),
        # somebody allowed it there by hand: runc's program still says no
        ("none", "sd_devices", [NULL, CTL], [CARD, FUSE, SDA]),
    ],
)
def test_recorded_programs(
    container: str, name: str, allowed: list[tuple[str, int, int]], denied: list[tuple[str, int, int]]
) -> None:
    code = PROGRAMS[container, name]
    assert [device for device in allowed if instructions.allows(code, *device) is not True] == []
    assert [device for device in denied if instructions.allows(code, *device) is not False] == []
    # every engine lets nodes be made, and that is no right to use them
    assert instructions.allows(code, *SDA, access=MKNOD) is True


def insn(opcode: int, to: int = 0, source: int = 0, offset: int = 0, number: int = 0) -> bytes:
    return struct.pack("=BBhi", opcode, to | source << 4, offset, number)


RETURN = insn(0xB7, 0, number=1) + insn(0x95)
Rule = tuple[bool, "int | None", "int | None", int]


def assemble(rules: list[Rule]) -> bytes:
    """The last rule that matches decides, as in runc: so the last one is asked first."""
    code = insn(0x61, 2, 1, 0) + insn(0x54, 2, number=0xFFFF)  # r2: type
    code += insn(0x61, 3, 1, 0) + insn(0x74, 3, number=16)  # r3: access
    code += insn(0x61, 4, 1, 4) + insn(0x61, 5, 1, 8)  # r4, r5: major, minor
    for allow, major, minor, access in reversed(rules):
        tests = [insn(0xBC, 1, 3) + insn(0x54, 1, number=access), insn(0x5E, 1, 3, offset=0)]
        tests += [insn(0x56, 4, offset=0, number=major)] if major is not None else []
        tests += [insn(0x56, 5, offset=0, number=minor)] if minor is not None else []
        body = b"".join(tests) + insn(0xB7, 0, number=int(allow)) + insn(0x95)
        # every jump leads behind the rule
        total = len(body) // 8
        fixed = b""
        for position in range(total):
            opcode, pair, offset, number = struct.unpack_from("=BBhi", body, position * 8)
            fixed += insn(
                opcode, pair & 15, pair >> 4, total - position - 1 if opcode in (0x5E, 0x56) else offset, number
            )
        code += fixed
    return code + insn(0xB7, 0) + insn(0x95)


def expected(rules: list[Rule], major: int, minor: int, access: int) -> bool:
    for allow, wanted_major, wanted_minor, mask in reversed(rules):
        fits = wanted_major in (None, major) and wanted_minor in (None, minor)
        if fits and access & mask == access:
            return allow
    return False


numbers = st.sampled_from([0, 1, 3, 195, 255, 510])
rule = st.tuples(st.booleans(), st.none() | numbers, st.none() | numbers, st.integers(1, 7))


@given(st.lists(rule, max_size=8), numbers, numbers, st.integers(1, 7))
def test_any_list_of_rules(rules: list[Rule], major: int, minor: int, access: int) -> None:
    answer = instructions.allows(assemble(rules), "char", major, minor, access)
    assert answer is expected(rules, major, minor, access)


@given(st.binary(max_size=400))
def test_noise_neither_raises_nor_hangs(code: bytes) -> None:
    assert instructions.allows(code, "char", 195, 255) in (True, False, None)


@given(st.sampled_from(sorted(PROGRAMS)), st.integers(0, 2**16), st.integers(0, 255))
def test_a_damaged_program_does_not_raise(key: tuple[str, str], at: int, value: int) -> None:
    code = bytearray(PROGRAMS[key])
    code[at % len(code)] = value
    assert instructions.allows(bytes(code), "char", 195, 255) in (True, False, None)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        pytest.param(b"", None, id="nothing, as a kernel without CAP_SYS_ADMIN gives"),
        pytest.param(insn(0xB7, 0, number=1), None, id="no end"),
        pytest.param(insn(0x05, offset=-1), None, id="a loop"),
        pytest.param(insn(0x05, offset=-5), None, id="before its start"),
        pytest.param(insn(0x85, number=1) + RETURN, None, id="a call"),
        pytest.param(insn(0x61, 0, 10, -4) + insn(0x95), None, id="its stack"),
        pytest.param(insn(0x61, 0, 1, 12) + insn(0x95), None, id="behind what it is given"),
        pytest.param(insn(0x95), None, id="no answer"),
        pytest.param(insn(0x18, 0, 1) + insn(0) + insn(0x95), None, id="a map"),
        pytest.param(insn(0xC2) + RETURN, True, id="a barrier against speculation"),
        pytest.param(insn(0x18, 0, number=0) + insn(0, number=1) + insn(0x95), False, id="only the low half counts"),
        pytest.param(insn(0x18, 0, number=7) + insn(0) + insn(0x95), True, id="a wide number"),
        pytest.param(insn(0xB4, 0, number=-1) + insn(0x77, 0, number=32) + insn(0x95), False, id="32 bits"),
        pytest.param(insn(0xB7, 0, number=-1) + insn(0x77, 0, number=32) + insn(0x95), True, id="64 bits"),
        pytest.param(insn(0x06, number=1) + insn(0x95) + RETURN, True, id="a long jump"),
        pytest.param(insn(0x69, 0, 1, 2) + insn(0x95), True, id="half a word: the access"),
        pytest.param(insn(0x71, 0, 1, 3) + insn(0x95), False, id="a byte of it"),
    ],
)
def test_single_instructions(code: bytes, answer: bool | None) -> None:
    assert instructions.allows(code, "char", 195, 255) is answer


@pytest.mark.parametrize(
    ("opcode", "value", "number", "taken"),
    [
        (0x15, 5, 5, True),
        (0x25, 5, 5, False),
        (0x25, -1, 5, True),
        (0x65, -1, 5, False),
        (0x35, 5, 5, True),
        (0x75, -1, -1, True),
        (0x45, 6, 1, False),
        (0x45, 6, 2, True),
        (0x55, 5, 5, False),
        (0xA5, 4, 5, True),
        (0xB5, 6, 5, False),
        (0xC5, -1, 0, True),
        (0xD5, 1, 0, False),
        (0xA6, -1, 5, False),
        (0xC6, -1, 5, True),
    ],
)
def test_jumps(opcode: int, value: int, number: int, taken: bool) -> None:
    code = insn(0xB7, 2, number=value) + insn(opcode, 2, offset=2, number=number)
    code += insn(0xB7, 0) + insn(0x95) + RETURN
    assert instructions.allows(code, "char", 1, 3) is taken


@pytest.mark.parametrize(
    ("opcode", "value", "other", "result"),
    [
        (0x07, 1, 2, 3),
        (0x17, 1, 2, -1),
        (0x27, 3, 4, 12),
        (0x47, 1, 2, 3),
        (0x57, 6, 3, 2),
        (0x67, 1, 4, 16),
        (0x77, 16, 4, 1),
        (0x87, 1, 0, -1),
        (0xA7, 6, 3, 5),
    ],
)
def test_arithmetic(opcode: int, value: int, other: int, result: int) -> None:
    code = insn(0xB7, 2, number=value) + insn(opcode, 2, number=other)
    code += insn(0x15, 2, offset=2, number=result) + insn(0xB7, 0) + insn(0x95) + RETURN
    assert instructions.allows(code, "char", 1, 3) is True
