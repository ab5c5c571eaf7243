# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the next boot will do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import boot

MakeHost = Callable[[dict[str, Any]], Host]
ENTRY = "menuentry 'Linux' $menuentry_id_option 'simple' {\n\tlinux\t/boot/vmlinuz-6.1 root=x ro  quiet\n}\n"
BLS = 'set default="${saved_entry}"\nblscfg\n'
INFO = "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
SYSTEMD_BOOT = b"\x06\0\0\0" + "systemd-boot 255.4\0".encode("utf-16-le")


def bls(version: str, options: str) -> str:
    return f"title Rocky ({version})\nversion {version}\nlinux /vmlinuz-{version}\noptions {options}\n"


OLD = {"/boot/loader/entries/m-5.14.0-70.conf": bls("5.14.0-70", "old")}
NEW = {"/boot/loader/entries/m-5.14.0-503.conf": bls("5.14.0-503", "root=x $kernelopts")}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"/boot/grub/grub.cfg": ENTRY}, "root=x ro quiet"),
        ({"/boot/grub2/grub.cfg": 'set default="0"\n' + ENTRY}, "root=x ro quiet"),
        # another entry than the first: not for us to tell
        ({"/boot/grub/grub.cfg": 'set default="2"\n' + ENTRY}, None),
        ({"/boot/grub/grub.cfg": 'set default="${saved_entry}"\n' + ENTRY}, "root=x ro quiet"),
        (
            {
                "/boot/grub/grub.cfg": 'set default="${saved_entry}"\n' + ENTRY,
                "/boot/grub/grubenv": "saved_entry=simple\n",
            },
            "root=x ro quiet",
        ),
        ({"/boot/grub/grub.cfg": ENTRY, "/boot/grub/grubenv": "next_entry=windows\n"}, None),
        ({"/boot/grub/grub.cfg": "\0\xff"}, None),
        # Fedora and RHEL
        (
            {"/boot/grub2/grub.cfg": BLS, **OLD, **NEW, "/boot/grub2/grubenv": "kernelopts=ro quiet\n"},
            "root=x ro quiet",
        ),
        ({"/boot/grub2/grub.cfg": 'set kernelopts="rw"\n' + BLS, **NEW}, "root=x rw"),
        ({"/boot/grub2/grub.cfg": BLS, **OLD, **NEW, "/boot/grub2/grubenv": "saved_entry=m-5.14.0-70\n"}, "old"),
        ({"/boot/grub2/grub.cfg": BLS, **OLD, "/boot/grub2/grubenv": "saved_entry=gone\n"}, None),
        ({"/boot/grub2/grub.cfg": BLS}, None),
        # systemd-boot
        ({"/efi/loader/entries/m-6.1.conf": bls("6.1", "ro  quiet")}, "ro quiet"),
        ({**OLD, **NEW, "/boot/loader/loader.conf": "timeout 3\ndefault m-5.14.0-70*\n"}, "old"),
        ({**OLD, "/boot/loader/loader.conf": "default @saved\n"}, None),
        ({"/etc/kernel/cmdline": "root=x ro\nquiet\n"}, "root=x ro quiet"),
        ({**OLD, "/etc/kernel/cmdline": "new"}, "old"),
        ({"/boot/grub/grub.cfg": ENTRY, INFO: SYSTEMD_BOOT, **OLD}, "old"),
        (
            {
                "/boot/grub/grub.cfg": ENTRY,
                INFO: b"\x06\0\0\0" + "GRUB 2.12".encode("utf-16-le"),
                **OLD,
            },
            "root=x ro quiet",
        ),
    ],
)
def test_the_next_command_line(host_of: MakeHost, files: dict[str, Any], expected: str | None) -> None:
    host = host_of({"/x": "", **files})
    assert boot.cmdline_next(host) == expected
    assert host.probes.status("cmdline_next") == ("ok" if expected is not None else "missing")


def test_a_refusal_is_told(host_of: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host = host_of({"/boot/grub/grub.cfg": ENTRY})

    def refuse(path: str, limit: int = 0) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(host, "read_bytes", refuse)
    assert boot.cmdline_next(host) is None
    assert host.probes.status("cmdline_next") == "denied"


def test_passwords_stay_behind(host_of: MakeHost) -> None:
    host = host_of({"/etc/kernel/cmdline": "ro inst.repo=https://me:hunter2@mirror.example.org/x"})
    assert boot.cmdline_next(host) == "ro inst.repo=https://***@mirror.example.org/x"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("debian12_dkms_broken", "root=LABEL=root ro quiet modprobe.blacklist=nouveau"),
        # what GRUB decides at boot is left out
        ("ubuntu2404_secureboot", "root=LABEL=root ro quiet splash"),
        ("rhel9", "root=/dev/mapper/rl-root ro crashkernel=1G-4G:192M rhgb quiet"),
        ("garbage", None),
        ("rented", None),
    ],
)
def test_whole_machines(root_of: Callable[[str], Path], runner: Runner, name: str, expected: str | None) -> None:
    assert boot.cmdline_next(Host(str(root_of(name)), runner)) == expected


@pytest.mark.parametrize(
    ("content", "expected", "status"),
    [
        (None, None, None),
        ("{}", None, "unparsable"),
        ("[]", None, "unparsable"),
        ("not JSON", None, "unparsable"),
        ('{"inputs": [], "kernels": {}}', None, "unparsable"),
        ('{"inputs": {}, "kernels": {}}', {"inputs": {}, "kernels": {}}, "ok"),
        (
            '{"inputs": {"/a": "ff", "/b": null, "/c": 7}, "kernels": {"6.1": {"size": 9, "mtime": 1.5}, "6.2": 3}}',
            {
                "inputs": {"/a": "ff", "/b": None, "/c": None},
                "kernels": {"6.1": {"size": 9, "mtime": 1.5}, "6.2": {"size": None, "mtime": None}},
            },
            "ok",
        ),
        # what other readers of JSON would not take
        (
            '{"inputs": {}, "kernels": {"6.1": {"size": NaN, "mtime": Infinity}, "6.2": {"size": true}}}',
            {
                "inputs": {},
                "kernels": {"6.1": {"size": None, "mtime": None}, "6.2": {"size": None, "mtime": None}},
            },
            "ok",
        ),
    ],
)
def test_the_note_of_the_initramfs(host_of: MakeHost, content: str | None, expected: Any, status: str | None) -> None:
    host = host_of({"/x": ""} if content is None else {boot.STAMP: content})
    found = boot.initramfs(host)
    assert found == expected
    assert host.probes.status("initramfs") == status
    json.dumps(found, allow_nan=False)
