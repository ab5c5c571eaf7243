# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of dkms, and whether the firmware knows it."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils._command import Runner
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.host import Host
from ansible_collections.gpuready.bootstrap.plugins.module_utils._snapshot.sources import mok, system

MakeHost = Callable[[dict[str, Any]], Host]
OURS = b"0\x82\x03\x03 DKMS module signing key"
OTHER = b"0\x82\x03\x03 gpu1 Secure Boot Module Signature key"
LIST = "/sys/firmware/efi/mok-variables/MokListRT"
VARIABLES = "/sys/firmware/efi/efivars"
SHIM = "605dab50-e046-4300-abb6-3dd810dd8b23"
BOOTED = {f"{VARIABLES}/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": b"\x06\0\0\0\x01"}
PUB, MOK_DER, CONF = "/var/lib/dkms/mok.pub", "/var/lib/shim-signed/mok/MOK.der", "/etc/dkms/framework.conf"
UBUNTU = {"/etc/os-release": "ID=ubuntu\nID_LIKE=debian\n"}


def signatures(*keys: bytes) -> bytes:
    found = b""
    for key in keys:
        sizes = b"".join(number.to_bytes(4, "little") for number in (44 + len(key), 0, 16 + len(key)))
        found += bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072") + sizes + b"\x50" * 16 + key
    return found


def look(host: Host) -> dict[str, Any]:
    return mok.section(host, mok.certificates(host))


PEM = b"text\n-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(OURS) + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("files", "enrolled", "pending"),
    [
        # legacy BIOS: nobody to ask
        ({PUB: OURS}, None, None),
        ({**BOOTED, PUB: OURS}, False, False),
        ({**BOOTED, PUB: OURS, LIST: signatures(OTHER)}, False, False),
        ({**BOOTED, PUB: OURS, LIST: signatures(OTHER, OURS)}, True, False),
        ({PUB: OURS, f"{VARIABLES}/MokListRT-{SHIM}": b"\x06\0\0\0" + signatures(OURS)}, True, False),
        ({**BOOTED, PUB: OURS, f"{VARIABLES}/MokNew-{SHIM}": b"\x07\0\0\0x"}, False, True),
        ({**BOOTED, PUB: PEM, LIST: signatures(OURS)}, True, False),
        ({**BOOTED, PUB: b"", LIST: signatures(OURS)}, None, False),
        ({**BOOTED, PUB: OURS, LIST: b"x" * 40}, None, False),
        # part of a key is no key
        ({**BOOTED, PUB: OURS[:-1], LIST: signatures(OURS)}, False, False),
        ({**BOOTED}, None, False),
    ],
)
def test_what_the_firmware_knows(
    host_of: MakeHost, files: dict[str, Any], enrolled: bool | None, pending: bool | None
) -> None:
    found = look(host_of(files))
    assert (found["enrolled"], found["pending"]) == (enrolled, pending)
    assert found["key"] == (PUB if PUB in files else None)


@pytest.mark.parametrize(
    ("files", "key"),
    [
        ({}, None),
        ({PUB: OURS}, PUB),
        ({PUB: OURS, MOK_DER: OTHER, **UBUNTU}, MOK_DER),
        # made for the owner on Debian, where dkms does not look at it
        ({PUB: OURS, MOK_DER: OTHER, "/etc/os-release": "ID=debian\n"}, PUB),
        ({MOK_DER: OTHER, "/usr/lib/os-release": 'ID=linuxmint\nID_LIKE="ubuntu debian"\n'}, MOK_DER),
        ({PUB: OURS, **UBUNTU}, PUB),
        ({PUB: OURS, CONF: "# mok_certificate=/srv/a.der\n", "/srv/a.der": OURS}, PUB),
        ({PUB: OURS, CONF: 'mok_certificate="/srv/a.der" # ours\n', "/srv/a.der": OURS}, "/srv/a.der"),
        ({CONF: "mok_certificate=/srv/gone.der\n", PUB: OURS}, None),
        # a file of the folder comes later
        (
            {
                CONF: "mok_certificate=/srv/a.der\n",
                f"{CONF}.d/b.conf": "mok_certificate=/srv/b.der\n",
                f"{CONF}.d/c.conf.bak": "mok_certificate=/srv/a.der\n",
                "/srv/a.der": OURS,
                "/srv/b.der": OURS,
            },
            "/srv/b.der",
        ),
        # Ubuntu's own key only where nobody chose one
        ({CONF: "mok_signing_key=/srv/k\n", PUB: OURS, MOK_DER: OTHER, **UBUNTU}, PUB),
        ({CONF: "mok_certificate=/srv/a.der\n", "/srv/a.der": OURS, MOK_DER: OTHER, **UBUNTU}, MOK_DER),
        ({CONF: "mok_certificate=/srv/$kernelver.der\n", "/srv/$kernelver.der": OURS}, None),
        ({CONF: "mok_certificate=mok.pub\n", PUB: OURS}, None),
        ({CONF: "mok_certificate='/a\0b'\n", PUB: OURS}, None),
    ],
)
def test_which_certificate_dkms_takes(host_of: MakeHost, files: dict[str, Any], key: str | None) -> None:
    assert look(host_of({"/x": "", **files}))["key"] == key


def test_the_tool(host_of: MakeHost) -> None:
    assert look(host_of({"/x": ""}))["tool"] is False
    assert look(host_of({"/usr/bin/mokutil": ""}))["tool"] is True


def test_a_fifo_in_place_of_a_certificate_does_not_block(host_of: MakeHost) -> None:
    host = host_of({**BOOTED, "/var/lib/dkms/README": ""})
    os.mkfifo(host.path("/var/lib/dkms") + "/mok.pub")
    assert look(host) == {"tool": False, "key": PUB, "enrolled": None, "pending": False}


def test_a_key_that_waits_for_the_console(root_of: Callable[[str], Path], runner: Runner) -> None:
    found = system.firmware_section(Host(str(root_of("ubuntu2404_secureboot")), runner))
    assert (found["secure_boot"], found["mok_keys"]) == (True, 0)
    assert found["mok"] == {"tool": True, "key": MOK_DER, "enrolled": False, "pending": True}


def test_a_fault_here_costs_the_keys_only(host_of: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(host: Host) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(mok, "certificates", broken)
    host = host_of({**BOOTED})
    found = system.firmware_section(host)
    assert found["secure_boot"] is True
    assert (found["mok_keys"], found["mok"]) == (None, mok.EMPTY)
    assert host.probes.status("mok") == "failed"
