# Copyright (c) 2026 The gpuready authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.gpuready.bootstrap.plugins.module_utils import _openpgp as pgp
from hypothesis import given
from hypothesis import strategies as st

KEYS = Path(__file__).parents[3] / "fixtures" / "keys"
ARCHIVE = "0C60716EFB39782D702F667DA415A6C3E9A67E86"  # as `gpg --list-keys` prints it
OTHER = "4A452AB4EDCE8724E173C03BA6BB0A094094A386"
ONE = (KEYS / "archive.asc").read_bytes()
TWO = (KEYS / "other.asc").read_bytes()


def packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(("data", "wanted"), [(ONE, [ARCHIVE]), (TWO, [OTHER]), (ONE + TWO, [ARCHIVE, OTHER])])
def test_fingerprints_as_gpg_prints_them(data: bytes, wanted: list[str]) -> None:
    assert pgp.primary_fingerprints(data) == wanted
    assert pgp.primary_fingerprints(pgp.dearmor(data)) == wanted
    assert pgp.primary_fingerprints(data.replace(b"\n", b"\r\n")) == wanted


def test_user_ids() -> None:
    assert [key.user_ids for key in pgp.read_keys(ONE)] == [("gpuready test archive <archive@example.org>",)]


def test_versions_5_and_6() -> None:
    body = b"\x01\x02\x03"
    for version in (5, 6):
        key = pgp.read_keys(packet(6, bytes([version]) + body))[0]
        assert key.version == version and len(key.fingerprint) == 64
    with pytest.raises(pgp.KeyVersionError, match="version 3"):
        pgp.read_keys(packet(6, b"\x03" + body))


def test_subkeys_are_not_primaries() -> None:
    data = pgp.dearmor(ONE) + packet(14, b"\x04subkey")
    assert pgp.primary_fingerprints(data) == [ARCHIVE] and len(pgp.read_keys(data)) == 2


@pytest.mark.parametrize(
    ("data", "error", "word"),
    [
        (b"", pgp.PacketError, "no OpenPGP key"),
        (b"<html>not found</html>", pgp.PacketError, "does not start"),
        (ONE[:-60], pgp.ArmorError, "END line"),
        (ONE.replace(b"\n\n", b"\n", 1), pgp.ArmorError, "empty line"),
        (ONE.replace(b"PUBLIC KEY BLOCK", b"SIGNED MESSAGE"), pgp.ArmorError, "signed message"),
        (pgp.dearmor(ONE)[:-3], pgp.PacketError, "bytes are missing"),
        (packet(5, b"\x04x"), pgp.PacketError, "secret key"),
        (packet(13, b"uid"), pgp.PacketError, "does not start with a public key"),
        (b"\xc6\xe1x", pgp.PacketError, "partial length"),
        (b"\x9bxx", pgp.PacketError, "indeterminate"),
    ],
)
def test_bad_keys_are_refused(data: bytes, error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        pgp.primary_fingerprints(data)


def test_damaged_armor_is_noticed() -> None:
    lines = ONE.split(b"\n")
    lines[3] = lines[3][::-1]
    with pytest.raises(pgp.ArmorError, match="checksum"):
        pgp.primary_fingerprints(b"\n".join(lines))


@given(st.binary(min_size=1, max_size=400))
def test_armor_round_trip(data: bytes) -> None:
    assert pgp.dearmor(pgp.armor(data)) == data


@given(st.binary(max_size=200))
def test_rubbish_never_raises_anything_else(data: bytes) -> None:
    for text in (data, ONE[:120] + data, pgp.dearmor(TWO)[:100] + data):
        try:
            pgp.read_keys(text)
        except pgp.OpenPgpError as error:
            assert str(error)


@given(st.integers(min_value=0, max_value=len(pgp.dearmor(ONE)) - 1), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_never_keeps_the_fingerprint_and_the_key(place: int, change: int) -> None:
    data = bytearray(pgp.dearmor(ONE))
    first = next(iter(pgp.packets(bytes(data))))[1]
    data[place] ^= change
    try:
        keys = pgp.primary_fingerprints(bytes(data))
    except pgp.OpenPgpError:
        return
    if keys == [ARCHIVE]:
        assert next(iter(pgp.packets(bytes(data))))[1] == first


def test_fingerprint_input() -> None:
    spaced = "0x0c60 716e fb39 782d 702f  667d a415 a6c3 e9a6 7e86"
    assert pgp.normal_fingerprint(spaced) == ARCHIVE
    for bad in ("", "E9A67E86", ARCHIVE + "00", "Z" * 40):
        with pytest.raises(pgp.OpenPgpError, match="not a full key fingerprint"):
            pgp.normal_fingerprint(bad)


def test_armor_is_what_gpg_reads(tmp_path: Path) -> None:
    gpg = Path("/usr/bin/gpg")
    if not gpg.exists():
        pytest.skip("gpg is not installed here")
    (tmp_path / "key.asc").write_bytes(pgp.armor(pgp.dearmor(TWO)))
    command = [str(gpg), "--homedir", str(tmp_path), "--with-colons", "--show-keys", str(tmp_path / "key.asc")]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f":{OTHER}:" in out
