# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import os
import struct
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _ssh_keys
from ansible_collections.gpuready.bootstrap.plugins.module_utils._ssh_keys import Key, KeyTextError, checked, parse
from hypothesis import given
from hypothesis import strategies as st


def blob(kind: str, *fields: bytes) -> str:
    parts = [kind.encode(), *fields]
    return base64.b64encode(b"".join(struct.pack(">I", len(part)) + part for part in parts)).decode()


def ed25519(seed: int = 0) -> str:
    return f"ssh-ed25519 {blob('ssh-ed25519', bytes([seed]) * 32)}"


def rsa(bits: int) -> str:
    modulus = (1 << (bits - 1)).to_bytes(bits // 8 + 1, "big")
    return f"ssh-rsa {blob('ssh-rsa', bytes([1, 0, 1]), modulus)} me"


words = st.text("abc@.- ", max_size=12).map(lambda text: " ".join(text.split()))
options = st.sampled_from(["", "no-pty", 'command="echo \\"a b\\"",no-pty', 'from="10.0.0.0/8,*.example.org"'])


@given(options, st.integers(0, 255), words)
def test_a_line_is_read_as_it_was_written(option: str, seed: int, comment: str) -> None:
    kind, body = ed25519(seed).split()
    key = Key(option, kind, body, comment)
    assert parse(key.line) == key
    assert checked(f"  {key.line}\n") == key


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    found = parse(text)
    assert found is None or found.type in text


def test_the_fingerprint_is_that_of_ssh_keygen() -> None:
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    key = checked(line)
    # ssh-keygen -lf
    assert key.line == ed25519(1) and key.fingerprint == "SHA256:RXm/ruZ0eTzRXKwi1AQEDynB0VgHQ2ac9KPSFdf/YnA"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
        ("---- BEGIN SSH2 PUBLIC KEY ----", "ssh-keygen -i -f"),
        ("ssh-ed25519 AAAAnonsense", "not a public key in one line"),
        (f"ssh-rsa {ed25519().split()[1]}", "not a public key in one line"),
        (f"ssh-dss {blob('ssh-dss', b'x')}", "DSA"),
        (rsa(1024), "1024 bits"),
    ],
)
def test_what_is_no_key_is_said(line: str, said: str) -> None:
    with pytest.raises(KeyTextError, match=said):
        checked(line)


def test_an_rsa_key_of_size_is_taken() -> None:
    assert checked(rsa(3072)).comment == "me"


@pytest.mark.parametrize(
    ("mode", "folder", "safe"), [(0o600, 0o700, True), (0o664, 0o700, False), (0o600, 0o770, False)]
)
def test_modes_that_sshd_passes_over(tmp_path: Path, mode: int, folder: int, safe: bool) -> None:
    path = tmp_path / ".ssh" / "authorized_keys"
    path.parent.mkdir()
    path.touch()
    path.chmod(mode)
    path.parent.chmod(folder)
    tmp_path.chmod(0o755)
    assert (_ssh_keys.unsafe(str(path), os.getuid(), str(tmp_path)) == "") is safe


def test_the_file_of_an_account() -> None:
    assert _ssh_keys.file_of(".ssh/authorized_keys", "ada", 1000, "/home/ada") == "/home/ada/.ssh/authorized_keys"
    assert _ssh_keys.file_of("/etc/ssh/keys/%u.%U%%", "ada", 1000, "/home/ada") == "/etc/ssh/keys/ada.1000%"
